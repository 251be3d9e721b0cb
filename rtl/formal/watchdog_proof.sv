// SPDX-License-Identifier: MIT OR Apache-2.0
// dma_watchdog: expires after exactly `limit_i` cycles in a row without a move, never before, never with limit 0.
`include "formal.svh"
module watchdog_proof #(
    // Limits that are tried; the counter is 32 bits wide whatever they are.
    parameter int unsigned MostLimit = 6
) (
    input logic        clk_i,
    input logic [31:0] limit_i,
    input logic        runs_i,
    input logic        moves_i
);
    `FORMAL_RESET

    logic expires;

    dma_watchdog dut (
        .clk_i,
        .rst_ni,
        .limit_i,
        .runs_i,
        .moves_i,
        .expires_o(expires)
    );

    `FORMAL_CONSTANT(limit_i)
    `FORMAL_ASSUME(limit_i <= MostLimit)

    // Cycles in a row, before this one, in which it ran and did not move.
    logic [3:0] still = '0;
    logic       is_still;

    assign is_still = runs_i && !moves_i;

    always @(posedge clk_i) begin
        if (!rst_ni || !is_still || expires) still <= '0;
        else if (still != '1) still <= still + 4'd1;
    end

    `FORMAL_ASSERT(NotBefore_A, !expires || (is_still && 32'(still) == limit_i && limit_i != '0))
    `FORMAL_ASSERT(NotLater_A, limit_i == '0 || !is_still || 32'(still) != limit_i || expires)
    // Makes the proof inductive.
    `FORMAL_ASSERT(SameState_A, limit_i == '0 || (dut.waited_q == 32'(still) && 32'(still) <= limit_i))

    `FORMAL_COVER(Expires_C, expires && limit_i == MostLimit)
    `FORMAL_COVER(JustInTime_C, runs_i && moves_i && 32'(still) == limit_i && limit_i != '0)
endmodule
