// SPDX-License-Identifier: MIT OR Apache-2.0
// Deep FIFO without latency: an entry pushed into an empty FIFO shows at the read side in the same cycle.
//
// Write side: `push_i` whenever there is room, which the user accounts for (there is no full flag).
// Read side: `data_o` is valid with `valid_o`; `pop_i` takes it. One entry in and one out per cycle.
// The head is kept in front of the memory, so the memory is read synchronously and maps to block RAM: the
// read for the next head is made when the present one is taken.
`include "dma_assert.svh"
module dma_fifo #(
    // Width of an entry in bits.
    parameter int unsigned Width = 64,
    // Entries: a power of two, at least 4.
    parameter int unsigned Depth = 512
) (
    input  logic             clk_i,
    input  logic             rst_ni,
    // Drops all entries.
    input  logic             clear_i,
    input  logic             push_i,
    input  logic [Width-1:0] data_i,
    output logic             valid_o,
    output logic [Width-1:0] data_o,
    input  logic             pop_i
);
    localparam int unsigned IndexBits = $clog2(Depth);

    logic [Width-1:0] entries[Depth];
    logic [IndexBits-1:0] write_index_q, read_index_q;
    // Entries including the head.
    logic [IndexBits:0] used_q;
    // The head is either what the memory read last, or what came in while nothing was behind it.
    logic head_in_memory_q;
    logic [Width-1:0] memory_data_q, passed_data_q;

    logic is_empty, takes, stores, passes, reads;

    assign is_empty = used_q == '0;
    assign valid_o  = !is_empty || push_i;
    assign data_o   = is_empty ? data_i : head_in_memory_q ? memory_data_q : passed_data_q;
    assign takes    = pop_i && !is_empty;

    // A new entry goes past the memory if it will be the head in the next cycle.
    assign passes = push_i && ((is_empty && !pop_i) || (used_q == (IndexBits + 1)'(1) && pop_i));
    assign stores = push_i && !passes && !is_empty;
    // The next head comes from the memory if something is behind the one being taken.
    assign reads  = takes && used_q != (IndexBits + 1)'(1);

    always_ff @(posedge clk_i) begin
        if (stores) entries[write_index_q] <= data_i;
        if (reads) memory_data_q <= entries[read_index_q];
        if (passes) passed_data_q <= data_i;
    end

    always_ff @(posedge clk_i) begin
        if (!rst_ni || clear_i) begin
            write_index_q    <= '0;
            read_index_q     <= '0;
            used_q           <= '0;
            head_in_memory_q <= 1'b0;
        end else begin
            if (stores) write_index_q <= write_index_q + 1'b1;
            if (reads) read_index_q <= read_index_q + 1'b1;
            used_q <= used_q + (IndexBits + 1)'(push_i) - (IndexBits + 1)'(pop_i);
            if (reads) head_in_memory_q <= 1'b1;
            else if (passes) head_in_memory_q <= 1'b0;
        end
    end

    `DMA_ASSERT(NoOverflow_A, !(push_i && used_q == (IndexBits + 1)'(Depth) && !pop_i))
    `DMA_ASSERT(NoUnderflow_A, !(pop_i && !valid_o))
endmodule
