// SPDX-License-Identifier: MIT OR Apache-2.0
// dma_write: bytes go where they belong, once, and nowhere else; bursts keep the rules; a transfer is done once, after
// all its responses, and tells the bytes that came; and with a fair bus it all comes to an end.
//
// One address, any one, is watched: what is written there is what the stream brought for it.
`include "formal.svh"
`include "formal_queue.svh"
module write_proof #(
    parameter int unsigned DataWidth     = 32,
    parameter int unsigned MaxBurstBeats = 2,
    parameter int unsigned MaxWrites     = 2,
    // Longest transfer that is tried, in bytes.
    parameter int unsigned MostBytes     = 16,
    // 0: bus and sender may wait for ever; else they answer within so many cycles.
    parameter int unsigned Fair          = 0,
    // Cycles within which everything ends then, counted from the last start or abort.
    parameter int unsigned Bound         = 40,
    parameter int unsigned PlantedFault  = 0,
    localparam int unsigned BeatBytes    = DataWidth / 8,
    localparam int unsigned LaneBits     = $clog2(BeatBytes)
) (
    input logic                 clk_i,
    input logic                 start_i,
    input logic                 refuse_i,
    input logic [15:0]          addr_i,
    input logic [4:0]           length_i,
    input logic                 keep_open_i,
    input logic                 abort_i,
    input logic                 valid_i,
    input logic [DataWidth-1:0] data_i,
    input logic [LaneBits-1:0]  lane_i,
    input logic [LaneBits:0]    count_i,
    input logic                 last_i,
    input logic                 awready_i,
    input logic                 wready_i,
    input logic [1:0]           bresp_i,
    input logic                 bvalid_i,
    // The address that is watched.
    input logic [15:0]          watched_i
);
    import dma_pkg::*;

    localparam int unsigned AddrBits = 16;
    localparam addr_limit_t Limit    = '{bits: WidthBits'(AddrBits), boundary: WidthBits'(64)};

    `FORMAL_RESET

    logic                  may_start, is_idle, done, ready, awvalid, wvalid, wlast, bready;
    error_kind_e           error_kind;
    logic [LengthBits-1:0] result_bytes;
    logic [63:0]           awaddr;
    logic [7:0]            awlen;
    logic [DataWidth-1:0]  wdata;
    logic [BeatBytes-1:0]  wstrb;

    dma_write #(
        .DataWidth    (DataWidth),
        .AddrBits     (AddrBits),
        .MaxBurstBeats(MaxBurstBeats),
        .MaxWrites    (MaxWrites),
        .PlantedFault (PlantedFault)
    ) dut (
        .clk_i,
        .rst_ni,
        .start_i,
        .may_start_o        (may_start),
        .refuse_i,
        .addr_i             (64'(addr_i)),
        .limit_i            (Limit),
        .length_i           (LengthBits'(length_i)),
        .keep_open_i,
        .abort_i,
        .is_idle_o          (is_idle),
        .done_o             (done),
        .result_error_kind_o(error_kind),
        .result_bytes_o     (result_bytes),
        .valid_i,
        .ready_o            (ready),
        .data_i,
        .lane_i,
        .count_i,
        .bad_keep_i         (1'b0),
        .last_i,
        .awaddr_o           (awaddr),
        .awlen_o            (awlen),
        .awvalid_o          (awvalid),
        .awready_i,
        .wdata_o            (wdata),
        .wstrb_o            (wstrb),
        .wlast_o            (wlast),
        .wvalid_o           (wvalid),
        .wready_i,
        .bresp_i,
        .bvalid_i,
        .bready_o           (bready)
    );

    // ---- The bus: a response for each burst whose address and data it has ----

    logic       aw_waited = 1'b0, w_waited = 1'b0, aw_new, sends_beat, sends_burst, answers, is_first_beat = 1'b1;
    logic [3:0] shown_count, taken_count = '0, full_count = '0, beat = '0, open_count = '0;
    logic [23:0] shown;
    logic [15:0] beat_addr, span;

    assign aw_new      = awvalid && !aw_waited;
    assign sends_beat  = wvalid && wready_i;
    assign sends_burst = sends_beat && wlast;
    assign answers     = bvalid_i && bready;

    // Addresses in the order of their bursts. An address is shown with its first beat, so beats find theirs here.
    formal_queue #(
        .Width(24)
    ) u_shown (
        .clk_i, .rst_ni,
        .push_i(aw_new && !(shown_count == '0 && sends_burst)), .data_i({awlen, awaddr[15:0]}),
        .pop_i (sends_burst && shown_count != '0),
        .head_o(shown), .count_o(shown_count)
    );

    logic [23:0] burst;

    assign burst     = (shown_count == '0) ? {awlen, awaddr[15:0]} : shown;
    assign beat_addr = (burst[15:0] & ~16'(BeatBytes - 1)) + 16'(beat) * 16'(BeatBytes);

    always @(posedge clk_i) begin
        aw_waited <= rst_ni && awvalid && !awready_i;
        w_waited  <= rst_ni && wvalid && !wready_i;
        if (!rst_ni) begin
            beat        <= '0;
            taken_count <= '0;
            full_count  <= '0;
            open_count  <= '0;
        end else begin
            if (sends_beat) beat <= wlast ? '0 : beat + 4'd1;
            // Addresses, and data, that wait for their response.
            taken_count <= taken_count + 4'(awvalid && awready_i) - 4'(answers);
            full_count  <= full_count + 4'(sends_burst) - 4'(answers);
            open_count  <= open_count + 4'(aw_new) - 4'(answers);
        end
    end

    `FORMAL_ASSUME(!bvalid_i || (taken_count != '0 && full_count != '0))
    `FORMAL_ASSUME(bresp_i != 2'b01)

    // ---- The user ----

    logic                          was_aborting = 1'b0, in_waited = 1'b0, takes;
    logic [DataWidth+2*LaneBits+1:0] in_was;

    assign takes = valid_i && ready;

    `FORMAL_CONSTANT(watched_i)
    `FORMAL_ASSUME(!start_i || (may_start && !abort_i))
    `FORMAL_ASSUME(!start_i || !refuse_i || is_idle)
    `FORMAL_ASSUME(!start_i || (length_i != '0 && length_i <= 5'(MostBytes)))
    // As dma_limit sees to it.
    `FORMAL_ASSUME(!start_i || refuse_i || 17'(addr_i) + 17'(length_i) <= 17'(1 << AddrBits))
    `FORMAL_ASSUME(!valid_i || 32'(lane_i) + 32'(count_i) <= BeatBytes)
    `FORMAL_ASSUME(!in_waited || (valid_i && {data_i, lane_i, count_i, last_i} == in_was))
    `FORMAL_ASSUME(!abort_i || !is_idle)
    `FORMAL_ASSUME(!was_aborting || abort_i || is_idle)

    always @(posedge clk_i) begin
        in_waited    <= rst_ni && valid_i && !ready;
        in_was       <= {data_i, lane_i, count_i, last_i};
        was_aborting <= rst_ni && abort_i;
    end

    // ---- The watched address: of at most one transfer in flight ----

    // Of the transfer that takes data: bytes that came and fitted, and its length. The watched transfer's: the place of
    // the watched byte, whether it came, and whether it was written.
    logic                  owns = 1'b0, has_byte, came = 1'b0, written = 1'b0, is_input = 1'b0, strobes;
    logic                  a_answered = 1'b0, covers;
    logic [4:0]            room, came_bytes, came_now, place, length;
    logic [7:0]            came_byte, byte_now, written_byte;
    logic [3:0]            in_work = '0, earlier = '0, bursts_before = '0;
    logic [LaneBits-1:0]   came_lane;

    assign covers   = start_i && !refuse_i && watched_i >= addr_i && 17'(watched_i) < 17'(addr_i) + 17'(length_i);
    assign came_now = (came_bytes + 5'(count_i) > length) ? length : came_bytes + 5'(count_i);
    assign has_byte = takes && is_input && place >= came_bytes && place < came_now;
    assign came_lane = lane_i + LaneBits'(place - came_bytes);
    assign byte_now = 8'(data_i >> {came_lane, 3'b000});
    // The beat that goes out now strobes the watched address.
    assign strobes  = wvalid && beat_addr == (watched_i & ~16'(BeatBytes - 1)) && wstrb[watched_i[LaneBits-1:0]];
    assign written_byte = 8'(wdata >> {watched_i[LaneBits-1:0], 3'b000});

    `FORMAL_ASSUME(!covers || !owns || (done && earlier == '0))

    always @(posedge clk_i) begin
        if (!rst_ni) begin
            owns    <= 1'b0;
            in_work <= '0;
        end else begin
            in_work <= in_work + 4'(start_i) - 4'(done);
            if (covers) begin
                owns       <= 1'b1;
                // Transfers before it that are not done.
                earlier    <= in_work - 4'(done);
                place      <= 5'(watched_i - addr_i);
                came       <= 1'b0;
                written    <= 1'b0;
            end else begin
                if (owns && done && earlier == '0) owns <= 1'b0;
                if (done && earlier != '0) earlier <= earlier - 4'd1;
                if (has_byte) came <= 1'b1;
                if (strobes && wready_i) written <= 1'b1;
            end
            if (has_byte) came_byte <= byte_now;
            if (start_i) begin
                is_input   <= covers;
                came_bytes <= '0;
                length     <= length_i;
            end else if (takes) begin
                came_bytes <= came_now;
            end
            // Bursts up to the one that writes the watched byte that are not answered.
            if (strobes && wready_i) begin
                bursts_before <= full_count + 4'd1 - 4'(answers);
            end else if (answers && bursts_before != '0) begin
                bursts_before <= bursts_before - 4'd1;
            end
        end
    end

    `FORMAL_ASSERT(OnlyWhatCame_A, !strobes || (owns && came && !written && written_byte == came_byte))
    `FORMAL_ASSERT(DoneHasWritten_A, !(owns && done && earlier == '0) || error_kind != ErrNone
                                     || written == (LengthBits'(place) < result_bytes))
    `FORMAL_ASSERT(DoneIsAnswered_A, !(owns && done && earlier == '0 && written)
                                     || bursts_before == '0 || (bursts_before == 4'd1 && answers))
    `FORMAL_ASSERT(DoneOfOne_A, !done || in_work != '0)
    `FORMAL_ASSERT(IdleIsQuiet_A, !is_idle || (in_work == '0 && !awvalid && !wvalid && open_count == '0))

    // ---- AW and W ----

    logic [71:0]                    aw_was;
    logic [DataWidth+BeatBytes-1+1:0] w_was;

    assign span = (16'(awlen) + 16'd1) * 16'(BeatBytes);

    always @(posedge clk_i) begin
        aw_was <= {awaddr, awlen};
        w_was  <= {wdata, wstrb, wlast};
    end

    `FORMAL_ASSERT(AwStable_A, !aw_waited || (awvalid && {awaddr, awlen} == aw_was))
    `FORMAL_ASSERT(WStable_A, !w_waited || (wvalid && {wdata, wstrb, wlast} == w_was))
    `FORMAL_ASSERT(AwLength_A, !awvalid || awlen < 8'(MaxBurstBeats))
    `FORMAL_ASSERT(AwPage_A, !awvalid || 17'(awaddr[11:0] & ~12'(BeatBytes - 1)) + 17'(span) <= 17'(PageBytes))
    `FORMAL_ASSERT(AwLimit_A, !awvalid || awaddr < 64'(1 << AddrBits))
    `FORMAL_ASSERT(DataHasAddress_A, !wvalid || shown_count != '0 || aw_new)
    `FORMAL_ASSERT(LastIsLast_A, !wvalid || wlast == (8'(beat) == burst[23:16]))
    `FORMAL_ASSERT(StrobesBegin_A, !wvalid || beat != '0 || (wstrb & ~({BeatBytes{1'b1}} << burst[LaneBits-1:0])) == '0)
    `FORMAL_ASSERT(Outstanding_A, 32'(open_count) + 32'(aw_new) <= MaxWrites)
    `FORMAL_ASSERT(AlwaysTakes_A, bready)

    // ---- A fair world, and the end ----

    if (Fair != 0) begin : gen_fair
        logic [3:0] aw_wait = '0, w_wait = '0, b_wait = '0, in_wait = '0;
        logic [7:0] age = '0;

        always @(posedge clk_i) begin
            aw_wait <= (awvalid && !awready_i) ? aw_wait + 4'd1 : '0;
            w_wait  <= (wvalid && !wready_i) ? w_wait + 4'd1 : '0;
            b_wait  <= (taken_count != '0 && full_count != '0 && !bvalid_i) ? b_wait + 4'd1 : '0;
            in_wait <= (ready && !(valid_i && (count_i != '0 || last_i))) ? in_wait + 4'd1 : '0;
            if (!rst_ni || is_idle || start_i || (abort_i && !was_aborting)) age <= '0;
            else if (age != '1) age <= age + 8'd1;
        end

        `FORMAL_ASSUME(aw_wait < 4'(Fair) && w_wait < 4'(Fair) && b_wait < 4'(Fair) && in_wait < 4'(Fair))
        // A packet that is too long has an end too: all that is dropped is dropped in one beat.
        `FORMAL_ASSUME(!(takes && dut.drops_q) || last_i)
        `FORMAL_ASSERT(Ends_A, age < 8'(Bound))
        `FORMAL_COVER(AbortEnds_C, was_aborting && done && error_kind == ErrAborted)
    end

    `FORMAL_COVER(PageEdge_C, aw_new && awaddr[11:0] == 12'hFFA && awlen == 8'd1)
    `FORMAL_COVER(WatchedDone_C, owns && done && earlier == '0 && written && error_kind == ErrNone && place == 5'd5)
    `FORMAL_COVER(ShortPacket_C, done && error_kind == ErrNone && result_bytes == LengthBits'(3) && length == 5'd9)
    `FORMAL_COVER(Overrun_C, done && error_kind == ErrOverrun)
    `FORMAL_COVER(ErrorInFlight_C, answers && bresp_i[1] && open_count == 4'd2)
    `FORMAL_COVER(AbortInFlight_C, abort_i && !was_aborting && open_count == 4'd2)
    `FORMAL_COVER(Pads_C, dut.pads && sends_beat)
    `FORMAL_COVER(TwoInWork_C, in_work == 4'd2 && done)
    `FORMAL_COVER(DataBeforeAddress_C, sends_burst && awvalid && !awready_i)
endmodule
