// SPDX-License-Identifier: MIT OR Apache-2.0
// dma_fifo: what goes in comes out, unchanged, in order and once; never over- nor underflow.
//
// One entry, any one, is marked when it is pushed; it must be at the head after exactly the pops of those before it.
`include "formal.svh"
module fifo_proof #(
    parameter int unsigned Width = 2,
    parameter int unsigned Depth = 8
) (
    input logic             clk_i,
    input logic             clear_i,
    input logic             push_i,
    input logic [Width-1:0] data_i,
    input logic             pop_i,
    input logic             marks_i
);
    localparam int unsigned CountBits = $clog2(Depth) + 1;

    `FORMAL_RESET

    logic             valid;
    logic [Width-1:0] data;

    dma_fifo #(
        .Width(Width),
        .Depth(Depth)
    ) dut (
        .clk_i,
        .rst_ni,
        .clear_i,
        .push_i,
        .data_i,
        .valid_o(valid),
        .data_o (data),
        .pop_i
    );

    // Entries inside; those before the marked one.
    logic [CountBits-1:0] used = '0, ahead = '0;
    logic                 marked = 1'b0, has_wrapped = 1'b0;
    logic [Width-1:0]     marked_data;
    logic                 marks, leaves;
    logic [3:0]           pushed = '0;

    // The user's part: room is accounted for, and nothing is taken that is not there.
    `FORMAL_ASSUME(!push_i || used != CountBits'(Depth) || pop_i)
    `FORMAL_ASSUME(!pop_i || used != '0 || push_i)

    assign marks  = push_i && marks_i && !marked && !clear_i && !(used == '0 && pop_i);
    assign leaves = marked && ahead == '0 && pop_i;

    always @(posedge clk_i) begin
        if (!rst_ni || clear_i) begin
            used   <= '0;
            marked <= 1'b0;
        end else begin
            used <= used + CountBits'(push_i) - CountBits'(pop_i);
            if (marks) begin
                marked      <= 1'b1;
                marked_data <= data_i;
                ahead       <= used - CountBits'(pop_i);
            end else begin
                if (leaves) marked <= 1'b0;
                if (marked && pop_i && !leaves) ahead <= ahead - 1'b1;
            end
            if (push_i && pushed != 4'd15) pushed <= pushed + 4'd1;
        end
    end

    `FORMAL_ASSERT(ValidIsThere_A, valid == (used != '0 || push_i))
    `FORMAL_ASSERT(PassesAtOnce_A, used != '0 || !push_i || data == data_i)
    `FORMAL_ASSERT(MarkedInOrder_A, !(marked && ahead == '0) || (valid && data == marked_data))
    `FORMAL_ASSERT(NeverMoreThanDepth_A, used <= CountBits'(Depth))

    `FORMAL_COVER(Full_C, used == CountBits'(Depth))
    `FORMAL_COVER(FullMoves_C, used == CountBits'(Depth) && push_i && pop_i)
    `FORMAL_COVER(PassesThrough_C, used == '0 && push_i && pop_i)
    `FORMAL_COVER(Cleared_C, used == CountBits'(3) && clear_i)
    `FORMAL_COVER(WrapsAndEmpties_C, pushed == 4'd12 && used == CountBits'(1) && leaves)
endmodule
