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
    input  logic              clk_i,
    input  logic              rst_ni,

    input  logic [11:0]       awaddr_i,
    input  logic              awvalid_i,
    output logic              awready_o,
    input  logic [31:0]       wdata_i,
    input  logic [3:0]        wstrb_i,
    input  logic              wvalid_i,
    output logic              wready_o,
    output logic [1:0]        bresp_o,
    output logic              bvalid_o,
    input  logic              bready_i,
    input  logic [11:0]       araddr_i,
    input  logic              arvalid_i,
    output logic              arready_o,
    output logic [31:0]       rdata_o,
    output logic [1:0]        rresp_o,
    output logic              rvalid_o,
    input  logic              rready_i,

    output logic              loopback_o,
    output logic              soft_reset_o,
    output dma_pkg::command_t mm2s_o,
    input  dma_pkg::status_t  mm2s_i,
    output dma_pkg::ring_command_t mm2s_ring_o,
    input  dma_pkg::ring_status_t  mm2s_ring_i,
    output logic              mm2s_counters_enable_o,
    output logic              mm2s_counters_clear_o,
    input  dma_pkg::counts_t  mm2s_counts_i,
    output dma_pkg::command_t s2mm_o,
    input  dma_pkg::status_t  s2mm_i,
    output dma_pkg::ring_command_t s2mm_ring_o,
    input  dma_pkg::ring_status_t  s2mm_ring_i,
    output logic              s2mm_counters_enable_o,
    output logic              s2mm_counters_clear_o,
    input  dma_pkg::counts_t  s2mm_counts_i,
    output logic              irq_o
);
    import dma_pkg::*;

    dma_engine_regs_pkg::dma_engine__in_t  regs_in;
    dma_engine_regs_pkg::dma_engine__out_t regs_out;

    logic        req, req_is_write, rerror, werror;
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

    dma_engine_regs u_regs (
        .clk                 (clk_i),
        .rst_n               (rst_ni),
        .addr_bits           (WidthBits'(AddrBits)),
        .boundary_bits       (WidthBits'(Boundary)),
        .s_cpuif_req         (req),
        .s_cpuif_req_is_wr   (req_is_write),
        .s_cpuif_addr        (req_addr),
        .s_cpuif_wr_data     (req_wdata),
        .s_cpuif_wr_biten    (req_wmask),
        .s_cpuif_req_stall_wr(),
        .s_cpuif_req_stall_rd(),
        .s_cpuif_rd_ack      (),
        .s_cpuif_rd_err      (rerror),
        .s_cpuif_rd_data     (req_rdata),
        .s_cpuif_wr_ack      (),
        .s_cpuif_wr_err      (werror),
        .hwif_in             (regs_in),
        .hwif_out            (regs_out)
    );

    // ---- Commands ----

    // A start comes before the fields that are written with it show in the register.
    logic write_sets_start, mm2s_starts, s2mm_starts;

    assign write_sets_start = req_wdata[0] && req_wmask[0];
    assign loopback_o       = regs_out.CONTROL.loopback.value;
    assign soft_reset_o     = regs_out.CONTROL.soft_reset.value;

    assign mm2s_starts      = regs_out.MM2S.CONTROL.start.swmod && write_sets_start;
    assign mm2s_o.start     = mm2s_starts;
    assign mm2s_o.enables_ring = req_wmask[9] && req_wdata[9];
    assign mm2s_o.stop      = regs_out.MM2S.CONTROL.stop.value;
    assign mm2s_o.keep_open = (mm2s_starts && req_wmask[8]) ? req_wdata[8] : regs_out.MM2S.CONTROL.keep_open.value;
    assign mm2s_o.is_failed = regs_out.MM2S.STATUS.error.value;
    assign mm2s_o.addr      = {regs_out.MM2S.ADDR_HI.value.value, regs_out.MM2S.ADDR_LO.value.value};
    assign mm2s_o.length    = regs_out.MM2S.LENGTH.bytes.value;
    assign mm2s_o.timeout   = regs_out.MM2S.TIMEOUT.cycles.value;

    assign mm2s_ring_o.enable         = regs_out.MM2S.CONTROL.ring_enable.value;
    assign mm2s_ring_o.clear          = regs_out.MM2S.CONTROL.ring_reset.value;
    assign mm2s_ring_o.resume         = regs_out.MM2S.RING_STATUS.halted.swmod && req_wdata[1] && req_wmask[1];
    assign mm2s_ring_o.irq            = regs_out.MM2S.RING_STATUS.irq.value;
    assign mm2s_ring_o.base           = {regs_out.MM2S.RING_BASE_HI.value.value, regs_out.MM2S.RING_BASE_LO.value.value,
                                       4'b0000};
    assign mm2s_ring_o.size           = regs_out.MM2S.RING_SIZE.count.value;
    assign mm2s_ring_o.tail           = regs_out.MM2S.RING_TAIL.index.value;
    assign mm2s_ring_o.coalesce_count = regs_out.MM2S.RING_COALESCE.count.value;
    assign mm2s_ring_o.coalesce_time  = regs_out.MM2S.RING_COALESCE.delay.value;

    assign mm2s_counters_enable_o = regs_out.MM2S.CONTROL.counters_enable.value;
    assign mm2s_counters_clear_o  = regs_out.MM2S.CONTROL.counters_reset.value;

    assign s2mm_starts      = regs_out.S2MM.CONTROL.start.swmod && write_sets_start;
    assign s2mm_o.start     = s2mm_starts;
    assign s2mm_o.enables_ring = req_wmask[9] && req_wdata[9];
    assign s2mm_o.stop      = regs_out.S2MM.CONTROL.stop.value;
    assign s2mm_o.keep_open = (s2mm_starts && req_wmask[8]) ? req_wdata[8] : regs_out.S2MM.CONTROL.keep_open.value;
    assign s2mm_o.is_failed = regs_out.S2MM.STATUS.error.value;
    assign s2mm_o.addr      = {regs_out.S2MM.ADDR_HI.value.value, regs_out.S2MM.ADDR_LO.value.value};
    assign s2mm_o.length    = regs_out.S2MM.LENGTH.bytes.value;
    assign s2mm_o.timeout   = regs_out.S2MM.TIMEOUT.cycles.value;

    assign s2mm_ring_o.enable         = regs_out.S2MM.CONTROL.ring_enable.value;
    assign s2mm_ring_o.clear          = regs_out.S2MM.CONTROL.ring_reset.value;
    assign s2mm_ring_o.resume         = regs_out.S2MM.RING_STATUS.halted.swmod && req_wdata[1] && req_wmask[1];
    assign s2mm_ring_o.irq            = regs_out.S2MM.RING_STATUS.irq.value;
    assign s2mm_ring_o.base           = {regs_out.S2MM.RING_BASE_HI.value.value, regs_out.S2MM.RING_BASE_LO.value.value,
                                       4'b0000};
    assign s2mm_ring_o.size           = regs_out.S2MM.RING_SIZE.count.value;
    assign s2mm_ring_o.tail           = regs_out.S2MM.RING_TAIL.index.value;
    assign s2mm_ring_o.coalesce_count = regs_out.S2MM.RING_COALESCE.count.value;
    assign s2mm_ring_o.coalesce_time  = regs_out.S2MM.RING_COALESCE.delay.value;

    assign s2mm_counters_enable_o = regs_out.S2MM.CONTROL.counters_enable.value;
    assign s2mm_counters_clear_o  = regs_out.S2MM.CONTROL.counters_reset.value;

    // ---- Address limit ----

    localparam int unsigned Boundary = (AddrMode == AddrModeBoundary) ? BoundaryBits
                                       : (AddrMode == AddrModeWrap64K) ? BoundaryBits8237 : AddrBitsMost;

    // A value that this engine cannot have is refused, so that what reads back is what holds.
    logic bits_fit, ring_bits_fit, boundary_fits;

    assign bits_fit      = req_wdata[7:0] >= 8'(AddrBitsLeast) && req_wdata[7:0] <= 8'(AddrBits);
    assign ring_bits_fit = req_wdata[15:8] >= 8'(AddrBitsLeast) && req_wdata[15:8] <= 8'(AddrBits);
    assign boundary_fits = AddrMode == AddrModeBoundary && req_wdata[7:0] >= 8'(BoundaryBitsLeast)
                           && req_wdata[7:0] <= 8'(AddrBitsMost);

    assign regs_in.MM2S.ADDR_LIMIT.bits.swwe      = bits_fit;
    assign regs_in.MM2S.ADDR_LIMIT.ring_bits.swwe = ring_bits_fit;
    assign regs_in.MM2S.BOUNDARY.bits.swwe        = boundary_fits;
    assign mm2s_o.limit      = '{bits: regs_out.MM2S.ADDR_LIMIT.bits.value, boundary: regs_out.MM2S.BOUNDARY.bits.value};
    assign mm2s_ring_o.limit = '{bits: regs_out.MM2S.ADDR_LIMIT.ring_bits.value,
                                 boundary: regs_out.MM2S.BOUNDARY.bits.value};

    assign regs_in.S2MM.ADDR_LIMIT.bits.swwe      = bits_fit;
    assign regs_in.S2MM.ADDR_LIMIT.ring_bits.swwe = ring_bits_fit;
    assign regs_in.S2MM.BOUNDARY.bits.swwe        = boundary_fits;
    assign s2mm_o.limit      = '{bits: regs_out.S2MM.ADDR_LIMIT.bits.value, boundary: regs_out.S2MM.BOUNDARY.bits.value};
    assign s2mm_ring_o.limit = '{bits: regs_out.S2MM.ADDR_LIMIT.ring_bits.value,
                                 boundary: regs_out.S2MM.BOUNDARY.bits.value};

    // ---- Status ----

    assign regs_in.CAPS0.beat_bytes_log2.next    = 4'(LaneBits);
    assign regs_in.CAPS0.addr_bits.next          = 7'(AddrBits);
    assign regs_in.CAPS0.addr_mode.next          = 2'(AddrMode);
    assign regs_in.CAPS0.has_planted_fault.next  = PlantedFault != FaultNone;
    assign regs_in.CAPS1.max_burst_beats.next    = 9'(MaxBurstBeats);
    assign regs_in.CAPS1.max_reads.next          = 8'(MaxReads);
    assign regs_in.CAPS1.max_writes.next         = 8'(MaxWrites);
    assign regs_in.CAPS2.ring_descriptors.next = 8'(RingDepth);
    assign regs_in.CAPS2.fifo_beats.next         = 16'(FifoDepth);

    assign regs_in.CONTROL.loopback.swwel   = mm2s_i.busy || s2mm_i.busy;
    assign regs_in.CONTROL.soft_reset.hwclr = !mm2s_i.busy && !s2mm_i.busy;

    assign regs_in.MM2S.STATUS.busy.next           = mm2s_i.busy;
    assign regs_in.MM2S.STATUS.done.hwset          = mm2s_i.sets_done;
    assign regs_in.MM2S.STATUS.done.hwclr          = mm2s_i.clears_status;
    assign regs_in.MM2S.STATUS.error.hwset         = mm2s_i.sets_error;
    assign regs_in.MM2S.STATUS.error.hwclr         = mm2s_i.clears_status;
    assign regs_in.MM2S.STATUS.zero_length.next    = mm2s_i.zero_length;
    assign regs_in.MM2S.STATUS.packet_end.next     = mm2s_i.packet_end;
    assign regs_in.MM2S.STATUS.start_ignored.hwset = mm2s_i.ignores_start;
    assign regs_in.MM2S.STATUS.start_ignored.hwclr = mm2s_i.clears_status;
    assign regs_in.MM2S.STATUS.error_kind.next     = mm2s_i.failure.kind;
    assign regs_in.MM2S.BYTES_DONE.bytes.next      = mm2s_i.bytes_done;
    assign regs_in.MM2S.FAIL_ADDR_LO.value.next    = mm2s_i.failure.fail_addr[31:0];
    assign regs_in.MM2S.FAIL_ADDR_HI.value.next    = mm2s_i.failure.fail_addr[63:32];

    assign regs_in.S2MM.STATUS.busy.next           = s2mm_i.busy;
    assign regs_in.S2MM.STATUS.done.hwset          = s2mm_i.sets_done;
    assign regs_in.S2MM.STATUS.done.hwclr          = s2mm_i.clears_status;
    assign regs_in.S2MM.STATUS.error.hwset         = s2mm_i.sets_error;
    assign regs_in.S2MM.STATUS.error.hwclr         = s2mm_i.clears_status;
    assign regs_in.S2MM.STATUS.zero_length.next    = s2mm_i.zero_length;
    assign regs_in.S2MM.STATUS.packet_end.next     = s2mm_i.packet_end;
    assign regs_in.S2MM.STATUS.start_ignored.hwset = s2mm_i.ignores_start;
    assign regs_in.S2MM.STATUS.start_ignored.hwclr = s2mm_i.clears_status;
    assign regs_in.S2MM.STATUS.error_kind.next     = s2mm_i.failure.kind;
    assign regs_in.S2MM.BYTES_DONE.bytes.next      = s2mm_i.bytes_done;
    assign regs_in.S2MM.FAIL_ADDR_LO.value.next    = s2mm_i.failure.fail_addr[31:0];
    assign regs_in.S2MM.FAIL_ADDR_HI.value.next    = s2mm_i.failure.fail_addr[63:32];

    assign regs_in.MM2S.RING_HEAD.index.next           = mm2s_ring_i.head;
    assign regs_in.MM2S.RING_TAIL.index.hwclr          = mm2s_ring_o.clear && !mm2s_ring_o.enable;
    assign regs_in.MM2S.RING_STATUS.busy.next          = mm2s_ring_i.busy;
    assign regs_in.MM2S.RING_STATUS.halted.hwset       = mm2s_ring_i.sets_halted;
    assign regs_in.MM2S.RING_STATUS.halted.hwclr       = mm2s_ring_o.clear && !mm2s_ring_o.enable;
    assign regs_in.MM2S.RING_STATUS.irq.hwset          = mm2s_ring_i.sets_irq;
    assign regs_in.MM2S.RING_STATUS.irq.hwclr          = mm2s_ring_o.clear && !mm2s_ring_o.enable;
    assign regs_in.MM2S.RING_STATUS.error_source.next  = mm2s_ring_i.error_source;
    assign regs_in.MM2S.RING_FAIL.index.next           = mm2s_ring_i.fail_index;
    assign regs_in.MM2S.COUNT_BUSY.cycles.next         = mm2s_counts_i.busy;
    assign regs_in.MM2S.COUNT_BEATS.beats.next         = mm2s_counts_i.beats;
    assign regs_in.MM2S.COUNT_STALL_ADDRESS.cycles.next = mm2s_counts_i.stalls_address;
    assign regs_in.MM2S.COUNT_STALL_DATA.cycles.next   = mm2s_counts_i.stalls_data;
    assign regs_in.MM2S.COUNT_STALL_STREAM.cycles.next = mm2s_counts_i.stalls_stream;
    assign regs_in.MM2S.COUNT_OUTSTANDING.bursts.next  = mm2s_counts_i.outstanding;

    assign regs_in.S2MM.RING_HEAD.index.next           = s2mm_ring_i.head;
    assign regs_in.S2MM.RING_TAIL.index.hwclr          = s2mm_ring_o.clear && !s2mm_ring_o.enable;
    assign regs_in.S2MM.RING_STATUS.busy.next          = s2mm_ring_i.busy;
    assign regs_in.S2MM.RING_STATUS.halted.hwset       = s2mm_ring_i.sets_halted;
    assign regs_in.S2MM.RING_STATUS.halted.hwclr       = s2mm_ring_o.clear && !s2mm_ring_o.enable;
    assign regs_in.S2MM.RING_STATUS.irq.hwset          = s2mm_ring_i.sets_irq;
    assign regs_in.S2MM.RING_STATUS.irq.hwclr          = s2mm_ring_o.clear && !s2mm_ring_o.enable;
    assign regs_in.S2MM.RING_STATUS.error_source.next  = s2mm_ring_i.error_source;
    assign regs_in.S2MM.RING_FAIL.index.next           = s2mm_ring_i.fail_index;
    assign regs_in.S2MM.COUNT_BUSY.cycles.next         = s2mm_counts_i.busy;
    assign regs_in.S2MM.COUNT_BEATS.beats.next         = s2mm_counts_i.beats;
    assign regs_in.S2MM.COUNT_STALL_ADDRESS.cycles.next = s2mm_counts_i.stalls_address;
    assign regs_in.S2MM.COUNT_STALL_DATA.cycles.next   = s2mm_counts_i.stalls_data;
    assign regs_in.S2MM.COUNT_STALL_STREAM.cycles.next = s2mm_counts_i.stalls_stream;
    assign regs_in.S2MM.COUNT_OUTSTANDING.bursts.next  = s2mm_counts_i.outstanding;

    // ---- Interrupt ----

    logic [5:0] int_status, int_enable;

    assign int_status = {s2mm_ring_o.irq, regs_out.S2MM.STATUS.error.value, regs_out.S2MM.STATUS.done.value,
                         mm2s_ring_o.irq, regs_out.MM2S.STATUS.error.value, regs_out.MM2S.STATUS.done.value};
    assign int_enable = {regs_out.INT_ENABLE.s2mm_ring.value, regs_out.INT_ENABLE.s2mm_error.value,
                         regs_out.INT_ENABLE.s2mm_done.value, regs_out.INT_ENABLE.mm2s_ring.value,
                         regs_out.INT_ENABLE.mm2s_error.value, regs_out.INT_ENABLE.mm2s_done.value};
    assign irq_o      = |(int_status & int_enable);

    assign regs_in.INT_STATUS.mm2s_done.next  = int_status[0];
    assign regs_in.INT_STATUS.mm2s_error.next = int_status[1];
    assign regs_in.INT_STATUS.mm2s_ring.next  = int_status[2];
    assign regs_in.INT_STATUS.s2mm_done.next  = int_status[3];
    assign regs_in.INT_STATUS.s2mm_error.next = int_status[4];
    assign regs_in.INT_STATUS.s2mm_ring.next  = int_status[5];
endmodule
