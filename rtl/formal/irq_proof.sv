// SPDX-License-Identifier: MIT OR Apache-2.0
// dma_irq_coalesce: no completion is forgotten, none is told for nothing, and each is told in time.
`include "formal.svh"
module irq_proof (
    input logic        clk_i,
    input logic        clear_i,
    input logic [7:0]  limit_i,
    input logic [15:0] time_i,
    input logic        events_i,
    input logic [7:0]  count_i,
    input logic        urgent_i
);
    `FORMAL_RESET

    logic fires;

    dma_irq_coalesce dut (
        .clk_i,
        .rst_ni,
        .clear_i,
        .limit_i,
        .time_i,
        .events_i,
        .count_i,
        .urgent_i,
        .fires_o(fires)
    );

    `FORMAL_CONSTANT(limit_i)
    `FORMAL_CONSTANT(time_i)
    // Longer times only make the proof longer.
    `FORMAL_ASSUME(time_i <= 16'd1)
    `FORMAL_ASSUME(!events_i || (count_i != 8'd0 && count_i <= 8'd16))

    // Completions not told, no further than counting matters; how long the oldest has waited.
    logic [8:0] untold = '0, now;
    logic [5:0] age = '0;
    // What came in the cycle before.
    logic       came = 1'b0, is_urgent;
    logic [7:0] count;

    assign now = untold + (came ? 9'(count) : 9'd0);

    always @(posedge clk_i) begin
        came      <= rst_ni && events_i && !clear_i;
        count     <= count_i;
        is_urgent <= events_i && urgent_i;
        if (!rst_ni || clear_i || fires) begin
            untold <= '0;
            age    <= '0;
        end else if (now != '0) begin
            untold <= now[8] ? 9'd256 : now;
            if (age != '1) age <= age + 6'd1;
        end
    end

    `FORMAL_ASSERT(UrgentAtOnce_A, !(came && is_urgent) || fires)
    `FORMAL_ASSERT(NotForNothing_A, !fires || now != '0)
    `FORMAL_ASSERT(EnoughAtOnce_A, limit_i == '0 || now < 9'(limit_i) || fires)
    `FORMAL_ASSERT(OldInTime_A, time_i == '0 || age <= 6'(time_i) * 6'd16)
    `FORMAL_ASSERT(NotBefore_A, !fires || (came && is_urgent) || (limit_i != '0 && now >= 9'(limit_i))
                                || (time_i != '0 && age == 6'(time_i) * 6'd16))
    // Makes the proof inductive.
    `FORMAL_ASSERT(SameState_A, dut.events_q == came && (!came || (dut.count_q == count && dut.urgent_q == is_urgent))
                                && (!came || (count != 8'd0 && count <= 8'd16)) && dut.pending_q == untold
                                && untold <= 9'd256 && (untold != '0 || age == '0)
                                && (age == '1 ? dut.age_q >= 20'd63 : dut.age_q == 20'(age)))

    `FORMAL_COVER(ByCount_C, fires && !(came && is_urgent) && limit_i == 8'd5 && untold == 9'd4)
    `FORMAL_COVER(ByTime_C, fires && !(came && is_urgent) && limit_i == 8'd200 && untold == 9'd3)
    `FORMAL_COVER(Never_C, limit_i == '0 && time_i == '0 && untold == 9'd256)
endmodule
