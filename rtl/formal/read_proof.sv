// SPDX-License-Identifier: MIT OR Apache-2.0
// dma_read: transfers come out whole, in order, byte for byte as they are in memory; each ends once, whatever the bus
// answers; AR keeps the rules; nothing is asked beyond the limit; and with a fair bus it all comes to an end.
//
// Memory has at each address what follows from the address, so where a byte comes from can be seen.
`include "formal.svh"
`include "formal_queue.svh"
module read_proof #(
    parameter int unsigned DataWidth     = 32,
    parameter int unsigned MaxBurstBeats = 2,
    parameter int unsigned MaxReads      = 2,
    parameter int unsigned FifoDepth     = 4,
    // Longest transfer that is tried, in bytes.
    parameter int unsigned MostBytes     = 20,
    // 0: bus and receiver may wait for ever; else they answer within so many cycles.
    parameter int unsigned Fair          = 0,
    // Cycles within which everything ends then, counted from the last start or abort.
    parameter int unsigned Bound         = 40,
    parameter int unsigned PlantedFault  = 0,
    localparam int unsigned BeatBytes    = DataWidth / 8,
    localparam int unsigned LaneBits     = $clog2(BeatBytes)
) (
    input logic                           clk_i,
    input logic                           start_i,
    input logic                           refuse_i,
    input logic [15:0]                    addr_i,
    input logic [4:0]                     length_i,
    input logic                           keep_open_i,
    input logic                           abort_i,
    input logic                           is_streamed_i,
    input logic                           sent_i,
    input logic                           arready_i,
    input logic [1:0]                     rresp_i,
    input logic                           rvalid_i,
    input logic                           ready_i
);
    import dma_pkg::*;

    localparam int unsigned AddrBits = 16;
    localparam addr_limit_t Limit    = '{bits: WidthBits'(AddrBits), boundary: WidthBits'(64)};

    `FORMAL_RESET

    logic                  may_start, is_idle, fails, done, arvalid, rready, valid, is_end, is_broken, rlast;
    logic [LengthBits-1:0] result_bytes;
    error_kind_e           error_kind;
    logic [63:0]           araddr;
    logic [7:0]            arlen;
    logic [DataWidth-1:0]  rdata, data;
    logic [LaneBits-1:0]   lane;
    logic [LaneBits:0]     count;

    dma_read #(
        .DataWidth    (DataWidth),
        .AddrBits     (AddrBits),
        .MaxBurstBeats(MaxBurstBeats),
        .MaxReads     (MaxReads),
        .FifoDepth    (FifoDepth),
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
        .fails_o            (fails),
        .bytes_o            (),
        .is_streamed_i,
        .sent_i,
        .done_o             (done),
        .result_error_kind_o(error_kind),
        .result_bytes_o     (result_bytes),
        .araddr_o           (araddr),
        .arlen_o            (arlen),
        .arvalid_o          (arvalid),
        .arready_i,
        .rdata_i            (rdata),
        .rresp_i,
        .rlast_i            (rlast),
        .rvalid_i,
        .rready_o           (rready),
        .valid_o            (valid),
        .ready_i,
        .data_o             (data),
        .lane_o             (lane),
        .count_o            (count),
        .end_o              (is_end),
        .broken_o           (is_broken)
    );

    // What memory has at an address: neighbouring pages differ.
    function automatic logic [7:0] byte_at(logic [15:0] at);
        return at[7:0] ^ {8{at[12]}};
    endfunction

    // ---- The bus: answers what it was asked, in order ----

    logic        arrives, none_asked, asks;
    logic [3:0]  asked_count, beat;
    logic [23:0] oldest;
    logic [15:0] beat_addr;

    formal_queue #(
        .Width(24)
    ) u_asked (
        .clk_i, .rst_ni,
        .push_i(asks), .data_i({arlen, araddr[15:0]}), .pop_i(arrives && rlast),
        .head_o(oldest), .count_o(asked_count)
    );

    assign asks       = arvalid && arready_i;
    assign arrives    = rvalid_i && rready;
    assign none_asked = asked_count == '0;
    assign rlast      = 8'(beat) == oldest[23:16];
    assign beat_addr  = (oldest[15:0] & ~16'(BeatBytes - 1)) + 16'(beat) * 16'(BeatBytes);

    for (genvar index = 0; index < BeatBytes; index++) begin : gen_memory
        assign rdata[8 * index +: 8] = byte_at(beat_addr + 16'(index));
    end

    always @(posedge clk_i) begin
        if (!rst_ni) beat <= '0;
        else if (arrives) beat <= rlast ? '0 : beat + 4'd1;
    end

    `FORMAL_ASSUME(!rvalid_i || !none_asked)
    `FORMAL_ASSUME(rresp_i != 2'b01)

    // ---- The user ----

    logic       is_ending = 1'b0, was_aborting = 1'b0, takes_end;
    logic [3:0] in_work = '0;

    assign takes_end = valid && ready_i && is_end;

    `FORMAL_CONSTANT(is_streamed_i)
    `FORMAL_ASSUME(!start_i || (may_start && !abort_i))
    `FORMAL_ASSUME(!start_i || !refuse_i || is_idle)
    `FORMAL_ASSUME(!start_i || (length_i != '0 && length_i <= 5'(MostBytes)))
    // As dma_limit sees to it.
    `FORMAL_ASSUME(!start_i || refuse_i || 17'(addr_i) + 17'(length_i) <= 17'(1 << AddrBits))
    `FORMAL_ASSUME(!was_aborting || abort_i)
    `FORMAL_ASSUME(!abort_i || !is_idle)
    // dma_stream_out has one place.
    `FORMAL_ASSUME(!sent_i || (is_streamed_i && is_ending))
    `FORMAL_ASSUME(!(is_streamed_i && takes_end && is_ending) || sent_i)

    always @(posedge clk_i) begin
        if (!rst_ni) begin
            is_ending    <= 1'b0;
            was_aborting <= 1'b0;
        end else begin
            is_ending    <= takes_end || (is_ending && !done);
            // dma_channel lets go of it when the mover is idle.
            was_aborting <= abort_i && !(takes_end && is_broken) && in_work != '0 && !is_ending;
        end
    end

    // ---- Model: transfers, in order ----

    logic [21:0]           head;
    logic [3:0]            open_count;
    logic [15:0]           next_addr;
    logic [LengthBits-1:0] given;
    logic                  is_cut = 1'b0;

    formal_queue #(
        .Width(22)
    ) u_transfers (
        .clk_i,
        .rst_ni (rst_ni && !(takes_end && is_broken)),
        .push_i (start_i), .data_i({refuse_i, length_i, addr_i}), .pop_i(takes_end),
        .head_o (head), .count_o(open_count)
    );

    assign next_addr = head[15:0] + 16'(given);

    always @(posedge clk_i) begin
        if (!rst_ni || takes_end) given <= '0;
        else if (valid && ready_i) given <= given + LengthBits'(count);
        if (!rst_ni) is_cut <= 1'b0;
        else if (fails || (start_i && refuse_i)) is_cut <= 1'b1;
        else if (takes_end && is_broken) is_cut <= 1'b0;
        if (!rst_ni) in_work <= '0;
        else if (takes_end && is_broken) in_work <= 4'd1;
        else in_work <= in_work + 4'(start_i) - 4'(done && in_work != '0);
    end

    for (genvar index = 0; index < BeatBytes; index++) begin : gen_bytes
        // Lane `index` of the beat that is offered has the byte that comes next there.
        `FORMAL_ASSERT(ByteOfMemory_A, !valid || is_broken || index < 32'(lane) || index >= 32'(lane) + 32'(count)
                       || data[8 * index +: 8] == byte_at(next_addr + 16'(index) - 16'(lane)))
    end
    `FORMAL_ASSERT(OfATransfer_A, !valid || open_count != '0)
    `FORMAL_ASSERT(NotTooMuch_A, !valid || given + LengthBits'(count) <= LengthBits'(head[20:16]))
    `FORMAL_ASSERT(EndIsWhole_A, !valid || is_broken
                                 || is_end == (given + LengthBits'(count) == LengthBits'(head[20:16])))
    `FORMAL_ASSERT(BreaksOnlyCut_A, !(valid && is_broken) || is_cut)
    `FORMAL_ASSERT(BrokenIsEmpty_A, !(valid && is_broken) || (is_end && count == '0))
    `FORMAL_ASSERT(DoneOnce_A, !done || is_ending)
    `FORMAL_ASSERT(RefusedAsksNothing_A, !(arvalid && open_count != '0) || !head[21])

    // ---- AR ----

    logic        ar_waited = 1'b0;
    logic [71:0] ar_was;
    logic [15:0] span;

    assign span = (16'(arlen) + 16'd1) * 16'(BeatBytes);

    always @(posedge clk_i) begin
        ar_waited <= rst_ni && arvalid && !arready_i;
        ar_was    <= {araddr, arlen};
    end

    `FORMAL_ASSERT(ArStable_A, !ar_waited || (arvalid && {araddr, arlen} == ar_was))
    `FORMAL_ASSERT(ArLength_A, !arvalid || arlen < 8'(MaxBurstBeats))
    `FORMAL_ASSERT(ArPage_A, !arvalid || 17'(araddr[11:0] & ~12'(BeatBytes - 1)) + 17'(span) <= 17'(PageBytes))
    `FORMAL_ASSERT(ArLimit_A, !arvalid || araddr < 64'(1 << AddrBits))
    `FORMAL_ASSERT(Outstanding_A, 32'(asked_count) + 32'(arvalid) <= MaxReads)
    `FORMAL_ASSERT(AlwaysTakes_A, rready)
    `FORMAL_ASSERT(IdleIsQuiet_A, !is_idle || (none_asked && !arvalid && !valid))

    // ---- A fair world, and the end ----

    if (Fair != 0) begin : gen_fair
        logic [3:0] ar_wait = '0, r_wait = '0, out_wait = '0, sent_wait = '0;
        logic [7:0] age = '0;

        always @(posedge clk_i) begin
            ar_wait   <= (arvalid && !arready_i) ? ar_wait + 4'd1 : '0;
            r_wait    <= (!none_asked && !rvalid_i) ? r_wait + 4'd1 : '0;
            out_wait  <= (valid && !ready_i) ? out_wait + 4'd1 : '0;
            sent_wait <= (is_streamed_i && is_ending && !sent_i) ? sent_wait + 4'd1 : '0;
            if (!rst_ni || is_idle || start_i || (abort_i && !was_aborting)) age <= '0;
            else if (age != '1) age <= age + 8'd1;
        end

        `FORMAL_ASSUME(ar_wait < 4'(Fair) && r_wait < 4'(Fair) && out_wait < 4'(Fair) && sent_wait < 4'(Fair))
        `FORMAL_ASSERT(Ends_A, age < 8'(Bound))
        `FORMAL_COVER(TakesLong_C, age >= 8'd8 && done)
        `FORMAL_COVER(AbortEnds_C, was_aborting && takes_end && is_broken)
    end

    `FORMAL_COVER(PageEdge_C, asks && araddr[11:0] == 12'hFFA && arlen == 8'd1)
    `FORMAL_COVER(LastByteOfAll_C, asks && araddr == 64'hFFFC && arlen == 8'd0)
    `FORMAL_COVER(AbortInFlight_C, abort_i && !was_aborting && asked_count == 4'd2)
    `FORMAL_COVER(ErrorInFlight_C, arrives && rresp_i[1] && asked_count == 4'd2 && fails)
    `FORMAL_COVER(Broken_C, takes_end && is_broken && result_bytes != '0 && asked_count == '0 && given != '0)
    `FORMAL_COVER(TwoInWork_C, open_count == 4'd2 && takes_end && !is_broken)
    `FORMAL_COVER(RoomRunsOut_C, dut.burst_valid && !dut.has_room && !arvalid)
    `FORMAL_COVER(LongDone_C, done && error_kind == ErrNone && result_bytes >= LengthBits'(13))
endmodule
