// SPDX-License-Identifier: MIT OR Apache-2.0
// dma_splitter: the bursts of a transfer are the transfer, byte for byte, and each keeps the rules of AXI and the limit.
//
// The model beside it follows the address limit in its own way: bits up to the boundary count, all others stay.
`include "formal.svh"
module splitter_proof #(
    parameter int unsigned BeatBytes     = 8,
    parameter int unsigned AddrBits      = 64,
    parameter int unsigned MaxBurstBeats = 16,
    parameter bit          ShowsAtOnce   = 1'b1,
    parameter int unsigned PlantedFault  = 0
) (
    input logic                           clk_i,
    input logic                           start_i,
    input logic [63:0]                    addr_i,
    input logic [dma_pkg::LengthBits-1:0] length_i,
    input dma_pkg::addr_limit_t           limit_i,
    input logic                           take_i,
    input logic                           clear_i
);
    import dma_pkg::*;

    `FORMAL_RESET

    logic                  valid, is_busy, is_last;
    logic [63:0]           addr;
    logic [8:0]            beats;
    logic [LengthBits-1:0] left_after;

    dma_splitter #(
        .BeatBytes    (BeatBytes),
        .AddrBits     (AddrBits),
        .MaxBurstBeats(MaxBurstBeats),
        .ShowsAtOnce  (ShowsAtOnce),
        .PlantedFault (PlantedFault)
    ) dut (
        .clk_i,
        .rst_ni,
        .start_i,
        .addr_i,
        .length_i,
        .limit_i,
        .take_i,
        .clear_i,
        .valid_o     (valid),
        .busy_o      (is_busy),
        .addr_o      (addr),
        .beats_o     (beats),
        .left_after_o(left_after),
        .is_last_o   (is_last)
    );

    // ---- Model: the transfer that is being cut ----

    logic                  runs = 1'b0, shows, ends;
    logic [63:0]           at, now_at, next_at;
    logic [LengthBits-1:0] left, now_left, bytes;
    addr_limit_t           limit, now_limit;

    assign shows     = ShowsAtOnce && start_i;
    assign now_at    = shows ? below(addr_i, limit_i.bits) : at;
    assign now_left  = shows ? length_i : left;
    assign now_limit = shows ? limit_i : limit;
    assign bytes     = now_left - left_after;
    assign ends      = take_i && bytes == now_left;

    // `value` with the bits from `count` on put to 0.
    function automatic logic [63:0] below(logic [63:0] value, logic [WidthBits-1:0] count);
        logic [63:0] kept;
        for (int unsigned index = 0; index < 64; index++) kept[index] = index < 32'(count) && value[index];
        return kept;
    endfunction

    always_comb begin
        logic [63:0] sum;
        sum     = now_at + 64'(bytes);
        next_at = now_at;
        for (int unsigned index = 0; index < 64; index++) begin
            if (index < 32'(now_limit.boundary)) next_at[index] = sum[index];
        end
        next_at = below(next_at, now_limit.bits);
    end

    always @(posedge clk_i) begin
        if (!rst_ni || clear_i) runs <= 1'b0;
        else if (start_i && !(ShowsAtOnce && ends)) runs <= 1'b1;
        else if (ends) runs <= 1'b0;
        if (start_i && !(ShowsAtOnce && take_i)) begin
            at    <= below(addr_i, limit_i.bits);
            left  <= length_i;
            limit <= limit_i;
        end else if (take_i) begin
            at    <= next_at;
            left  <= left_after;
            limit <= now_limit;
        end
    end

    // The user's part.
    `FORMAL_ASSUME(!start_i || length_i != '0)
    `FORMAL_ASSUME(limit_i.bits >= WidthBits'(AddrBitsLeast) && limit_i.bits <= WidthBits'(AddrBits))
    `FORMAL_ASSUME(limit_i.boundary >= WidthBits'(BoundaryBitsLeast) && limit_i.boundary <= WidthBits'(AddrBitsMost))
    `FORMAL_ASSUME(!start_i || !is_busy || (!ShowsAtOnce && ends))
    `FORMAL_ASSUME(!take_i || valid)

    // ---- Properties ----

    logic [12:0] in_page;
    logic [15:0] lane, span;
    logic [64:0] past_end;

    assign lane     = 16'(addr) & 16'(BeatBytes - 1);
    assign span     = 16'(beats) * 16'(BeatBytes);
    // Behind the last byte of the last beat, as the bus sees it.
    assign in_page  = {1'b0, addr[11:0]} & ~13'(BeatBytes - 1);
    assign past_end = {1'b0, addr} + 65'(bytes);

    `FORMAL_ASSERT(RunsTogether_A, is_busy == runs)
    `FORMAL_ASSERT(ShowsWhatRuns_A, valid == (runs || shows))
    `FORMAL_ASSERT(AddressFollows_A, !valid || addr == now_at)
    `FORMAL_ASSERT(BytesOfTransfer_A, !valid || (bytes != '0 && bytes <= now_left))
    `FORMAL_ASSERT(BeatsCoverBytes_A,
                   !valid || (32'(lane) + bytes <= 32'(span) && 32'(lane) + bytes + 32'(BeatBytes) > 32'(span)))
    `FORMAL_ASSERT(NotTooLong_A, !valid || (beats != '0 && beats <= 9'(MaxBurstBeats)))
    `FORMAL_ASSERT(NoPageCrossing_A, !valid || 17'(in_page) + 17'(span) <= 17'(PageBytes))
    `FORMAL_ASSERT(WithinLimit_A, !valid || past_end <= (65'd1 << now_limit.bits))
    `FORMAL_ASSERT(LastIsLast_A, !valid || is_last == (left_after == '0))
    `FORMAL_ASSERT(AsLongAsMayBe_A, !valid || is_last || beats == 9'(MaxBurstBeats) || addr[11:0] + 12'(bytes) == 12'd0)
    // What is left always gets less, so a transfer whose bursts are taken ends.
    `FORMAL_ASSERT(EndComesNearer_A, !valid || left_after < now_left)
    // Makes the proof inductive.
    `FORMAL_ASSERT(ModelInBounds_A, !runs || (left != '0 && below(at, limit.bits) == at
        && limit.bits >= WidthBits'(AddrBitsLeast) && limit.bits <= WidthBits'(AddrBits)
        && limit.boundary >= WidthBits'(BoundaryBitsLeast) && limit.boundary <= WidthBits'(AddrBitsMost)))
    `FORMAL_ASSERT(SameState_A, !runs || (dut.limit_q == limit && dut.left_q == left))

    `FORMAL_COVER(EndsAtPage_C, take_i && !is_last && 16'(beats) < 16'(MaxBurstBeats) && lane != '0)
    `FORMAL_COVER(ThreeBursts_C, take_i && is_last && bytes == 32'd3 && runs)
    `FORMAL_COVER(WrapsAtBoundary_C, take_i && !is_last && next_at < now_at && next_at != '0)
    `FORMAL_COVER(WrapsAtLimit_C, take_i && !is_last && next_at == '0)
    `FORMAL_COVER(Cleared_C, runs && clear_i && !take_i)
    if (!ShowsAtOnce) begin : gen_back_to_back
        `FORMAL_COVER(BackToBack_C, start_i && take_i)
    end
endmodule
