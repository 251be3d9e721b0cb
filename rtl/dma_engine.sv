// SPDX-License-Identifier: MIT OR Apache-2.0
// DMA engine: two channels between host memory (AXI4) and AXI-Stream, controlled by AXI4-Lite.
//
// Wiring only. mm2s reads memory and sends `m_axis_mm2s`; s2mm takes `s_axis_s2mm` and writes memory; both
// work at once, and CONTROL.loopback joins them for a memory copy. Registers: REGISTERS.md. Theory of
// operation, parameters and limits: README.md.
module dma_engine #(
    // Width of the data bus and of both streams in bits: 32, 64, 128, 256 or 512.
    parameter int unsigned DataWidth     = 64,
    // DMA address bits that are implemented: 16 to 64. The bus always has 64 address wires.
    parameter int unsigned AddrBits      = 32,
    // What happens beyond them: 0 Truncate, 1 Error, 2 Wrap64K (see dma_pkg::addr_mode_e).
    parameter int unsigned AddrMode      = 0,
    // Longest burst in beats: 1 to 256.
    parameter int unsigned MaxBurstBeats = 16,
    // Read bursts that may be outstanding: 1 to 255.
    parameter int unsigned MaxReads      = 16,
    // Write bursts that may be outstanding: 1 to 255.
    parameter int unsigned MaxWrites     = 16,
    // Depth of the read FIFO in beats: a power of two, at least MaxBurstBeats, 4 to 32768.
    parameter int unsigned FifoDepth     = 512,
    // Width of the AXI ids: 1 to 32.
    parameter int unsigned IdWidth       = 4,
    // For testing testbenches only: a fault to plant, 0 for none (see dma_pkg).
    parameter int unsigned PlantedFault  = 0,
    // Follows from DataWidth: do not set.
    localparam int unsigned BeatBytes    = DataWidth / 8
) (
    input  logic                 aclk,
    input  logic                 aresetn,

    // Interrupt, level, high.
    output logic                 irq,

    // AXI4-Lite subordinate: control registers.
    input  logic [11:0]          s_axil_awaddr,
    input  logic [2:0]           s_axil_awprot,
    input  logic                 s_axil_awvalid,
    output logic                 s_axil_awready,
    input  logic [31:0]          s_axil_wdata,
    input  logic [3:0]           s_axil_wstrb,
    input  logic                 s_axil_wvalid,
    output logic                 s_axil_wready,
    output logic [1:0]           s_axil_bresp,
    output logic                 s_axil_bvalid,
    input  logic                 s_axil_bready,
    input  logic [11:0]          s_axil_araddr,
    input  logic [2:0]           s_axil_arprot,
    input  logic                 s_axil_arvalid,
    output logic                 s_axil_arready,
    output logic [31:0]          s_axil_rdata,
    output logic [1:0]           s_axil_rresp,
    output logic                 s_axil_rvalid,
    input  logic                 s_axil_rready,

    // AXI4 manager: host memory.
    output logic [IdWidth-1:0]   m_axi_awid,
    output logic [63:0]          m_axi_awaddr,
    output logic [7:0]           m_axi_awlen,
    output logic [2:0]           m_axi_awsize,
    output logic [1:0]           m_axi_awburst,
    output logic                 m_axi_awlock,
    output logic [3:0]           m_axi_awcache,
    output logic [2:0]           m_axi_awprot,
    output logic [3:0]           m_axi_awqos,
    output logic                 m_axi_awvalid,
    input  logic                 m_axi_awready,
    output logic [DataWidth-1:0] m_axi_wdata,
    output logic [BeatBytes-1:0] m_axi_wstrb,
    output logic                 m_axi_wlast,
    output logic                 m_axi_wvalid,
    input  logic                 m_axi_wready,
    input  logic [IdWidth-1:0]   m_axi_bid,
    input  logic [1:0]           m_axi_bresp,
    input  logic                 m_axi_bvalid,
    output logic                 m_axi_bready,
    output logic [IdWidth-1:0]   m_axi_arid,
    output logic [63:0]          m_axi_araddr,
    output logic [7:0]           m_axi_arlen,
    output logic [2:0]           m_axi_arsize,
    output logic [1:0]           m_axi_arburst,
    output logic                 m_axi_arlock,
    output logic [3:0]           m_axi_arcache,
    output logic [2:0]           m_axi_arprot,
    output logic [3:0]           m_axi_arqos,
    output logic                 m_axi_arvalid,
    input  logic                 m_axi_arready,
    input  logic [IdWidth-1:0]   m_axi_rid,
    input  logic [DataWidth-1:0] m_axi_rdata,
    input  logic [1:0]           m_axi_rresp,
    input  logic                 m_axi_rlast,
    input  logic                 m_axi_rvalid,
    output logic                 m_axi_rready,

    // AXI-Stream out: what mm2s read.
    output logic [DataWidth-1:0] m_axis_mm2s_tdata,
    output logic [BeatBytes-1:0] m_axis_mm2s_tkeep,
    output logic                 m_axis_mm2s_tlast,
    output logic                 m_axis_mm2s_tvalid,
    input  logic                 m_axis_mm2s_tready,

    // AXI-Stream in: what s2mm writes.
    input  logic [DataWidth-1:0] s_axis_s2mm_tdata,
    input  logic [BeatBytes-1:0] s_axis_s2mm_tkeep,
    input  logic                 s_axis_s2mm_tlast,
    input  logic                 s_axis_s2mm_tvalid,
    output logic                 s_axis_s2mm_tready
);

    import dma_pkg::*;

    localparam int unsigned LaneBits = $clog2(BeatBytes);

    // ---- Parameters ----

    if (DataWidth != 32 && DataWidth != 64 && DataWidth != 128 && DataWidth != 256
        && DataWidth != 512) begin : gen_bad_data_width
        $fatal(1, "dma_engine: DataWidth must be 32, 64, 128, 256 or 512");
    end
    if (AddrBits < 16 || AddrBits > 64) begin : gen_bad_addr_bits
        $fatal(1, "dma_engine: AddrBits must be 16 to 64");
    end
    if (AddrMode > AddrModeWrap64K) begin : gen_bad_addr_mode
        $fatal(1, "dma_engine: AddrMode must be 0 (Truncate), 1 (Error) or 2 (Wrap64K)");
    end
    if (MaxBurstBeats < 1 || MaxBurstBeats > 256) begin : gen_bad_max_burst_beats
        $fatal(1, "dma_engine: MaxBurstBeats must be 1 to 256");
    end
    if (MaxReads < 1 || MaxReads > 255) begin : gen_bad_max_reads
        $fatal(1, "dma_engine: MaxReads must be 1 to 255");
    end
    if (MaxWrites < 1 || MaxWrites > 255) begin : gen_bad_max_writes
        $fatal(1, "dma_engine: MaxWrites must be 1 to 255");
    end
    if (FifoDepth < 4 || FifoDepth > 32768 || FifoDepth != (1 << $clog2(FifoDepth))) begin : gen_bad_fifo_depth
        $fatal(1, "dma_engine: FifoDepth must be a power of two, 4 to 32768");
    end
    if (FifoDepth < MaxBurstBeats) begin : gen_bad_fifo_room
        $fatal(1, "dma_engine: FifoDepth must hold a burst, so be at least MaxBurstBeats");
    end
    if (IdWidth < 1 || IdWidth > 32) begin : gen_bad_id_width
        $fatal(1, "dma_engine: IdWidth must be 1 to 32");
    end
    if (PlantedFault > FaultLast) begin : gen_bad_planted_fault
        $fatal(1, "dma_engine: PlantedFault must be one of dma_pkg::Fault*");
    end

    // ---- Registers ----

    logic     loopback, soft_reset, irq_raised;
    command_t read_command, write_command;
    status_t  read_status, write_status;

    dma_registers #(
        .LaneBits     (LaneBits),
        .AddrBits     (AddrBits),
        .AddrMode     (AddrMode),
        .MaxBurstBeats(MaxBurstBeats),
        .MaxReads     (MaxReads),
        .MaxWrites    (MaxWrites),
        .FifoDepth    (FifoDepth),
        .PlantedFault (PlantedFault)
    ) u_registers (
        .clk_i         (aclk),
        .rst_ni        (aresetn),
        .awaddr_i      (s_axil_awaddr),
        .awvalid_i     (s_axil_awvalid),
        .awready_o     (s_axil_awready),
        .wdata_i       (s_axil_wdata),
        .wstrb_i       (s_axil_wstrb),
        .wvalid_i      (s_axil_wvalid),
        .wready_o      (s_axil_wready),
        .bresp_o       (s_axil_bresp),
        .bvalid_o      (s_axil_bvalid),
        .bready_i      (s_axil_bready),
        .araddr_i      (s_axil_araddr),
        .arvalid_i     (s_axil_arvalid),
        .arready_o     (s_axil_arready),
        .rdata_o       (s_axil_rdata),
        .rresp_o       (s_axil_rresp),
        .rvalid_o      (s_axil_rvalid),
        .rready_i      (s_axil_rready),
        .loopback_o    (loopback),
        .soft_reset_o  (soft_reset),
        .mm2s_o        (read_command),
        .mm2s_i        (read_status),
        .s2mm_o        (write_command),
        .s2mm_i        (write_status),
        .irq_o         (irq_raised)
    );

    // ---- Channel control ----

    logic                  read_run, read_refused, read_abort, read_done, read_fails;
    failure_t              read_failure;
    logic [LengthBits-1:0] read_left;

    logic                  write_run, write_refused, write_abort, write_done, write_fails;
    failure_t              write_failure;
    logic [LengthBits-1:0] write_left;

    // mm2s takes no packets.
    assign read_status.packet_end = 1'b0;

    dma_channel #(
        .AddrBits(AddrBits),
        .AddrMode(AddrMode)
    ) u_mm2s (
        .clk_i          (aclk),
        .rst_ni         (aresetn),
        .start_i        (read_command.start),
        .abort_i        (read_command.stop),
        .soft_reset_i   (soft_reset),
        .loopback_i     (loopback),
        .addr_i         (read_command.addr),
        .length_i       (read_command.length),
        .busy_o         (read_status.busy),
        .clears_status_o(read_status.clears_status),
        .sets_done_o    (read_status.sets_done),
        .sets_error_o   (read_status.sets_error),
        .ignores_start_o(read_status.ignores_start),
        .zero_length_o  (read_status.zero_length),
        .failure_o      (read_status.failure),
        .bytes_done_o   (read_status.bytes_done),
        .run_o          (read_run),
        .run_refused_o  (read_refused),
        .run_abort_o    (read_abort),
        .move_done_i    (read_done),
        .move_fails_i   (read_fails),
        .move_failure_i (read_failure),
        .move_left_i    (read_left)
    );

    dma_channel #(
        .AddrBits(AddrBits),
        .AddrMode(AddrMode)
    ) u_s2mm (
        .clk_i          (aclk),
        .rst_ni         (aresetn),
        .start_i        (write_command.start),
        .abort_i        (write_command.stop),
        .soft_reset_i   (soft_reset),
        .loopback_i     (loopback),
        .addr_i         (write_command.addr),
        .length_i       (write_command.length),
        .busy_o         (write_status.busy),
        .clears_status_o(write_status.clears_status),
        .sets_done_o    (write_status.sets_done),
        .sets_error_o   (write_status.sets_error),
        .ignores_start_o(write_status.ignores_start),
        .zero_length_o  (write_status.zero_length),
        .failure_o      (write_status.failure),
        .bytes_done_o   (write_status.bytes_done),
        .run_o          (write_run),
        .run_refused_o  (write_refused),
        .run_abort_o    (write_abort),
        .move_done_i    (write_done),
        .move_fails_i   (write_fails),
        .move_failure_i (write_failure),
        .move_left_i    (write_left)
    );

    // ---- Data path ----

    logic                 read_valid, read_ready, read_end, read_broken;
    logic [DataWidth-1:0] read_data;
    logic [LaneBits-1:0]  read_lane;
    logic [LaneBits:0]    read_count;

    logic                 stream_busy, stream_ready, read_closes;
    logic                 in_valid, in_last, in_bad_keep;
    logic [DataWidth-1:0] in_data;
    logic [LaneBits:0]    in_count;
    logic                 write_ready;

    logic [63:0]          araddr, awaddr;
    logic [1:0]           arburst;
    logic                 arvalid, awvalid, wlast, tvalid;
    logic [DataWidth-1:0] wdata, tdata;

    localparam logic [2:0] BeatSize = 3'(LaneBits);

    dma_read #(
        .DataWidth    (DataWidth),
        .AddrBits     (AddrBits),
        .AddrMode     (AddrMode),
        .MaxBurstBeats(MaxBurstBeats),
        .MaxReads     (MaxReads),
        .FifoDepth    (FifoDepth),
        .PlantedFault (PlantedFault)
    ) u_read (
        .clk_i            (aclk),
        .rst_ni           (aresetn),
        .start_i          (read_run),
        .refuse_i         (read_refused),
        .addr_i           (read_command.addr),
        .length_i         (read_command.length),
        .abort_i          (read_abort),
        .downstream_busy_i(stream_busy && !loopback),
        .done_o           (read_done),
        .fails_o          (read_fails),
        .failure_o        (read_failure),
        .left_o           (read_left),
        .araddr_o         (araddr),
        .arlen_o          (m_axi_arlen),
        .arvalid_o        (arvalid),
        .arready_i        (m_axi_arready),
        .rdata_i          (m_axi_rdata),
        .rresp_i          (m_axi_rresp),
        .rlast_i          (m_axi_rlast),
        .rvalid_i         (m_axi_rvalid),
        .rready_o         (m_axi_rready),
        .valid_o          (read_valid),
        .ready_i          (read_ready),
        .data_o           (read_data),
        .lane_o           (read_lane),
        .count_o          (read_count),
        .end_o            (read_end),
        .broken_o         (read_broken)
    );

    // A soft reset stops both sides of a copy: then nobody is there to take the end of what broke off.
    assign read_ready  = loopback ? (write_ready || soft_reset) : stream_ready;
    // In loopback a packet ends where the stream would have TLAST.
    assign read_closes = read_end && (read_broken || !read_command.keep_open);

    dma_stream_out #(
        .DataWidth(DataWidth)
    ) u_stream_out (
        .clk_i      (aclk),
        .rst_ni     (aresetn),
        .start_i    (read_run),
        .keep_open_i(read_command.keep_open),
        .busy_o     (stream_busy),
        .valid_i    (read_valid && !loopback),
        .ready_o    (stream_ready),
        .data_i     (read_data),
        .lane_i     (read_lane),
        .count_i    (read_count),
        .end_i      (read_end),
        .broken_i   (read_broken),
        .tdata_o    (tdata),
        .tkeep_o    (m_axis_mm2s_tkeep),
        .tlast_o    (m_axis_mm2s_tlast),
        .tvalid_o   (tvalid),
        .tready_i   (m_axis_mm2s_tready)
    );

    dma_stream_in #(
        .DataWidth(DataWidth)
    ) u_stream_in (
        .clk_i     (aclk),
        .rst_ni    (aresetn),
        .tdata_i   (s_axis_s2mm_tdata),
        .tkeep_i   (s_axis_s2mm_tkeep),
        .tlast_i   (s_axis_s2mm_tlast),
        .tvalid_i  (s_axis_s2mm_tvalid),
        .tready_o  (s_axis_s2mm_tready),
        .valid_o   (in_valid),
        .ready_i   (write_ready && !loopback),
        .data_o    (in_data),
        .count_o   (in_count),
        .bad_keep_o(in_bad_keep),
        .last_o    (in_last)
    );

    dma_write #(
        .DataWidth    (DataWidth),
        .AddrBits     (AddrBits),
        .AddrMode     (AddrMode),
        .MaxBurstBeats(MaxBurstBeats),
        .MaxWrites    (MaxWrites),
        .PlantedFault (PlantedFault)
    ) u_write (
        .clk_i       (aclk),
        .rst_ni      (aresetn),
        .start_i     (write_run),
        .refuse_i    (write_refused),
        .addr_i      (write_command.addr),
        .length_i    (write_command.length),
        .keep_open_i (write_command.keep_open),
        .abort_i     (write_abort),
        .done_o      (write_done),
        .fails_o     (write_fails),
        .failure_o   (write_failure),
        .left_o      (write_left),
        .packet_end_o(write_status.packet_end),
        .valid_i     (loopback ? read_valid : in_valid),
        .ready_o     (write_ready),
        .data_i      (loopback ? read_data : in_data),
        .lane_i      (loopback ? read_lane : '0),
        .count_i     (loopback ? read_count : in_count),
        .bad_keep_i  (!loopback && in_bad_keep),
        .last_i      (loopback ? read_closes : in_last),
        .awaddr_o    (awaddr),
        .awlen_o     (m_axi_awlen),
        .awvalid_o   (awvalid),
        .awready_i   (m_axi_awready),
        .wdata_o     (wdata),
        .wstrb_o     (m_axi_wstrb),
        .wlast_o     (wlast),
        .wvalid_o    (m_axi_wvalid),
        .wready_i    (m_axi_wready),
        .bresp_i     (m_axi_bresp),
        .bvalid_i    (m_axi_bvalid),
        .bready_o    (m_axi_bready)
    );

    // ---- Pins ----

    dma_fault #(
        .DataWidth   (DataWidth),
        .PlantedFault(PlantedFault)
    ) u_fault (
        .clk_i    (aclk),
        .rst_ni   (aresetn),
        .awaddr_i (awaddr),
        .awsize_i (BeatSize),
        .awvalid_i(awvalid),
        .awready_i(m_axi_awready),
        .wdata_i  (wdata),
        .wlast_i  (wlast),
        .wvalid_i (m_axi_wvalid),
        .wready_i (m_axi_wready),
        .araddr_i (araddr),
        .arburst_i(BurstIncr),
        .arvalid_i(arvalid),
        .arready_i(m_axi_arready),
        .tdata_i  (tdata),
        .tvalid_i (tvalid),
        .tready_i (m_axis_mm2s_tready),
        .irq_i    (irq_raised),
        .awaddr_o (m_axi_awaddr),
        .awsize_o (m_axi_awsize),
        .awvalid_o(m_axi_awvalid),
        .wdata_o  (m_axi_wdata),
        .wlast_o  (m_axi_wlast),
        .araddr_o (m_axi_araddr),
        .arburst_o(arburst),
        .arvalid_o(m_axi_arvalid),
        .tdata_o  (m_axis_mm2s_tdata),
        .tvalid_o (m_axis_mm2s_tvalid),
        .irq_o    (irq)
    );

    assign m_axi_arid    = '0;
    assign m_axi_arsize  = BeatSize;
    assign m_axi_arburst = arburst;
    assign m_axi_arlock  = 1'b0;
    assign m_axi_arcache = CacheNormal;
    assign m_axi_arprot  = ProtData;
    assign m_axi_arqos   = '0;

    assign m_axi_awid    = '0;
    assign m_axi_awburst = BurstIncr;
    assign m_axi_awlock  = 1'b0;
    assign m_axi_awcache = CacheNormal;
    assign m_axi_awprot  = ProtData;
    assign m_axi_awqos   = '0;

    // All bursts have one id, and responses are counted; PROT does not matter to the registers.
    logic unused_inputs;
    assign unused_inputs = ^{s_axil_awprot, s_axil_arprot, m_axi_bid, m_axi_rid};

endmodule
