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

endmodule
