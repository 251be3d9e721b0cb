// SPDX-License-Identifier: MIT OR Apache-2.0
// dma_engine as a whole, mode Error: the rules of AXI on both manager ports and of AXI-Stream on the output, under a bus
// and a sender that keep to theirs; nothing beyond the limit.
//
// The registers are written as a driver does it, with free values: first what `Scenario` needs, then anything at any
// time in the registers that command.
`include "formal.svh"
module engine_proof #(
    // 0: mm2s, 1: s2mm, 2: a copy, 3: the ring of mm2s.
    parameter int unsigned Scenario      = 0,
    parameter int unsigned DataWidth     = 32,
    parameter int unsigned MaxBurstBeats = 2,
    parameter int unsigned MaxReads      = 2,
    parameter int unsigned MaxWrites     = 2,
    parameter int unsigned FifoDepth     = 4,
    // The others do without rings.
    parameter int unsigned RingDepth     = (Scenario == 3) ? 8 : 0,
    parameter int unsigned PlantedFault  = 0,
    localparam int unsigned BeatBytes    = DataWidth / 8
) (
    input logic                 clk_i,
    // What the driver writes: a value, whether it writes once all is started, and where.
    input logic [17:0]          value_i,
    input logic                 writes_i,
    input logic [1:0]           register_i,

    input logic                 awready_i,
    input logic                 wready_i,
    input logic [1:0]           bresp_i,
    input logic                 bvalid_i,
    input logic                 arready_i,
    input logic [DataWidth-1:0] rdata_i,
    input logic [1:0]           rresp_i,
    input logic                 rlast_i,
    input logic                 rvalid_i,

    input logic                 ring_awready_i,
    input logic                 ring_wready_i,
    input logic                 ring_bid_i,
    input logic [1:0]           ring_bresp_i,
    input logic                 ring_bvalid_i,
    input logic                 ring_arready_i,
    // Of a descriptor: address, length, flags.
    input logic [16:0]          ring_addr_i,
    input logic [4:0]           ring_length_i,
    input logic [1:0]           ring_flags_i,
    input logic                 ring_rid_i,
    input logic [1:0]           ring_rresp_i,
    input logic                 ring_rlast_i,
    input logic                 ring_rvalid_i,

    input logic                 out_tready_i,
    input logic [DataWidth-1:0] in_tdata_i,
    input logic [BeatBytes-1:0] in_tkeep_i,
    input logic                 in_tlast_i,
    input logic                 in_tvalid_i
);
    localparam int unsigned AddrBits = 16;

    `FORMAL_RESET

    // ---- The driver ----

    localparam logic [11:0] Control = 12'h020, Mm2s = 12'h100, S2mm = 12'h200;
    localparam logic [11:0] AddrLo = 12'h008, Length = 12'h010, RingBase = 12'h040, RingSize = 12'h048;
    localparam logic [11:0] RingTail = 12'h050;

    logic [3:0]  step = '0;
    logic [11:0] address;
    logic [31:0] value;
    logic        awready, wready, writes, is_started;

    assign writes = !is_started || writes_i;

    always_comb begin
        is_started = 1'b0;
        address    = '0;
        value      = 32'(value_i);
        case (Scenario)
            0, 1: case (step)
                4'd0: begin address = (Scenario == 0 ? Mm2s : S2mm) + AddrLo; value = 32'(value_i[16:0]); end
                4'd1: begin address = (Scenario == 0 ? Mm2s : S2mm) + Length; value = 32'(value_i[4:0]); end
                4'd2: begin address = (Scenario == 0 ? Mm2s : S2mm); value = {23'd0, value_i[8], 7'd0, 1'b1}; end
                default: is_started = 1'b1;
            endcase
            2: case (step)
                4'd0: begin address = Control; value = 32'd1; end
                4'd1: begin address = Mm2s + Length; value = 32'(value_i[4:0]); end
                4'd2: begin address = S2mm + Length; value = 32'(value_i[4:0]); end
                4'd3: begin address = S2mm + AddrLo; value = 32'(value_i[16:0]); end
                4'd4: begin address = S2mm; value = 32'd1; end
                4'd5: begin address = Mm2s; value = 32'd1; end
                default: is_started = 1'b1;
            endcase
            default: case (step)
                4'd0: begin address = Mm2s + RingBase; value = {15'd0, value_i[16:4], 4'd0}; end
                4'd1: begin address = Mm2s + RingSize; value = 32'(value_i[2:0]); end
                4'd2: begin address = Mm2s; value = 32'h200; end
                4'd3: begin address = Mm2s + RingTail; value = 32'(value_i[2:0]); end
                default: is_started = 1'b1;
            endcase
        endcase
        if (is_started) begin
            address = (register_i == 2'd0) ? Control : (register_i == 2'd1) ? Mm2s : (register_i == 2'd2) ? S2mm
                      : Mm2s + 12'h004;
            value   = 32'(value_i[11:0]);
        end
    end

    always @(posedge clk_i) begin
        if (!rst_ni) step <= '0;
        else if (!is_started && awready && wready) step <= step + 4'd1;
    end

    // What RING_SIZE and RING_TAIL ask of the driver: an index lies in the ring.
    logic [2:0] size;
    always @(posedge clk_i) if (step == 4'd1) size <= value_i[2:0];
    if (Scenario == 3) begin : gen_ring_driver
        `FORMAL_ASSUME(step != 4'd1 || value_i[2:0] >= 3'd2)
        `FORMAL_ASSUME(step != 4'd3 || value_i[2:0] < size)
    end
    // The channel that is not tried stays as it is; loopback is chosen first; no new start.
    `FORMAL_ASSUME(!is_started || !writes_i || register_i == 2'd3
                   || (!value[0] && value[11:9] == {2'b00, Scenario == 3 && register_i == 2'd1}))

    // ---- The engine ----

    logic [0:0]           awid, arid, ring_awid, ring_arid;
    logic [63:0]          awaddr, araddr, ring_awaddr, ring_araddr;
    logic [7:0]           awlen, arlen, ring_awlen, ring_arlen;
    logic [2:0]           awsize, arsize, ring_awsize, ring_arsize, awprot, arprot, ring_awprot, ring_arprot;
    logic [1:0]           awburst, arburst, ring_awburst, ring_arburst;
    logic                 awlock, arlock, ring_awlock, ring_arlock;
    logic [3:0]           awcache, arcache, ring_awcache, ring_arcache, awqos, arqos, ring_awqos, ring_arqos;
    logic                 awvalid, wvalid, wlast, bready, arvalid, rready;
    logic                 ring_awvalid, ring_wvalid, ring_wlast, ring_bready, ring_arvalid, ring_rready;
    logic [DataWidth-1:0] wdata, out_tdata;
    logic [BeatBytes-1:0] wstrb, out_tkeep;
    logic [127:0]         ring_wdata, ring_rdata;
    logic [15:0]          ring_wstrb;
    logic                 out_tlast, out_tvalid, in_tready, irq;

    assign ring_rdata = {30'd0, ring_flags_i, 27'd0, ring_length_i, 47'd0, ring_addr_i};

    dma_engine #(
        .DataWidth    (DataWidth),
        .AddrBits     (AddrBits),
        .AddrMode     (dma_pkg::AddrModeError),
        .MaxBurstBeats(MaxBurstBeats),
        .MaxReads     (MaxReads),
        .MaxWrites    (MaxWrites),
        .FifoDepth    (FifoDepth),
        .RingDepth    (RingDepth),
        .IdWidth      (1),
        .PlantedFault (PlantedFault)
    ) dut (
        .aclk               (clk_i),
        .aresetn            (rst_ni),
        .irq,
        .s_axil_awaddr      (address),
        .s_axil_awprot      (3'd0),
        .s_axil_awvalid     (writes),
        .s_axil_awready     (awready),
        .s_axil_wdata       (value),
        .s_axil_wstrb       (4'hF),
        .s_axil_wvalid      (writes),
        .s_axil_wready      (wready),
        .s_axil_bready      (1'b1),
        .s_axil_araddr      (12'd0),
        .s_axil_arprot      (3'd0),
        .s_axil_arvalid     (1'b0),
        .s_axil_rready      (1'b1),
        .m_axi_awid         (awid),
        .m_axi_awaddr       (awaddr),
        .m_axi_awlen        (awlen),
        .m_axi_awsize       (awsize),
        .m_axi_awburst      (awburst),
        .m_axi_awlock       (awlock),
        .m_axi_awcache      (awcache),
        .m_axi_awprot       (awprot),
        .m_axi_awqos        (awqos),
        .m_axi_awvalid      (awvalid),
        .m_axi_awready      (awready_i),
        .m_axi_wdata        (wdata),
        .m_axi_wstrb        (wstrb),
        .m_axi_wlast        (wlast),
        .m_axi_wvalid       (wvalid),
        .m_axi_wready       (wready_i),
        .m_axi_bid          (1'b0),
        .m_axi_bresp        (bresp_i),
        .m_axi_bvalid       (bvalid_i),
        .m_axi_bready       (bready),
        .m_axi_arid         (arid),
        .m_axi_araddr       (araddr),
        .m_axi_arlen        (arlen),
        .m_axi_arsize       (arsize),
        .m_axi_arburst      (arburst),
        .m_axi_arlock       (arlock),
        .m_axi_arcache      (arcache),
        .m_axi_arprot       (arprot),
        .m_axi_arqos        (arqos),
        .m_axi_arvalid      (arvalid),
        .m_axi_arready      (arready_i),
        .m_axi_rid          (1'b0),
        .m_axi_rdata        (rdata_i),
        .m_axi_rresp        (rresp_i),
        .m_axi_rlast        (rlast_i),
        .m_axi_rvalid       (rvalid_i),
        .m_axi_rready       (rready),
        .m_axi_ring_awid    (ring_awid),
        .m_axi_ring_awaddr  (ring_awaddr),
        .m_axi_ring_awlen   (ring_awlen),
        .m_axi_ring_awsize  (ring_awsize),
        .m_axi_ring_awburst (ring_awburst),
        .m_axi_ring_awlock  (ring_awlock),
        .m_axi_ring_awcache (ring_awcache),
        .m_axi_ring_awprot  (ring_awprot),
        .m_axi_ring_awqos   (ring_awqos),
        .m_axi_ring_awvalid (ring_awvalid),
        .m_axi_ring_awready (ring_awready_i),
        .m_axi_ring_wdata   (ring_wdata),
        .m_axi_ring_wstrb   (ring_wstrb),
        .m_axi_ring_wlast   (ring_wlast),
        .m_axi_ring_wvalid  (ring_wvalid),
        .m_axi_ring_wready  (ring_wready_i),
        .m_axi_ring_bid     (ring_bid_i),
        .m_axi_ring_bresp   (ring_bresp_i),
        .m_axi_ring_bvalid  (ring_bvalid_i),
        .m_axi_ring_bready  (ring_bready),
        .m_axi_ring_arid    (ring_arid),
        .m_axi_ring_araddr  (ring_araddr),
        .m_axi_ring_arlen   (ring_arlen),
        .m_axi_ring_arsize  (ring_arsize),
        .m_axi_ring_arburst (ring_arburst),
        .m_axi_ring_arlock  (ring_arlock),
        .m_axi_ring_arcache (ring_arcache),
        .m_axi_ring_arprot  (ring_arprot),
        .m_axi_ring_arqos   (ring_arqos),
        .m_axi_ring_arvalid (ring_arvalid),
        .m_axi_ring_arready (ring_arready_i),
        .m_axi_ring_rid     (ring_rid_i),
        .m_axi_ring_rdata   (ring_rdata),
        .m_axi_ring_rresp   (ring_rresp_i),
        .m_axi_ring_rlast   (ring_rlast_i),
        .m_axi_ring_rvalid  (ring_rvalid_i),
        .m_axi_ring_rready  (ring_rready),
        .m_axis_mm2s_tdata  (out_tdata),
        .m_axis_mm2s_tkeep  (out_tkeep),
        .m_axis_mm2s_tlast  (out_tlast),
        .m_axis_mm2s_tvalid (out_tvalid),
        .m_axis_mm2s_tready (out_tready_i),
        .s_axis_s2mm_tdata  (in_tdata_i),
        .s_axis_s2mm_tkeep  (in_tkeep_i),
        .s_axis_s2mm_tlast  (in_tlast_i),
        .s_axis_s2mm_tvalid (in_tvalid_i),
        .s_axis_s2mm_tready (in_tready)
    );

    // ---- The rules, as simulation has them ----

    axi_manager_rules #(
        .DataWidth   (DataWidth),
        .IdWidth     (1),
        .MaxReads    (MaxReads),
        .MaxWrites   (MaxWrites),
        .MaxTracked  (4),
        .EarlyStrobes(4)
    ) u_rules (
        .aclk(clk_i), .aresetn(rst_ni),
        .awid, .awaddr, .awlen, .awsize, .awburst, .awlock({1'b0, awlock}), .awcache, .awprot, .awqos, .awvalid,
        .awready(awready_i),
        .wid(1'b0), .wdata, .wstrb, .wlast, .wvalid, .wready(wready_i),
        .bid(1'b0), .bresp(bresp_i), .bvalid(bvalid_i), .bready,
        .arid, .araddr, .arlen, .arsize, .arburst, .arlock({1'b0, arlock}), .arcache, .arprot, .arqos, .arvalid,
        .arready(arready_i),
        .rid(1'b0), .rdata(rdata_i), .rresp(rresp_i), .rlast(rlast_i), .rvalid(rvalid_i), .rready
    );

    if (Scenario == 3) begin : gen_ring_rules
        axi_manager_rules #(
            .DataWidth   (128),
            .IdWidth     (1),
            .MaxTracked  (8),
            .EarlyStrobes(8)
        ) u_rules (
            .aclk(clk_i), .aresetn(rst_ni),
            .awid(ring_awid), .awaddr(ring_awaddr), .awlen(ring_awlen), .awsize(ring_awsize), .awburst(ring_awburst),
            .awlock({1'b0, ring_awlock}), .awcache(ring_awcache), .awprot(ring_awprot), .awqos(ring_awqos),
            .awvalid(ring_awvalid), .awready(ring_awready_i),
            .wid(1'b0), .wdata(ring_wdata), .wstrb(ring_wstrb), .wlast(ring_wlast), .wvalid(ring_wvalid),
            .wready(ring_wready_i),
            .bid(ring_bid_i), .bresp(ring_bresp_i), .bvalid(ring_bvalid_i), .bready(ring_bready),
            .arid(ring_arid), .araddr(ring_araddr), .arlen(ring_arlen), .arsize(ring_arsize), .arburst(ring_arburst),
            .arlock({1'b0, ring_arlock}), .arcache(ring_arcache), .arprot(ring_arprot), .arqos(ring_arqos),
            .arvalid(ring_arvalid), .arready(ring_arready_i),
            .rid(ring_rid_i), .rdata(ring_rdata), .rresp(ring_rresp_i), .rlast(ring_rlast_i), .rvalid(ring_rvalid_i),
            .rready(ring_rready)
        );
        `FORMAL_ASSERT(RingLimit_A, (!ring_arvalid || ring_araddr < 64'(1 << AddrBits))
                                    && (!ring_awvalid || ring_awaddr < 64'(1 << AddrBits)))
        `FORMAL_COVER(Fetches_C, ring_rvalid_i && ring_rlast_i && !ring_rresp_i[1])
        `FORMAL_COVER(WritesBack_C, ring_wvalid && ring_wready_i && ring_wdata[127])
        `FORMAL_COVER(RunsDescriptor_C, arvalid && arready_i)
    end else begin : gen_quiet_rings
        `FORMAL_ASSUME(!ring_rvalid_i && !ring_bvalid_i)
        `FORMAL_ASSERT(RingsQuiet_A, !ring_arvalid && !ring_awvalid && !ring_wvalid)
    end

    axi_stream_rules #(
        .DataWidth(DataWidth)
    ) u_out_rules (
        .aclk(clk_i), .aresetn(rst_ni), .tvalid(out_tvalid), .tready(out_tready_i), .tdata(out_tdata),
        .tkeep(out_tkeep), .tlast(out_tlast)
    );

    axi_stream_rules #(
        .DataWidth(DataWidth),
        .IsInput  (1)
    ) u_in_rules (
        .aclk(clk_i), .aresetn(rst_ni), .tvalid(in_tvalid_i), .tready(in_tready), .tdata(in_tdata_i),
        .tkeep(in_tkeep_i), .tlast(in_tlast_i)
    );

    logic [64:0] aw_end, ar_end;

    assign aw_end = {1'b0, awaddr & ~64'(BeatBytes - 1)} + 65'((32'(awlen) + 32'd1) * BeatBytes);
    assign ar_end = {1'b0, araddr & ~64'(BeatBytes - 1)} + 65'((32'(arlen) + 32'd1) * BeatBytes);

    `FORMAL_ASSERT(AwLimit_A, !awvalid || aw_end <= 65'(1 << AddrBits))
    `FORMAL_ASSERT(ArLimit_A, !arvalid || ar_end <= 65'(1 << AddrBits))

    if (Scenario == 0 || Scenario == 2) begin : gen_read_covers
        `FORMAL_COVER(ReadFails_C, rvalid_i && rresp_i[1])
    end
    if (Scenario == 0) begin : gen_out_covers
        `FORMAL_COVER(ReadsToLimit_C, arvalid && arready_i && ar_end == 65'(1 << AddrBits))
        `FORMAL_COVER(Sends_C, out_tvalid && out_tready_i && out_tlast && out_tkeep != '0)
        `FORMAL_COVER(Refused_C, is_started && dut.u_mm2s.exceeds && step != '0)
    end
    if (Scenario == 1 || Scenario == 2) begin : gen_write_covers
        `FORMAL_COVER(Writes_C, wvalid && wready_i && wlast && wstrb != '0)
        `FORMAL_COVER(Answered_C, bvalid_i && bresp_i == 2'b00)
    end
endmodule
