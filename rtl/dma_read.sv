// SPDX-License-Identifier: MIT OR Apache-2.0
// Reads a transfer from memory: AR and R channels in, beats with their valid bytes out.
//
// Request: `start_i` while idle; the first AR is valid in the next cycle. `refuse_i` with it makes no bus
// access: only the ending beat comes out. `done_o` is high for one cycle at the end.
// Beats: valid/ready; `end_o` marks the last one. A transfer that fails or is aborted still ends: bursts in
// flight are collected, what came before the failing beat is handed out, then a beat of 0 bytes with `end_o`
// and `broken_o`.
// A burst is only issued when the FIFO has room for all of it, so RREADY never falls.
`include "dma_assert.svh"
module dma_read #(
    parameter int unsigned DataWidth     = 64,
    parameter int unsigned AddrBits      = 32,
    parameter int unsigned AddrMode      = 0,
    parameter int unsigned MaxBurstBeats = 16,
    // Bursts outstanding.
    parameter int unsigned MaxReads      = 16,
    // Beats.
    parameter int unsigned FifoDepth     = 512,
    parameter int unsigned PlantedFault  = 0,
    // Follow from DataWidth: do not set.
    localparam int unsigned BeatBytes    = DataWidth / 8,
    localparam int unsigned LaneBits     = $clog2(BeatBytes)
) (
    input  logic                           clk_i,
    input  logic                           rst_ni,

    input  logic                           start_i,
    input  logic                           refuse_i,
    input  logic [63:0]                    addr_i,
    input  logic [dma_pkg::LengthBits-1:0] length_i,
    // Ends the transfer in work, unless all of it is handed out; held until `done_o`.
    input  logic                           abort_i,
    // Keeps `done_o` low while beats are still on their way behind this module.
    input  logic                           downstream_busy_i,
    output logic                           done_o,
    // High for one cycle when a burst fails or an abort takes effect.
    output logic                           fails_o,
    output dma_pkg::failure_t              failure_o,
    // Bytes of the transfer not yet handed out.
    output logic [dma_pkg::LengthBits-1:0] left_o,

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
    output logic                           broken_o
);
    import dma_pkg::*;

    localparam int unsigned RoomBits   = $clog2(FifoDepth) + 1;
    localparam int unsigned QueueDepth = (PlantedFault == FaultTooManyReads) ? 2 * MaxReads : MaxReads;

    logic                  active_q, stopped_q, ended_q, first_q;
    logic [LaneBits-1:0]   first_lane_q;
    logic [LengthBits-1:0] left_q;
    // FIFO entries that no issued burst has claimed.
    logic [RoomBits-1:0]   room_q;

    // ---- Bursts and AR ----

    logic        burst_valid, burst_is_last, issues, has_room;
    logic [63:0] burst_addr, issued_addr;
    logic [8:0]  burst_beats;
    logic [7:0]  burst_len;
    logic        none_in_flight, most_in_flight, arrives;
    logic [63:0] oldest_addr;
    logic        arvalid_q;
    logic [63:0] araddr_q;
    logic [7:0]  arlen_q;

    dma_splitter #(
        .BeatBytes    (BeatBytes),
        .AddrBits     (AddrBits),
        .AddrMode     (AddrMode),
        .MaxBurstBeats(MaxBurstBeats),
        .PlantedFault (PlantedFault)
    ) u_splitter (
        .clk_i,
        .rst_ni,
        .start_i     (start_i && !refuse_i),
        .addr_i,
        .length_i,
        .take_i      (issues),
        .valid_o     (burst_valid),
        .addr_o      (burst_addr),
        .beats_o     (burst_beats),
        .left_after_o(),
        .is_last_o   (burst_is_last)
    );

    assign has_room  = room_q >= RoomBits'(burst_beats);
    assign issues    = burst_valid && (start_i ? !refuse_i : !stopped_q) && !abort_i && has_room
                       && !most_in_flight && (!arvalid_q || arready_i);
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
        .full_o (most_in_flight)
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
    assign stops     = active_q && (bus_fails || (abort_i && !ended_q));
    assign keeps     = arrives && !stopped_q && !stops;
    assign fails_o   = stops && !stopped_q;

    always_comb begin
        failure_o = '{kind: (rresp_i == RespDecerr) ? ErrDecerr : ErrSlverr, fail_addr: oldest_addr};
        if (!bus_fails) failure_o = '{kind: ErrAborted, fail_addr: '0};
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
        if (!rst_ni || done_o) begin
            room_q <= RoomBits'(FifoDepth);
        end else begin
            room_q <= room_q - (issues ? RoomBits'(burst_beats) : '0)
                      + RoomBits'(fifo_pop) + RoomBits'(arrives && !keeps);
        end
    end

    // ---- Beats out ----

    logic                is_drained, ends_broken, is_final, hands_out;
    logic [LaneBits:0]   available;

    assign is_drained  = none_in_flight && !arvalid_q;
    assign ends_broken = active_q && stopped_q && is_drained && !fifo_valid && !ended_q;

    assign lane_o    = first_q ? first_lane_q : '0;
    assign available = (LaneBits + 1)'(BeatBytes) - (LaneBits + 1)'(lane_o);
    assign is_final  = left_q <= LengthBits'(available);
    assign count_o   = ends_broken ? '0 : is_final ? left_q[LaneBits:0] : available;
    assign end_o     = ends_broken || is_final;
    assign broken_o  = ends_broken;
    assign valid_o   = (fifo_valid && !abort_i) || ends_broken;
    assign hands_out = valid_o && ready_i;
    assign fifo_pop  = hands_out && !ends_broken;
    assign left_o    = left_q;
    assign done_o    = active_q && ended_q && is_drained && !downstream_busy_i;

    always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
            active_q  <= 1'b0;
            stopped_q <= 1'b0;
            ended_q   <= 1'b0;
        end else if (start_i) begin
            active_q  <= 1'b1;
            stopped_q <= refuse_i;
            ended_q   <= 1'b0;
        end else begin
            if (done_o) active_q <= 1'b0;
            if (stops) stopped_q <= 1'b1;
            if (hands_out && end_o) ended_q <= 1'b1;
        end
    end

    always_ff @(posedge clk_i) begin
        if (start_i) begin
            first_q      <= 1'b1;
            first_lane_q <= addr_i[LaneBits-1:0];
            left_q       <= length_i;
        end else if (hands_out) begin
            first_q <= 1'b0;
            left_q  <= left_q - LengthBits'(count_o);
        end
    end

    `DMA_ASSERT_STABLE(ArStable_A, arvalid_o, arready_i, {araddr_o, arlen_o})
    `DMA_ASSERT(StartsIdle_A, !start_i || (!active_q && is_drained && !fifo_valid))
    `DMA_ASSERT(RoomReturns_A, !done_o || stopped_q || room_q == RoomBits'(FifoDepth))
endmodule
