// SPDX-License-Identifier: MIT OR Apache-2.0
// Reads transfers from memory: AR and R channels in, beats with their valid bytes out.
//
// Request: `start_i` while `may_start_o`; the first AR is valid in the next cycle. The addresses of the next transfer
// follow those of the one before at once, so many transfers can be in flight. `refuse_i`, only while `is_idle_o`,
// makes no bus access: only the ending beat comes out.
// Beats: valid/ready; `end_o` marks the last one of a transfer. A transfer that fails or is aborted still ends: bursts
// in flight are collected, what came before the failing beat is handed out, then a beat of 0 bytes with `end_o` and
// `broken_o`. Transfers behind it are forgotten; `is_idle_o` tells when.
// A burst is only issued when the FIFO has room for all of it, so RREADY never falls.
`include "dma_assert.svh"
module dma_read #(
    parameter int unsigned DataWidth     = 64,
    parameter int unsigned AddrBits      = 32,
    parameter int unsigned MaxBurstBeats = 16,
    // Bursts outstanding.
    parameter int unsigned MaxReads      = 16,
    // Beats.
    parameter int unsigned FifoDepth     = 512,
    // Takes transfers while others are in flight; else only while idle.
    parameter bit          IsQueued      = 1'b1,
    parameter int unsigned PlantedFault  = 0,
    // Follow from DataWidth: do not set.
    localparam int unsigned BeatBytes    = DataWidth / 8,
    localparam int unsigned LaneBits     = $clog2(BeatBytes)
) (
    input  logic                           clk_i,
    input  logic                           rst_ni,

    input  logic                           start_i,
    output logic                           may_start_o,
    input  logic                           refuse_i,
    input  logic [63:0]                    addr_i,
    input  dma_pkg::addr_limit_t           limit_i,
    input  logic [dma_pkg::LengthBits-1:0] length_i,
    input  logic                           keep_open_i,
    // Ends the transfer whose beats are being handed out, and those behind it; held until `is_idle_o`.
    input  logic                           abort_i,
    output logic                           is_idle_o,
    // High for one cycle when a burst fails or an abort takes effect: what may follow is forgotten.
    output logic                           fails_o,
    // Bytes handed out of the transfer whose beats come, or came last.
    output logic [dma_pkg::LengthBits-1:0] bytes_o,

    // A transfer is done when its last beat is taken, or, if that leaves the engine as a stream, when it is sent.
    input  logic                           is_streamed_i,
    input  logic                           sent_i,
    output logic                           done_o,
    // How it ended; in the cycle of `done_o`.
    output dma_pkg::error_kind_e           result_error_kind_o,
    output logic [63:0]                    result_fail_addr_o,
    output logic [dma_pkg::LengthBits-1:0] result_bytes_o,
    output logic                           result_packet_end_o,
    // What is counted in this cycle.
    output logic                           activity_beat_o,
    output logic                           activity_stalls_address_o,
    output logic                           activity_stalls_data_o,
    output logic                           activity_stalls_stream_o,
    output logic [8:0]                     activity_outstanding_o,
    // Something moves on the bus or towards the stream.
    output logic                           moves_o,

    output logic [63:0]                    araddr_o,
    output logic [7:0]                     arlen_o,
    output logic                           arvalid_o,
    input  logic                           arready_i,
    input  logic [DataWidth-1:0]           rdata_i,
    input  logic [1:0]                     rresp_i,
    input  logic                           rlast_i,
    input  logic                           rvalid_i,
    output logic                           rready_o,

    output logic                           valid_o,
    input  logic                           ready_i,
    output logic [DataWidth-1:0]           data_o,
    output logic [LaneBits-1:0]            lane_o,
    output logic [LaneBits:0]              count_o,
    output logic                           end_o,
    // With `end_o`: the packet goes on with the next transfer; the transfer broke off.
    output logic                           keep_open_o,
    output logic                           broken_o
);
    import dma_pkg::*;

    localparam int unsigned RoomBits = $clog2(FifoDepth) + 1;
    localparam int unsigned QueueDepth = (PlantedFault == FaultTooManyReads) ? 2 * MaxReads : MaxReads;

    // What is remembered of a transfer until its beats are handed out: keep_open, lane, length.
    localparam int unsigned TransferBits = 1 + LaneBits + LengthBits;

    // Something failed: nothing new begins until all that was under way is gone.
    logic stopped_q, recovers;
    // The transfer whose beats are handed out, and the bytes left of it.
    logic head_valid_q, first_q, keep_open_q, next_keep_open;
    logic [LaneBits-1:0] first_lane_q, next_lane;
    logic [LengthBits-1:0] length_q, left_q, next_length;
    error_kind_e error_kind_q;
    logic [63:0] fail_addr_q;
    // FIFO entries that no issued burst has claimed.
    logic [RoomBits-1:0] room_q;

    // ---- Bursts and AR ----

    logic burst_valid, burst_is_last, split_busy, issues, has_room;
    logic [63:0] burst_addr, issued_addr;
    logic [8:0] burst_beats;
    logic [7:0] burst_len;
    logic none_in_flight, most_in_flight, arrives;
    logic [8:0] in_flight;
    logic [63:0] oldest_addr;
    logic arvalid_q;
    logic [63:0] araddr_q;
    logic [7:0] arlen_q;

    dma_splitter #(
        .BeatBytes    (BeatBytes),
        .AddrBits     (AddrBits),
        .MaxBurstBeats(MaxBurstBeats),
        .PlantedFault (PlantedFault)
    ) u_splitter (
        .clk_i,
        .rst_ni,
        .start_i     (start_i && !refuse_i),
        .addr_i,
        .length_i,
        .limit_i,
        .take_i      (issues),
        .clear_i     (stops || stopped_q),
        .valid_o     (burst_valid),
        .busy_o      (split_busy),
        .addr_o      (burst_addr),
        .beats_o     (burst_beats),
        .left_after_o(),
        .is_last_o   (burst_is_last)
    );

    assign has_room  = room_q >= RoomBits'(burst_beats);
    assign issues    = burst_valid && !stopped_q && !abort_i && has_room && !most_in_flight
                       && (!arvalid_q || arready_i);
    assign burst_len = 8'(burst_beats - 9'd1);

    if (PlantedFault == FaultReadAstray) begin : gen_planted_astray
        assign issued_addr = burst_is_last ? burst_addr ^ 64'(PageBytes) : burst_addr;
    end else begin : gen_address
        assign issued_addr = burst_addr;
        logic unused_is_last;
        assign unused_is_last = burst_is_last;
    end

    dma_queue #(
        .Width(64),
        .Depth(QueueDepth)
    ) u_in_flight (
        .clk_i,
        .rst_ni,
        .push_i (issues),
        .data_i (burst_addr),
        .pop_i  (arrives && rlast_i),
        .head_o (oldest_addr),
        .empty_o(none_in_flight),
        .full_o (most_in_flight),
        .used_o (in_flight)
    );

    always_ff @(posedge clk_i) begin
        if (!rst_ni) arvalid_q <= 1'b0;
        else if (issues) arvalid_q <= 1'b1;
        else if (arready_i) arvalid_q <= 1'b0;
    end

    always_ff @(posedge clk_i) begin
        if (issues) begin
            araddr_q <= issued_addr;
            arlen_q  <= burst_len;
        end
    end

    assign arvalid_o = arvalid_q;
    assign araddr_o  = araddr_q;
    assign arlen_o   = arlen_q;
    assign rready_o  = 1'b1;

    // ---- R, failure and FIFO ----

    logic bus_fails, keeps, stops, fifo_valid, fifo_pop;

    // A beat that nobody asked for is ignored.
    assign arrives   = rvalid_i && !none_in_flight;
    assign bus_fails = arrives && rresp_i[1] && !stopped_q;
    // An abort that comes when everything is handed out is too late.
    assign stops     = !stopped_q && (bus_fails || (abort_i && head_valid_q));
    assign keeps     = arrives && !stopped_q && !stops;
    assign fails_o   = stops;

    always_ff @(posedge clk_i) begin
        if (stops) begin
            error_kind_q <= ErrAborted;
            fail_addr_q  <= '0;
            if (bus_fails) begin
                error_kind_q <= (rresp_i == RespDecerr) ? ErrDecerr : ErrSlverr;
                fail_addr_q  <= oldest_addr;
            end
        end
    end

    dma_fifo #(
        .Width(DataWidth),
        .Depth(FifoDepth)
    ) u_fifo (
        .clk_i,
        .rst_ni,
        .clear_i(abort_i),
        .push_i (keeps),
        .data_i (rdata_i),
        .valid_o(fifo_valid),
        .data_o,
        .pop_i  (fifo_pop)
    );

    always_ff @(posedge clk_i) begin
        if (!rst_ni || recovers) begin
            room_q <= RoomBits'(FifoDepth);
        end else begin
            room_q <= room_q - (issues ? RoomBits'(burst_beats) : '0)
                      + RoomBits'(fifo_pop) + RoomBits'(arrives && !keeps);
        end
    end

    // ---- Transfers ----

    logic head_ends, head_free, none_waiting, most_waiting, waits, follows;

    assign head_free     = !head_valid_q || head_ends;
    assign waits         = start_i && !(head_free && none_waiting);
    assign follows       = head_free && !none_waiting;
    // The splitter shows one transfer at a time.
    assign may_start_o   = !split_busy && !most_waiting && !stopped_q;
    assign is_idle_o     = !head_valid_q && !stopped_q && !ending_q;

    if (IsQueued) begin : gen_waiting
        dma_queue #(
            .Width(TransferBits),
            .Depth(MaxReads)
        ) u_waiting (
            .clk_i,
            .rst_ni (rst_ni && !recovers),
            .push_i (waits),
            .data_i ({keep_open_i, addr_i[LaneBits-1:0], length_i}),
            .pop_i  (follows),
            .head_o ({next_keep_open, next_lane, next_length}),
            .empty_o(none_waiting),
            .full_o (most_waiting),
            .used_o ()
        );
    end else begin : gen_none_waiting
        assign {next_keep_open, next_lane, next_length} = '0;
        assign none_waiting = 1'b1;
        assign most_waiting = 1'b0;
        logic unused_waits;
        assign unused_waits = waits;
    end

    // ---- Beats out ----

    logic is_drained, ends_broken, is_final, hands_out;
    logic [LaneBits:0] available;

    assign is_drained  = none_in_flight && !arvalid_q;
    assign ends_broken = head_valid_q && stopped_q && is_drained && !fifo_valid;
    // The end of what broke off takes everything behind it along.
    assign recovers    = stopped_q && (!head_valid_q || (ends_broken && ready_i));

    assign lane_o      = first_q ? first_lane_q : '0;
    assign available   = (LaneBits + 1)'(BeatBytes) - (LaneBits + 1)'(lane_o);
    assign is_final    = left_q <= LengthBits'(available);
    assign count_o     = ends_broken ? '0 : is_final ? left_q[LaneBits:0] : available;
    assign end_o       = ends_broken || is_final;
    assign broken_o    = ends_broken;
    assign keep_open_o = keep_open_q;
    assign valid_o     = (fifo_valid && !abort_i) || ends_broken;
    assign hands_out   = valid_o && ready_i;
    assign head_ends   = hands_out && end_o;
    assign fifo_pop    = hands_out && !ends_broken;
    assign bytes_o     = length_q - left_q;

    always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
            stopped_q    <= 1'b0;
            head_valid_q <= 1'b0;
        end else begin
            if (start_i && refuse_i) stopped_q <= 1'b1;
            else if (stops) stopped_q <= 1'b1;
            else if (recovers) stopped_q <= 1'b0;
            if (recovers) head_valid_q <= 1'b0;
            else if (start_i || follows) head_valid_q <= 1'b1;
            else if (head_ends) head_valid_q <= 1'b0;
        end
    end

    always_ff @(posedge clk_i) begin
        if (head_free && (start_i || follows)) begin
            keep_open_q  <= none_waiting ? keep_open_i : next_keep_open;
            first_lane_q <= none_waiting ? addr_i[LaneBits-1:0] : next_lane;
            length_q     <= none_waiting ? length_i : next_length;
            left_q       <= none_waiting ? length_i : next_length;
            first_q      <= 1'b1;
        end else if (hands_out) begin
            left_q  <= left_q - LengthBits'(count_o);
            first_q <= 1'b0;
        end
    end

    // ---- Results ----

    // Between a last beat and its end there is never room for another last beat.
    logic ending_q, ending_broken_q;
    logic [LengthBits-1:0] ending_bytes_q;

    assign result_error_kind_o = ending_broken_q ? error_kind_q : ErrNone;
    assign result_fail_addr_o  = ending_broken_q ? fail_addr_q : '0;
    assign result_bytes_o      = ending_bytes_q;
    assign result_packet_end_o = 1'b0;

    assign done_o = is_streamed_i ? sent_i : ending_q;

    always_ff @(posedge clk_i) begin
        if (!rst_ni) ending_q <= 1'b0;
        else if (head_ends) ending_q <= 1'b1;
        else if (done_o) ending_q <= 1'b0;
    end

    always_ff @(posedge clk_i) begin
        if (head_ends) begin
            ending_broken_q <= ends_broken;
            ending_bytes_q  <= bytes_o + LengthBits'(count_o);
        end
    end

    // ---- Counters ----

    assign activity_beat_o           = arrives;
    assign activity_stalls_address_o = arvalid_q && !arready_i;
    assign activity_stalls_data_o    = !none_in_flight && !rvalid_i;
    assign activity_stalls_stream_o  = valid_o && !ready_i;
    assign activity_outstanding_o    = in_flight;
    assign moves_o                   = (arvalid_q && arready_i) || arrives || hands_out || sent_i;

    `DMA_ASSERT_STABLE(ArStable_A, arvalid_o, arready_i, {araddr_o, arlen_o})
    `DMA_ASSERT(StartsWhenFree_A, !start_i || may_start_o)
    `DMA_ASSERT(RefusesIdle_A, !(start_i && refuse_i) || is_idle_o)
    `DMA_ASSERT(DataHasTransfer_A, !fifo_valid || head_valid_q)
    `DMA_ASSERT(DoneOfOne_A, !done_o || ending_q)
    `DMA_ASSERT(EndsOneByOne_A, !(head_ends && ending_q) || done_o)
    `DMA_ASSERT(RoomReturns_A, head_valid_q || stopped_q || room_q == RoomBits'(FifoDepth))
endmodule
