// SPDX-License-Identifier: MIT OR Apache-2.0
// Control of one channel: takes transfers from the registers or from its ring, judges them, runs them on the mover,
// and keeps how they ended.
//
// Registers: events are pulses; `failure_o`, `bytes_done_o`, `zero_length_o` and `packet_end_o` stay until the next
// transfer. A transfer of length 0, and one that the address limit refuses, ends at once and never reaches the mover;
// in loopback a refused one does, so that the other side is not left waiting.
// Ring: descriptors come in order (`desc_valid_i`, `desc_take_o`), as many at a time as the mover takes; completions
// go out in order, one a cycle. A failure of the bus, the limit, a stop or a soft reset halts the ring: no further
// descriptor is taken, what is in the mover comes to its end, and `halted_o` is high until `resume_i`.
`include "dma_assert.svh"
module dma_channel #(
    // See dma_engine.
    parameter int unsigned AddrMode = 0
) (
    input  logic                           clk_i,
    input  logic                           rst_ni,

    // The registers.
    input  dma_pkg::command_t              command_i,
    input  logic                           soft_reset_i,
    input  logic                           loopback_i,
    output dma_pkg::status_t               status_o,

    // The ring, if transfers come from there.
    input  logic                           has_ring_i,
    input  logic                           desc_valid_i,
    input  dma_pkg::descriptor_t           desc_i,
    // Where it was read.
    input  logic [63:0]                    desc_addr_i,
    output logic                           desc_take_o,
    output logic                           completes_o,
    output dma_pkg::completion_t           completion_o,
    // The first failure since STATUS.error was cleared, in this cycle; and what it was, from the next one on.
    output logic                           first_fails_o,
    output dma_pkg::error_source_e         error_source_o,
    // A completion could not be written: halts, unless something else did.
    input  logic                           writeback_fails_i,
    input  dma_pkg::failure_t              writeback_failure_i,
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
    input  dma_pkg::result_t               move_result_i,
    input  logic [dma_pkg::LengthBits-1:0] move_bytes_i
);
    import dma_pkg::*;

    // More transfers than any mover takes at a time.
    localparam int unsigned FlightBits = 10;

    // Transfers in the mover; a start ended without it; the driver asked to stop; the ring is to stop.
    logic [FlightBits-1:0] in_flight_q;
    logic                  ends_at_once_q, abort_q, halting_q, timed_out_q;
    // How the last transfer ended, or what is known of the one that starts.
    failure_t              failure_q;
    logic                  zero_length_q, packet_end_q, bytes_known_q;
    logic [LengthBits-1:0] bytes_q;
    // Of the transfer that was refused or empty, while it is in work.
    failure_t              refusal_q;
    logic                  is_refused_q, is_bad_q, is_ring_q;
    error_source_e         source_q;

    // ---- Starts ----

    logic        has_ring, runs, busy, exceeds, accepted, takes, is_zero, is_bad, at_once, begins;
    logic [63:0] limit_addr;
    failure_t    refusal;

    // What is in work belongs to whoever began it.
    assign has_ring        = busy ? is_ring_q : has_ring_i;
    assign runs            = in_flight_q != '0;
    assign busy            = runs || ends_at_once_q;
    assign run_addr_o      = has_ring ? desc_i.addr : command_i.addr;
    assign run_length_o    = has_ring ? desc_i.length : command_i.length;
    assign run_keep_open_o = has_ring ? desc_i.more : command_i.keep_open;

    dma_limit #(
        .AddrMode(AddrMode)
    ) u_limit (
        .bits_i     (command_i.limit.bits),
        .addr_i     (run_addr_o),
        .length_i   (run_length_o),
        .exceeds_o  (exceeds),
        .fail_addr_o(limit_addr)
    );

    assign is_bad   = has_ring && desc_i.fetch_error != ErrNone;
    assign is_zero  = run_length_o == '0 && !is_bad;
    assign at_once  = is_zero || is_bad || (exceeds && !loopback_i);
    assign accepted = command_i.start && !command_i.enables_ring && !busy && !soft_reset_i && !has_ring;
    // What does not reach the mover, or only in part, waits until the mover is empty: completions stay in order.
    assign takes    = has_ring && desc_valid_i && move_may_start_i && !halting_q && !ends_at_once_q && !soft_reset_i
                      && !command_i.stop
                      && ((!at_once && !exceeds && !is_refused_q) || !busy);
    assign begins          = accepted || takes;
    assign run_o           = begins && !at_once;
    assign run_refused_o   = exceeds;
    assign run_abort_o     = runs && (abort_q || soft_reset_i);
    assign desc_take_o     = takes;

    always_comb begin
        refusal = '{kind: ErrNone, fail_addr: '0};
        if (is_bad) refusal = '{kind: desc_i.fetch_error, fail_addr: desc_addr_i};
        else if (exceeds && !is_zero) refusal = '{kind: ErrAddrLimit, fail_addr: limit_addr};
    end

    // ---- Timeout ----

    logic expires;

    dma_watchdog u_watchdog (
        .clk_i,
        .rst_ni,
        .limit_i  (command_i.timeout),
        .runs_i   (runs && !timed_out_q),
        .moves_i  (move_moves_i || run_o),
        .expires_o(expires)
    );

    // ---- Ends ----

    logic     completes, fails, halts, first_fails;
    failure_t failure;

    assign completes = (runs && move_done_i) || ends_at_once_q;

    always_comb begin
        failure = is_refused_q || ends_at_once_q ? refusal_q : move_result_i.failure;
        if (timed_out_q && failure.kind == ErrAborted) failure.kind = ErrTimeout;
    end

    assign fails       = completes && failure.kind != ErrNone;
    // What a packet did wrong is no reason to stop.
    assign halts       = has_ring && ((fails && failure.kind != ErrOverrun && failure.kind != ErrBadKeep)
                                      || move_fails_i || writeback_fails_i || command_i.stop || soft_reset_i);
    // The first cause is told until the driver has seen it.
    assign first_fails = has_ring && (fails || expires || writeback_fails_i) && !command_i.is_failed;
    assign halts_o     = halting_q;
    assign halted_o    = halting_q && move_is_idle_i && !ends_at_once_q;

    // A descriptor that was not read is not written back.
    assign completes_o    = has_ring && completes && !(ends_at_once_q && is_bad_q);
    assign first_fails_o  = first_fails;
    assign error_source_o = source_q;

    always_comb begin
        completion_o = '{
            kind: failure.kind, packet_end: move_result_i.packet_end && !ends_at_once_q,
            zero_length: zero_length_q && ends_at_once_q, irq: 1'b0, more: 1'b0,
            bytes: ends_at_once_q ? '0 : move_result_i.bytes
        };
    end

    assign status_o.busy          = busy;
    assign status_o.clears_status = accepted;
    assign status_o.ignores_start = command_i.start && !accepted;
    assign status_o.sets_done     = completes && !has_ring;
    assign status_o.sets_error    = fails || expires || (has_ring && writeback_fails_i);
    assign status_o.zero_length   = zero_length_q;
    assign status_o.packet_end    = packet_end_q;
    assign status_o.failure       = failure_q;
    assign status_o.bytes_done    = bytes_known_q ? bytes_q : move_bytes_i;

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
            else if (command_i.stop || expires) abort_q <= 1'b1;
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
            failure_q     <= '{kind: ErrNone, fail_addr: '0};
            zero_length_q <= 1'b0;
            packet_end_q  <= 1'b0;
            bytes_known_q <= 1'b1;
            bytes_q       <= '0;
            source_q      <= SourceData;
        end else begin
            if (accepted) failure_q <= refusal;
            else if (first_fails && writeback_fails_i) failure_q <= writeback_failure_i;
            else if ((first_fails && fails) || (completes && !has_ring)) failure_q <= failure;
            else if (expires && !command_i.is_failed) failure_q <= '{kind: ErrTimeout, fail_addr: '0};
            if (first_fails) begin
                source_q <= writeback_fails_i ? SourceWriteback : (ends_at_once_q && is_bad_q) ? SourceFetch : SourceData;
            end else if (!has_ring) begin
                source_q <= SourceData;
            end
            if (begins) begin
                zero_length_q <= is_zero;
                is_ring_q     <= has_ring;
                is_bad_q      <= is_bad;
                refusal_q     <= refusal;
            end
            if (accepted) begin
                packet_end_q  <= 1'b0;
                bytes_known_q <= at_once;
                bytes_q       <= '0;
            end else if (completes && (!has_ring || first_fails)) begin
                packet_end_q  <= completion_o.packet_end;
                bytes_known_q <= 1'b1;
                bytes_q       <= completion_o.bytes;
            end
        end
    end

    // The ring remembers who wants an interrupt.
    logic unused_irq;
    assign unused_irq = desc_i.irq;

    `DMA_ASSERT(DoneWhileRunning_A, !move_done_i || runs)
    `DMA_ASSERT(RefusedAlone_A, !is_refused_q || in_flight_q <= FlightBits'(1))
endmodule
