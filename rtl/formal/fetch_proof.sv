// SPDX-License-Identifier: MIT OR Apache-2.0
// dma_ring_fetch: descriptors come in the order of the ring, each once, none that the driver has not given; reads stay in
// the ring, within 4 KiB, and never more than there is room for.
//
// The ring lies wherever a free address says; a descriptor's length in memory is its index.
`include "formal.svh"
`include "formal_queue.svh"
module fetch_proof #(
    parameter int unsigned Depth    = 8,
    parameter int unsigned MostSize = 6
) (
    input logic        clk_i,
    input logic        enable_i,
    input logic        rewind_i,
    input logic [12:0] base_i,
    input logic [2:0]  size_i,
    input logic [2:0]  head_i,
    input logic [2:0]  tail_i,
    input logic        arready_i,
    input logic [1:0]  rresp_i,
    input logic        rvalid_i,
    input logic        take_i
);
    import dma_pkg::*;

    localparam addr_limit_t Limit = '{bits: WidthBits'(20), boundary: WidthBits'(64)};

    `FORMAL_RESET

    logic                  is_idle, arvalid, valid;
    logic [63:0]           araddr, base;
    logic [7:0]            arlen;
    logic [127:0]          rdata;
    error_kind_e           fetch_error;
    logic [LengthBits-1:0] length;

    assign base = {47'd0, base_i, 4'd0};

    dma_ring_fetch #(
        .Depth   (Depth),
        .AddrMode(AddrModeError)
    ) dut (
        .clk_i,
        .rst_ni,
        .enable_i,
        .rewind_i,
        .base_i            (base),
        .limit_i           (Limit),
        .size_i            (RingBits'(size_i)),
        .head_i            (RingBits'(head_i)),
        .tail_i            (RingBits'(tail_i)),
        .is_idle_o         (is_idle),
        .araddr_o          (araddr),
        .arlen_o           (arlen),
        .arvalid_o         (arvalid),
        .arready_i,
        .rdata_i           (rdata),
        .rresp_i,
        .rvalid_i,
        .valid_o           (valid),
        .desc_fetch_error_o(fetch_error),
        .desc_irq_o        (),
        .desc_more_o       (),
        .desc_length_o     (length),
        .desc_addr_o       (),
        .take_i
    );

    // ---- Memory: answers in order ----

    logic        asks, is_last;
    logic [3:0]  asked_count;
    logic [10:0] oldest;
    logic [2:0]  beat = '0, first;

    assign asks    = arvalid && arready_i;
    assign first   = 3'((araddr - base) >> 4);
    assign is_last = 8'(beat) == oldest[10:3];
    assign rdata   = {61'd0, oldest[2:0] + beat, 64'd0};

    formal_queue #(
        .Width(11)
    ) u_asked (
        .clk_i, .rst_ni,
        .push_i(asks), .data_i({arlen, first}), .pop_i(rvalid_i && is_last),
        .head_o(oldest), .count_o(asked_count)
    );

    always @(posedge clk_i) begin
        if (!rst_ni) beat <= '0;
        else if (rvalid_i) beat <= is_last ? '0 : beat + 3'd1;
    end

    `FORMAL_ASSUME(!rvalid_i || asked_count != '0)

    // ---- The driver and the ring around it ----

    // The next index to ask for and to hand out; how many the driver has given that were not asked for, handed out.
    logic [2:0] next_ask = '0, next_out = '0, tail_was = '0;
    logic       ar_waited = 1'b0, ar_new;
    logic [71:0] ar_was;

    `FORMAL_CONSTANT(base_i)
    `FORMAL_CONSTANT(size_i)
    `FORMAL_ASSUME(size_i >= 3'd2 && size_i <= 3'(MostSize))
    `FORMAL_ASSUME(head_i < size_i && tail_i < size_i)
    `FORMAL_ASSUME(!rewind_i || (is_idle && asked_count == '0 && !take_i))
    `FORMAL_ASSUME(!take_i || valid)
    // The tail goes forward, and not past what was not taken yet; a rewind goes to an index that is given.
    `FORMAL_ASSUME(ahead(next_out, tail_was) <= ahead(next_out, tail_i))
    `FORMAL_ASSUME(!rewind_i || ahead(head_i, tail_i) >= ahead(next_out, tail_i))

    // Steps from one index to the other.
    function automatic logic [3:0] ahead(logic [2:0] from, logic [2:0] to);
        return (to >= from) ? {1'b0, to} - {1'b0, from} : {1'b0, to} + {1'b0, size_i} - {1'b0, from};
    endfunction

    function automatic logic [2:0] moved(logic [2:0] index, logic [3:0] steps);
        logic [3:0] sum;
        sum = {1'b0, index} + steps;
        return (sum >= {1'b0, size_i}) ? 3'(sum - {1'b0, size_i}) : 3'(sum);
    endfunction

    assign ar_new = arvalid && !ar_waited;

    always @(posedge clk_i) begin
        ar_waited <= rst_ni && arvalid && !arready_i;
        ar_was    <= {araddr, arlen};
        tail_was  <= rst_ni ? tail_i : '0;
        if (!rst_ni) begin
            next_ask <= '0;
            next_out <= '0;
        end else if (rewind_i) begin
            next_ask <= head_i;
            next_out <= head_i;
        end else begin
            if (ar_new) next_ask <= moved(next_ask, 4'(arlen) + 4'd1);
            if (take_i) next_out <= moved(next_out, 4'd1);
        end
    end

    `FORMAL_ASSERT(ArStable_A, !ar_waited || (arvalid && {araddr, arlen} == ar_was))
    `FORMAL_ASSERT(AsksTheNext_A, !ar_new || (araddr - base == {57'd0, next_ask, 4'd0}))
    `FORMAL_ASSERT(AsksWhatIsGiven_A, !ar_new || 4'(arlen) < ahead(next_ask, tail_was))
    `FORMAL_ASSERT(StaysInRing_A, !arvalid || 8'(first) + arlen < 8'(size_i))
    `FORMAL_ASSERT(ArPage_A, !arvalid || 13'(araddr[11:0]) + 13'({arlen, 4'd0}) + 13'd16 <= 13'd4096)
    `FORMAL_ASSERT(ArLimit_A, !arvalid || araddr < 64'h10_0000)
    `FORMAL_ASSERT(InOrder_A, !valid || fetch_error != ErrNone || length == LengthBits'(next_out))
    `FORMAL_ASSERT(OnlyGiven_A, !valid || next_out != tail_i)

    `FORMAL_COVER(PageEdge_C, asks && araddr[11:0] == 12'hFE0 && arlen == 8'd1)
    `FORMAL_COVER(Wraps_C, take_i && next_out == size_i - 3'd1 && size_i == 3'd5 && fetch_error == ErrNone)
    `FORMAL_COVER(TwoInFlight_C, asked_count == 4'd2 && rvalid_i)
    `FORMAL_COVER(Failed_C, take_i && fetch_error == ErrSlverr)
    `FORMAL_COVER(Rewinds_C, rewind_i && next_out == 3'd3 && head_i == 3'd2)
endmodule
