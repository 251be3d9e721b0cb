// SPDX-License-Identifier: MIT OR Apache-2.0
// Small queue for what must be remembered per burst in flight.
//
// Write side: `push_i` when not `full_o`. Read side: `head_o` is valid while not `empty_o`; `pop_i` drops it.
// An entry can be read in the cycle after its push. The memory is read asynchronously (distributed RAM).
`include "dma_assert.svh"
module dma_queue #(
    // Width of an entry in bits.
    parameter int unsigned Width = 64,
    // Entries: 1 to 511.
    parameter int unsigned Depth = 16
) (
    input  logic             clk_i,
    input  logic             rst_ni,
    input  logic             push_i,
    input  logic [Width-1:0] data_i,
    input  logic             pop_i,
    output logic [Width-1:0] head_o,
    output logic             empty_o,
    output logic             full_o,
    output logic [8:0]       used_o
);
    // Rounded up, so that the pointers wrap by themselves.
    localparam int unsigned IndexBits = (Depth > 1) ? $clog2(Depth) : 1;

    logic [Width-1:0] entries[1 << IndexBits];
    logic [IndexBits-1:0] write_index_q, read_index_q;
    logic [IndexBits:0] used_q;

    assign head_o  = entries[read_index_q];
    assign used_o  = 9'(used_q);
    assign empty_o = used_q == '0;
    assign full_o  = used_q == (IndexBits + 1)'(Depth);

    always_ff @(posedge clk_i) begin
        if (push_i) entries[write_index_q] <= data_i;
    end

    always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
            write_index_q <= '0;
            read_index_q  <= '0;
            used_q        <= '0;
        end else if (push_i || pop_i) begin
            if (push_i) write_index_q <= write_index_q + 1'b1;
            if (pop_i) read_index_q <= read_index_q + 1'b1;
            if (push_i != pop_i) used_q <= push_i ? used_q + 1'b1 : used_q - 1'b1;
        end
    end

    `DMA_ASSERT(NoOverflow_A, !(push_i && full_o && !pop_i))
    `DMA_ASSERT(NoUnderflow_A, !(pop_i && empty_o))
endmodule
