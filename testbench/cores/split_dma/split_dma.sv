// SPDX-License-Identifier: MIT OR Apache-2.0
// Two halves, memory to stream and stream to memory, programmed over AXI4-Lite; upper-case split ports.
//
// Each half has its registers, its interrupt and its bus port. Addresses are multiples of a beat, lengths any.
// Registers: 00-28 the reading half, 30-58 the writing half; see README.md.
module split_dma #(
    // Address bits implemented; the bus ports have 64.
    parameter int unsigned AddrWidth = 36,
    parameter int unsigned DataWidth = 64,
    // Bits of LENGTH.
    parameter int unsigned LenWidth  = 23,
    parameter int unsigned MaxBeats  = 16,
    parameter int unsigned Defect    = 0
) (
    input  logic                   ACLK,
    input  logic                   ARESETN,

    input  logic [6:0]             S_AXI_LITE_AWADDR,
    input  logic                   S_AXI_LITE_AWVALID,
    output logic                   S_AXI_LITE_AWREADY,
    input  logic [31:0]            S_AXI_LITE_WDATA,
    input  logic [3:0]             S_AXI_LITE_WSTRB,
    input  logic                   S_AXI_LITE_WVALID,
    output logic                   S_AXI_LITE_WREADY,
    output logic [1:0]             S_AXI_LITE_BRESP,
    output logic                   S_AXI_LITE_BVALID,
    input  logic                   S_AXI_LITE_BREADY,
    input  logic [6:0]             S_AXI_LITE_ARADDR,
    input  logic                   S_AXI_LITE_ARVALID,
    output logic                   S_AXI_LITE_ARREADY,
    output logic [31:0]            S_AXI_LITE_RDATA,
    output logic [1:0]             S_AXI_LITE_RRESP,
    output logic                   S_AXI_LITE_RVALID,
    input  logic                   S_AXI_LITE_RREADY,

    output logic [63:0]            M_AXI_MM2S_ARADDR,
    output logic [7:0]             M_AXI_MM2S_ARLEN,
    output logic [2:0]             M_AXI_MM2S_ARSIZE,
    output logic [1:0]             M_AXI_MM2S_ARBURST,
    output logic [3:0]             M_AXI_MM2S_ARCACHE,
    output logic [2:0]             M_AXI_MM2S_ARPROT,
    output logic                   M_AXI_MM2S_ARVALID,
    input  logic                   M_AXI_MM2S_ARREADY,
    input  logic [DataWidth-1:0]   M_AXI_MM2S_RDATA,
    input  logic [1:0]             M_AXI_MM2S_RRESP,
    input  logic                   M_AXI_MM2S_RLAST,
    input  logic                   M_AXI_MM2S_RVALID,
    output logic                   M_AXI_MM2S_RREADY,

    output logic [63:0]            M_AXI_S2MM_AWADDR,
    output logic [7:0]             M_AXI_S2MM_AWLEN,
    output logic [2:0]             M_AXI_S2MM_AWSIZE,
    output logic [1:0]             M_AXI_S2MM_AWBURST,
    output logic [3:0]             M_AXI_S2MM_AWCACHE,
    output logic [2:0]             M_AXI_S2MM_AWPROT,
    output logic                   M_AXI_S2MM_AWVALID,
    input  logic                   M_AXI_S2MM_AWREADY,
    output logic [DataWidth-1:0]   M_AXI_S2MM_WDATA,
    output logic [DataWidth/8-1:0] M_AXI_S2MM_WSTRB,
    output logic                   M_AXI_S2MM_WLAST,
    output logic                   M_AXI_S2MM_WVALID,
    input  logic                   M_AXI_S2MM_WREADY,
    input  logic [1:0]             M_AXI_S2MM_BRESP,
    input  logic                   M_AXI_S2MM_BVALID,
    output logic                   M_AXI_S2MM_BREADY,

    output logic [DataWidth-1:0]   M_AXIS_MM2S_TDATA,
    output logic [DataWidth/8-1:0] M_AXIS_MM2S_TKEEP,
    output logic                   M_AXIS_MM2S_TLAST,
    output logic                   M_AXIS_MM2S_TVALID,
    input  logic                   M_AXIS_MM2S_TREADY,

    input  logic [DataWidth-1:0]   S_AXIS_S2MM_TDATA,
    input  logic [DataWidth/8-1:0] S_AXIS_S2MM_TKEEP,
    input  logic                   S_AXIS_S2MM_TLAST,
    input  logic                   S_AXIS_S2MM_TVALID,
    output logic                   S_AXIS_S2MM_TREADY,

    output logic                   MM2S_INTROUT,
    output logic                   S2MM_INTROUT
);
    import dma_defect_pkg::*;

    if (!(Defect inside {DefectNone, DefectTruncateAddress, DefectWideTail, DefectEarlyDone,
                         DefectHangOnPage})) begin : gen_no_such_defect
        $fatal(1, "split_dma: Defect must be one that this core can plant, got %0d", Defect);
    end

    localparam int unsigned LaneBits = $clog2(DataWidth / 8);
    // Where the writing half's registers begin.
    localparam logic [6:0] S2mmBase = 7'h30;

    // ---- Registers ----

    logic        write, unused_read, writes_s2mm, reads_s2mm;
    logic [6:0]  write_addr, read_addr;
    logic [5:0]  write_offset, read_offset;
    logic [31:0] write_data, read_data, mm2s_read_data, s2mm_read_data;

    axil_slave #(
        .AddrWidth(7)
    ) u_slave (
        .clk_i(ACLK), .rst_ni(ARESETN),
        .awaddr_i(S_AXI_LITE_AWADDR), .awvalid_i(S_AXI_LITE_AWVALID), .awready_o(S_AXI_LITE_AWREADY),
        .wdata_i(S_AXI_LITE_WDATA), .wstrb_i(S_AXI_LITE_WSTRB), .wvalid_i(S_AXI_LITE_WVALID),
        .wready_o(S_AXI_LITE_WREADY), .bresp_o(S_AXI_LITE_BRESP), .bvalid_o(S_AXI_LITE_BVALID),
        .bready_i(S_AXI_LITE_BREADY), .araddr_i(S_AXI_LITE_ARADDR), .arvalid_i(S_AXI_LITE_ARVALID),
        .arready_o(S_AXI_LITE_ARREADY), .rdata_o(S_AXI_LITE_RDATA), .rresp_o(S_AXI_LITE_RRESP),
        .rvalid_o(S_AXI_LITE_RVALID), .rready_i(S_AXI_LITE_RREADY),
        .write_o(write), .write_addr_o(write_addr), .write_data_o(write_data),
        .read_o(unused_read), .read_addr_o(read_addr), .read_data_i(read_data)
    );

    assign writes_s2mm  = write_addr >= S2mmBase;
    assign reads_s2mm   = read_addr >= S2mmBase;
    assign write_offset = 6'(writes_s2mm ? write_addr - S2mmBase : write_addr);
    assign read_offset  = 6'(reads_s2mm ? read_addr - S2mmBase : read_addr);
    assign read_data    = reads_s2mm ? s2mm_read_data : mm2s_read_data;

    // ---- Reading ----

    logic                 mm2s_start, mm2s_busy, mm2s_done;
    logic [1:0]           mm2s_resp;
    logic [AddrWidth-1:0] mm2s_addr, mm2s_bus_addr;
    logic [LenWidth-1:0]  mm2s_length, mm2s_moved;

    split_registers #(
        .AddrWidth(AddrWidth), .LenWidth(LenWidth), .LaneBits(LaneBits), .Defect(Defect)
    ) u_mm2s_registers (
        .clk_i(ACLK), .rst_ni(ARESETN),
        .write_i(write && !writes_s2mm), .write_offset_i(write_offset), .write_data_i(write_data),
        .read_offset_i(read_offset), .read_data_o(mm2s_read_data), .irq_o(MM2S_INTROUT),
        .start_o(mm2s_start), .addr_o(mm2s_addr), .length_o(mm2s_length), .busy_i(mm2s_busy),
        .done_i(mm2s_done), .resp_i(mm2s_resp), .moved_i(mm2s_moved)
    );

    // The whole length was read.
    always_ff @(posedge ACLK) begin
        if (mm2s_start) mm2s_moved <= mm2s_length;
    end

    split_mm2s #(
        .AddrWidth(AddrWidth), .DataWidth(DataWidth), .LenWidth(LenWidth), .MaxBeats(MaxBeats), .Defect(Defect)
    ) u_mm2s (
        .clk_i(ACLK), .rst_ni(ARESETN),
        .start_i(mm2s_start), .addr_i(mm2s_addr), .length_i(mm2s_length),
        .busy_o(mm2s_busy), .done_o(mm2s_done), .resp_o(mm2s_resp),
        .araddr_o(mm2s_bus_addr), .arlen_o(M_AXI_MM2S_ARLEN), .arvalid_o(M_AXI_MM2S_ARVALID),
        .arready_i(M_AXI_MM2S_ARREADY), .rdata_i(M_AXI_MM2S_RDATA), .rresp_i(M_AXI_MM2S_RRESP),
        .rlast_i(M_AXI_MM2S_RLAST), .rvalid_i(M_AXI_MM2S_RVALID), .rready_o(M_AXI_MM2S_RREADY),
        .tdata_o(M_AXIS_MM2S_TDATA), .tkeep_o(M_AXIS_MM2S_TKEEP), .tlast_o(M_AXIS_MM2S_TLAST),
        .tvalid_o(M_AXIS_MM2S_TVALID), .tready_i(M_AXIS_MM2S_TREADY)
    );

    assign M_AXI_MM2S_ARADDR  = 64'(mm2s_bus_addr);
    assign M_AXI_MM2S_ARSIZE  = 3'(LaneBits);
    assign M_AXI_MM2S_ARBURST = 2'b01;
    assign M_AXI_MM2S_ARCACHE = 4'b0011;
    assign M_AXI_MM2S_ARPROT  = 3'b000;

    // ---- Writing ----

    logic                 s2mm_start, s2mm_busy, s2mm_done;
    logic [1:0]           s2mm_resp;
    logic [AddrWidth-1:0] s2mm_addr, s2mm_bus_addr;
    logic [LenWidth-1:0]  s2mm_length, s2mm_moved;

    split_registers #(
        .AddrWidth(AddrWidth), .LenWidth(LenWidth), .LaneBits(LaneBits), .Defect(Defect)
    ) u_s2mm_registers (
        .clk_i(ACLK), .rst_ni(ARESETN),
        .write_i(write && writes_s2mm), .write_offset_i(write_offset), .write_data_i(write_data),
        .read_offset_i(read_offset), .read_data_o(s2mm_read_data), .irq_o(S2MM_INTROUT),
        .start_o(s2mm_start), .addr_o(s2mm_addr), .length_o(s2mm_length), .busy_i(s2mm_busy),
        .done_i(s2mm_done), .resp_i(s2mm_resp), .moved_i(s2mm_moved)
    );

    split_s2mm #(
        .AddrWidth(AddrWidth), .DataWidth(DataWidth), .LenWidth(LenWidth), .MaxBeats(MaxBeats), .Defect(Defect)
    ) u_s2mm (
        .clk_i(ACLK), .rst_ni(ARESETN),
        .start_i(s2mm_start), .addr_i(s2mm_addr), .length_i(s2mm_length),
        .busy_o(s2mm_busy), .done_o(s2mm_done), .resp_o(s2mm_resp), .moved_o(s2mm_moved),
        .awaddr_o(s2mm_bus_addr), .awlen_o(M_AXI_S2MM_AWLEN), .awvalid_o(M_AXI_S2MM_AWVALID),
        .awready_i(M_AXI_S2MM_AWREADY), .wdata_o(M_AXI_S2MM_WDATA), .wstrb_o(M_AXI_S2MM_WSTRB),
        .wlast_o(M_AXI_S2MM_WLAST), .wvalid_o(M_AXI_S2MM_WVALID), .wready_i(M_AXI_S2MM_WREADY),
        .bresp_i(M_AXI_S2MM_BRESP), .bvalid_i(M_AXI_S2MM_BVALID), .bready_o(M_AXI_S2MM_BREADY),
        .tdata_i(S_AXIS_S2MM_TDATA), .tkeep_i(S_AXIS_S2MM_TKEEP), .tlast_i(S_AXIS_S2MM_TLAST),
        .tvalid_i(S_AXIS_S2MM_TVALID), .tready_o(S_AXIS_S2MM_TREADY)
    );

    assign M_AXI_S2MM_AWADDR  = 64'(s2mm_bus_addr);
    assign M_AXI_S2MM_AWSIZE  = 3'(LaneBits);
    assign M_AXI_S2MM_AWBURST = 2'b01;
    assign M_AXI_S2MM_AWCACHE = 4'b0011;
    assign M_AXI_S2MM_AWPROT  = 3'b000;

    logic unused;
    assign unused = unused_read;
endmodule
