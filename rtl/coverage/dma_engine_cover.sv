// SPDX-License-Identifier: MIT OR Apache-2.0
// Functional points: situations that the engine has to be seen in. Bound to dma_engine where coverage is counted.
//
// Written against pins, so that it says what a user would see: bursts, offsets, stalls, errors, rings.
`define DMA_COVER(Name, Prop) Name: cover property (@(posedge aclk) disable iff (!aresetn) (Prop));

// One lane as the first or last of a transfer.
`define DMA_COVER_LANE(Lane) \
    `DMA_COVER(read_begins_at_lane_``Lane, ar && 32'(m_axi_araddr[LaneBits-1:0]) == Lane) \
    `DMA_COVER(write_begins_at_lane_``Lane, aw && 32'(m_axi_awaddr[LaneBits-1:0]) == Lane) \
    `DMA_COVER(write_ends_at_lane_``Lane, w && m_axi_wlast && 64'(m_axi_wstrb) >> Lane == 64'd1)

module dma_engine_cover #(
    parameter int unsigned DataWidth = 64,
    parameter int unsigned MaxBurstBeats = 16,
    parameter int unsigned IdWidth = 4,
    localparam int unsigned BeatBytes = DataWidth / 8,
    localparam int unsigned LaneBits = $clog2(BeatBytes)
) (
    input logic aclk,
    input logic aresetn,
    input logic irq,

    input logic [63:0]          m_axi_awaddr,
    input logic [7:0]           m_axi_awlen,
    input logic                 m_axi_awvalid,
    input logic                 m_axi_awready,
    input logic [BeatBytes-1:0] m_axi_wstrb,
    input logic                 m_axi_wlast,
    input logic                 m_axi_wvalid,
    input logic                 m_axi_wready,
    input logic [1:0]           m_axi_bresp,
    input logic                 m_axi_bvalid,
    input logic [63:0]          m_axi_araddr,
    input logic [7:0]           m_axi_arlen,
    input logic                 m_axi_arvalid,
    input logic                 m_axi_arready,
    input logic [1:0]           m_axi_rresp,
    input logic                 m_axi_rvalid,
    input logic                 m_axi_rlast,

    input logic [7:0]           m_axi_ring_awlen,
    input logic                 m_axi_ring_awvalid,
    input logic                 m_axi_ring_awready,
    input logic [IdWidth-1:0]   m_axi_ring_awid,
    input logic [127:0]         m_axi_ring_wdata,
    input logic                 m_axi_ring_wvalid,
    input logic                 m_axi_ring_wready,
    input logic [1:0]           m_axi_ring_bresp,
    input logic                 m_axi_ring_bvalid,
    input logic [7:0]           m_axi_ring_arlen,
    input logic                 m_axi_ring_arvalid,
    input logic                 m_axi_ring_arready,
    input logic [IdWidth-1:0]   m_axi_ring_arid,
    input logic [127:0]         m_axi_ring_rdata,
    input logic [1:0]           m_axi_ring_rresp,
    input logic                 m_axi_ring_rvalid,

    input logic [BeatBytes-1:0] m_axis_mm2s_tkeep,
    input logic                 m_axis_mm2s_tlast,
    input logic                 m_axis_mm2s_tvalid,
    input logic                 m_axis_mm2s_tready,
    input logic [BeatBytes-1:0] s_axis_s2mm_tkeep,
    input logic                 s_axis_s2mm_tlast,
    input logic                 s_axis_s2mm_tvalid,
    input logic                 s_axis_s2mm_tready
);
    localparam logic [1:0] Slverr = 2'b10;
    localparam logic [1:0] Decerr = 2'b11;

    logic ar, aw, w, ring_ar, ring_aw, ring_w, out, in;
    assign ar = m_axi_arvalid && m_axi_arready;
    assign aw = m_axi_awvalid && m_axi_awready;
    assign w = m_axi_wvalid && m_axi_wready;
    assign ring_ar = m_axi_ring_arvalid && m_axi_ring_arready;
    assign ring_aw = m_axi_ring_awvalid && m_axi_ring_awready;
    assign ring_w = m_axi_ring_wvalid && m_axi_ring_wready;
    assign out = m_axis_mm2s_tvalid && m_axis_mm2s_tready;
    assign in = s_axis_s2mm_tvalid && s_axis_s2mm_tready;

    // ---- Bursts: shortest, between, longest; where they begin and end ----

    `DMA_COVER(read_burst_of_one_beat, ar && m_axi_arlen == '0)
    `DMA_COVER(read_burst_between, ar && m_axi_arlen != '0 && m_axi_arlen < 8'(MaxBurstBeats - 1))
    `DMA_COVER(read_burst_longest, ar && m_axi_arlen == 8'(MaxBurstBeats - 1))
    `DMA_COVER(write_burst_of_one_beat, aw && m_axi_awlen == '0)
    `DMA_COVER(write_burst_between, aw && m_axi_awlen != '0 && m_axi_awlen < 8'(MaxBurstBeats - 1))
    `DMA_COVER(write_burst_longest, aw && m_axi_awlen == 8'(MaxBurstBeats - 1))
    `DMA_COVER(read_burst_begins_a_page, ar && m_axi_araddr[11:0] == '0)
    `DMA_COVER(write_burst_begins_a_page, aw && m_axi_awaddr[11:0] == '0)
    `DMA_COVER(read_burst_ends_a_page,
               ar && 13'(m_axi_araddr[11:LaneBits]) + 13'(m_axi_arlen) + 13'd1 == 13'(4096 / BeatBytes))
    `DMA_COVER(write_burst_ends_a_page,
               aw && 13'(m_axi_awaddr[11:LaneBits]) + 13'(m_axi_awlen) + 13'd1 == 13'(4096 / BeatBytes))
    `DMA_COVER(read_address_beyond_32_bits, ar && m_axi_araddr[63:32] != '0)
    `DMA_COVER(write_address_beyond_32_bits, aw && m_axi_awaddr[63:32] != '0)

    // ---- Offsets: each byte lane as the first one ----

    `DMA_COVER_LANE(0)
    `DMA_COVER_LANE(1)
    `DMA_COVER_LANE(2)
    `DMA_COVER_LANE(3)
    `DMA_COVER_LANE(4)
    `DMA_COVER_LANE(5)
    `DMA_COVER_LANE(6)
    `DMA_COVER_LANE(7)
    `DMA_COVER(write_beat_without_strobes, w && m_axi_wstrb == '0)
    `DMA_COVER(write_beat_of_one_byte, w && $onehot(m_axi_wstrb))

    // ---- Stalls ----

    `DMA_COVER(read_address_waits, m_axi_arvalid && !m_axi_arready)
    `DMA_COVER(write_address_waits, m_axi_awvalid && !m_axi_awready)
    `DMA_COVER(write_data_wait, m_axi_wvalid && !m_axi_wready)
    `DMA_COVER(write_data_wait_while_address_goes, aw && m_axi_wvalid && !m_axi_wready)
    `DMA_COVER(write_address_waits_while_data_go, m_axi_awvalid && !m_axi_awready && w)
    `DMA_COVER(stream_out_waits, m_axis_mm2s_tvalid && !m_axis_mm2s_tready)
    `DMA_COVER(stream_in_waits, s_axis_s2mm_tvalid && !s_axis_s2mm_tready)
    `DMA_COVER(read_and_write_beat_together, m_axi_rvalid && w)
    `DMA_COVER(last_read_beat_and_address_together, m_axi_rvalid && m_axi_rlast && ar)

    // ---- Streams ----

    `DMA_COVER(stream_out_partial_last, out && m_axis_mm2s_tlast && !(&m_axis_mm2s_tkeep) && m_axis_mm2s_tkeep != '0)
    `DMA_COVER(stream_out_broken_off, out && m_axis_mm2s_tlast && m_axis_mm2s_tkeep == '0)
    `DMA_COVER(stream_out_kept_open, out && !m_axis_mm2s_tlast && !(&m_axis_mm2s_tkeep))
    `DMA_COVER(stream_in_partial_last, in && s_axis_s2mm_tlast && !(&s_axis_s2mm_tkeep) && s_axis_s2mm_tkeep != '0)
    `DMA_COVER(stream_in_partial_within, in && !s_axis_s2mm_tlast && !(&s_axis_s2mm_tkeep) && s_axis_s2mm_tkeep != '0)
    `DMA_COVER(stream_in_empty, in && s_axis_s2mm_tkeep == '0)

    // ---- Errors ----

    `DMA_COVER(read_slverr, m_axi_rvalid && m_axi_rresp == Slverr)
    `DMA_COVER(read_decerr, m_axi_rvalid && m_axi_rresp == Decerr)
    `DMA_COVER(write_slverr, m_axi_bvalid && m_axi_bresp == Slverr)
    `DMA_COVER(write_decerr, m_axi_bvalid && m_axi_bresp == Decerr)
    `DMA_COVER(ring_read_slverr, m_axi_ring_rvalid && m_axi_ring_rresp == Slverr)
    `DMA_COVER(ring_read_decerr, m_axi_ring_rvalid && m_axi_ring_rresp == Decerr)
    `DMA_COVER(ring_write_slverr, m_axi_ring_bvalid && m_axi_ring_bresp == Slverr)
    `DMA_COVER(ring_write_decerr, m_axi_ring_bvalid && m_axi_ring_bresp == Decerr)
    `DMA_COVER(irq_rises, irq && !$past(irq))
    `DMA_COVER(irq_falls, !irq && $past(irq))

    // ---- Rings: fetches, completions of each kind (a descriptor's bytes 12 to 15 are its flags) ----

    `DMA_COVER(ring_fetch_of_one, ring_ar && m_axi_ring_arlen == '0)
    `DMA_COVER(ring_fetch_of_several, ring_ar && m_axi_ring_arlen != '0)
    `DMA_COVER(ring_fetch_waits, m_axi_ring_arvalid && !m_axi_ring_arready)
    `DMA_COVER(ring_fetch_mm2s, ring_ar && m_axi_ring_arid == IdWidth'(0))
    `DMA_COVER(ring_fetch_s2mm, ring_ar && m_axi_ring_arid == IdWidth'(1))
    `DMA_COVER(ring_descriptor_more, m_axi_ring_rvalid && m_axi_ring_rdata[96])
    `DMA_COVER(ring_descriptor_irq, m_axi_ring_rvalid && m_axi_ring_rdata[97])
    `DMA_COVER(ring_descriptor_of_no_bytes, m_axi_ring_rvalid && m_axi_ring_rdata[95:64] == '0)
    `DMA_COVER(ring_writeback_of_one, ring_aw && m_axi_ring_awlen == '0)
    `DMA_COVER(ring_writeback_of_several, ring_aw && m_axi_ring_awlen != '0)
    `DMA_COVER(ring_writeback_waits, m_axi_ring_awvalid && !m_axi_ring_awready)
    `DMA_COVER(ring_writeback_mm2s, ring_aw && m_axi_ring_awid == IdWidth'(0))
    `DMA_COVER(ring_writeback_s2mm, ring_aw && m_axi_ring_awid == IdWidth'(1))
    `DMA_COVER(ring_done_well, ring_w && m_axi_ring_wdata[127] && !m_axi_ring_wdata[98])
    `DMA_COVER(ring_done_with_error, ring_w && m_axi_ring_wdata[127] && m_axi_ring_wdata[98])
    `DMA_COVER(ring_done_zero_length, ring_w && m_axi_ring_wdata[127] && m_axi_ring_wdata[99])
    `DMA_COVER(ring_done_packet_end, ring_w && m_axi_ring_wdata[127] && m_axi_ring_wdata[100])
    `DMA_COVER(ring_done_with_slverr, ring_w && m_axi_ring_wdata[127] && m_axi_ring_wdata[107:104] == 4'd1)
    `DMA_COVER(ring_done_with_decerr, ring_w && m_axi_ring_wdata[127] && m_axi_ring_wdata[107:104] == 4'd2)
    `DMA_COVER(ring_done_with_addr_limit, ring_w && m_axi_ring_wdata[127] && m_axi_ring_wdata[107:104] == 4'd3)
    `DMA_COVER(ring_done_with_overrun, ring_w && m_axi_ring_wdata[127] && m_axi_ring_wdata[107:104] == 4'd4)
    `DMA_COVER(ring_done_with_bad_keep, ring_w && m_axi_ring_wdata[127] && m_axi_ring_wdata[107:104] == 4'd5)
    `DMA_COVER(ring_done_with_aborted, ring_w && m_axi_ring_wdata[127] && m_axi_ring_wdata[107:104] == 4'd6)
    `DMA_COVER(ring_done_with_timeout, ring_w && m_axi_ring_wdata[127] && m_axi_ring_wdata[107:104] == 4'd7)

    // ---- The counts are written where the environment says, a file for each model ----

    final begin
        $c("static std::atomic<unsigned> models{0};");
        $c("const char* const folder = std::getenv(\"DMA_COVERAGE\");");
        $c("const std::string name = std::to_string(getpid()) + '-' + std::to_string(models++) + '-'");
        $c("+ std::to_string(reinterpret_cast<std::uintptr_t>(&models)) + \".dat\";");
        $c("if (folder) Verilated::threadContextp()->coveragep()->write(std::string{folder} + '/' + name);");
    end
endmodule

bind dma_engine dma_engine_cover #(
    .DataWidth(DataWidth),
    .MaxBurstBeats(MaxBurstBeats),
    .IdWidth(IdWidth)
) u_cover (
    .*
);
