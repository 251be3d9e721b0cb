// SPDX-License-Identifier: MIT OR Apache-2.0
// The registers with their AXI4-Lite port, and the interrupt.
//
// Fields of the generated register block become commands to the channels, and the channels' state becomes fields.
// A start acts in the cycle of its write, one before it would show in the register.
module dma_registers #(
    // What CAPS0, CAPS1 and CAPS2 tell; see dma_engine.
    parameter int unsigned LaneBits      = 3,
    parameter int unsigned AddrBits      = 32,
    parameter int unsigned AddrMode      = 0,
    parameter int unsigned BoundaryBits  = 64,
    parameter int unsigned MaxBurstBeats = 16,
    parameter int unsigned MaxReads      = 16,
    parameter int unsigned MaxWrites     = 16,
    parameter int unsigned FifoDepth     = 512,
    parameter int unsigned RingDepth     = 64,
    parameter int unsigned PlantedFault  = 0
) (
    input  logic                           clk_i,
    input  logic                           rst_ni,

    input  logic [11:0]                    awaddr_i,
    input  logic                           awvalid_i,
    output logic                           awready_o,
    input  logic [31:0]                    wdata_i,
    input  logic [3:0]                     wstrb_i,
    input  logic                           wvalid_i,
    output logic                           wready_o,
    output logic [1:0]                     bresp_o,
    output logic                           bvalid_o,
    input  logic                           bready_i,
    input  logic [11:0]                    araddr_i,
    input  logic                           arvalid_i,
    output logic                           arready_o,
    output logic [31:0]                    rdata_o,
    output logic [1:0]                     rresp_o,
    output logic                           rvalid_o,
    input  logic                           rready_i,

    output logic                           loopback_o,
    output logic                           soft_reset_o,
    output logic                           mm2s_start_o,
    output logic                           mm2s_enables_ring_o,
    output logic                           mm2s_stop_o,
    output logic                           mm2s_keep_open_o,
    output logic                           mm2s_is_failed_o,
    output logic [63:0]                    mm2s_addr_o,
    output logic [dma_pkg::LengthBits-1:0] mm2s_length_o,
    output dma_pkg::addr_limit_t           mm2s_limit_o,
    output logic [31:0]                    mm2s_timeout_o,
    input  logic                           mm2s_busy_i,
    input  logic                           mm2s_clears_status_i,
    input  logic                           mm2s_sets_done_i,
    input  logic                           mm2s_sets_error_i,
    input  logic                           mm2s_ignores_start_i,
    input  logic                           mm2s_zero_length_i,
    input  logic                           mm2s_packet_end_i,
    input  logic [dma_pkg::LengthBits-1:0] mm2s_bytes_done_i,
    input  dma_pkg::error_kind_e           mm2s_error_kind_i,
    input  logic [63:0]                    mm2s_fail_addr_i,
    output logic                           mm2s_ring_enable_o,
    output logic                           mm2s_ring_clear_o,
    output logic                           mm2s_ring_resume_o,
    output logic [63:0]                    mm2s_ring_base_o,
    output dma_pkg::addr_limit_t           mm2s_ring_limit_o,
    output logic [dma_pkg::RingBits-1:0]   mm2s_ring_size_o,
    output logic [dma_pkg::RingBits-1:0]   mm2s_ring_tail_o,
    output logic [7:0]                     mm2s_ring_coalesce_count_o,
    output logic [15:0]                    mm2s_ring_coalesce_time_o,
    input  logic                           mm2s_ring_busy_i,
    input  logic                           mm2s_ring_sets_halted_i,
    input  logic                           mm2s_ring_sets_irq_i,
    input  logic [dma_pkg::RingBits-1:0]   mm2s_ring_head_i,
    input  logic [dma_pkg::RingBits-1:0]   mm2s_ring_fail_index_i,
    input  dma_pkg::error_source_e         mm2s_ring_error_source_i,
    output logic                           mm2s_counters_enable_o,
    output logic                           mm2s_counters_clear_o,
    input  logic [31:0]                    mm2s_counts_busy_i,
    input  logic [31:0]                    mm2s_counts_beats_i,
    input  logic [31:0]                    mm2s_counts_stalls_address_i,
    input  logic [31:0]                    mm2s_counts_stalls_data_i,
    input  logic [31:0]                    mm2s_counts_stalls_stream_i,
    input  logic [8:0]                     mm2s_counts_outstanding_i,
    output logic                           s2mm_start_o,
    output logic                           s2mm_enables_ring_o,
    output logic                           s2mm_stop_o,
    output logic                           s2mm_keep_open_o,
    output logic                           s2mm_is_failed_o,
    output logic [63:0]                    s2mm_addr_o,
    output logic [dma_pkg::LengthBits-1:0] s2mm_length_o,
    output dma_pkg::addr_limit_t           s2mm_limit_o,
    output logic [31:0]                    s2mm_timeout_o,
    input  logic                           s2mm_busy_i,
    input  logic                           s2mm_clears_status_i,
    input  logic                           s2mm_sets_done_i,
    input  logic                           s2mm_sets_error_i,
    input  logic                           s2mm_ignores_start_i,
    input  logic                           s2mm_zero_length_i,
    input  logic                           s2mm_packet_end_i,
    input  logic [dma_pkg::LengthBits-1:0] s2mm_bytes_done_i,
    input  dma_pkg::error_kind_e           s2mm_error_kind_i,
    input  logic [63:0]                    s2mm_fail_addr_i,
    output logic                           s2mm_ring_enable_o,
    output logic                           s2mm_ring_clear_o,
    output logic                           s2mm_ring_resume_o,
    output logic [63:0]                    s2mm_ring_base_o,
    output dma_pkg::addr_limit_t           s2mm_ring_limit_o,
    output logic [dma_pkg::RingBits-1:0]   s2mm_ring_size_o,
    output logic [dma_pkg::RingBits-1:0]   s2mm_ring_tail_o,
    output logic [7:0]                     s2mm_ring_coalesce_count_o,
    output logic [15:0]                    s2mm_ring_coalesce_time_o,
    input  logic                           s2mm_ring_busy_i,
    input  logic                           s2mm_ring_sets_halted_i,
    input  logic                           s2mm_ring_sets_irq_i,
    input  logic [dma_pkg::RingBits-1:0]   s2mm_ring_head_i,
    input  logic [dma_pkg::RingBits-1:0]   s2mm_ring_fail_index_i,
    input  dma_pkg::error_source_e         s2mm_ring_error_source_i,
    output logic                           s2mm_counters_enable_o,
    output logic                           s2mm_counters_clear_o,
    input  logic [31:0]                    s2mm_counts_busy_i,
    input  logic [31:0]                    s2mm_counts_beats_i,
    input  logic [31:0]                    s2mm_counts_stalls_address_i,
    input  logic [31:0]                    s2mm_counts_stalls_data_i,
    input  logic [31:0]                    s2mm_counts_stalls_stream_i,
    input  logic [8:0]                     s2mm_counts_outstanding_i,
    output logic                           irq_o
);
    import dma_pkg::*;

    localparam bit HasRings = RingDepth != 0;

    logic req, req_is_write, rerror, werror;
    logic [11:0] req_addr;
    logic [31:0] req_wdata, req_wmask, req_rdata;

    dma_axil #(
        .AddrWidth(12)
    ) u_axil (
        .clk_i,
        .rst_ni,
        .awaddr_i,
        .awvalid_i,
        .awready_o,
        .wdata_i,
        .wstrb_i,
        .wvalid_i,
        .wready_o,
        .bresp_o,
        .bvalid_o,
        .bready_i,
        .araddr_i,
        .arvalid_i,
        .arready_o,
        .rdata_o,
        .rresp_o,
        .rvalid_o,
        .rready_i,
        .req_o         (req),
        .req_is_write_o(req_is_write),
        .addr_o        (req_addr),
        .wdata_o       (req_wdata),
        .wmask_o       (req_wmask),
        .rdata_i       (req_rdata),
        .rerror_i      (rerror),
        .werror_i      (werror)
    );

    // ---- Address limit ----

    localparam int unsigned Boundary = (AddrMode == AddrModeBoundary) ? BoundaryBits
                                       : (AddrMode == AddrModeWrap64K) ? BoundaryBits8237 : AddrBitsMost;

    // A value that this engine cannot have is refused, so that what reads back is what holds.
    logic bits_fit, ring_bits_fit, boundary_fits;
    logic [WidthBits-1:0] mm2s_boundary, s2mm_boundary;

    assign bits_fit      = req_wdata[7:0] >= 8'(AddrBitsLeast) && req_wdata[7:0] <= 8'(AddrBits);
    assign ring_bits_fit = req_wdata[15:8] >= 8'(AddrBitsLeast) && req_wdata[15:8] <= 8'(AddrBits);
    assign boundary_fits = AddrMode == AddrModeBoundary && req_wdata[7:0] >= 8'(BoundaryBitsLeast)
                           && req_wdata[7:0] <= 8'(AddrBitsMost);

    // Only in mode Boundary is it more than a constant.
    assign mm2s_limit_o.boundary      = (AddrMode == AddrModeBoundary) ? mm2s_boundary : WidthBits'(Boundary);
    assign mm2s_ring_limit_o.boundary = mm2s_limit_o.boundary;
    assign s2mm_limit_o.boundary      = (AddrMode == AddrModeBoundary) ? s2mm_boundary : WidthBits'(Boundary);
    assign s2mm_ring_limit_o.boundary = s2mm_limit_o.boundary;

    // ---- Register block ----

    // Which of its reasons raise the interrupt.
    logic mm2s_done_irq, mm2s_error_irq, mm2s_ring_enable_irq, s2mm_done_irq, s2mm_error_irq, s2mm_ring_enable_irq;
    logic mm2s_ring_irq, mm2s_control_written, mm2s_keep_open, mm2s_done, mm2s_ring_status_written, mm2s_ring_clears;
    logic s2mm_ring_irq, s2mm_control_written, s2mm_keep_open, s2mm_done, s2mm_ring_status_written, s2mm_ring_clears;

    dma_engine_regs #(
        .HasRings(HasRings)
    ) u_regs (
        .clk                                   (clk_i),
        .rst_n                                 (rst_ni),
        .addr_bits                             (WidthBits'(AddrBits)),
        .boundary_bits                         (WidthBits'(Boundary)),
        .s_cpuif_req                           (req),
        .s_cpuif_req_is_wr                     (req_is_write),
        .s_cpuif_addr                          (req_addr),
        .s_cpuif_wr_data                       (req_wdata),
        .s_cpuif_wr_biten                      (req_wmask),
        .s_cpuif_req_stall_wr                  (),
        .s_cpuif_req_stall_rd                  (),
        .s_cpuif_rd_ack                        (),
        .s_cpuif_rd_err                        (rerror),
        .s_cpuif_rd_data                       (req_rdata),
        .s_cpuif_wr_ack                        (),
        .s_cpuif_wr_err                        (werror),

        .control_loopback_swwel_i              (mm2s_busy_i || s2mm_busy_i || mm2s_ring_busy_i || s2mm_ring_busy_i),
        .control_soft_reset_hwclr_i            (!mm2s_busy_i && !s2mm_busy_i && !mm2s_ring_busy_i && !s2mm_ring_busy_i),
        .caps0_beat_bytes_log2_next_i          (4'(LaneBits)),
        .caps0_addr_bits_next_i                (7'(AddrBits)),
        .caps0_addr_mode_next_i                (2'(AddrMode)),
        .caps0_has_rings_next_i                (HasRings),
        .caps0_has_planted_fault_next_i        (PlantedFault != FaultNone),
        .caps1_max_burst_beats_next_i          (9'(MaxBurstBeats)),
        .caps1_max_reads_next_i                (8'(MaxReads)),
        .caps1_max_writes_next_i               (8'(MaxWrites)),
        .caps2_fifo_beats_next_i               (16'(FifoDepth)),
        .caps2_ring_descriptors_next_i         (8'(RingDepth)),
        .int_status_mm2s_done_next_i           (mm2s_done),
        .int_status_mm2s_error_next_i          (mm2s_is_failed_o),
        .int_status_mm2s_ring_next_i           (mm2s_ring_irq),
        .int_status_s2mm_done_next_i           (s2mm_done),
        .int_status_s2mm_error_next_i          (s2mm_is_failed_o),
        .int_status_s2mm_ring_next_i           (s2mm_ring_irq),
        .control_loopback_value_o              (loopback_o),
        .control_soft_reset_value_o            (soft_reset_o),
        .int_enable_mm2s_done_value_o          (mm2s_done_irq),
        .int_enable_mm2s_error_value_o         (mm2s_error_irq),
        .int_enable_mm2s_ring_value_o          (mm2s_ring_enable_irq),
        .int_enable_s2mm_done_value_o          (s2mm_done_irq),
        .int_enable_s2mm_error_value_o         (s2mm_error_irq),
        .int_enable_s2mm_ring_value_o          (s2mm_ring_enable_irq),

        .mm2s_status_done_hwset_i              (mm2s_sets_done_i),
        .mm2s_status_done_hwclr_i              (mm2s_clears_status_i),
        .mm2s_status_error_hwset_i             (mm2s_sets_error_i),
        .mm2s_status_error_hwclr_i             (mm2s_clears_status_i),
        .mm2s_status_start_ignored_hwset_i     (mm2s_ignores_start_i),
        .mm2s_status_start_ignored_hwclr_i     (mm2s_clears_status_i),
        .mm2s_ring_tail_index_hwclr_i          (mm2s_ring_clears),
        .mm2s_ring_status_halted_hwset_i       (mm2s_ring_sets_halted_i),
        .mm2s_ring_status_halted_hwclr_i       (mm2s_ring_clears),
        .mm2s_ring_status_irq_hwset_i          (mm2s_ring_sets_irq_i),
        .mm2s_ring_status_irq_hwclr_i          (mm2s_ring_clears),
        .mm2s_status_busy_next_i               (mm2s_busy_i),
        .mm2s_status_zero_length_next_i        (mm2s_zero_length_i),
        .mm2s_status_packet_end_next_i         (mm2s_packet_end_i),
        .mm2s_status_error_kind_next_i         (mm2s_error_kind_i),
        .mm2s_bytes_done_bytes_next_i          (mm2s_bytes_done_i),
        .mm2s_fail_addr_lo_value_next_i        (mm2s_fail_addr_i[31:0]),
        .mm2s_fail_addr_hi_value_next_i        (mm2s_fail_addr_i[63:32]),
        .mm2s_ring_head_index_next_i           (mm2s_ring_head_i),
        .mm2s_ring_status_busy_next_i          (mm2s_ring_busy_i),
        .mm2s_ring_status_error_source_next_i  (mm2s_ring_error_source_i),
        .mm2s_ring_fail_index_next_i           (mm2s_ring_fail_index_i),
        .mm2s_count_busy_cycles_next_i         (mm2s_counts_busy_i),
        .mm2s_count_beats_beats_next_i         (mm2s_counts_beats_i),
        .mm2s_count_stall_address_cycles_next_i(mm2s_counts_stalls_address_i),
        .mm2s_count_stall_data_cycles_next_i   (mm2s_counts_stalls_data_i),
        .mm2s_count_stall_stream_cycles_next_i (mm2s_counts_stalls_stream_i),
        .mm2s_count_outstanding_bursts_next_i  (mm2s_counts_outstanding_i),
        .mm2s_control_start_swmod_o            (mm2s_control_written),
        .mm2s_control_stop_value_o             (mm2s_stop_o),
        .mm2s_control_ring_reset_value_o       (mm2s_ring_clear_o),
        .mm2s_control_counters_reset_value_o   (mm2s_counters_clear_o),
        .mm2s_control_keep_open_value_o        (mm2s_keep_open),
        .mm2s_control_ring_enable_value_o      (mm2s_ring_enable_o),
        .mm2s_control_counters_enable_value_o  (mm2s_counters_enable_o),
        .mm2s_status_done_value_o              (mm2s_done),
        .mm2s_status_error_value_o             (mm2s_is_failed_o),
        .mm2s_addr_lo_value_value_o            (mm2s_addr_o[31:0]),
        .mm2s_addr_hi_value_value_o            (mm2s_addr_o[63:32]),
        .mm2s_length_bytes_value_o             (mm2s_length_o),
        .mm2s_timeout_cycles_value_o           (mm2s_timeout_o),
        .mm2s_addr_limit_bits_swwe_i           (bits_fit),
        .mm2s_addr_limit_bits_value_o          (mm2s_limit_o.bits),
        .mm2s_addr_limit_ring_bits_swwe_i      (ring_bits_fit),
        .mm2s_addr_limit_ring_bits_value_o     (mm2s_ring_limit_o.bits),
        .mm2s_boundary_bits_swwe_i             (boundary_fits),
        .mm2s_boundary_bits_value_o            (mm2s_boundary),
        .mm2s_ring_base_lo_value_value_o       (mm2s_ring_base_o[31:4]),
        .mm2s_ring_base_hi_value_value_o       (mm2s_ring_base_o[63:32]),
        .mm2s_ring_size_count_value_o          (mm2s_ring_size_o),
        .mm2s_ring_tail_index_value_o          (mm2s_ring_tail_o),
        .mm2s_ring_coalesce_count_value_o      (mm2s_ring_coalesce_count_o),
        .mm2s_ring_coalesce_delay_value_o      (mm2s_ring_coalesce_time_o),
        .mm2s_ring_status_halted_value_o       (),
        .mm2s_ring_status_halted_swmod_o       (mm2s_ring_status_written),
        .mm2s_ring_status_irq_value_o          (mm2s_ring_irq),

        .s2mm_status_done_hwset_i              (s2mm_sets_done_i),
        .s2mm_status_done_hwclr_i              (s2mm_clears_status_i),
        .s2mm_status_error_hwset_i             (s2mm_sets_error_i),
        .s2mm_status_error_hwclr_i             (s2mm_clears_status_i),
        .s2mm_status_start_ignored_hwset_i     (s2mm_ignores_start_i),
        .s2mm_status_start_ignored_hwclr_i     (s2mm_clears_status_i),
        .s2mm_ring_tail_index_hwclr_i          (s2mm_ring_clears),
        .s2mm_ring_status_halted_hwset_i       (s2mm_ring_sets_halted_i),
        .s2mm_ring_status_halted_hwclr_i       (s2mm_ring_clears),
        .s2mm_ring_status_irq_hwset_i          (s2mm_ring_sets_irq_i),
        .s2mm_ring_status_irq_hwclr_i          (s2mm_ring_clears),
        .s2mm_status_busy_next_i               (s2mm_busy_i),
        .s2mm_status_zero_length_next_i        (s2mm_zero_length_i),
        .s2mm_status_packet_end_next_i         (s2mm_packet_end_i),
        .s2mm_status_error_kind_next_i         (s2mm_error_kind_i),
        .s2mm_bytes_done_bytes_next_i          (s2mm_bytes_done_i),
        .s2mm_fail_addr_lo_value_next_i        (s2mm_fail_addr_i[31:0]),
        .s2mm_fail_addr_hi_value_next_i        (s2mm_fail_addr_i[63:32]),
        .s2mm_ring_head_index_next_i           (s2mm_ring_head_i),
        .s2mm_ring_status_busy_next_i          (s2mm_ring_busy_i),
        .s2mm_ring_status_error_source_next_i  (s2mm_ring_error_source_i),
        .s2mm_ring_fail_index_next_i           (s2mm_ring_fail_index_i),
        .s2mm_count_busy_cycles_next_i         (s2mm_counts_busy_i),
        .s2mm_count_beats_beats_next_i         (s2mm_counts_beats_i),
        .s2mm_count_stall_address_cycles_next_i(s2mm_counts_stalls_address_i),
        .s2mm_count_stall_data_cycles_next_i   (s2mm_counts_stalls_data_i),
        .s2mm_count_stall_stream_cycles_next_i (s2mm_counts_stalls_stream_i),
        .s2mm_count_outstanding_bursts_next_i  (s2mm_counts_outstanding_i),
        .s2mm_control_start_swmod_o            (s2mm_control_written),
        .s2mm_control_stop_value_o             (s2mm_stop_o),
        .s2mm_control_ring_reset_value_o       (s2mm_ring_clear_o),
        .s2mm_control_counters_reset_value_o   (s2mm_counters_clear_o),
        .s2mm_control_keep_open_value_o        (s2mm_keep_open),
        .s2mm_control_ring_enable_value_o      (s2mm_ring_enable_o),
        .s2mm_control_counters_enable_value_o  (s2mm_counters_enable_o),
        .s2mm_status_done_value_o              (s2mm_done),
        .s2mm_status_error_value_o             (s2mm_is_failed_o),
        .s2mm_addr_lo_value_value_o            (s2mm_addr_o[31:0]),
        .s2mm_addr_hi_value_value_o            (s2mm_addr_o[63:32]),
        .s2mm_length_bytes_value_o             (s2mm_length_o),
        .s2mm_timeout_cycles_value_o           (s2mm_timeout_o),
        .s2mm_addr_limit_bits_swwe_i           (bits_fit),
        .s2mm_addr_limit_bits_value_o          (s2mm_limit_o.bits),
        .s2mm_addr_limit_ring_bits_swwe_i      (ring_bits_fit),
        .s2mm_addr_limit_ring_bits_value_o     (s2mm_ring_limit_o.bits),
        .s2mm_boundary_bits_swwe_i             (boundary_fits),
        .s2mm_boundary_bits_value_o            (s2mm_boundary),
        .s2mm_ring_base_lo_value_value_o       (s2mm_ring_base_o[31:4]),
        .s2mm_ring_base_hi_value_value_o       (s2mm_ring_base_o[63:32]),
        .s2mm_ring_size_count_value_o          (s2mm_ring_size_o),
        .s2mm_ring_tail_index_value_o          (s2mm_ring_tail_o),
        .s2mm_ring_coalesce_count_value_o      (s2mm_ring_coalesce_count_o),
        .s2mm_ring_coalesce_delay_value_o      (s2mm_ring_coalesce_time_o),
        .s2mm_ring_status_halted_value_o       (),
        .s2mm_ring_status_halted_swmod_o       (s2mm_ring_status_written),
        .s2mm_ring_status_irq_value_o          (s2mm_ring_irq)
    );

    // ---- Starts ----

    // A start comes before the fields that are written with it show in the register.
    logic write_sets_start, write_enables_ring, mm2s_starts, s2mm_starts;

    assign write_sets_start    = req_wdata[0] && req_wmask[0];
    assign write_enables_ring  = HasRings && req_wmask[9] && req_wdata[9];
    assign mm2s_starts         = mm2s_control_written && write_sets_start;
    assign mm2s_start_o        = mm2s_starts;
    assign mm2s_enables_ring_o = write_enables_ring;
    assign mm2s_keep_open_o    = (mm2s_starts && req_wmask[8]) ? req_wdata[8] : mm2s_keep_open;
    assign s2mm_starts         = s2mm_control_written && write_sets_start;
    assign s2mm_start_o        = s2mm_starts;
    assign s2mm_enables_ring_o = write_enables_ring;
    assign s2mm_keep_open_o    = (s2mm_starts && req_wmask[8]) ? req_wdata[8] : s2mm_keep_open;

    // ---- Rings ----

    // Going on comes in the cycle in which the bit has been cleared.
    always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
            mm2s_ring_resume_o <= 1'b0;
            s2mm_ring_resume_o <= 1'b0;
        end else begin
            mm2s_ring_resume_o <= mm2s_ring_status_written && req_wdata[1] && req_wmask[1];
            s2mm_ring_resume_o <= s2mm_ring_status_written && req_wdata[1] && req_wmask[1];
        end
    end

    assign mm2s_ring_base_o[3:0] = '0;
    assign mm2s_ring_clears      = mm2s_ring_clear_o && !mm2s_ring_enable_o && !mm2s_ring_busy_i;
    assign s2mm_ring_base_o[3:0] = '0;
    assign s2mm_ring_clears      = s2mm_ring_clear_o && !s2mm_ring_enable_o && !s2mm_ring_busy_i;

    // ---- Interrupt ----

    assign irq_o = (mm2s_done && mm2s_done_irq) || (mm2s_is_failed_o && mm2s_error_irq)
                   || (mm2s_ring_irq && mm2s_ring_enable_irq) || (s2mm_done && s2mm_done_irq)
                   || (s2mm_is_failed_o && s2mm_error_irq) || (s2mm_ring_irq && s2mm_ring_enable_irq);
endmodule
