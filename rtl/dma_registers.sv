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
    parameter int unsigned MaxBurstBeats = 16,
    parameter int unsigned MaxReads      = 16,
    parameter int unsigned MaxWrites     = 16,
    parameter int unsigned FifoDepth     = 512,
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
    output dma_pkg::command_t s2mm_o,
    input  dma_pkg::status_t  s2mm_i,
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

    logic write_sets_start;

    assign write_sets_start = req_wdata[0] && req_wmask[0];
    assign loopback_o       = regs_out.CONTROL.loopback.value;
    assign soft_reset_o     = regs_out.CONTROL.soft_reset.value;

    assign mm2s_o.start     = regs_out.MM2S.CONTROL.start.swmod && write_sets_start;
    assign mm2s_o.stop      = regs_out.MM2S.CONTROL.stop.value;
    assign mm2s_o.keep_open = regs_out.MM2S.CONTROL.keep_open.value;
    assign mm2s_o.addr      = {regs_out.MM2S.ADDR_HI.value.value, regs_out.MM2S.ADDR_LO.value.value};
    assign mm2s_o.length    = regs_out.MM2S.LENGTH.bytes.value;

    assign s2mm_o.start     = regs_out.S2MM.CONTROL.start.swmod && write_sets_start;
    assign s2mm_o.stop      = regs_out.S2MM.CONTROL.stop.value;
    assign s2mm_o.keep_open = regs_out.S2MM.CONTROL.keep_open.value;
    assign s2mm_o.addr      = {regs_out.S2MM.ADDR_HI.value.value, regs_out.S2MM.ADDR_LO.value.value};
    assign s2mm_o.length    = regs_out.S2MM.LENGTH.bytes.value;

    // ---- Status ----

    assign regs_in.CAPS0.beat_bytes_log2.next    = 4'(LaneBits);
    assign regs_in.CAPS0.addr_bits.next          = 7'(AddrBits);
    assign regs_in.CAPS0.addr_mode.next          = 2'(AddrMode);
    assign regs_in.CAPS0.has_planted_fault.next  = PlantedFault != FaultNone;
    assign regs_in.CAPS1.max_burst_beats.next    = 9'(MaxBurstBeats);
    assign regs_in.CAPS1.max_reads.next          = 8'(MaxReads);
    assign regs_in.CAPS1.max_writes.next         = 8'(MaxWrites);
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

    // ---- Interrupt ----

    logic [3:0] int_status, int_enable;

    assign int_status = {regs_out.S2MM.STATUS.error.value, regs_out.S2MM.STATUS.done.value,
                         regs_out.MM2S.STATUS.error.value, regs_out.MM2S.STATUS.done.value};
    assign int_enable = {regs_out.INT_ENABLE.s2mm_error.value, regs_out.INT_ENABLE.s2mm_done.value,
                         regs_out.INT_ENABLE.mm2s_error.value, regs_out.INT_ENABLE.mm2s_done.value};
    assign irq_o      = |(int_status & int_enable);

    assign regs_in.INT_STATUS.mm2s_done.next  = int_status[0];
    assign regs_in.INT_STATUS.mm2s_error.next = int_status[1];
    assign regs_in.INT_STATUS.s2mm_done.next  = int_status[2];
    assign regs_in.INT_STATUS.s2mm_error.next = int_status[3];
endmodule
