// SPDX-License-Identifier: MIT OR Apache-2.0
// dma_ring_writeback: each completion is written once, in order, to its own descriptor; the head tells only of what is
// answered; bursts keep the rules of AXI, the ring and 4 KiB.
//
// Completions carry numbers in place of their bytes.
`include "formal.svh"
`include "formal_queue.svh"
module writeback_proof #(
    parameter int unsigned Depth = 8
) (
    input logic        clk_i,
    input logic [12:0] base_i,
    input logic [2:0]  size_i,
    input logic        push_i,
    input logic        irq_i,
    input logic        is_last_i,
    input logic        resume_i,
    input logic        awready_i,
    input logic        wready_i,
    input logic [1:0]  bresp_i,
    input logic        bvalid_i
);
    import dma_pkg::*;

    localparam addr_limit_t Limit = '{bits: WidthBits'(20), boundary: WidthBits'(64)};

    `FORMAL_RESET

    logic                is_idle, written, awvalid, wlast, wvalid, answers, fails, wants_irq;
    logic [RingBits-1:0] head;
    logic [63:0]         awaddr, base, wdata, fail_addr;
    logic [7:0]          awlen, count;
    logic [3:0]          pushed = '0, waiting = '0;

    assign base = {47'd0, base_i, 4'd0};

    dma_ring_writeback #(
        .Depth(Depth)
    ) dut (
        .clk_i,
        .rst_ni,
        .rewind_i                (1'b0),
        .resume_i,
        .base_i                  (base),
        .limit_i                 (Limit),
        .size_i                  (RingBits'(size_i)),
        .head_o                  (head),
        .is_idle_o               (is_idle),
        .push_i,
        .completion_kind_i       (ErrNone),
        .completion_packet_end_i (1'b0),
        .completion_zero_length_i(1'b0),
        .completion_irq_i        (irq_i),
        .completion_more_i       (1'b0),
        .completion_bytes_i      (LengthBits'(pushed)),
        .is_last_i,
        .written_o               (written),
        .awaddr_o                (awaddr),
        .awlen_o                 (awlen),
        .awvalid_o               (awvalid),
        .awready_i,
        .wdata_o                 (wdata),
        .wlast_o                 (wlast),
        .wvalid_o                (wvalid),
        .wready_i,
        .bresp_i,
        .bvalid_i,
        .answers_o               (answers),
        .count_o                 (count),
        .wants_irq_o             (wants_irq),
        .fails_o                 (fails),
        .error_kind_o            (),
        .fail_addr_o             (fail_addr)
    );

    // ---- Memory ----

    logic        aw_waited = 1'b0, w_waited = 1'b0, aw_new, sends_beat, sends_burst, has_failed = 1'b0;
    logic [3:0]  beat = '0, taken_count = '0, full_count = '0, answered = '0, number = '0;
    logic [2:0]  index = '0, first, burst_first, head_is;
    logic [7:0]  burst_len, burst_len_q, sent_len;
    logic [3:0]  sent_count;
    logic        in_burst = 1'b0;
    logic [71:0] aw_was;
    logic [64:0] w_was;

    assign aw_new      = awvalid && !aw_waited;
    assign sends_beat  = wvalid && wready_i;
    assign sends_burst = sends_beat && wlast;
    assign first       = 3'((awaddr - base) >> 4);
    assign burst_len   = in_burst ? burst_len_q : awlen;

    formal_queue #(
        .Width(8)
    ) u_sent (
        .clk_i, .rst_ni,
        .push_i(sends_burst), .data_i(burst_len), .pop_i(bvalid_i),
        .head_o(sent_len), .count_o(sent_count)
    );

    always @(posedge clk_i) begin
        aw_waited <= rst_ni && awvalid && !awready_i;
        w_waited  <= rst_ni && wvalid && !wready_i;
        aw_was    <= {awaddr, awlen};
        w_was     <= {wdata, wlast};
        if (!rst_ni) begin
            pushed      <= '0;
            waiting     <= '0;
            beat        <= '0;
            index       <= '0;
            number      <= '0;
            taken_count <= '0;
            head_is     <= '0;
            in_burst    <= 1'b0;
            has_failed  <= 1'b0;
        end else begin
            if (push_i) pushed <= pushed + 4'd1;
            waiting <= waiting + 4'(push_i) - 4'(written);
            if (aw_new && !in_burst && !sends_burst) begin
                in_burst    <= 1'b1;
                burst_len_q <= awlen;
            end else if (sends_burst) begin
                in_burst <= 1'b0;
            end
            if (sends_beat) begin
                beat   <= wlast ? '0 : beat + 4'd1;
                index  <= (index + 3'd1 == size_i) ? '0 : index + 3'd1;
                number <= number + 4'd1;
            end
            taken_count <= taken_count + 4'(awvalid && awready_i) - 4'(bvalid_i);
            if (bvalid_i && bresp_i[1]) has_failed <= 1'b1;
            if (bvalid_i && !bresp_i[1] && !has_failed) begin
                head_is <= (head_is + 3'(sent_len) + 3'd1 == size_i) ? '0 : head_is + 3'(sent_len) + 3'd1;
            end
        end
    end

    `FORMAL_CONSTANT(base_i)
    `FORMAL_CONSTANT(size_i)
    `FORMAL_ASSUME(size_i >= 3'd2 && size_i <= 3'd5)
    `FORMAL_ASSUME({base_i, 4'd0} + 17'({size_i, 4'd0}) >= 17'({size_i, 4'd0}))
    `FORMAL_ASSUME(!push_i || (waiting != 4'(Depth) && pushed != 4'd15))
    `FORMAL_ASSUME(!bvalid_i || (taken_count != '0 && sent_count != '0))
    `FORMAL_ASSUME(bresp_i != 2'b01)
    `FORMAL_ASSUME(!resume_i)

    `FORMAL_ASSERT(AwStable_A, !aw_waited || (awvalid && {awaddr, awlen} == aw_was))
    `FORMAL_ASSERT(WStable_A, !w_waited || (wvalid && {wdata, wlast} == w_was))
    `FORMAL_ASSERT(DataHasAddress_A, !wvalid || in_burst || aw_new)
    `FORMAL_ASSERT(LastIsLast_A, !wvalid || wlast == (8'(beat) == burst_len))
    `FORMAL_ASSERT(ToItsDescriptor_A, !(aw_new && !in_burst) || awaddr - base == {57'd0, index, 4'd0})
    `FORMAL_ASSERT(ItsNumber_A, !wvalid || (wdata[31:0] == 32'(number) && wdata[63]))
    `FORMAL_ASSERT(StaysInRing_A, !awvalid || 8'(first) + awlen < 8'(size_i))
    `FORMAL_ASSERT(AwPage_A, !awvalid || 13'(awaddr[11:0]) + 13'({awlen, 4'd0}) + 13'd16 <= 13'd4096)
    `FORMAL_ASSERT(HeadIsAnswered_A, head == RingBits'(head_is))
    `FORMAL_ASSERT(TellsBursts_A, !answers || count == sent_len + 8'd1)
    `FORMAL_ASSERT(FailureIsTold_A, !(bvalid_i && bresp_i[1] && !has_failed) || fails)
    `FORMAL_ASSERT(IdleIsQuiet_A, !is_idle || (waiting == '0 && !awvalid && !wvalid && sent_count == '0))

    `FORMAL_COVER(Several_C, sends_burst && burst_len >= 8'd2)
    `FORMAL_COVER(PageEdge_C, sends_burst && in_burst && awvalid && awaddr[11:0] == 12'hFE0 && burst_len == 8'd1)
    `FORMAL_COVER(Wraps_C, sends_beat && number == 4'd6 && size_i == 3'd5)
    `FORMAL_COVER(Fails_C, fails && waiting != '0)
    `FORMAL_COVER(Irq_C, answers && wants_irq && count == 8'd2)
endmodule
