// SPDX-License-Identifier: MIT OR Apache-2.0
// DMA engine: two channels between host memory (AXI4) and AXI-Stream, controlled by AXI4-Lite.
//
// Wiring only. Transfers are started by registers, or taken from descriptor rings in memory, which have a port of their
// own (`m_axi_ring`), so that descriptors take no beats from the data. mm2s reads memory and sends `m_axis_mm2s`; s2mm
// takes `s_axis_s2mm` and writes memory; both work at once, and CONTROL.loopback joins them for a memory copy.
// Registers: REGISTERS.md. Theory of operation, parameters and limits: README.md.
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
    // Descriptors that each ring fetches ahead: 8, 16, 32, 64 or 128; 0 leaves the rings out.
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
    localparam bit HasRings = RingDepth != 0;

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
    if (!(RingDepth inside {0, 8, 16, 32, 64, 128})) begin : gen_bad_ring_depth
        $fatal(1, "dma_engine: RingDepth must be 0 (no rings), 8, 16, 32, 64 or 128");
    end
    if (IdWidth < 1 || IdWidth > 32) begin : gen_bad_id_width
        $fatal(1, "dma_engine: IdWidth must be 1 to 32");
    end
    if (PlantedFault > FaultLast) begin : gen_bad_planted_fault
        $fatal(1, "dma_engine: PlantedFault must be one of dma_pkg::Fault*");
    end

    // ---- Registers ----

    logic loopback, soft_reset, irq_raised, read_counts, read_clears, write_counts, write_clears;
    logic read_command_start, write_command_start;
    logic read_command_enables_ring, write_command_enables_ring;
    logic read_command_stop, write_command_stop;
    logic read_command_keep_open, write_command_keep_open;
    logic read_command_is_failed, write_command_is_failed;
    logic [63:0] read_command_addr, write_command_addr;
    addr_limit_t read_command_limit, write_command_limit, read_ring_command_limit, write_ring_command_limit;
    logic [LengthBits-1:0] read_command_length, write_command_length;
    logic [31:0] read_command_timeout, write_command_timeout;
    logic read_status_busy, write_status_busy;
    logic read_status_clears_status, write_status_clears_status;
    logic read_status_sets_done, write_status_sets_done;
    logic read_status_sets_error, write_status_sets_error;
    logic read_status_ignores_start, write_status_ignores_start;
    logic read_status_zero_length, write_status_zero_length;
    logic read_status_packet_end, write_status_packet_end;
    logic [LengthBits-1:0] read_status_bytes_done, write_status_bytes_done;
    error_kind_e read_status_error_kind, write_status_error_kind;
    logic [63:0] read_status_fail_addr, write_status_fail_addr;
    logic read_ring_command_enable, write_ring_command_enable;
    logic read_ring_command_clear, write_ring_command_clear;
    logic read_ring_command_resume, write_ring_command_resume;
    logic [63:0] read_ring_command_base, write_ring_command_base;
    logic [RingBits-1:0] read_ring_command_size, write_ring_command_size;
    logic [RingBits-1:0] read_ring_command_tail, write_ring_command_tail;
    logic [7:0] read_ring_command_coalesce_count, write_ring_command_coalesce_count;
    logic [15:0] read_ring_command_coalesce_time, write_ring_command_coalesce_time;
    logic read_ring_status_busy, write_ring_status_busy;
    logic read_ring_status_sets_halted, write_ring_status_sets_halted;
    logic read_ring_status_sets_irq, write_ring_status_sets_irq;
    logic [RingBits-1:0] read_ring_status_head, write_ring_status_head;
    logic [RingBits-1:0] read_ring_status_fail_index, write_ring_status_fail_index;
    error_source_e read_ring_status_error_source, write_ring_status_error_source;
    logic [31:0] read_totals_busy, write_totals_busy;
    logic [31:0] read_totals_beats, write_totals_beats;
    logic [31:0] read_totals_stalls_address, write_totals_stalls_address;
    logic [31:0] read_totals_stalls_data, write_totals_stalls_data;
    logic [31:0] read_totals_stalls_stream, write_totals_stalls_stream;
    logic [8:0] read_totals_outstanding, write_totals_outstanding;

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
        .clk_i                       (aclk),
        .rst_ni                      (aresetn),
        .awaddr_i                    (s_axil_awaddr),
        .awvalid_i                   (s_axil_awvalid),
        .awready_o                   (s_axil_awready),
        .wdata_i                     (s_axil_wdata),
        .wstrb_i                     (s_axil_wstrb),
        .wvalid_i                    (s_axil_wvalid),
        .wready_o                    (s_axil_wready),
        .bresp_o                     (s_axil_bresp),
        .bvalid_o                    (s_axil_bvalid),
        .bready_i                    (s_axil_bready),
        .araddr_i                    (s_axil_araddr),
        .arvalid_i                   (s_axil_arvalid),
        .arready_o                   (s_axil_arready),
        .rdata_o                     (s_axil_rdata),
        .rresp_o                     (s_axil_rresp),
        .rvalid_o                    (s_axil_rvalid),
        .rready_i                    (s_axil_rready),
        .loopback_o                  (loopback),
        .soft_reset_o                (soft_reset),
        .mm2s_start_o                (read_command_start),
        .mm2s_enables_ring_o         (read_command_enables_ring),
        .mm2s_stop_o                 (read_command_stop),
        .mm2s_keep_open_o            (read_command_keep_open),
        .mm2s_is_failed_o            (read_command_is_failed),
        .mm2s_addr_o                 (read_command_addr),
        .mm2s_length_o               (read_command_length),
        .mm2s_limit_o                (read_command_limit),
        .mm2s_timeout_o              (read_command_timeout),
        .mm2s_busy_i                 (read_status_busy),
        .mm2s_clears_status_i        (read_status_clears_status),
        .mm2s_sets_done_i            (read_status_sets_done),
        .mm2s_sets_error_i           (read_status_sets_error),
        .mm2s_ignores_start_i        (read_status_ignores_start),
        .mm2s_zero_length_i          (read_status_zero_length),
        .mm2s_packet_end_i           (read_status_packet_end),
        .mm2s_bytes_done_i           (read_status_bytes_done),
        .mm2s_error_kind_i           (read_status_error_kind),
        .mm2s_fail_addr_i            (read_status_fail_addr),
        .mm2s_ring_enable_o          (read_ring_command_enable),
        .mm2s_ring_clear_o           (read_ring_command_clear),
        .mm2s_ring_resume_o          (read_ring_command_resume),
        .mm2s_ring_base_o            (read_ring_command_base),
        .mm2s_ring_limit_o           (read_ring_command_limit),
        .mm2s_ring_size_o            (read_ring_command_size),
        .mm2s_ring_tail_o            (read_ring_command_tail),
        .mm2s_ring_coalesce_count_o  (read_ring_command_coalesce_count),
        .mm2s_ring_coalesce_time_o   (read_ring_command_coalesce_time),
        .mm2s_ring_busy_i            (read_ring_status_busy),
        .mm2s_ring_sets_halted_i     (read_ring_status_sets_halted),
        .mm2s_ring_sets_irq_i        (read_ring_status_sets_irq),
        .mm2s_ring_head_i            (read_ring_status_head),
        .mm2s_ring_fail_index_i      (read_ring_status_fail_index),
        .mm2s_ring_error_source_i    (read_ring_status_error_source),
        .mm2s_counters_enable_o      (read_counts),
        .mm2s_counters_clear_o       (read_clears),
        .mm2s_counts_busy_i          (read_totals_busy),
        .mm2s_counts_beats_i         (read_totals_beats),
        .mm2s_counts_stalls_address_i(read_totals_stalls_address),
        .mm2s_counts_stalls_data_i   (read_totals_stalls_data),
        .mm2s_counts_stalls_stream_i (read_totals_stalls_stream),
        .mm2s_counts_outstanding_i   (read_totals_outstanding),
        .s2mm_start_o                (write_command_start),
        .s2mm_enables_ring_o         (write_command_enables_ring),
        .s2mm_stop_o                 (write_command_stop),
        .s2mm_keep_open_o            (write_command_keep_open),
        .s2mm_is_failed_o            (write_command_is_failed),
        .s2mm_addr_o                 (write_command_addr),
        .s2mm_length_o               (write_command_length),
        .s2mm_limit_o                (write_command_limit),
        .s2mm_timeout_o              (write_command_timeout),
        .s2mm_busy_i                 (write_status_busy),
        .s2mm_clears_status_i        (write_status_clears_status),
        .s2mm_sets_done_i            (write_status_sets_done),
        .s2mm_sets_error_i           (write_status_sets_error),
        .s2mm_ignores_start_i        (write_status_ignores_start),
        .s2mm_zero_length_i          (write_status_zero_length),
        .s2mm_packet_end_i           (write_status_packet_end),
        .s2mm_bytes_done_i           (write_status_bytes_done),
        .s2mm_error_kind_i           (write_status_error_kind),
        .s2mm_fail_addr_i            (write_status_fail_addr),
        .s2mm_ring_enable_o          (write_ring_command_enable),
        .s2mm_ring_clear_o           (write_ring_command_clear),
        .s2mm_ring_resume_o          (write_ring_command_resume),
        .s2mm_ring_base_o            (write_ring_command_base),
        .s2mm_ring_limit_o           (write_ring_command_limit),
        .s2mm_ring_size_o            (write_ring_command_size),
        .s2mm_ring_tail_o            (write_ring_command_tail),
        .s2mm_ring_coalesce_count_o  (write_ring_command_coalesce_count),
        .s2mm_ring_coalesce_time_o   (write_ring_command_coalesce_time),
        .s2mm_ring_busy_i            (write_ring_status_busy),
        .s2mm_ring_sets_halted_i     (write_ring_status_sets_halted),
        .s2mm_ring_sets_irq_i        (write_ring_status_sets_irq),
        .s2mm_ring_head_i            (write_ring_status_head),
        .s2mm_ring_fail_index_i      (write_ring_status_fail_index),
        .s2mm_ring_error_source_i    (write_ring_status_error_source),
        .s2mm_counters_enable_o      (write_counts),
        .s2mm_counters_clear_o       (write_clears),
        .s2mm_counts_busy_i          (write_totals_busy),
        .s2mm_counts_beats_i         (write_totals_beats),
        .s2mm_counts_stalls_address_i(write_totals_stalls_address),
        .s2mm_counts_stalls_data_i   (write_totals_stalls_data),
        .s2mm_counts_stalls_stream_i (write_totals_stalls_stream),
        .s2mm_counts_outstanding_i   (write_totals_outstanding),
        .irq_o                       (irq_raised)
    );

    // ---- Channel control ----

    logic read_run, read_refused, read_keep_open, read_abort;
    logic read_may_start, read_is_idle, read_moves, read_fails, read_done;
    logic [63:0] read_addr, read_desc_place;
    logic [LengthBits-1:0] read_length, read_bytes;
    error_kind_e read_result_error_kind;
    logic [63:0] read_result_fail_addr;
    logic [LengthBits-1:0] read_result_bytes;
    logic read_result_packet_end;
    logic read_activity_beat;
    logic read_activity_stalls_address;
    logic read_activity_stalls_data;
    logic read_activity_stalls_stream;
    logic [8:0] read_activity_outstanding;
    logic read_has_ring, read_desc_valid, read_desc_take, read_completes, read_first_fails;
    logic read_ring_expires;
    error_source_e read_ring_expires_source;
    logic read_writeback_fails, read_halts, read_halted, read_resume;
    error_kind_e read_desc_fetch_error;
    logic read_desc_irq;
    logic read_desc_more;
    logic [LengthBits-1:0] read_desc_length;
    logic [63:0] read_desc_addr;
    error_kind_e read_completion_kind;
    logic read_completion_packet_end;
    logic read_completion_zero_length;
    logic [LengthBits-1:0] read_completion_bytes;
    error_source_e read_error_source;
    error_kind_e read_writeback_error_kind;
    logic [63:0] read_writeback_fail_addr;

    logic write_run, write_refused, write_keep_open, write_abort;
    logic write_may_start, write_is_idle, write_moves, write_fails, write_done;
    logic [63:0] write_addr, write_desc_place;
    logic [LengthBits-1:0] write_length, write_bytes;
    error_kind_e write_result_error_kind;
    logic [63:0] write_result_fail_addr;
    logic [LengthBits-1:0] write_result_bytes;
    logic write_result_packet_end;
    logic write_activity_beat;
    logic write_activity_stalls_address;
    logic write_activity_stalls_data;
    logic write_activity_stalls_stream;
    logic [8:0] write_activity_outstanding;
    logic write_has_ring, write_desc_valid, write_desc_take, write_completes, write_first_fails;
    logic write_ring_expires;
    error_source_e write_ring_expires_source;
    logic write_writeback_fails, write_halts, write_halted, write_resume;
    error_kind_e write_desc_fetch_error;
    logic write_desc_irq;
    logic write_desc_more;
    logic [LengthBits-1:0] write_desc_length;
    logic [63:0] write_desc_addr;
    error_kind_e write_completion_kind;
    logic write_completion_packet_end;
    logic write_completion_zero_length;
    logic [LengthBits-1:0] write_completion_bytes;
    error_source_e write_error_source;
    error_kind_e write_writeback_error_kind;
    logic [63:0] write_writeback_fail_addr;

    dma_channel #(
        .AddrMode(AddrMode),
        .HasRings(HasRings)
    ) u_mm2s (
        .clk_i                   (aclk),
        .rst_ni                  (aresetn),
        .command_start_i         (read_command_start),
        .command_enables_ring_i  (read_command_enables_ring),
        .command_stop_i          (read_command_stop),
        .command_keep_open_i     (read_command_keep_open),
        .command_is_failed_i     (read_command_is_failed),
        .command_addr_i          (read_command_addr),
        .command_length_i        (read_command_length),
        .command_limit_bits_i    (read_command_limit.bits),
        .command_timeout_i       (read_command_timeout),
        .soft_reset_i            (soft_reset),
        .loopback_i              (loopback),
        .status_busy_o           (read_status_busy),
        .status_clears_status_o  (read_status_clears_status),
        .status_sets_done_o      (read_status_sets_done),
        .status_sets_error_o     (read_status_sets_error),
        .status_ignores_start_o  (read_status_ignores_start),
        .status_zero_length_o    (read_status_zero_length),
        .status_packet_end_o     (read_status_packet_end),
        .status_bytes_done_o     (read_status_bytes_done),
        .status_error_kind_o     (read_status_error_kind),
        .status_fail_addr_o      (read_status_fail_addr),
        .has_ring_i              (read_has_ring),
        .desc_valid_i            (read_desc_valid),
        .desc_fetch_error_i      (read_desc_fetch_error),
        .desc_irq_i              (read_desc_irq),
        .desc_more_i             (read_desc_more),
        .desc_length_i           (read_desc_length),
        .desc_addr_i             (read_desc_addr),
        .desc_place_i            (read_desc_place),
        .desc_take_o             (read_desc_take),
        .completes_o             (read_completes),
        .completion_kind_o       (read_completion_kind),
        .completion_packet_end_o (read_completion_packet_end),
        .completion_zero_length_o(read_completion_zero_length),
        .completion_bytes_o      (read_completion_bytes),
        .first_fails_o           (read_first_fails),
        .error_source_o          (read_error_source),
        .writeback_fails_i       (read_writeback_fails),
        .writeback_error_kind_i  (read_writeback_error_kind),
        .writeback_fail_addr_i   (read_writeback_fail_addr),
        .ring_expires_i          (read_ring_expires),
        .ring_expires_source_i   (read_ring_expires_source),
        .halts_o                 (read_halts),
        .halted_o                (read_halted),
        .resume_i                (read_resume),
        .run_o                   (read_run),
        .run_refused_o           (read_refused),
        .run_addr_o              (read_addr),
        .run_length_o            (read_length),
        .run_keep_open_o         (read_keep_open),
        .run_abort_o             (read_abort),
        .move_may_start_i        (read_may_start),
        .move_is_idle_i          (read_is_idle),
        .move_moves_i            (read_moves),
        .move_fails_i            (read_fails),
        .move_done_i             (read_done),
        .move_result_error_kind_i(read_result_error_kind),
        .move_result_fail_addr_i (read_result_fail_addr),
        .move_result_bytes_i     (read_result_bytes),
        .move_result_packet_end_i(read_result_packet_end),
        .move_bytes_i            (read_bytes)
    );

    dma_counters u_mm2s_counters (
        .clk_i                    (aclk),
        .rst_ni                   (aresetn),
        .enable_i                 (read_counts),
        .clear_i                  (read_clears),
        .busy_i                   (read_status_busy),
        .activity_beat_i          (read_activity_beat),
        .activity_stalls_address_i(read_activity_stalls_address),
        .activity_stalls_data_i   (read_activity_stalls_data),
        .activity_stalls_stream_i (read_activity_stalls_stream),
        .activity_outstanding_i   (read_activity_outstanding),
        .counts_busy_o            (read_totals_busy),
        .counts_beats_o           (read_totals_beats),
        .counts_stalls_address_o  (read_totals_stalls_address),
        .counts_stalls_data_o     (read_totals_stalls_data),
        .counts_stalls_stream_o   (read_totals_stalls_stream),
        .counts_outstanding_o     (read_totals_outstanding)
    );

    dma_channel #(
        .AddrMode(AddrMode),
        .HasRings(HasRings)
    ) u_s2mm (
        .clk_i                   (aclk),
        .rst_ni                  (aresetn),
        .command_start_i         (write_command_start),
        .command_enables_ring_i  (write_command_enables_ring),
        .command_stop_i          (write_command_stop),
        .command_keep_open_i     (write_command_keep_open),
        .command_is_failed_i     (write_command_is_failed),
        .command_addr_i          (write_command_addr),
        .command_length_i        (write_command_length),
        .command_limit_bits_i    (write_command_limit.bits),
        .command_timeout_i       (write_command_timeout),
        .soft_reset_i            (soft_reset),
        .loopback_i              (loopback),
        .status_busy_o           (write_status_busy),
        .status_clears_status_o  (write_status_clears_status),
        .status_sets_done_o      (write_status_sets_done),
        .status_sets_error_o     (write_status_sets_error),
        .status_ignores_start_o  (write_status_ignores_start),
        .status_zero_length_o    (write_status_zero_length),
        .status_packet_end_o     (write_status_packet_end),
        .status_bytes_done_o     (write_status_bytes_done),
        .status_error_kind_o     (write_status_error_kind),
        .status_fail_addr_o      (write_status_fail_addr),
        .has_ring_i              (write_has_ring),
        .desc_valid_i            (write_desc_valid),
        .desc_fetch_error_i      (write_desc_fetch_error),
        .desc_irq_i              (write_desc_irq),
        .desc_more_i             (write_desc_more),
        .desc_length_i           (write_desc_length),
        .desc_addr_i             (write_desc_addr),
        .desc_place_i            (write_desc_place),
        .desc_take_o             (write_desc_take),
        .completes_o             (write_completes),
        .completion_kind_o       (write_completion_kind),
        .completion_packet_end_o (write_completion_packet_end),
        .completion_zero_length_o(write_completion_zero_length),
        .completion_bytes_o      (write_completion_bytes),
        .first_fails_o           (write_first_fails),
        .error_source_o          (write_error_source),
        .writeback_fails_i       (write_writeback_fails),
        .writeback_error_kind_i  (write_writeback_error_kind),
        .writeback_fail_addr_i   (write_writeback_fail_addr),
        .ring_expires_i          (write_ring_expires),
        .ring_expires_source_i   (write_ring_expires_source),
        .halts_o                 (write_halts),
        .halted_o                (write_halted),
        .resume_i                (write_resume),
        .run_o                   (write_run),
        .run_refused_o           (write_refused),
        .run_addr_o              (write_addr),
        .run_length_o            (write_length),
        .run_keep_open_o         (write_keep_open),
        .run_abort_o             (write_abort),
        .move_may_start_i        (write_may_start),
        .move_is_idle_i          (write_is_idle),
        .move_moves_i            (write_moves),
        .move_fails_i            (write_fails),
        .move_done_i             (write_done),
        .move_result_error_kind_i(write_result_error_kind),
        .move_result_fail_addr_i (write_result_fail_addr),
        .move_result_bytes_i     (write_result_bytes),
        .move_result_packet_end_i(write_result_packet_end),
        .move_bytes_i            (write_bytes)
    );

    dma_counters u_s2mm_counters (
        .clk_i                    (aclk),
        .rst_ni                   (aresetn),
        .enable_i                 (write_counts),
        .clear_i                  (write_clears),
        .busy_i                   (write_status_busy),
        .activity_beat_i          (write_activity_beat),
        .activity_stalls_address_i(write_activity_stalls_address),
        .activity_stalls_data_i   (write_activity_stalls_data),
        .activity_stalls_stream_i (write_activity_stalls_stream),
        .activity_outstanding_i   (write_activity_outstanding),
        .counts_busy_o            (write_totals_busy),
        .counts_beats_o           (write_totals_beats),
        .counts_stalls_address_o  (write_totals_stalls_address),
        .counts_stalls_data_o     (write_totals_stalls_data),
        .counts_stalls_stream_o   (write_totals_stalls_stream),
        .counts_outstanding_o     (write_totals_outstanding)
    );

    // ---- Rings ----

    if (HasRings) begin : gen_rings
        logic [63:0] mm2s_araddr, mm2s_awaddr, mm2s_wdata, s2mm_araddr, s2mm_awaddr, s2mm_wdata;
        logic [7:0] mm2s_arlen, mm2s_awlen, s2mm_arlen, s2mm_awlen;
        logic mm2s_arvalid, mm2s_arready, mm2s_rvalid, mm2s_awvalid, mm2s_awready;
        logic mm2s_wlast, mm2s_wvalid, mm2s_wready, mm2s_bvalid;
        logic s2mm_arvalid, s2mm_arready, s2mm_rvalid, s2mm_awvalid, s2mm_awready;
        logic s2mm_wlast, s2mm_wvalid, s2mm_wready, s2mm_bvalid;

        dma_ring #(
            .Depth   (RingDepth),
            .AddrMode(AddrMode)
        ) u_mm2s_ring (
            .clk_i                   (aclk),
            .rst_ni                  (aresetn),
            .command_enable_i        (read_ring_command_enable),
            .command_clear_i         (read_ring_command_clear),
            .command_resume_i        (read_ring_command_resume),
            .command_base_i          (read_ring_command_base),
            .command_limit_i         (read_ring_command_limit),
            .command_size_i          (read_ring_command_size),
            .command_tail_i          (read_ring_command_tail),
            .command_coalesce_count_i(read_ring_command_coalesce_count),
            .command_coalesce_time_i (read_ring_command_coalesce_time),
            .status_busy_o           (read_ring_status_busy),
            .status_sets_halted_o    (read_ring_status_sets_halted),
            .status_sets_irq_o       (read_ring_status_sets_irq),
            .status_head_o           (read_ring_status_head),
            .status_fail_index_o     (read_ring_status_fail_index),
            .status_error_source_o   (read_ring_status_error_source),
            .has_ring_o              (read_has_ring),
            .desc_valid_o            (read_desc_valid),
            .desc_fetch_error_o      (read_desc_fetch_error),
            .desc_irq_o              (read_desc_irq),
            .desc_more_o             (read_desc_more),
            .desc_length_o           (read_desc_length),
            .desc_addr_o             (read_desc_addr),
            .desc_place_o            (read_desc_place),
            .desc_take_i             (read_desc_take),
            .completes_i             (read_completes),
            .completion_kind_i       (read_completion_kind),
            .completion_packet_end_i (read_completion_packet_end),
            .completion_zero_length_i(read_completion_zero_length),
            .completion_bytes_i      (read_completion_bytes),
            .first_fails_i           (read_first_fails),
            .error_source_i          (read_error_source),
            .writeback_fails_o       (read_writeback_fails),
            .writeback_error_kind_o  (read_writeback_error_kind),
            .writeback_fail_addr_o   (read_writeback_fail_addr),
            .channel_halts_i         (read_halts),
            .channel_halted_i        (read_halted),
            .resume_o                (read_resume),
            .timeout_i               (read_command_timeout),
            .expires_o               (read_ring_expires),
            .expires_source_o        (read_ring_expires_source),
            .araddr_o                (mm2s_araddr),
            .arlen_o                 (mm2s_arlen),
            .arvalid_o               (mm2s_arvalid),
            .arready_i               (mm2s_arready),
            .rdata_i                 (m_axi_ring_rdata),
            .rresp_i                 (m_axi_ring_rresp),
            .rvalid_i                (mm2s_rvalid),
            .awaddr_o                (mm2s_awaddr),
            .awlen_o                 (mm2s_awlen),
            .awvalid_o               (mm2s_awvalid),
            .awready_i               (mm2s_awready),
            .wdata_o                 (mm2s_wdata),
            .wlast_o                 (mm2s_wlast),
            .wvalid_o                (mm2s_wvalid),
            .wready_i                (mm2s_wready),
            .bresp_i                 (m_axi_ring_bresp),
            .bvalid_i                (mm2s_bvalid)
        );

        dma_ring #(
            .Depth   (RingDepth),
            .AddrMode(AddrMode)
        ) u_s2mm_ring (
            .clk_i                   (aclk),
            .rst_ni                  (aresetn),
            .command_enable_i        (write_ring_command_enable),
            .command_clear_i         (write_ring_command_clear),
            .command_resume_i        (write_ring_command_resume),
            .command_base_i          (write_ring_command_base),
            .command_limit_i         (write_ring_command_limit),
            .command_size_i          (write_ring_command_size),
            .command_tail_i          (write_ring_command_tail),
            .command_coalesce_count_i(write_ring_command_coalesce_count),
            .command_coalesce_time_i (write_ring_command_coalesce_time),
            .status_busy_o           (write_ring_status_busy),
            .status_sets_halted_o    (write_ring_status_sets_halted),
            .status_sets_irq_o       (write_ring_status_sets_irq),
            .status_head_o           (write_ring_status_head),
            .status_fail_index_o     (write_ring_status_fail_index),
            .status_error_source_o   (write_ring_status_error_source),
            .has_ring_o              (write_has_ring),
            .desc_valid_o            (write_desc_valid),
            .desc_fetch_error_o      (write_desc_fetch_error),
            .desc_irq_o              (write_desc_irq),
            .desc_more_o             (write_desc_more),
            .desc_length_o           (write_desc_length),
            .desc_addr_o             (write_desc_addr),
            .desc_place_o            (write_desc_place),
            .desc_take_i             (write_desc_take),
            .completes_i             (write_completes),
            .completion_kind_i       (write_completion_kind),
            .completion_packet_end_i (write_completion_packet_end),
            .completion_zero_length_i(write_completion_zero_length),
            .completion_bytes_i      (write_completion_bytes),
            .first_fails_i           (write_first_fails),
            .error_source_i          (write_error_source),
            .writeback_fails_o       (write_writeback_fails),
            .writeback_error_kind_o  (write_writeback_error_kind),
            .writeback_fail_addr_o   (write_writeback_fail_addr),
            .channel_halts_i         (write_halts),
            .channel_halted_i        (write_halted),
            .resume_o                (write_resume),
            .timeout_i               (write_command_timeout),
            .expires_o               (write_ring_expires),
            .expires_source_o        (write_ring_expires_source),
            .araddr_o                (s2mm_araddr),
            .arlen_o                 (s2mm_arlen),
            .arvalid_o               (s2mm_arvalid),
            .arready_i               (s2mm_arready),
            .rdata_i                 (m_axi_ring_rdata),
            .rresp_i                 (m_axi_ring_rresp),
            .rvalid_i                (s2mm_rvalid),
            .awaddr_o                (s2mm_awaddr),
            .awlen_o                 (s2mm_awlen),
            .awvalid_o               (s2mm_awvalid),
            .awready_i               (s2mm_awready),
            .wdata_o                 (s2mm_wdata),
            .wlast_o                 (s2mm_wlast),
            .wvalid_o                (s2mm_wvalid),
            .wready_i                (s2mm_wready),
            .bresp_i                 (m_axi_ring_bresp),
            .bvalid_i                (s2mm_bvalid)
        );

        dma_ring_port #(
            .IdWidth(IdWidth)
        ) u_ring_port (
            .clk_i         (aclk),
            .rst_ni        (aresetn),
            .mm2s_araddr_i (mm2s_araddr),
            .mm2s_arlen_i  (mm2s_arlen),
            .mm2s_arvalid_i(mm2s_arvalid),
            .mm2s_arready_o(mm2s_arready),
            .mm2s_rvalid_o (mm2s_rvalid),
            .mm2s_awaddr_i (mm2s_awaddr),
            .mm2s_awlen_i  (mm2s_awlen),
            .mm2s_awvalid_i(mm2s_awvalid),
            .mm2s_awready_o(mm2s_awready),
            .mm2s_wdata_i  (mm2s_wdata),
            .mm2s_wlast_i  (mm2s_wlast),
            .mm2s_wvalid_i (mm2s_wvalid),
            .mm2s_wready_o (mm2s_wready),
            .mm2s_bvalid_o (mm2s_bvalid),
            .s2mm_araddr_i (s2mm_araddr),
            .s2mm_arlen_i  (s2mm_arlen),
            .s2mm_arvalid_i(s2mm_arvalid),
            .s2mm_arready_o(s2mm_arready),
            .s2mm_rvalid_o (s2mm_rvalid),
            .s2mm_awaddr_i (s2mm_awaddr),
            .s2mm_awlen_i  (s2mm_awlen),
            .s2mm_awvalid_i(s2mm_awvalid),
            .s2mm_awready_o(s2mm_awready),
            .s2mm_wdata_i  (s2mm_wdata),
            .s2mm_wlast_i  (s2mm_wlast),
            .s2mm_wvalid_i (s2mm_wvalid),
            .s2mm_wready_o (s2mm_wready),
            .s2mm_bvalid_o (s2mm_bvalid),
            .arid_o        (m_axi_ring_arid),
            .araddr_o      (m_axi_ring_araddr),
            .arlen_o       (m_axi_ring_arlen),
            .arvalid_o     (m_axi_ring_arvalid),
            .arready_i     (m_axi_ring_arready),
            .rid_i         (m_axi_ring_rid),
            .rvalid_i      (m_axi_ring_rvalid),
            .awid_o        (m_axi_ring_awid),
            .awaddr_o      (m_axi_ring_awaddr),
            .awlen_o       (m_axi_ring_awlen),
            .awvalid_o     (m_axi_ring_awvalid),
            .awready_i     (m_axi_ring_awready),
            .wdata_o       (m_axi_ring_wdata),
            .wlast_o       (m_axi_ring_wlast),
            .wvalid_o      (m_axi_ring_wvalid),
            .wready_i      (m_axi_ring_wready),
            .bid_i         (m_axi_ring_bid),
            .bvalid_i      (m_axi_ring_bvalid)
        );
    end else begin : gen_no_rings
        assign read_ring_status_busy          = '0;
        assign read_ring_status_sets_halted   = '0;
        assign read_ring_status_sets_irq      = '0;
        assign read_ring_status_head          = '0;
        assign read_ring_status_fail_index    = '0;
        assign read_ring_status_error_source  = SourceData;
        assign read_has_ring                  = '0;
        assign read_desc_valid                = '0;
        assign read_desc_fetch_error          = ErrNone;
        assign read_desc_irq                  = '0;
        assign read_desc_more                 = '0;
        assign read_desc_length               = '0;
        assign read_desc_addr                 = '0;
        assign read_desc_place                = '0;
        assign read_writeback_fails           = '0;
        assign read_writeback_error_kind      = ErrNone;
        assign read_writeback_fail_addr       = '0;
        assign read_resume                    = '0;
        assign read_ring_expires              = '0;
        assign read_ring_expires_source       = SourceData;
        assign write_ring_status_busy         = '0;
        assign write_ring_status_sets_halted  = '0;
        assign write_ring_status_sets_irq     = '0;
        assign write_ring_status_head         = '0;
        assign write_ring_status_fail_index   = '0;
        assign write_ring_status_error_source = SourceData;
        assign write_has_ring                 = '0;
        assign write_desc_valid               = '0;
        assign write_desc_fetch_error         = ErrNone;
        assign write_desc_irq                 = '0;
        assign write_desc_more                = '0;
        assign write_desc_length              = '0;
        assign write_desc_addr                = '0;
        assign write_desc_place               = '0;
        assign write_writeback_fails          = '0;
        assign write_writeback_error_kind     = ErrNone;
        assign write_writeback_fail_addr      = '0;
        assign write_resume                   = '0;
        assign write_ring_expires             = '0;
        assign write_ring_expires_source      = SourceData;
        assign m_axi_ring_arid                = '0;
        assign m_axi_ring_araddr              = '0;
        assign m_axi_ring_arlen               = '0;
        assign m_axi_ring_arvalid             = '0;
        assign m_axi_ring_awid                = '0;
        assign m_axi_ring_awaddr              = '0;
        assign m_axi_ring_awlen               = '0;
        assign m_axi_ring_awvalid             = '0;
        assign m_axi_ring_wdata               = '0;
        assign m_axi_ring_wlast               = '0;
        assign m_axi_ring_wvalid              = '0;

        logic unused_rings;
        assign unused_rings = ^{read_ring_command_enable, read_ring_command_clear, read_ring_command_resume,
                                read_ring_command_base, read_ring_command_limit, read_ring_command_size,
                                read_ring_command_tail, read_ring_command_coalesce_count,
                                read_ring_command_coalesce_time, read_desc_take, read_completes, read_completion_kind,
                                read_completion_packet_end, read_completion_zero_length, read_completion_bytes,
                                read_first_fails, read_error_source, read_halts, read_halted,
                                write_ring_command_enable, write_ring_command_clear, write_ring_command_resume,
                                write_ring_command_base, write_ring_command_limit, write_ring_command_size,
                                write_ring_command_tail, write_ring_command_coalesce_count,
                                write_ring_command_coalesce_time, write_desc_take, write_completes,
                                write_completion_kind, write_completion_packet_end, write_completion_zero_length,
                                write_completion_bytes, write_first_fails, write_error_source, write_halts,
                                write_halted, m_axi_ring_awready, m_axi_ring_wready, m_axi_ring_bid, m_axi_ring_bresp,
                                m_axi_ring_bvalid, m_axi_ring_arready, m_axi_ring_rid, m_axi_ring_rdata,
                                m_axi_ring_rresp, m_axi_ring_rvalid};
    end

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

    logic read_valid, read_ready, read_end, read_packet_open, read_broken;
    logic [DataWidth-1:0] read_data;
    logic [LaneBits-1:0] read_lane;
    logic [LaneBits:0] read_count;

    logic stream_sent, stream_ready, read_closes;
    logic in_valid, in_last, in_bad_keep;
    logic [DataWidth-1:0] in_data;
    logic [LaneBits:0] in_count;
    logic write_ready;

    logic [63:0] araddr, awaddr;
    logic [1:0] arburst;
    logic arvalid, awvalid, wlast, tvalid;
    logic [DataWidth-1:0] wdata, tdata;

    localparam logic [2:0] BeatSize = 3'(LaneBits);

    dma_read #(
        .DataWidth    (DataWidth),
        .AddrBits     (AddrBits),
        .MaxBurstBeats(MaxBurstBeats),
        .MaxReads     (MaxReads),
        .FifoDepth    (FifoDepth),
        .IsQueued     (HasRings),
        .PlantedFault (PlantedFault)
    ) u_read (
        .clk_i                    (aclk),
        .rst_ni                   (aresetn),
        .start_i                  (read_run),
        .may_start_o              (read_may_start),
        .refuse_i                 (read_refused),
        .addr_i                   (read_addr),
        .limit_i                  (read_command_limit),
        .length_i                 (read_length),
        .keep_open_i              (read_keep_open),
        .abort_i                  (read_abort),
        .is_idle_o                (read_is_idle),
        .fails_o                  (read_fails),
        .bytes_o                  (read_bytes),
        .is_streamed_i            (!loopback),
        .sent_i                   (stream_sent),
        .done_o                   (read_done),
        .result_error_kind_o      (read_result_error_kind),
        .result_fail_addr_o       (read_result_fail_addr),
        .result_bytes_o           (read_result_bytes),
        .result_packet_end_o      (read_result_packet_end),
        .activity_beat_o          (read_activity_beat),
        .activity_stalls_address_o(read_activity_stalls_address),
        .activity_stalls_data_o   (read_activity_stalls_data),
        .activity_stalls_stream_o (read_activity_stalls_stream),
        .activity_outstanding_o   (read_activity_outstanding),
        .moves_o                  (read_moves),
        .araddr_o                 (araddr),
        .arlen_o                  (m_axi_arlen),
        .arvalid_o                (arvalid),
        .arready_i                (m_axi_arready),
        .rdata_i                  (m_axi_rdata),
        .rresp_i                  (m_axi_rresp),
        .rlast_i                  (m_axi_rlast),
        .rvalid_i                 (m_axi_rvalid),
        .rready_o                 (m_axi_rready),
        .valid_o                  (read_valid),
        .ready_i                  (read_ready),
        .data_o                   (read_data),
        .lane_o                   (read_lane),
        .count_o                  (read_count),
        .end_o                    (read_end),
        .keep_open_o              (read_packet_open),
        .broken_o                 (read_broken)
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
        .IsQueued     (HasRings),
        .PlantedFault (PlantedFault)
    ) u_write (
        .clk_i                    (aclk),
        .rst_ni                   (aresetn),
        .start_i                  (write_run),
        .may_start_o              (write_may_start),
        .refuse_i                 (write_refused),
        .addr_i                   (write_addr),
        .limit_i                  (write_command_limit),
        .length_i                 (write_length),
        .keep_open_i              (write_keep_open),
        .abort_i                  (write_abort),
        .is_idle_o                (write_is_idle),
        .fails_o                  (write_fails),
        .done_o                   (write_done),
        .result_error_kind_o      (write_result_error_kind),
        .result_fail_addr_o       (write_result_fail_addr),
        .result_bytes_o           (write_result_bytes),
        .result_packet_end_o      (write_result_packet_end),
        .bytes_o                  (write_bytes),
        .activity_beat_o          (write_activity_beat),
        .activity_stalls_address_o(write_activity_stalls_address),
        .activity_stalls_data_o   (write_activity_stalls_data),
        .activity_stalls_stream_o (write_activity_stalls_stream),
        .activity_outstanding_o   (write_activity_outstanding),
        .moves_o                  (write_moves),
        .valid_i                  (loopback ? read_valid : in_valid),
        .ready_o                  (write_ready),
        .data_i                   (loopback ? read_data : in_data),
        .lane_i                   (loopback ? read_lane : '0),
        .count_i                  (loopback ? read_count : in_count),
        .bad_keep_i               (!loopback && in_bad_keep),
        .last_i                   (loopback ? read_closes : in_last),
        .awaddr_o                 (awaddr),
        .awlen_o                  (m_axi_awlen),
        .awvalid_o                (awvalid),
        .awready_i                (m_axi_awready),
        .wdata_o                  (wdata),
        .wstrb_o                  (m_axi_wstrb),
        .wlast_o                  (wlast),
        .wvalid_o                 (m_axi_wvalid),
        .wready_i                 (m_axi_wready),
        .bresp_i                  (m_axi_bresp),
        .bvalid_i                 (m_axi_bvalid),
        .bready_o                 (m_axi_bready)
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
