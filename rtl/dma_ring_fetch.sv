// SPDX-License-Identifier: MIT OR Apache-2.0
// Reads the descriptors of a ring ahead: AR and R of the ring port in, descriptors in order out.
//
// Fetches what lies between its own index and `tail_i` while `enable_i`. The first burst has one descriptor, so that the
// other ring need not wait for what is not needed yet; each further one has as many as are under way or wait, up to what
// a burst may have. It ends at the ring's end and at a 4 KiB boundary. It is only issued when all of it has a place,
// so R is always taken. `rewind_i`, while nothing is outstanding (`is_idle_o`), forgets what was fetched: the next one is
// that of `head_i`. Without `enable_i` nothing new is issued, and descriptors are not shown.
// Output: `valid_o` until `take_i`. A descriptor that could not be read says so in `fetch_error`.
`include "dma_assert.svh"
module dma_ring_fetch #(
    // Descriptors that may be fetched ahead: a power of two, 8 to 128.
    parameter int unsigned Depth    = 64,
    parameter int unsigned AddrMode = 0
) (
    input  logic                           clk_i,
    input  logic                           rst_ni,

    input  logic                           enable_i,
    input  logic                           rewind_i,
    input  logic [63:0]                    base_i,
    input  dma_pkg::addr_limit_t           limit_i,
    input  logic [dma_pkg::RingBits-1:0]   size_i,
    input  logic [dma_pkg::RingBits-1:0]   head_i,
    input  logic [dma_pkg::RingBits-1:0]   tail_i,
    output logic                           is_idle_o,

    output logic [63:0]                    araddr_o,
    output logic [7:0]                     arlen_o,
    output logic                           arvalid_o,
    input  logic                           arready_i,
    input  logic [127:0]                   rdata_i,
    input  logic [1:0]                     rresp_i,
    input  logic                           rvalid_i,

    output logic                           valid_o,
    output dma_pkg::error_kind_e           desc_fetch_error_o,
    output logic                           desc_irq_o,
    output logic                           desc_more_o,
    output logic [dma_pkg::LengthBits-1:0] desc_length_o,
    output logic [63:0]                    desc_addr_o,
    input  logic                           take_i
);
    import dma_pkg::*;

    // Several bursts are under way at a time.
    localparam int unsigned MostBeats = Depth / 4;
    localparam int unsigned RoomBits = $clog2(Depth) + 1;

    logic [RingBits-1:0] index_q, next_index, stretch, beats;
    // Places that no burst has claimed; beats that have not come.
    logic [RoomBits-1:0] room_q, coming_q;
    // Descriptors that a burst may have.
    logic [RoomBits-1:0] ahead;
    logic arvalid_q, wants, issues, is_empty, pushes, exceeds, is_astray;
    logic [63:0] araddr_q, addr;
    logic [7:0] arlen_q;
    logic [7:0] to_page_end;
    // As in memory, and what was answered.
    logic [99:0] oldest;

    // ---- Bursts ----

    dma_limit #(
        .AddrMode(AddrMode)
    ) u_limit (
        .bits_i     (limit_i.bits),
        .addr_i     (base_i),
        .length_i   (LengthBits'({size_i, 4'b0000})),
        .exceeds_o  (exceeds),
        .fail_addr_o()
    );

    // A ring that reaches beyond the address limit is not read at all, nor is one whose tail lies outside it.
    assign is_astray = exceeds || tail_i >= size_i;
    assign wants     = enable_i && !rewind_i && !is_astray && index_q != tail_i && room_q != '0;
    assign issues    = wants && (!arvalid_q || arready_i);
    assign ahead     = (room_q == RoomBits'(Depth)) ? RoomBits'(1) : RoomBits'(Depth) - room_q;

    always_comb begin
        stretch     = '0;
        beats       = '0;
        addr        = '0;
        to_page_end = '0;
        next_index  = index_q;
        if (issues) begin
            addr        = limited(limit_i, base_i, 64'({index_q, 4'b0000}));
            to_page_end = 8'd0 - addr[11:4];
            stretch     = ((tail_i > index_q) ? tail_i : size_i) - index_q;
            beats       = (stretch < RingBits'(MostBeats)) ? stretch : RingBits'(MostBeats);
            // At a page's beginning the difference is 0, which is 256.
            if (to_page_end != 8'd0 && beats > RingBits'(to_page_end)) beats = RingBits'(to_page_end);
            if (beats > RingBits'(room_q)) beats = RingBits'(room_q);
            if (beats > RingBits'(ahead)) beats = RingBits'(ahead);
            next_index = index_q + beats;
            if (next_index == size_i) next_index = '0;
        end
    end

    always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
            arvalid_q <= 1'b0;
            index_q   <= '0;
        end else begin
            if (issues) arvalid_q <= 1'b1;
            else if (arready_i) arvalid_q <= 1'b0;
            if (rewind_i) index_q <= head_i;
            else if (issues) index_q <= next_index;
        end
    end

    always_ff @(posedge clk_i) begin
        if (issues) begin
            araddr_q <= addr;
            arlen_q  <= 8'(beats - RingBits'(1));
        end
    end

    assign arvalid_o = arvalid_q;
    assign araddr_o  = araddr_q;
    assign arlen_o   = arlen_q;
    assign is_idle_o = coming_q == '0 && !arvalid_q;

    // ---- Descriptors ----

    assign pushes = rvalid_i && coming_q != '0;

    dma_queue #(
        .Width(100),
        .Depth(Depth)
    ) u_fetched (
        .clk_i,
        .rst_ni (rst_ni && !rewind_i),
        .push_i (pushes),
        .data_i ({rresp_i, rdata_i[97:0]}),
        .pop_i  (take_i && !is_astray),
        .head_o (oldest),
        .empty_o(is_empty),
        .full_o (),
        .used_o ()
    );

    assign valid_o = enable_i && (is_astray ? index_q != tail_i : !is_empty);

    always_comb begin
        desc_addr_o        = oldest[63:0];
        desc_length_o      = oldest[95:64];
        desc_more_o        = oldest[96];
        desc_irq_o         = oldest[97];
        desc_fetch_error_o = ErrNone;
        if (oldest[99]) desc_fetch_error_o = oldest[98] ? ErrDecerr : ErrSlverr;
        if (is_astray) desc_fetch_error_o = ErrAddrLimit;
    end

    always_ff @(posedge clk_i) begin
        if (!rst_ni || rewind_i) begin
            room_q   <= RoomBits'(Depth);
            coming_q <= '0;
        end else if (issues || pushes || take_i) begin
            room_q   <= room_q - (issues ? RoomBits'(beats) : '0) + RoomBits'(take_i && !is_astray);
            coming_q <= coming_q + (issues ? RoomBits'(beats) : '0) - RoomBits'(pushes);
        end
    end

    logic unused_bits;
    assign unused_bits = ^rdata_i[127:98];

    `DMA_ASSERT_STABLE(ArStable_A, arvalid_o, arready_i, {araddr_o, arlen_o})
    `DMA_ASSERT(RewindsIdle_A, !rewind_i || is_idle_o)
endmodule
