// SPDX-License-Identifier: MIT OR Apache-2.0
// One channel's descriptor ring: fetches descriptors, hands them to the channel, writes completions back, asks for
// interrupts.
//
// Descriptors go to the channel in order and completions come back in order, so a place in the ring is all that there
// is to remember. When the channel halts (`channel_halts_i`), fetching stops; when everything outstanding has come
// (`channel_halted_i`), `status_sets_halted_o` is high for a cycle; `command_resume_i` goes on at the head.
`include "dma_assert.svh"
module dma_ring #(
    // Descriptors fetched ahead, and descriptors in work: a power of two, 8 to 128.
    parameter int unsigned Depth    = 64,
    parameter int unsigned AddrMode = 0
) (
    input  logic                           clk_i,
    input  logic                           rst_ni,

    // The registers.
    input  logic                           command_enable_i,
    input  logic                           command_clear_i,
    input  logic                           command_resume_i,
    input  logic [63:0]                    command_base_i,
    input  dma_pkg::addr_limit_t           command_limit_i,
    input  logic [dma_pkg::RingBits-1:0]   command_size_i,
    input  logic [dma_pkg::RingBits-1:0]   command_tail_i,
    input  logic [7:0]                     command_coalesce_count_i,
    input  logic [15:0]                    command_coalesce_time_i,
    output logic                           status_busy_o,
    output logic                           status_sets_halted_o,
    output logic                           status_sets_irq_o,
    output logic [dma_pkg::RingBits-1:0]   status_head_o,
    output logic [dma_pkg::RingBits-1:0]   status_fail_index_o,
    output dma_pkg::error_source_e         status_error_source_o,

    // The channel.
    output logic                           has_ring_o,
    output logic                           desc_valid_o,
    output dma_pkg::error_kind_e           desc_fetch_error_o,
    output logic                           desc_irq_o,
    output logic                           desc_more_o,
    output logic [dma_pkg::LengthBits-1:0] desc_length_o,
    output logic [63:0]                    desc_addr_o,
    output logic [63:0]                    desc_place_o,
    input  logic                           desc_take_i,
    input  logic                           completes_i,
    input  dma_pkg::error_kind_e           completion_kind_i,
    input  logic                           completion_packet_end_i,
    input  logic                           completion_zero_length_i,
    input  logic [dma_pkg::LengthBits-1:0] completion_bytes_i,
    input  logic                           first_fails_i,
    input  dma_pkg::error_source_e         error_source_i,
    output logic                           writeback_fails_o,
    output dma_pkg::error_kind_e           writeback_error_kind_o,
    output logic [63:0]                    writeback_fail_addr_o,
    input  logic                           channel_halts_i,
    input  logic                           channel_halted_i,
    output logic                           resume_o,

    // The ring port did not move for `timeout_i` cycles while it should: fetching, or writing back.
    input  logic [31:0]                    timeout_i,
    output logic                           expires_o,
    output dma_pkg::error_source_e         expires_source_o,

    // The ring port.
    output logic [63:0]                    araddr_o,
    output logic [7:0]                     arlen_o,
    output logic                           arvalid_o,
    input  logic                           arready_i,
    input  logic [127:0]                   rdata_i,
    input  logic [1:0]                     rresp_i,
    input  logic                           rvalid_i,
    output logic [63:0]                    awaddr_o,
    output logic [7:0]                     awlen_o,
    output logic                           awvalid_o,
    input  logic                           awready_i,
    output logic [63:0]                    wdata_o,
    output logic                           wlast_o,
    output logic                           wvalid_o,
    input  logic                           wready_i,
    input  logic [1:0]                     bresp_i,
    input  logic                           bvalid_i
);
    import dma_pkg::*;

    localparam int unsigned CreditBits = $clog2(Depth) + 1;

    // What is remembered of a descriptor in work.
    typedef struct packed {
        logic irq;
        logic more;
    } flags_t;

    // Descriptors that may still be taken before completions must have gone out.
    logic [CreditBits-1:0] credit_q;
    // The next descriptor that is taken, and the next that completes.
    logic [RingBits-1:0] taken_index_q, done_index_q, fail_index_q, head;
    logic halted_q, fetch_is_idle, fetch_valid, writeback_is_idle, written, clears, rewinds, settles;
    logic answers, wants_irq, none_in_work;
    logic [7:0] answered_count;
    flags_t flags;
    // As it was when the ring was switched on.
    addr_limit_t limit_q;

    function automatic logic [RingBits-1:0] after(logic [RingBits-1:0] index, logic [RingBits-1:0] size);
        return (index + RingBits'(1) == size) ? '0 : index + RingBits'(1);
    endfunction

    // ---- Fetch ----

    assign clears  = command_clear_i && !command_enable_i && !status_busy_o;
    assign rewinds = clears || resume_o;

    always_ff @(posedge clk_i) begin
        if (!has_ring_o) limit_q <= command_limit_i;
    end

    dma_ring_fetch #(
        .Depth   (Depth),
        .AddrMode(AddrMode)
    ) u_fetch (
        .clk_i,
        .rst_ni,
        .enable_i (command_enable_i && !channel_halts_i && !halted_q),
        .rewind_i (rewinds),
        .base_i   (command_base_i),
        .limit_i  (limit_q),
        .size_i   (command_size_i),
        .head_i   (clears ? '0 : head),
        .tail_i   (command_tail_i),
        .is_idle_o(fetch_is_idle),
        .araddr_o,
        .arlen_o,
        .arvalid_o,
        .arready_i,
        .rdata_i,
        .rresp_i,
        .rvalid_i,
        .valid_o  (fetch_valid),
        .desc_fetch_error_o,
        .desc_irq_o,
        .desc_more_o,
        .desc_length_o,
        .desc_addr_o,
        .take_i   (desc_take_i)
    );

    assign desc_valid_o = fetch_valid && credit_q != '0;
    assign desc_place_o  = command_base_i + 64'({taken_index_q, 4'b0000});

    // ---- In work ----

    dma_queue #(
        .Width($bits(flags_t)),
        .Depth(Depth)
    ) u_in_work (
        .clk_i,
        .rst_ni (rst_ni && !rewinds && !settles),
        .push_i (desc_take_i),
        .data_i ({desc_irq_o, desc_more_o}),
        .pop_i  (completes_i),
        .head_o (flags),
        .empty_o(none_in_work),
        .full_o (),
        .used_o ()
    );

    always_ff @(posedge clk_i) begin
        // What the mover has forgotten is no longer in work.
        if (!rst_ni || rewinds || settles) begin
            credit_q      <= CreditBits'(Depth);
            taken_index_q <= clears || !rst_ni ? '0 : head;
            done_index_q  <= clears || !rst_ni ? '0 : head;
        end else begin
            if (desc_take_i != written) credit_q <= credit_q + CreditBits'(written) - CreditBits'(desc_take_i);
            if (desc_take_i) taken_index_q <= after(taken_index_q, command_size_i);
            if (completes_i) done_index_q <= after(done_index_q, command_size_i);
        end
    end

    always_ff @(posedge clk_i) begin
        if (!rst_ni || clears) fail_index_q <= '0;
        else if (first_fails_i) fail_index_q <= (writeback_fails_o || writeback_expires) ? head : done_index_q;
    end

    // ---- Write-back ----

    dma_ring_writeback #(
        .Depth(Depth)
    ) u_writeback (
        .clk_i,
        .rst_ni,
        .rewind_i         (clears),
        .resume_i         (resume_o),
        .base_i           (command_base_i),
        .limit_i          (limit_q),
        .size_i           (command_size_i),
        .head_o           (head),
        .is_idle_o        (writeback_is_idle),
        .push_i           (completes_i),
        .completion_kind_i,
        .completion_packet_end_i,
        .completion_zero_length_i,
        .completion_irq_i (flags.irq),
        .completion_more_i(flags.more),
        .completion_bytes_i,
        .is_last_i        (none_in_work),
        .written_o        (written),
        .awaddr_o,
        .awlen_o,
        .awvalid_o,
        .awready_i,
        .wdata_o,
        .wlast_o,
        .wvalid_o,
        .wready_i,
        .bresp_i,
        .bvalid_i,
        .answers_o        (answers),
        .count_o          (answered_count),
        .wants_irq_o      (wants_irq),
        .fails_o          (writeback_fails_o),
        .error_kind_o     (writeback_error_kind_o),
        .fail_addr_o      (writeback_fail_addr_o)
    );

    dma_irq_coalesce u_coalesce (
        .clk_i,
        .rst_ni,
        .clear_i (clears),
        .limit_i (command_coalesce_count_i),
        .time_i  (command_coalesce_time_i),
        .events_i(answers),
        .count_i (answered_count),
        .urgent_i(answers && wants_irq),
        .fires_o (status_sets_irq_o)
    );

    // ---- Timeout ----

    logic moved_q, writeback_expires;

    always_ff @(posedge clk_i) begin
        if (timeout_i != '0) begin
            moved_q <= (arvalid_o && arready_i) || rvalid_i || (awvalid_o && awready_i) || (wvalid_o && wready_i)
                       || bvalid_i;
        end
    end

    dma_watchdog u_watchdog (
        .clk_i,
        .rst_ni,
        .limit_i  (timeout_i),
        .runs_i   (has_ring_o && !channel_halts_i && !(fetch_is_idle && writeback_is_idle)),
        .moves_i  (moved_q),
        .expires_o(expires_o)
    );

    assign expires_source_o  = fetch_is_idle ? SourceWriteback : SourceFetch;
    assign writeback_expires = expires_o && fetch_is_idle;

    // ---- Halt ----

    // A channel that has halted has nothing to complete.
    assign settles  = channel_halted_i && fetch_is_idle && writeback_is_idle && !halted_q;
    assign resume_o = command_resume_i && halted_q;

    always_ff @(posedge clk_i) begin
        if (!rst_ni || resume_o || clears) halted_q <= 1'b0;
        else if (settles) halted_q <= 1'b1;
    end

    assign status_busy_o         = credit_q != CreditBits'(Depth) || !fetch_is_idle || !writeback_is_idle
                                   || (command_enable_i && !halted_q && head != command_tail_i);
    assign status_sets_halted_o  = settles;
    assign status_head_o         = head;
    assign status_fail_index_o   = fail_index_q;
    assign status_error_source_o = error_source_i;
    // What is in work is finished as a ring's when the ring is switched off, up to its last response.
    assign has_ring_o            = command_enable_i || credit_q != CreditBits'(Depth) || !fetch_is_idle
                                   || !writeback_is_idle;

    `DMA_ASSERT(HaltedHasNone_A, !channel_halted_i || !completes_i)
endmodule
