// SPDX-License-Identifier: MIT OR Apache-2.0
// dma_align: each byte that goes in comes out once, unchanged, in order, in its lane, with its strobe.
//
// Bytes are numbered; one byte, any one, is marked when it goes in, and must come out under its number.
`include "formal.svh"
module align_proof #(
    parameter int unsigned BeatBytes = 4,
    localparam int unsigned LaneBits = $clog2(BeatBytes),
    localparam int unsigned BeatBits = 8 * BeatBytes
) (
    input logic                clk_i,
    input logic                start_i,
    input logic [LaneBits-1:0] first_lane_i,
    input logic                valid_i,
    input logic [BeatBits-1:0] data_i,
    input logic [LaneBits-1:0] lane_i,
    input logic [LaneBits:0]   count_i,
    input logic                end_i,
    input logic                ready_i,
    input logic                marks_i,
    // Which byte of the beat is marked.
    input logic [LaneBits-1:0] mark_i
);
    // More than there can be inside.
    localparam int unsigned NumberBits = LaneBits + 2;

    `FORMAL_RESET

    logic                 ready, out_valid, out_end, flushes, will_flush;
    logic [BeatBits-1:0]  out_data;
    logic [BeatBytes-1:0] strobes;

    dma_align #(
        .BeatBytes(BeatBytes)
    ) dut (
        .clk_i,
        .rst_ni,
        .start_i,
        .first_lane_i,
        .valid_i,
        .ready_o     (ready),
        .data_i,
        .lane_i,
        .count_i,
        .end_i,
        .valid_o     (out_valid),
        .ready_i,
        .data_o      (out_data),
        .strobes_o   (strobes),
        .end_o       (out_end),
        .flushes_o   (flushes),
        .will_flush_o(will_flush)
    );

    logic                  taken, given;
    // Number of the next byte in and out; lane of the next byte out.
    logic [NumberBits-1:0] next_in = '0, next_out = '0, after_in, offered, held, out_count;
    logic [LaneBits-1:0]   out_lane = '0;
    logic                  ended = 1'b0;

    assign taken    = valid_i && ready;
    assign given    = out_valid && ready_i;
    assign after_in = next_in + (taken ? NumberBits'(count_i) : '0);
    // What can be seen at the output: an input waits there until it is taken.
    assign offered  = next_in + (valid_i && !flushes ? NumberBits'(count_i) : '0);
    assign held     = next_in - next_out;

    always_comb begin
        out_count = '0;
        for (int unsigned lane = 0; lane < BeatBytes; lane++) out_count = out_count + NumberBits'(strobes[lane]);
    end

    // ---- The marked byte ----

    logic                  marked_q = 1'b0, marks, marked;
    logic [NumberBits-1:0] number_q, number, place;
    logic [7:0]            byte_q, value;
    logic [LaneBits-1:0]   lane;

    function automatic logic [7:0] byte_of(logic [BeatBits-1:0] data, logic [LaneBits-1:0] index);
        return 8'(data >> {index, 3'b000});
    endfunction

    assign marks  = taken && marks_i && !marked_q && (LaneBits + 1)'(mark_i) < count_i;
    assign marked = marked_q || marks;
    assign number = marked_q ? number_q : next_in + NumberBits'(mark_i);
    assign value  = marked_q ? byte_q : byte_of(data_i, lane_i + mark_i);
    // Bytes that go out before it; its lane in the present beat.
    assign place  = number - next_out;
    assign lane   = out_lane + place[LaneBits-1:0];

    always @(posedge clk_i) begin
        if (!rst_ni || start_i) begin
            next_in  <= '0;
            next_out <= '0;
            out_lane <= start_i ? first_lane_i : '0;
            marked_q <= 1'b0;
            ended    <= 1'b0;
        end else begin
            next_in <= after_in;
            if (given) begin
                next_out <= next_out + out_count;
                out_lane <= '0;
            end
            if (given && out_end) ended <= 1'b0;
            else if (taken && end_i) ended <= 1'b1;
            if (marked && given && place < out_count) marked_q <= 1'b0;
            else if (marks) marked_q <= 1'b1;
            if (marks) begin
                number_q <= number;
                byte_q   <= value;
            end
        end
    end

    // The user's part: a beat's bytes lie in the beat. A start comes when nothing is left inside, or forgets what is.
    `FORMAL_ASSUME(!valid_i || 32'(lane_i) + 32'(count_i) <= BeatBytes)

    // ---- Properties ----

    logic [BeatBytes-1:0]  expected;
    logic [NumberBits-1:0] visible;

    assign visible = offered - next_out;

    always_comb begin
        expected = '0;
        for (int unsigned index = 0; index < BeatBytes; index++) begin
            expected[index] = index >= 32'(out_lane) && index < 32'(out_lane) + 32'(visible);
        end
    end

    `FORMAL_ASSERT(LanesInOrder_A, !out_valid || strobes == expected)
    `FORMAL_ASSERT(WholeBeats_A, !out_valid || out_end || strobes[BeatBytes-1])
    `FORMAL_ASSERT(EndTakesAll_A, !(out_valid && out_end) || out_count == visible)
    `FORMAL_ASSERT(NothingAfterEnd_A, !(taken && ended))
    `FORMAL_ASSERT(KeepsLessThanBeat_A, held < NumberBits'(BeatBytes))
    `FORMAL_ASSERT(EndComes_A, !ended || (flushes && out_valid && out_end))
    `FORMAL_ASSERT(MarkedComesOut_A, !(marked && out_valid && place < out_count) || byte_of(out_data, lane) == value)
    `FORMAL_ASSERT(MarkedIsInside_A, !marked_q || place < held)

    `FORMAL_COVER(Flushes_C, flushes && given)
    `FORMAL_COVER(EmptyEnd_C, given && out_end && strobes == '0)
    `FORMAL_COVER(AllLanesTurned_C, given && marked_q && lane != mark_i && strobes == '1 && held == NumberBits'(3))
endmodule
