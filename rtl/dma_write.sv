// SPDX-License-Identifier: MIT OR Apache-2.0
// Writes transfers to memory: beats with their valid bytes in, AW, W and B channels out.
//
// Request: `start_i` while `may_start_o`, which rises as soon as the transfer before has sent its last W beat, so many
// transfers can wait for responses. `refuse_i` with it makes no bus access, a packet is only taken and dropped.
// `done_o` is high for one cycle for each transfer in turn, in the cycle of its last write response.
// Beats: valid/ready. A transfer ends at `last_i` or at its length. What a packet has beyond the length is
// dropped up to `last_i` and reported, or left in the stream with `keep_open_i`.
// AW is issued together with the first W beat of its burst, so the bus never waits for data that has not
// come. A burst cut short by the packet's end, a failure or an abort is filled up with beats without strobes.
// A failing transfer does not touch those that began after it.
`include "dma_assert.svh"
module dma_write #(
    parameter int unsigned DataWidth     = 64,
    parameter int unsigned AddrBits      = 32,
    parameter int unsigned MaxBurstBeats = 16,
    // Bursts outstanding.
    parameter int unsigned MaxWrites     = 16,
    // Takes transfers while others wait for responses; else only while idle.
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
    // Ends the transfer that takes data, unless it has all; held until `is_idle_o`.
    input  logic                           abort_i,
    output logic                           is_idle_o,
    // High for a cycle when a burst fails or an abort takes effect.
    output logic                           fails_o,
    output logic                           done_o,
    // How it ended; in the cycle of `done_o`.
    output dma_pkg::error_kind_e           result_error_kind_o,
    output logic [63:0]                    result_fail_addr_o,
    output logic [dma_pkg::LengthBits-1:0] result_bytes_o,
    output logic                           result_packet_end_o,
    // Bytes in memory of the oldest transfer that is not done.
    output logic [dma_pkg::LengthBits-1:0] bytes_o,
    // What is counted in this cycle.
    output logic                           activity_beat_o,
    output logic                           activity_stalls_address_o,
    output logic                           activity_stalls_data_o,
    output logic                           activity_stalls_stream_o,
    output logic [8:0]                     activity_outstanding_o,
    // Something moves on the bus or from the stream.
    output logic                           moves_o,

    input  logic                           valid_i,
    output logic                           ready_o,
    input  logic [DataWidth-1:0]           data_i,
    input  logic [LaneBits-1:0]            lane_i,
    input  logic [LaneBits:0]              count_i,
    input  logic                           bad_keep_i,
    input  logic                           last_i,

    output logic [63:0]                    awaddr_o,
    output logic [7:0]                     awlen_o,
    output logic                           awvalid_o,
    input  logic                           awready_i,
    output logic [DataWidth-1:0]           wdata_o,
    output logic [BeatBytes-1:0]           wstrb_o,
    output logic                           wlast_o,
    output logic                           wvalid_o,
    input  logic                           wready_i,
    input  logic [1:0]                     bresp_i,
    input  logic                           bvalid_i,
    output logic                           bready_o
);
    import dma_pkg::*;

    localparam int unsigned OutstandingBits = $clog2(MaxWrites + 1);

    // Of the transfer that takes data: it is in work; data is being forwarded; what comes is dropped; it failed.
    logic active_q, forwards_q, drops_q, stopped_q;
    logic keep_open_q;
    logic [LengthBits-1:0] length_q;

    // ---- Beats in ----

    logic is_taken, is_reached, is_excess, ends_data;
    logic [LengthBits-1:0] room_q, room_d, room_after;
    logic [LaneBits:0] used_count;
    logic align_ready;

    // Room in the buffer ends with this beat, or within it.
    assign is_reached = room_q <= LengthBits'(count_i);
    assign is_excess  = room_q < LengthBits'(count_i);
    assign used_count = is_excess ? room_q[LaneBits:0] : count_i;
    assign ends_data  = last_i || is_reached;
    assign ready_o    = forwards_q ? align_ready : drops_q;
    assign is_taken   = valid_i && ready_o;
    assign room_after = room_q - LengthBits'(used_count);
    assign room_d     = is_taken ? room_after : room_q;

    // ---- Bytes to lanes ----

    logic packed_valid, packed_end, packed_ready, flushes, will_flush;
    logic [DataWidth-1:0] packed_data;
    logic [BeatBytes-1:0] packed_strobes;

    dma_align #(
        .BeatBytes(BeatBytes)
    ) u_align (
        .clk_i,
        .rst_ni,
        // A stop forgets what is left of the beat that is taken in the same cycle, too.
        .start_i     (start_i || stopped_q || stops),
        .first_lane_i(addr_i[LaneBits-1:0]),
        .valid_i     (valid_i && forwards_q),
        .ready_o     (align_ready),
        .data_i,
        .lane_i,
        .count_i     (used_count),
        .end_i       (ends_data),
        .valid_o     (packed_valid),
        .ready_i     (packed_ready),
        .data_o      (packed_data),
        .strobes_o   (packed_strobes),
        .end_o       (packed_end),
        .flushes_o   (flushes),
        .will_flush_o(will_flush)
    );

    // ---- Bursts ----

    logic split_valid, split_is_last;
    logic [63:0] split_addr, issued_addr;
    logic [8:0] split_beats;
    logic [LengthBits-1:0] split_left;
    logic in_burst_q, in_burst_d, begins, loads, pads, is_nothing, may_begin, is_w_free;
    logic data_over, most_outstanding, answered;
    logic [8:0] beats_left_q, beats_left;
    logic [LengthBits-1:0] planned_left_q;
    logic [OutstandingBits-1:0] outstanding_q;
    logic ends_burst;
    logic awvalid_q, wvalid_q, wlast_q;
    logic [63:0] burst_addr_q, awaddr_q;
    logic [7:0] awlen_q;
    logic [DataWidth-1:0] wdata_q;
    logic [BeatBytes-1:0] wstrb_q, loaded_strobes;
    logic [63:0] sent_addr;
    logic [LengthBits-1:0] sent_bytes;

    dma_splitter #(
        .BeatBytes    (BeatBytes),
        .AddrBits     (AddrBits),
        .MaxBurstBeats(MaxBurstBeats),
        .ShowsAtOnce  (1'b0),
        .PlantedFault (PlantedFault)
    ) u_splitter (
        .clk_i,
        .rst_ni,
        .start_i     (start_i && !refuse_i),
        .addr_i,
        .length_i,
        .limit_i,
        .take_i      (begins),
        .clear_i     (1'b0),
        .valid_o     (split_valid),
        .busy_o      (),
        .addr_o      (split_addr),
        .beats_o     (split_beats),
        .left_after_o(split_left),
        .is_last_o   (split_is_last)
    );

    assign is_w_free        = !wvalid_q || wready_i;
    assign most_outstanding = outstanding_q == OutstandingBits'(MaxWrites);
    assign may_begin        = split_valid && (!awvalid_q || awready_i) && !most_outstanding;
    // The end of a packet that brought no byte since the last burst: nothing to write.
    assign is_nothing       = packed_strobes == '0 && !in_burst_q;
    assign packed_ready     = is_nothing || (is_w_free && (in_burst_q || may_begin));
    assign data_over        = !forwards_q && (stopped_q || !flushes);
    assign pads             = in_burst_q && data_over;
    assign loads            = is_w_free && (pads || (packed_valid && !stopped_q && !is_nothing
                                                     && (in_burst_q || may_begin)));
    assign begins           = loads && !in_burst_q;
    assign beats_left       = in_burst_q ? beats_left_q : split_beats;
    assign ends_burst       = loads && beats_left == 9'd1;
    assign in_burst_d       = loads ? !ends_burst : in_burst_q;

    always_comb begin
        loaded_strobes = pads ? '0 : packed_strobes;
        if (PlantedFault == FaultLostTail && packed_end) loaded_strobes = '0;
        if (PlantedFault == FaultWideStrobes && begins) loaded_strobes = '1;
    end

    if (PlantedFault == FaultWrongAddress) begin : gen_planted_wrong_address
        assign issued_addr = split_is_last ? split_addr + 64'(BeatBytes) : split_addr;
    end else begin : gen_address
        assign issued_addr = split_addr;
        logic unused_is_last;
        assign unused_is_last = split_is_last;
    end

    always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
            in_burst_q    <= 1'b0;
            awvalid_q     <= 1'b0;
            wvalid_q      <= 1'b0;
            outstanding_q <= '0;
        end else begin
            in_burst_q <= in_burst_d;
            if (begins) awvalid_q <= 1'b1;
            else if (awready_i) awvalid_q <= 1'b0;
            if (loads) wvalid_q <= 1'b1;
            else if (wready_i) wvalid_q <= 1'b0;
            outstanding_q <= outstanding_q + OutstandingBits'(begins) - OutstandingBits'(answered);
        end
    end

    always_ff @(posedge clk_i) begin
        if (begins) begin
            awaddr_q       <= issued_addr;
            awlen_q        <= 8'(split_beats - 9'd1);
            burst_addr_q   <= split_addr;
            planned_left_q <= split_left;
        end
        if (loads) begin
            beats_left_q <= beats_left - 9'd1;
            wdata_q      <= packed_data;
            wstrb_q      <= loaded_strobes;
            wlast_q      <= ends_burst || (PlantedFault == FaultWlastEarly && beats_left == 9'd2);
        end
    end

    assign awvalid_o = awvalid_q;
    assign awaddr_o  = awaddr_q;
    assign awlen_o   = awlen_q;
    assign wvalid_o  = wvalid_q;
    assign wdata_o   = wdata_q;
    assign wstrb_o   = wstrb_q;
    assign wlast_o   = wlast_q;
    assign bready_o  = 1'b1;

    // ---- Responses ----

    logic hits_input, aborts, stops, bus_fails, none_ended;

    // When data ended early, what is left is what did not come, not what was planned.
    assign sent_addr  = begins ? split_addr : burst_addr_q;
    assign sent_bytes = length_q - ((pads || packed_end) ? room_d : begins ? split_left : planned_left_q);
    assign hits_input = bus_fails && none_ended;
    // An abort that comes when only responses are missing is too late.
    assign aborts     = abort_i && (forwards_q || drops_q || flushes);
    assign stops      = active_q && (hits_input || aborts);
    assign fails_o    = bus_fails || (aborts && !stopped_q);

    dma_write_response #(
        .MaxWrites   (MaxWrites),
        .IsQueued    (IsQueued),
        .PlantedFault(PlantedFault)
    ) u_response (
        .clk_i,
        .rst_ni,
        .sends_i           (ends_burst),
        .sent_addr_i       (sent_addr),
        .sent_bytes_i      (sent_bytes),
        .is_sending_i      (wvalid_q || awvalid_q),
        .bresp_i,
        .bvalid_i,
        .answered_o        (answered),
        .fails_o           (bus_fails),
        .is_stopped_i      (stopped_q),
        .ends_i            (ends),
        .ended_is_stopped_i(stopped_q || stops),
        .ended_packet_end_i(packet_end_d),
        .ended_kind_i      (kind_d),
        .none_ended_o      (none_ended),
        .done_o,
        .result_error_kind_o,
        .result_fail_addr_o,
        .result_bytes_o,
        .result_packet_end_o,
        .bytes_o
    );

    // ---- End of the input ----

    logic ends_input, forwards_d, drops_d, ends, had_burst_q, has_burst, waits_q;
    logic packet_end_q, packet_end_d;
    error_kind_e kind_q, kind_d;

    assign ends_input   = is_taken && (last_i || (is_reached && keep_open_q));
    assign packet_end_d = packet_end_q || (is_taken && last_i);
    assign has_burst    = had_burst_q || begins;
    // Nothing of it is left but responses.
    assign ends         = active_q && !forwards_d && !drops_d && !in_burst_d && !(will_flush && !stopped_q && !stops);
    // A transfer without a burst has no response to be done by: the next one waits for it.
    assign may_start_o  = (!active_q || (ends && has_burst)) && !waits_q;

    always_comb begin
        forwards_d = forwards_q;
        drops_d    = drops_q;
        if (abort_i) begin
            forwards_d = 1'b0;
            drops_d    = 1'b0;
        end else if (forwards_q && (hits_input || (is_taken && ends_data))) begin
            // In the middle of a packet, its rest is dropped.
            forwards_d = 1'b0;
            drops_d    = !ends_input;
        end else if (drops_q && ends_input) begin
            drops_d = 1'b0;
        end
    end

    // The first cause counts.
    always_comb begin
        kind_d = kind_q;
        if (kind_q == ErrNone && !stopped_q && !hits_input) begin
            if (aborts) kind_d = ErrAborted;
            else if (is_taken && bad_keep_i) kind_d = ErrBadKeep;
            else if (is_taken && is_excess) kind_d = ErrOverrun;
        end
    end

    always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
            active_q    <= 1'b0;
            forwards_q  <= 1'b0;
            drops_q     <= 1'b0;
            stopped_q   <= 1'b0;
            had_burst_q <= 1'b0;
            waits_q     <= 1'b0;
        end else if (start_i) begin
            active_q    <= 1'b1;
            forwards_q  <= !refuse_i;
            drops_q     <= refuse_i;
            stopped_q   <= refuse_i;
            had_burst_q <= 1'b0;
        end else begin
            active_q    <= active_q && !ends;
            forwards_q  <= forwards_d;
            drops_q     <= drops_d;
            stopped_q   <= !ends && (stopped_q || stops);
            had_burst_q <= has_burst;
            waits_q     <= (ends && !has_burst) || (waits_q && !none_ended);
        end
    end

    always_ff @(posedge clk_i) begin
        if (start_i) begin
            keep_open_q  <= keep_open_i;
            length_q     <= length_i;
            room_q       <= length_i;
            packet_end_q <= 1'b0;
            kind_q       <= ErrNone;
        end else begin
            room_q       <= room_d;
            packet_end_q <= packet_end_d;
            kind_q       <= kind_d;
        end
    end

    assign is_idle_o = !active_q && none_ended;

    // ---- Counters ----

    assign activity_beat_o           = wvalid_q && wready_i;
    assign activity_stalls_address_o = awvalid_q && !awready_i;
    assign activity_stalls_data_o    = wvalid_q && !wready_i;
    assign activity_stalls_stream_o  = (forwards_q || drops_q) && !valid_i;
    assign activity_outstanding_o    = 9'(outstanding_q);
    assign moves_o                   = (awvalid_q && awready_i) || (wvalid_q && wready_i) || answered || is_taken;

    `DMA_ASSERT_STABLE(AwStable_A, awvalid_o, awready_i, {awaddr_o, awlen_o})
    `DMA_ASSERT_STABLE(WStable_A, wvalid_o, wready_i, {wdata_o, wstrb_o, wlast_o})
    `DMA_ASSERT(StartsWhenFree_A, !start_i || may_start_o)
    `DMA_ASSERT(BurstForEachBeat_A, !loads || in_burst_q || split_valid)
endmodule
