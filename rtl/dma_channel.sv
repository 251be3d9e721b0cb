// SPDX-License-Identifier: MIT OR Apache-2.0
// Controls one channel: judges a start request, runs the data mover, keeps the result.
//
// A start with length 0, or beyond the address limit, ends in the next cycle without the mover (in loopback
// the mover runs with `run_refused_o`, so that the other channel is not left waiting). Of several failures the
// first is kept. The mover's `move_done_i` ends the transfer.
`include "dma_assert.svh"
module dma_channel #(
    parameter int unsigned AddrBits = 32,
    parameter int unsigned AddrMode = 0
) (
    input  logic                           clk_i,
    input  logic                           rst_ni,

    // From the registers.
    input  logic                           start_i,
    input  logic                           abort_i,
    input  logic                           soft_reset_i,
    input  logic                           loopback_i,
    input  logic [63:0]                    addr_i,
    input  logic [dma_pkg::LengthBits-1:0] length_i,

    // To the registers.
    output logic                           busy_o,
    output logic                           clears_status_o,
    output logic                           sets_done_o,
    output logic                           sets_error_o,
    output logic                           ignores_start_o,
    output logic                           zero_length_o,
    output dma_pkg::failure_t              failure_o,
    output logic [dma_pkg::LengthBits-1:0] bytes_done_o,

    // The mover: dma_read or dma_write.
    output logic                           run_o,
    output logic                           run_refused_o,
    output logic                           run_abort_o,
    input  logic                           move_done_i,
    input  logic                           move_fails_i,
    input  dma_pkg::failure_t              move_failure_i,
    input  logic [dma_pkg::LengthBits-1:0] move_left_i
);
    import dma_pkg::*;

    // The mover runs; a start ended without it; the driver asked to stop.
    logic                  runs_q, ends_at_once_q, abort_q;
    // The last start never reached the mover.
    logic                  moved_nothing_q, zero_length_q;
    logic [LengthBits-1:0] length_q;
    failure_t              failure_q, failure_d;

    logic        exceeds, accepted, is_zero, at_once;
    logic [63:0] limit_addr;

    dma_limit #(
        .AddrBits(AddrBits),
        .AddrMode(AddrMode)
    ) u_limit (
        .addr_i,
        .length_i,
        .exceeds_o  (exceeds),
        .fail_addr_o(limit_addr)
    );

    assign accepted        = start_i && !busy_o && !soft_reset_i;
    assign is_zero         = length_i == '0;
    assign at_once         = is_zero || (exceeds && !loopback_i);
    assign run_o           = accepted && !at_once;
    assign run_refused_o   = exceeds;
    assign run_abort_o     = runs_q && (abort_q || soft_reset_i);

    assign busy_o          = runs_q || ends_at_once_q;
    assign clears_status_o = accepted;
    assign ignores_start_o = start_i && !accepted;
    assign sets_done_o     = (runs_q && move_done_i) || ends_at_once_q;
    assign sets_error_o    = sets_done_o && failure_d.kind != ErrNone;
    assign zero_length_o   = zero_length_q;
    assign failure_o       = failure_q;
    assign bytes_done_o    = moved_nothing_q ? '0 : length_q - move_left_i;

    always_comb begin
        failure_d = failure_q;
        if (accepted) begin
            failure_d = '{kind: ErrNone, fail_addr: '0};
            if (exceeds && !is_zero) failure_d = '{kind: ErrAddrLimit, fail_addr: limit_addr};
        end else if (runs_q && move_fails_i && failure_q.kind == ErrNone) begin
            failure_d = move_failure_i;
        end
    end

    always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
            runs_q          <= 1'b0;
            ends_at_once_q  <= 1'b0;
            abort_q         <= 1'b0;
            moved_nothing_q <= 1'b1;
            zero_length_q   <= 1'b0;
            failure_q       <= '{kind: ErrNone, fail_addr: '0};
        end else begin
            ends_at_once_q <= accepted && at_once;
            if (run_o) runs_q <= 1'b1;
            else if (move_done_i) runs_q <= 1'b0;
            if (!runs_q || move_done_i) abort_q <= 1'b0;
            else if (abort_i) abort_q <= 1'b1;
            if (accepted) begin
                moved_nothing_q <= at_once;
                zero_length_q   <= is_zero;
            end
            failure_q <= failure_d;
        end
    end

    always_ff @(posedge clk_i) begin
        if (run_o) length_q <= length_i;
    end

    `DMA_ASSERT(DoneWhileRunning_A, !move_done_i || runs_q)
endmodule
