// SPDX-License-Identifier: MIT OR Apache-2.0
// Writes completions back into the descriptors of a ring: completions in, AW, W and B of the ring port out.
//
// Input: `push_i` whenever there is room, which the user accounts for by `written_o`. What is there goes out at once
// while no write is outstanding; else it waits for company, until a burst is full, all writes are answered, or no more
// is to come (`is_last_i`): a lone completion is not delayed, and under load several go in one burst. Bursts end at the
// ring's end and at a 4 KiB boundary. Only the upper half of a descriptor is written: bytes done, and status.
// `head_o` moves when the response has come: what lies before it is in memory. `rewind_i` puts it to 0.
// After a failing response nothing more is written until `resume_i`; what was pushed is dropped.
`include "dma_assert.svh"
module dma_ring_writeback #(
    // Completions that can wait: a power of two, 8 to 128.
    parameter int unsigned Depth = 64
) (
    input  logic                           clk_i,
    input  logic                           rst_ni,

    input  logic                           rewind_i,
    input  logic                           resume_i,
    input  logic [63:0]                    base_i,
    input  dma_pkg::addr_limit_t           limit_i,
    input  logic [dma_pkg::RingBits-1:0]   size_i,
    output logic [dma_pkg::RingBits-1:0]   head_o,
    output logic                           is_idle_o,

    input  logic                           push_i,
    input  dma_pkg::error_kind_e           completion_kind_i,
    input  logic                           completion_packet_end_i,
    input  logic                           completion_zero_length_i,
    input  logic                           completion_irq_i,
    input  logic                           completion_more_i,
    input  logic [dma_pkg::LengthBits-1:0] completion_bytes_i,
    // Nothing is in work that could complete soon.
    input  logic                           is_last_i,
    // Completions that made room in this cycle: 0 or 1.
    output logic                           written_o,

    output logic [63:0]                    awaddr_o,
    output logic [7:0]                     awlen_o,
    output logic                           awvalid_o,
    input  logic                           awready_i,
    output logic [63:0]                    wdata_o,
    output logic                           wlast_o,
    output logic                           wvalid_o,
    input  logic                           wready_i,
    input  logic [1:0]                     bresp_i,
    input  logic                           bvalid_i,

    // A burst is answered: so many descriptors, and whether one of them asked for an interrupt.
    output logic                           answers_o,
    output logic [7:0]                     count_o,
    output logic                           wants_irq_o,
    // It failed.
    output logic                           fails_o,
    output dma_pkg::error_kind_e           error_kind_o,
    output logic [63:0]                    fail_addr_o
);
    import dma_pkg::*;

    localparam int unsigned MostBeats = 16;
    // Bursts outstanding.
    localparam int unsigned MostWrites = 4;

    typedef struct packed {
        error_kind_e           kind;
        logic                  packet_end;
        logic                  zero_length;
        logic                  irq;
        logic                  more;
        logic [LengthBits-1:0] bytes;
    } completion_t;

    typedef struct packed {
        logic [63:0] addr;
        logic [7:0]  count;
        logic        wants_irq;
    } burst_t;

    completion_t oldest;
    burst_t sent, oldest_sent;
    // First descriptor not written, first not answered.
    logic [RingBits-1:0] index_q, next_index, head_q, next_head, beats, to_end;
    logic [8:0] waiting;
    logic answered, none_waiting, none_sent, most_sent, failed_q;
    logic may_begin, begins, is_full, pops, drops, sends, in_burst_q, wants_irq_q;
    logic [7:0] beats_left_q, count_q;
    logic [63:0] addr, burst_addr_q;
    logic awvalid_q, wvalid_q, wlast_q;
    logic [31:0] status;
    logic [63:0] wdata_q;

    // ---- Completions ----

    completion_t completion;

    assign completion = '{
            kind: completion_kind_i,
            packet_end: completion_packet_end_i,
            zero_length: completion_zero_length_i,
            irq: completion_irq_i,
            more: completion_more_i,
            bytes: completion_bytes_i
        };

    dma_queue #(
        .Width($bits(completion_t)),
        .Depth(Depth)
    ) u_waiting (
        .clk_i,
        .rst_ni (rst_ni && !rewind_i),
        .push_i,
        .data_i (completion),
        .pop_i  (pops),
        .head_o (oldest),
        .empty_o(none_waiting),
        .full_o (),
        .used_o (waiting)
    );

    assign status = {1'b1, 19'd0, oldest.kind, 3'd0, oldest.packet_end, oldest.zero_length, oldest.kind != ErrNone,
                     oldest.irq, oldest.more};

    // ---- Bursts ----

    assign is_full   = waiting >= 9'(MostBeats);
    assign may_begin = !none_waiting && !in_burst_q && !failed_q && !awvalid_q;

    always_comb begin
        begins = 1'b0;
        addr   = '0;
        to_end = '0;
        beats  = '0;
        pops   = 1'b0;
        sends  = 1'b0;
        if (may_begin) begin
            begins = (none_sent || is_full || is_last_i) && !most_sent;
            addr   = limited(limit_i, base_i, 64'({index_q, 4'b0000}));
            to_end = size_i - index_q;
            beats  = is_full ? RingBits'(MostBeats) : RingBits'(waiting);
            if (beats > to_end) beats = to_end;
            if (addr[11:8] == 4'hF && beats > RingBits'(16) - RingBits'(addr[7:4])) begin
                beats = RingBits'(16) - RingBits'(addr[7:4]);
            end
        end
        // A completion goes out with the beginning of its burst, or when the beat before has gone.
        if (!none_waiting) begin
            pops  = drops || ((begins || in_burst_q) && (!wvalid_q || wready_i));
            sends = pops && !drops && (in_burst_q ? beats_left_q == 8'd1 : beats == RingBits'(1));
        end
    end

    // A burst that has begun goes to its end even when one before it has failed.
    assign drops     = failed_q && !in_burst_q;
    assign written_o = pops;

    always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
            awvalid_q  <= 1'b0;
            wvalid_q   <= 1'b0;
            in_burst_q <= 1'b0;
        end else begin
            if (begins && pops) awvalid_q <= 1'b1;
            else if (awready_i) awvalid_q <= 1'b0;
            if (pops && !drops) wvalid_q <= 1'b1;
            else if (wready_i) wvalid_q <= 1'b0;
            if (pops && !drops) in_burst_q <= !sends;
        end
    end

    assign next_index = index_q + RingBits'(1);

    always_ff @(posedge clk_i) begin
        if (!rst_ni || rewind_i) index_q <= '0;
        else if (resume_i) index_q <= head_q;
        else if (pops) index_q <= (next_index == size_i) ? '0 : next_index;
        // What is dropped leaves alone what may still wait on the bus.
        if (pops && !drops) begin
            wdata_q     <= {status, oldest.bytes};
            wlast_q     <= sends;
            wants_irq_q <= (in_burst_q && wants_irq_q) || oldest.irq;
        end
        if (pops && !drops && !in_burst_q) begin
            burst_addr_q <= addr;
            count_q      <= 8'(beats);
            beats_left_q <= 8'(beats - RingBits'(1));
        end else if (pops && !drops) begin
            beats_left_q <= beats_left_q - 8'd1;
        end
    end

    assign awvalid_o = awvalid_q;
    assign awaddr_o  = burst_addr_q;
    assign awlen_o   = count_q - 8'd1;
    assign wvalid_o  = wvalid_q;
    assign wdata_o   = wdata_q;
    assign wlast_o   = wlast_q;

    // ---- Responses ----

    assign sent = '{addr: in_burst_q ? burst_addr_q : addr, count: in_burst_q ? count_q : 8'(beats),
                    wants_irq: (in_burst_q && wants_irq_q) || oldest.irq};

    dma_queue #(
        .Width($bits(burst_t)),
        .Depth(MostWrites)
    ) u_sent (
        .clk_i,
        .rst_ni,
        .push_i (sends),
        .data_i (sent),
        .pop_i  (answered),
        .head_o (oldest_sent),
        .empty_o(none_sent),
        .full_o (most_sent),
        .used_o ()
    );

    assign answered    = bvalid_i && !none_sent;
    assign answers_o   = answered && !bresp_i[1] && !failed_q;
    assign fails_o     = answered && bresp_i[1] && !failed_q;
    assign count_o     = oldest_sent.count;
    assign wants_irq_o = oldest_sent.wants_irq;
    assign error_kind_o = (bresp_i == RespDecerr) ? ErrDecerr : ErrSlverr;
    assign fail_addr_o  = oldest_sent.addr;
    assign next_head   = head_q + RingBits'(oldest_sent.count);

    always_ff @(posedge clk_i) begin
        if (!rst_ni || rewind_i) head_q <= '0;
        else if (answers_o) head_q <= (next_head == size_i) ? '0 : next_head;
        if (!rst_ni || rewind_i || resume_i) failed_q <= 1'b0;
        else if (fails_o) failed_q <= 1'b1;
    end

    assign head_o    = head_q;
    assign is_idle_o = none_waiting && none_sent && !in_burst_q && !awvalid_q && !wvalid_q;

    `DMA_ASSERT_STABLE(AwStable_A, awvalid_o, awready_i, {awaddr_o, awlen_o})
    `DMA_ASSERT_STABLE(WStable_A, wvalid_o, wready_i, {wdata_o, wlast_o})
endmodule
