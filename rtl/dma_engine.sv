// SPDX-License-Identifier: MIT OR Apache-2.0
// DMA engine: two channels between host memory (AXI4) and AXI-Stream, controlled by AXI4-Lite.
//
// Wiring only. Transfers are started by registers, or taken from descriptor rings in memory, which have a port of
// their own (`m_axi_ring`), so that descriptors take no beats from the data. mm2s reads memory and sends `m_axis_mm2s`; s2mm takes `s_axis_s2mm` and writes memory; both
// work at once, and CONTROL.loopback joins them for a memory copy. Registers: REGISTERS.md. Theory of
// operation, parameters and limits: README.md.
module dma_engine #(
    // Width of the data bus and of both streams in bits: 32, 64, 128, 256 or 512.
    parameter int unsigned DataWidth     = 64,
    // DMA address bits that are implemented: 16 to 64. The bus always has 64 address wires.
    parameter int unsigned AddrBits      = 32,
    // What happens beyond them: 0 Truncate, 1 Error, 2 Wrap64K, 3 Boundary (see dma_pkg).
    parameter int unsigned AddrMode      = 0,
    // Mode Boundary: low address bits that do not carry into those above, 12 to 64; the reset value of BOUNDARY.
    parameter int unsigned BoundaryBits  = 64,
    // Longest burst in beats: 1 to 256.
    parameter int unsigned MaxBurstBeats = 16,
    // Read bursts that may be outstanding: 1 to 255.
    parameter int unsigned MaxReads      = 16,
    // Write bursts that may be outstanding: 1 to 255.
    parameter int unsigned MaxWrites     = 16,
    // Depth of the read FIFO in beats: a power of two, at least MaxBurstBeats, 4 to 32768.
    parameter int unsigned FifoDepth     = 512,
    // Descriptors that each ring fetches ahead: 8, 16, 32, 64 or 128.
    parameter int unsigned RingDepth     = 64,
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

    // AXI4 manager: descriptor rings. A descriptor is one beat; ids are channels.
    output logic [IdWidth-1:0]   m_axi_ring_awid,
    output logic [63:0]          m_axi_ring_awaddr,
    output logic [7:0]           m_axi_ring_awlen,
    output logic [2:0]           m_axi_ring_awsize,
    output logic [1:0]           m_axi_ring_awburst,
    output logic                 m_axi_ring_awlock,
    output logic [3:0]           m_axi_ring_awcache,
    output logic [2:0]           m_axi_ring_awprot,
    output logic [3:0]           m_axi_ring_awqos,
    output logic                 m_axi_ring_awvalid,
    input  logic                 m_axi_ring_awready,
    output logic [127:0]         m_axi_ring_wdata,
    output logic [15:0]          m_axi_ring_wstrb,
    output logic                 m_axi_ring_wlast,
    output logic                 m_axi_ring_wvalid,
    input  logic                 m_axi_ring_wready,
    input  logic [IdWidth-1:0]   m_axi_ring_bid,
    input  logic [1:0]           m_axi_ring_bresp,
    input  logic                 m_axi_ring_bvalid,
    output logic                 m_axi_ring_bready,
    output logic [IdWidth-1:0]   m_axi_ring_arid,
    output logic [63:0]          m_axi_ring_araddr,
    output logic [7:0]           m_axi_ring_arlen,
    output logic [2:0]           m_axi_ring_arsize,
    output logic [1:0]           m_axi_ring_arburst,
    output logic                 m_axi_ring_arlock,
    output logic [3:0]           m_axi_ring_arcache,
    output logic [2:0]           m_axi_ring_arprot,
    output logic [3:0]           m_axi_ring_arqos,
    output logic                 m_axi_ring_arvalid,
    input  logic                 m_axi_ring_arready,
    input  logic [IdWidth-1:0]   m_axi_ring_rid,
    input  logic [127:0]         m_axi_ring_rdata,
    input  logic [1:0]           m_axi_ring_rresp,
    input  logic                 m_axi_ring_rlast,
    input  logic                 m_axi_ring_rvalid,
    output logic                 m_axi_ring_rready,

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
    if (AddrBits < AddrBitsLeast || AddrBits > AddrBitsMost) begin : gen_bad_addr_bits
        $fatal(1, "dma_engine: AddrBits must be 16 to 64");
    end
    if (AddrMode > AddrModeBoundary) begin : gen_bad_addr_mode
        $fatal(1, "dma_engine: AddrMode must be 0 (Truncate), 1 (Error), 2 (Wrap64K) or 3 (Boundary)");
    end
    if (BoundaryBits < BoundaryBitsLeast || BoundaryBits > AddrBitsMost) begin : gen_bad_boundary_bits
        $fatal(1, "dma_engine: BoundaryBits must be 12 to 64");
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
    if (RingDepth < 8 || RingDepth > 128 || RingDepth != (1 << $clog2(RingDepth))) begin : gen_bad_ring_depth
        $fatal(1, "dma_engine: RingDepth must be 8, 16, 32, 64 or 128");
    end
    if (IdWidth < 1 || IdWidth > 32) begin : gen_bad_id_width
        $fatal(1, "dma_engine: IdWidth must be 1 to 32");
    end
    if (PlantedFault > FaultLast) begin : gen_bad_planted_fault
        $fatal(1, "dma_engine: PlantedFault must be one of dma_pkg::Fault*");
    end

    // ---- Registers ----

    logic          loopback, soft_reset, irq_raised, read_counts, read_clears, write_counts, write_clears;
    command_t      read_command, write_command;
    status_t       read_status, write_status;
    ring_command_t read_ring_command, write_ring_command;
    ring_status_t  read_ring_status, write_ring_status;
    counts_t       read_totals, write_totals;

    dma_registers #(
        .LaneBits     (LaneBits),
        .AddrBits     (AddrBits),
        .AddrMode     (AddrMode),
        .BoundaryBits (BoundaryBits),
        .MaxBurstBeats(MaxBurstBeats),
        .MaxReads     (MaxReads),
        .MaxWrites    (MaxWrites),
        .FifoDepth    (FifoDepth),
        .RingDepth    (RingDepth),
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
        .mm2s_ring_o   (read_ring_command),
        .mm2s_ring_i   (read_ring_status),
        .mm2s_counters_enable_o(read_counts),
        .mm2s_counters_clear_o (read_clears),
        .mm2s_counts_i (read_totals),
        .s2mm_o        (write_command),
        .s2mm_i        (write_status),
        .s2mm_ring_o   (write_ring_command),
        .s2mm_ring_i   (write_ring_status),
        .s2mm_counters_enable_o(write_counts),
        .s2mm_counters_clear_o (write_clears),
        .s2mm_counts_i (write_totals),
        .irq_o         (irq_raised)
    );

    // ---- Channel control ----

    logic                  read_run, read_refused, read_keep_open, read_abort;
    logic                  read_may_start, read_is_idle, read_moves, read_fails, read_done;
    logic [63:0]           read_addr, read_desc_addr;
    logic [LengthBits-1:0] read_length, read_bytes;
    result_t               read_result;
    activity_t             read_activity;
    logic                  read_has_ring, read_desc_valid, read_desc_take, read_completes, read_first_fails;
    logic                  read_writeback_fails, read_halts, read_halted, read_resume;
    descriptor_t           read_desc;
    completion_t           read_completion;
    error_source_e         read_error_source;
    failure_t              read_writeback_failure;

    logic                  write_run, write_refused, write_keep_open, write_abort;
    logic                  write_may_start, write_is_idle, write_moves, write_fails, write_done;
    logic [63:0]           write_addr, write_desc_addr;
    logic [LengthBits-1:0] write_length, write_bytes;
    result_t               write_result;
    activity_t             write_activity;
    logic                  write_has_ring, write_desc_valid, write_desc_take, write_completes, write_first_fails;
    logic                  write_writeback_fails, write_halts, write_halted, write_resume;
    descriptor_t           write_desc;
    completion_t           write_completion;
    error_source_e         write_error_source;
    failure_t              write_writeback_failure;

    dma_channel #(
        .AddrMode(AddrMode)
    ) u_mm2s (
        .clk_i              (aclk),
        .rst_ni             (aresetn),
        .command_i          (read_command),
        .soft_reset_i       (soft_reset),
        .loopback_i         (loopback),
        .status_o           (read_status),
        .has_ring_i         (read_has_ring),
        .desc_valid_i       (read_desc_valid),
        .desc_i             (read_desc),
        .desc_addr_i        (read_desc_addr),
        .desc_take_o        (read_desc_take),
        .completes_o        (read_completes),
        .completion_o       (read_completion),
        .first_fails_o      (read_first_fails),
        .error_source_o     (read_error_source),
        .writeback_fails_i  (read_writeback_fails),
        .writeback_failure_i(read_writeback_failure),
        .halts_o            (read_halts),
        .halted_o           (read_halted),
        .resume_i           (read_resume),
        .run_o              (read_run),
        .run_refused_o      (read_refused),
        .run_addr_o         (read_addr),
        .run_length_o       (read_length),
        .run_keep_open_o    (read_keep_open),
        .run_abort_o        (read_abort),
        .move_may_start_i   (read_may_start),
        .move_is_idle_i     (read_is_idle),
        .move_moves_i       (read_moves),
        .move_fails_i       (read_fails),
        .move_done_i        (read_done),
        .move_result_i      (read_result),
        .move_bytes_i       (read_bytes)
    );

    dma_counters u_mm2s_counters (
        .clk_i     (aclk),
        .rst_ni    (aresetn),
        .enable_i  (read_counts),
        .clear_i   (read_clears),
        .busy_i    (read_status.busy),
        .activity_i(read_activity),
        .counts_o  (read_totals)
    );

    dma_channel #(
        .AddrMode(AddrMode)
    ) u_s2mm (
        .clk_i              (aclk),
        .rst_ni             (aresetn),
        .command_i          (write_command),
        .soft_reset_i       (soft_reset),
        .loopback_i         (loopback),
        .status_o           (write_status),
        .has_ring_i         (write_has_ring),
        .desc_valid_i       (write_desc_valid),
        .desc_i             (write_desc),
        .desc_addr_i        (write_desc_addr),
        .desc_take_o        (write_desc_take),
        .completes_o        (write_completes),
        .completion_o       (write_completion),
        .first_fails_o      (write_first_fails),
        .error_source_o     (write_error_source),
        .writeback_fails_i  (write_writeback_fails),
        .writeback_failure_i(write_writeback_failure),
        .halts_o            (write_halts),
        .halted_o           (write_halted),
        .resume_i           (write_resume),
        .run_o              (write_run),
        .run_refused_o      (write_refused),
        .run_addr_o         (write_addr),
        .run_length_o       (write_length),
        .run_keep_open_o    (write_keep_open),
        .run_abort_o        (write_abort),
        .move_may_start_i   (write_may_start),
        .move_is_idle_i     (write_is_idle),
        .move_moves_i       (write_moves),
        .move_fails_i       (write_fails),
        .move_done_i        (write_done),
        .move_result_i      (write_result),
        .move_bytes_i       (write_bytes)
    );

    dma_counters u_s2mm_counters (
        .clk_i     (aclk),
        .rst_ni    (aresetn),
        .enable_i  (write_counts),
        .clear_i   (write_clears),
        .busy_i    (write_status.busy),
        .activity_i(write_activity),
        .counts_o  (write_totals)
    );

    // ---- Rings ----

    logic [1:0][63:0]  ring_araddr, ring_awaddr;
    logic [1:0][7:0]   ring_arlen, ring_awlen;
    logic [1:0]        ring_arvalid, ring_arready, ring_rvalid;
    logic [1:0]        ring_awvalid, ring_awready, ring_wlast, ring_wvalid, ring_wready, ring_bvalid;
    logic [1:0][127:0] ring_wdata;

    dma_ring #(
        .Depth   (RingDepth),
        .AddrMode(AddrMode)
    ) u_mm2s_ring (
        .clk_i              (aclk),
        .rst_ni             (aresetn),
        .command_i          (read_ring_command),
        .status_o           (read_ring_status),
        .has_ring_o         (read_has_ring),
        .desc_valid_o       (read_desc_valid),
        .desc_o             (read_desc),
        .desc_addr_o        (read_desc_addr),
        .desc_take_i        (read_desc_take),
        .completes_i        (read_completes),
        .completion_i       (read_completion),
        .first_fails_i      (read_first_fails),
        .error_source_i     (read_error_source),
        .writeback_fails_o  (read_writeback_fails),
        .writeback_failure_o(read_writeback_failure),
        .channel_halts_i    (read_halts),
        .channel_halted_i   (read_halted),
        .resume_o           (read_resume),
        .araddr_o           (ring_araddr[0]),
        .arlen_o            (ring_arlen[0]),
        .arvalid_o          (ring_arvalid[0]),
        .arready_i          (ring_arready[0]),
        .rdata_i            (m_axi_ring_rdata),
        .rresp_i            (m_axi_ring_rresp),
        .rvalid_i           (ring_rvalid[0]),
        .awaddr_o           (ring_awaddr[0]),
        .awlen_o            (ring_awlen[0]),
        .awvalid_o          (ring_awvalid[0]),
        .awready_i          (ring_awready[0]),
        .wdata_o            (ring_wdata[0]),
        .wlast_o            (ring_wlast[0]),
        .wvalid_o           (ring_wvalid[0]),
        .wready_i           (ring_wready[0]),
        .bresp_i            (m_axi_ring_bresp),
        .bvalid_i           (ring_bvalid[0])
    );

    dma_ring #(
        .Depth   (RingDepth),
        .AddrMode(AddrMode)
    ) u_s2mm_ring (
        .clk_i              (aclk),
        .rst_ni             (aresetn),
        .command_i          (write_ring_command),
        .status_o           (write_ring_status),
        .has_ring_o         (write_has_ring),
        .desc_valid_o       (write_desc_valid),
        .desc_o             (write_desc),
        .desc_addr_o        (write_desc_addr),
        .desc_take_i        (write_desc_take),
        .completes_i        (write_completes),
        .completion_i       (write_completion),
        .first_fails_i      (write_first_fails),
        .error_source_i     (write_error_source),
        .writeback_fails_o  (write_writeback_fails),
        .writeback_failure_o(write_writeback_failure),
        .channel_halts_i    (write_halts),
        .channel_halted_i   (write_halted),
        .resume_o           (write_resume),
        .araddr_o           (ring_araddr[1]),
        .arlen_o            (ring_arlen[1]),
        .arvalid_o          (ring_arvalid[1]),
        .arready_i          (ring_arready[1]),
        .rdata_i            (m_axi_ring_rdata),
        .rresp_i            (m_axi_ring_rresp),
        .rvalid_i           (ring_rvalid[1]),
        .awaddr_o           (ring_awaddr[1]),
        .awlen_o            (ring_awlen[1]),
        .awvalid_o          (ring_awvalid[1]),
        .awready_i          (ring_awready[1]),
        .wdata_o            (ring_wdata[1]),
        .wlast_o            (ring_wlast[1]),
        .wvalid_o           (ring_wvalid[1]),
        .wready_i           (ring_wready[1]),
        .bresp_i            (m_axi_ring_bresp),
        .bvalid_i           (ring_bvalid[1])
    );

    dma_ring_port #(
        .IdWidth(IdWidth)
    ) u_ring_port (
        .clk_i    (aclk),
        .rst_ni   (aresetn),
        .araddr_i (ring_araddr),
        .arlen_i  (ring_arlen),
        .arvalid_i(ring_arvalid),
        .arready_o(ring_arready),
        .rvalid_o (ring_rvalid),
        .awaddr_i (ring_awaddr),
        .awlen_i  (ring_awlen),
        .awvalid_i(ring_awvalid),
        .awready_o(ring_awready),
        .wdata_i  (ring_wdata),
        .wlast_i  (ring_wlast),
        .wvalid_i (ring_wvalid),
        .wready_o (ring_wready),
        .bvalid_o (ring_bvalid),
        .arid_o   (m_axi_ring_arid),
        .araddr_o (m_axi_ring_araddr),
        .arlen_o  (m_axi_ring_arlen),
        .arvalid_o(m_axi_ring_arvalid),
        .arready_i(m_axi_ring_arready),
        .rid_i    (m_axi_ring_rid),
        .rvalid_i (m_axi_ring_rvalid),
        .awid_o   (m_axi_ring_awid),
        .awaddr_o (m_axi_ring_awaddr),
        .awlen_o  (m_axi_ring_awlen),
        .awvalid_o(m_axi_ring_awvalid),
        .awready_i(m_axi_ring_awready),
        .wdata_o  (m_axi_ring_wdata),
        .wlast_o  (m_axi_ring_wlast),
        .wvalid_o (m_axi_ring_wvalid),
        .wready_i (m_axi_ring_wready),
        .bid_i    (m_axi_ring_bid),
        .bvalid_i (m_axi_ring_bvalid)
    );

    // Only length and flags of a descriptor are written.
    assign m_axi_ring_wstrb   = 16'hFF00;
    assign m_axi_ring_rready  = 1'b1;
    assign m_axi_ring_bready  = 1'b1;
    assign m_axi_ring_arsize  = 3'd4;
    assign m_axi_ring_arburst = BurstIncr;
    assign m_axi_ring_arlock  = 1'b0;
    assign m_axi_ring_arcache = CacheNormal;
    assign m_axi_ring_arprot  = ProtData;
    assign m_axi_ring_arqos   = '0;
    assign m_axi_ring_awsize  = 3'd4;
    assign m_axi_ring_awburst = BurstIncr;
    assign m_axi_ring_awlock  = 1'b0;
    assign m_axi_ring_awcache = CacheNormal;
    assign m_axi_ring_awprot  = ProtData;
    assign m_axi_ring_awqos   = '0;

    // ---- Data path ----

    logic                 read_valid, read_ready, read_end, read_packet_open, read_broken;
    logic [DataWidth-1:0] read_data;
    logic [LaneBits-1:0]  read_lane;
    logic [LaneBits:0]    read_count;

    logic                 stream_sent, stream_ready, read_closes;
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
        .MaxBurstBeats(MaxBurstBeats),
        .MaxReads     (MaxReads),
        .FifoDepth    (FifoDepth),
        .PlantedFault (PlantedFault)
    ) u_read (
        .clk_i            (aclk),
        .rst_ni           (aresetn),
        .start_i          (read_run),
        .may_start_o      (read_may_start),
        .refuse_i         (read_refused),
        .addr_i           (read_addr),
        .limit_i          (read_command.limit),
        .length_i         (read_length),
        .keep_open_i      (read_keep_open),
        .abort_i          (read_abort),
        .is_idle_o        (read_is_idle),
        .fails_o          (read_fails),
        .bytes_o          (read_bytes),
        .is_streamed_i    (!loopback),
        .sent_i           (stream_sent),
        .done_o           (read_done),
        .result_o         (read_result),
        .activity_o       (read_activity),
        .moves_o          (read_moves),
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
        .keep_open_o      (read_packet_open),
        .broken_o         (read_broken)
    );

    // A soft reset stops both sides of a copy: then nobody is there to take the end of what broke off.
    assign read_ready  = loopback ? (write_ready || soft_reset) : stream_ready;
    // In loopback a packet ends where the stream would have TLAST.
    assign read_closes = read_end && (read_broken || !read_packet_open);

    dma_stream_out #(
        .DataWidth(DataWidth)
    ) u_stream_out (
        .clk_i      (aclk),
        .rst_ni     (aresetn),
        .sent_o     (stream_sent),
        .valid_i    (read_valid && !loopback),
        .ready_o    (stream_ready),
        .data_i     (read_data),
        .lane_i     (read_lane),
        .count_i    (read_count),
        .end_i      (read_end),
        .keep_open_i(read_packet_open),
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
        .MaxBurstBeats(MaxBurstBeats),
        .MaxWrites    (MaxWrites),
        .PlantedFault (PlantedFault)
    ) u_write (
        .clk_i       (aclk),
        .rst_ni      (aresetn),
        .start_i     (write_run),
        .may_start_o (write_may_start),
        .refuse_i    (write_refused),
        .addr_i      (write_addr),
        .limit_i     (write_command.limit),
        .length_i    (write_length),
        .keep_open_i (write_keep_open),
        .abort_i     (write_abort),
        .is_idle_o   (write_is_idle),
        .fails_o     (write_fails),
        .done_o      (write_done),
        .result_o    (write_result),
        .bytes_o     (write_bytes),
        .activity_o  (write_activity),
        .moves_o     (write_moves),
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
    assign unused_inputs = ^{s_axil_awprot, s_axil_arprot, m_axi_bid, m_axi_rid, m_axi_ring_rlast};

endmodule
