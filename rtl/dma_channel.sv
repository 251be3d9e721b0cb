// SPDX-License-Identifier: MIT OR Apache-2.0
// Control of one channel: takes transfers from the registers or from its ring, judges them, runs them on the mover,
// and keeps how they ended.
//
// Registers: events are pulses; what else `status_*_o` tells stays until the next transfer. A transfer of length 0, and
// one that the address limit refuses, ends at once and never reaches the mover; in loopback a refused one does, so that
// the other side is not left waiting.
// Ring: descriptors come in order (`desc_valid_i`, `desc_take_o`), as many at a time as the mover takes; completions
// go out in order, one a cycle. A failure of the bus, the limit, a stop or a soft reset halts the ring: no further
// descriptor is taken, what is in the mover comes to its end, and `halted_o` is high until `resume_i`.
`include "dma_assert.svh"
module dma_channel #(
    // See dma_engine.
    parameter int unsigned AddrMode = 0,
    // Transfers may come from a ring.
    parameter bit          HasRings = 1'b1
) (
    input  logic                           clk_i,
    input  logic                           rst_ni,

    // The registers.
    // Start: high in the cycle in which the bit is written; and whether ring_enable was written with it.
    input  logic                           command_start_i,
    input  logic                           command_enables_ring_i,
    input  logic                           command_stop_i,
    input  logic                           command_keep_open_i,
    // STATUS.error is set.
    input  logic                           command_is_failed_i,
    input  logic [63:0]                    command_addr_i,
    input  logic [dma_pkg::LengthBits-1:0] command_length_i,
    // Address bits that there are.
    input  logic [dma_pkg::WidthBits-1:0]  command_limit_bits_i,
    input  logic [31:0]                    command_timeout_i,
    input  logic                           soft_reset_i,
    input  logic                           loopback_i,
    // Events are high for one cycle.
    output logic                           status_busy_o,
    output logic                           status_clears_status_o,
    output logic                           status_sets_done_o,
    output logic                           status_sets_error_o,
    output logic                           status_ignores_start_o,
    output logic                           status_zero_length_o,
    output logic                           status_packet_end_o,
    output logic [dma_pkg::LengthBits-1:0] status_bytes_done_o,
    output dma_pkg::error_kind_e           status_error_kind_o,
    output logic [63:0]                    status_fail_addr_o,

    // The ring, if transfers come from there.
    input  logic                           has_ring_i,
    input  logic                           desc_valid_i,
    // What happened when it was read: none, slverr, decerr or addr_limit.
    input  dma_pkg::error_kind_e           desc_fetch_error_i,
    input  logic                           desc_irq_i,
    // mm2s: the packet goes on with the next one. s2mm: so may the packet.
    input  logic                           desc_more_i,
    input  logic [dma_pkg::LengthBits-1:0] desc_length_i,
    input  logic [63:0]                    desc_addr_i,
    // Where it was read.
    input  logic [63:0]                    desc_place_i,
    output logic                           desc_take_o,
    output logic                           completes_o,
    output dma_pkg::error_kind_e           completion_kind_o,
    output logic                           completion_packet_end_o,
    output logic                           completion_zero_length_o,
    output logic [dma_pkg::LengthBits-1:0] completion_bytes_o,
    // The first failure since STATUS.error was cleared, in this cycle; and what it was, from the next one on.
    output logic                           first_fails_o,
    output dma_pkg::error_source_e         error_source_o,
    // A completion could not be written: halts, unless something else did.
    input  logic                           writeback_fails_i,
    input  dma_pkg::error_kind_e           writeback_error_kind_i,
    input  logic [63:0]                    writeback_fail_addr_i,
    // The ring's port does not move: halts as well.
    input  logic                           ring_expires_i,
    input  dma_pkg::error_source_e         ring_expires_source_i,
    // Takes no more descriptors; and nothing of it is left.
    output logic                           halts_o,
    output logic                           halted_o,
    input  logic                           resume_i,

    // The mover: dma_read or dma_write.
    output logic                           run_o,
    output logic                           run_refused_o,
    output logic [63:0]                    run_addr_o,
    output logic [dma_pkg::LengthBits-1:0] run_length_o,
    output logic                           run_keep_open_o,
    output logic                           run_abort_o,
    input  logic                           move_may_start_i,
    input  logic                           move_is_idle_i,
    input  logic                           move_moves_i,
    input  logic                           move_fails_i,
    input  logic                           move_done_i,
    // How the transfer that is done ended.
    input  dma_pkg::error_kind_e           move_result_error_kind_i,
    input  logic [63:0]                    move_result_fail_addr_i,
    input  logic [dma_pkg::LengthBits-1:0] move_result_bytes_i,
    input  logic                           move_result_packet_end_i,
    input  logic [dma_pkg::LengthBits-1:0] move_bytes_i
);
    import dma_pkg::*;

    // More transfers than any mover takes at a time.
    localparam int unsigned FlightBits = HasRings ? 10 : 2;

    // Transfers in the mover; a start ended without it; the driver asked to stop; the ring is to stop.
    logic [FlightBits-1:0] in_flight_q;
    logic ends_at_once_q, abort_q, halting_q, timed_out_q;
    // How the last transfer ended, or what is known of the one that starts.
    error_kind_e error_kind_q, refusal_kind_q;
    logic [63:0] fail_addr_q, refusal_addr_q;
    logic zero_length_q, packet_end_q, bytes_known_q;
    logic [LengthBits-1:0] bytes_q;
    // Of the transfer that was refused or empty, while it is in work; `refusal_*_q` as well.
    logic is_refused_q, is_bad_q, is_ring_q;
    error_source_e source_q;

    // ---- Starts ----

    logic has_ring, runs, busy, exceeds, accepted, takes, is_zero, is_bad, at_once, begins;
    logic [63:0] limit_addr;
    logic [63:0] refusal_addr;
    error_kind_e refusal_kind;

    // What is in work belongs to whoever began it.
    assign has_ring        = HasRings && (busy ? is_ring_q : has_ring_i);
    assign runs            = in_flight_q != '0;
    assign busy            = runs || ends_at_once_q;
    assign run_addr_o      = has_ring ? desc_addr_i : command_addr_i;
    assign run_length_o    = has_ring ? desc_length_i : command_length_i;
    assign run_keep_open_o = has_ring ? desc_more_i : command_keep_open_i;

    dma_limit #(
        .AddrMode(AddrMode)
    ) u_limit (
        .bits_i     (command_limit_bits_i),
        .addr_i     (run_addr_o),
        .length_i   (run_length_o),
        .exceeds_o  (exceeds),
        .fail_addr_o(limit_addr)
    );

    assign is_bad   = has_ring && desc_fetch_error_i != ErrNone;
    assign is_zero  = run_length_o == '0 && !is_bad;
    assign at_once  = is_zero || is_bad || (exceeds && !loopback_i);
    assign accepted = command_start_i && !command_enables_ring_i && !busy && !soft_reset_i && !has_ring;
    // What does not reach the mover, or only in part, waits until the mover is empty: completions stay in order.
    always_comb begin
        takes = 1'b0;
        if (has_ring && desc_valid_i && !halting_q && !ends_at_once_q) begin
            takes = move_may_start_i && !soft_reset_i && !command_stop_i
                    && ((!at_once && !exceeds && !is_refused_q) || !busy);
        end
    end

    assign begins          = accepted || takes;
    assign run_o           = begins && !at_once;
    assign run_refused_o   = exceeds;
    assign run_abort_o     = runs && (abort_q || soft_reset_i);
    assign desc_take_o     = takes;

    always_comb begin
        refusal_kind = ErrNone;
        refusal_addr = '0;
        if (is_bad) begin
            refusal_kind = desc_fetch_error_i;
            refusal_addr = desc_place_i;
        end else if (exceeds && !is_zero) begin
            refusal_kind = ErrAddrLimit;
            refusal_addr = limit_addr;
        end
    end

    // ---- Timeout ----

    logic expires;

    dma_watchdog u_watchdog (
        .clk_i,
        .rst_ni,
        .limit_i  (command_timeout_i),
        .runs_i   (runs && !timed_out_q),
        .moves_i  (move_moves_i || run_o),
        .expires_o(expires)
    );

    // ---- Ends ----

    logic completes, fails, halts, first_fails, is_refusal;
    error_kind_e error_kind;
    logic [63:0] fail_addr;

    assign is_refusal = is_refused_q || ends_at_once_q;
    assign completes  = (runs && move_done_i) || ends_at_once_q;

    always_comb begin
        error_kind = ErrNone;
        fail_addr  = '0;
        if (completes) begin
            error_kind = is_refusal ? refusal_kind_q : move_result_error_kind_i;
            fail_addr  = is_refusal ? refusal_addr_q : move_result_fail_addr_i;
            if (timed_out_q && error_kind == ErrAborted) error_kind = ErrTimeout;
        end
    end

    assign fails    = error_kind != ErrNone;
    assign halts_o  = halting_q;
    assign halted_o = halting_q && move_is_idle_i && !ends_at_once_q;

    always_comb begin
        halts       = 1'b0;
        first_fails = 1'b0;
        completes_o = 1'b0;
        if (has_ring) begin
            // What a packet did wrong is no reason to stop.
            halts       = (fails && error_kind != ErrOverrun && error_kind != ErrBadKeep)
                          || move_fails_i || expires || writeback_fails_i || ring_expires_i || command_stop_i
                          || soft_reset_i;
            // The first cause is told until the driver has seen it.
            first_fails = (fails || expires || writeback_fails_i || ring_expires_i) && !command_is_failed_i;
            // A descriptor that was not read is not written back.
            completes_o = completes && !(ends_at_once_q && is_bad_q);
        end
    end

    assign first_fails_o  = first_fails;
    assign error_source_o = source_q;

    assign completion_kind_o        = error_kind;
    assign completion_packet_end_o  = move_result_packet_end_i && !ends_at_once_q;
    assign completion_zero_length_o = zero_length_q && ends_at_once_q;
    assign completion_bytes_o       = ends_at_once_q ? '0 : move_result_bytes_i;

    assign status_busy_o          = busy;
    assign status_clears_status_o = accepted;
    assign status_ignores_start_o = command_start_i && !accepted;
    assign status_sets_done_o     = completes && !has_ring;
    assign status_sets_error_o    = fails || expires || (has_ring && (writeback_fails_i || ring_expires_i));
    assign status_zero_length_o   = zero_length_q;
    assign status_packet_end_o    = packet_end_q;
    assign status_error_kind_o    = error_kind_q;
    assign status_fail_addr_o     = fail_addr_q;
    assign status_bytes_done_o    = bytes_known_q ? bytes_q : move_bytes_i;

    always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
            in_flight_q    <= '0;
            ends_at_once_q <= 1'b0;
            abort_q        <= 1'b0;
            halting_q      <= 1'b0;
            timed_out_q    <= 1'b0;
            is_refused_q   <= 1'b0;
        end else begin
            ends_at_once_q <= begins && at_once;
            // The mover has forgotten what stood behind a failure.
            if (halting_q && move_is_idle_i) in_flight_q <= '0;
            else in_flight_q <= in_flight_q + FlightBits'(run_o) - FlightBits'(runs && move_done_i);
            if (!runs || move_is_idle_i) abort_q <= 1'b0;
            else if (command_stop_i || expires) abort_q <= 1'b1;
            if (!runs) timed_out_q <= 1'b0;
            else if (expires) timed_out_q <= 1'b1;
            if (halts) halting_q <= 1'b1;
            else if (!has_ring || (resume_i && halted_o)) halting_q <= 1'b0;
            if (begins) is_refused_q <= exceeds && !at_once;
            else if (completes) is_refused_q <= 1'b0;
        end
    end

    always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
            error_kind_q  <= ErrNone;
            fail_addr_q   <= '0;
            zero_length_q <= 1'b0;
            packet_end_q  <= 1'b0;
            bytes_known_q <= 1'b1;
            bytes_q       <= '0;
            source_q      <= SourceData;
        end else begin
            if (accepted) begin
                error_kind_q <= refusal_kind;
                fail_addr_q  <= refusal_addr;
            end else if (first_fails && writeback_fails_i) begin
                error_kind_q <= writeback_error_kind_i;
                fail_addr_q  <= writeback_fail_addr_i;
            end else if ((first_fails && fails)
                         || (completes && !has_ring && (fails || !(timed_out_q || expires)))) begin
                // Not what ends well after its timeout has been told.
                error_kind_q <= error_kind;
                fail_addr_q  <= fail_addr;
            end else if ((expires || (has_ring && ring_expires_i)) && !command_is_failed_i) begin
                error_kind_q <= ErrTimeout;
                fail_addr_q  <= '0;
            end
            if (first_fails) begin
                source_q <= SourceData;
                if (writeback_fails_i) source_q <= SourceWriteback;
                else if (ends_at_once_q && is_bad_q) source_q <= SourceFetch;
                else if (!fails && !expires) source_q <= ring_expires_source_i;
            end else if (!has_ring && !command_is_failed_i) begin
                source_q <= SourceData;
            end
            if (begins) begin
                zero_length_q <= is_zero;
                is_ring_q     <= has_ring;
                is_bad_q      <= is_bad;
                refusal_kind_q <= refusal_kind;
                refusal_addr_q <= refusal_addr;
            end
            if (accepted) begin
                packet_end_q  <= 1'b0;
                bytes_known_q <= at_once;
                bytes_q       <= '0;
            end else if (completes && (!has_ring || first_fails)) begin
                packet_end_q  <= completion_packet_end_o;
                bytes_known_q <= 1'b1;
                bytes_q       <= completion_bytes_o;
            end
        end
    end

    // The ring remembers who wants an interrupt.
    logic unused_irq;
    assign unused_irq = desc_irq_i;

    `DMA_ASSERT(DoneWhileRunning_A, !move_done_i || runs)
    `DMA_ASSERT(RefusedAlone_A, !is_refused_q || in_flight_q <= FlightBits'(1))
endmodule
