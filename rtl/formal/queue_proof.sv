// SPDX-License-Identifier: MIT OR Apache-2.0
// dma_queue: what goes in comes out, unchanged, in order and once; full and empty tell the truth.
`include "formal.svh"
module queue_proof #(
    parameter int unsigned Width = 2,
    parameter int unsigned Depth = 3
) (
    input logic             clk_i,
    input logic             push_i,
    input logic [Width-1:0] data_i,
    input logic             pop_i,
    input logic             marks_i
);
    `FORMAL_RESET

    logic [Width-1:0] head;
    logic             is_empty, is_full;
    logic [8:0]       used_told;

    dma_queue #(
        .Width(Width),
        .Depth(Depth)
    ) dut (
        .clk_i,
        .rst_ni,
        .push_i,
        .data_i,
        .pop_i,
        .head_o (head),
        .empty_o(is_empty),
        .full_o (is_full),
        .used_o (used_told)
    );

    // Entries inside; those before the marked one.
    logic [8:0]       used = '0, ahead = '0;
    logic             marked = 1'b0;
    logic [Width-1:0] marked_data;
    logic             leaves;
    logic [3:0]       pushed = '0;

    `FORMAL_ASSUME(!push_i || used != 9'(Depth))
    `FORMAL_ASSUME(!pop_i || used != '0)

    assign leaves = marked && ahead == '0 && pop_i;

    always @(posedge clk_i) begin
        if (!rst_ni) begin
            used   <= '0;
            marked <= 1'b0;
        end else begin
            used <= used + 9'(push_i) - 9'(pop_i);
            if (push_i && marks_i && !marked) begin
                marked      <= 1'b1;
                marked_data <= data_i;
                ahead       <= used - 9'(pop_i);
            end else begin
                if (leaves) marked <= 1'b0;
                if (marked && pop_i && !leaves) ahead <= ahead - 1'b1;
            end
            if (push_i && pushed != 4'd15) pushed <= pushed + 4'd1;
        end
    end

    `FORMAL_ASSERT(FullIsTrue_A, is_full == (used == 9'(Depth)))
    `FORMAL_ASSERT(EmptyIsTrue_A, is_empty == (used == '0))
    `FORMAL_ASSERT(UsedIsTrue_A, used_told == used)
    `FORMAL_ASSERT(MarkedInOrder_A, !(marked && ahead == '0) || head == marked_data)

    `FORMAL_COVER(Full_C, is_full)
    `FORMAL_COVER(WrapsAndEmpties_C, pushed == 4'd7 && used == 9'd1 && leaves)
endmodule
