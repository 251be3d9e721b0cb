// SPDX-License-Identifier: MIT OR Apache-2.0
// Packs bytes that come in anywhere in a beat into whole beats that begin at any lane.
//
// Input beats hold `count_i` bytes from lane `lane_i` on (count 0 is allowed). `start_i` empties the packer;
// the first byte after it goes to lane `first_lane_i`, and it may come with the last beat of what was before.
// `end_i` marks the last beat: what is left over then comes out in one more beat, during which no input is taken;
// after it the packer is empty, and the next byte goes to lane 0. Output: combinational from the input, so that
// the user's register is the only one; `end_o` marks the last beat, whose strobes may all be low.
`include "dma_assert.svh"
module dma_align #(
    // Bytes in a beat.
    parameter int unsigned BeatBytes = 8,
    // Follow from BeatBytes: do not set.
    localparam int unsigned LaneBits = $clog2(BeatBytes),
    localparam int unsigned BeatBits = 8 * BeatBytes
) (
    input  logic                 clk_i,
    input  logic                 rst_ni,
    input  logic                 start_i,
    input  logic [LaneBits-1:0]  first_lane_i,

    input  logic                 valid_i,
    output logic                 ready_o,
    input  logic [BeatBits-1:0]  data_i,
    input  logic [LaneBits-1:0]  lane_i,
    input  logic [LaneBits:0]    count_i,
    input  logic                 end_i,

    output logic                 valid_o,
    input  logic                 ready_i,
    output logic [BeatBits-1:0]  data_o,
    output logic [BeatBytes-1:0] strobes_o,
    output logic                 end_o,
    // The last input was taken and left something over; it will be so in the next cycle.
    output logic                 flushes_o,
    output logic                 will_flush_o
);
    // Bytes kept for the next output beat, in their place.
    logic [BeatBits-1:0] kept_data_q;
    logic [BeatBytes-1:0] kept_strobes_q;
    // Lane of the next byte.
    logic [LaneBits-1:0] fill_q;
    logic flushes_q;

    logic [LaneBits-1:0] turn;
    // After the stages up to each.
    logic [BeatBits-1:0] turns[LaneBits+1];
    logic [BeatBits-1:0] turned, kept_bits;
    logic [LaneBits+1:0] total;
    logic is_full, gives, taken, empties;
    logic [BeatBytes-1:0] kept_lanes, below_rest;

    // Rotate left by `turn` bytes, a stage for each of its bits: the first byte lands at lane `fill_q`.
    assign turn     = fill_q - lane_i;
    assign turns[0] = data_i;
    for (genvar at = 0; at < LaneBits; at++) begin : gen_turns
        localparam int unsigned Bits = 8 << at;
        assign turns[at+1] = turn[at] ? {turns[at][BeatBits-Bits-1:0], turns[at][BeatBits-1-:Bits]} : turns[at];
    end
    assign turned = turns[LaneBits];

    assign total   = (LaneBits + 2)'(fill_q) + (LaneBits + 2)'(count_i);
    assign is_full = total >= (LaneBits + 2)'(BeatBytes);
    assign gives   = is_full || end_i;

    // Lanes from 0 on that hold kept bytes, all of them in a flush; those of the new ones; those of the next beat.
    assign kept_lanes = flushes_q ? '1 : ~({BeatBytes{1'b1}} << fill_q);
    assign kept_bits  = flushes_q ? '1 : ~({BeatBits{1'b1}} << {fill_q, 3'b000});
    assign below_rest = ~({BeatBytes{1'b1}} << total[LaneBits-1:0]);

    assign data_o    = (kept_data_q & kept_bits) | (turned & ~kept_bits);
    assign strobes_o = (kept_strobes_q & kept_lanes) | (~({BeatBytes{1'b1}} << total) & ~kept_lanes);

    assign valid_o   = flushes_q || (valid_i && gives);
    assign end_o     = flushes_q || (end_i && total <= (LaneBits + 2)'(BeatBytes));
    assign ready_o   = !flushes_q && (ready_i || !gives);
    assign taken     = valid_i && ready_o;
    assign flushes_o = flushes_q;
    assign empties   = flushes_q ? ready_i : (taken && end_i && end_o);

    assign will_flush_o = flushes_q ? !ready_i : (taken && end_i && !end_o);

    always_ff @(posedge clk_i) begin
        if (!rst_ni || start_i) flushes_q <= 1'b0;
        else flushes_q <= will_flush_o;
    end

    always_ff @(posedge clk_i) begin
        if (!rst_ni || start_i || empties) begin
            fill_q         <= start_i ? first_lane_i : '0;
            kept_strobes_q <= '0;
        end else if (taken) begin
            fill_q         <= total[LaneBits-1:0];
            kept_strobes_q <= is_full ? below_rest : strobes_o;
        end
        if (taken) kept_data_q <= is_full ? turned : data_o;
    end

    `DMA_ASSERT(CountFits_A,
                !valid_i || (LaneBits + 2)'(lane_i) + (LaneBits + 2)'(count_i) <= (LaneBits + 2)'(BeatBytes))
endmodule
