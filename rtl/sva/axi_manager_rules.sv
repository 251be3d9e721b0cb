// SPDX-License-Identifier: MIT OR Apache-2.0
// Rules of AXI4 (and AXI3) on one manager port: watches, never drives.
module axi_manager_rules #(
    // Width of AxADDR in bits.
    parameter int unsigned AddrWidth = 64,
    // Width of WDATA and RDATA in bits.
    parameter int unsigned DataWidth = 64,
    // Width of the ids in bits.
    parameter int unsigned IdWidth   = 4,
    // Handed back with each violation, to tell ports apart.
    parameter int          Port      = 0,
    // Most read bursts outstanding that the core promises; 0 = not checked.
    parameter int unsigned MaxReads  = 0,
    // Most write bursts outstanding that the core promises; 0 = not checked.
    parameter int unsigned MaxWrites = 0,
    // 1 for an AXI3 port: bursts of at most 16 beats, locked accesses, WID.
    parameter bit          Axi3      = 1'b0
) (
    input logic                   aclk,
    input logic                   aresetn,
    input logic [IdWidth-1:0]     awid,
    input logic [AddrWidth-1:0]   awaddr,
    input logic [7:0]             awlen,
    input logic [2:0]             awsize,
    input logic [1:0]             awburst,
    input logic [1:0]             awlock,
    input logic [3:0]             awcache,
    input logic [2:0]             awprot,
    input logic [3:0]             awqos,
    input logic                   awvalid,
    input logic                   awready,
    input logic [IdWidth-1:0]     wid,
    input logic [DataWidth-1:0]   wdata,
    input logic [DataWidth/8-1:0] wstrb,
    input logic                   wlast,
    input logic                   wvalid,
    input logic                   wready,
    input logic [IdWidth-1:0]     bid,
    input logic [1:0]             bresp,
    input logic                   bvalid,
    input logic                   bready,
    input logic [IdWidth-1:0]     arid,
    input logic [AddrWidth-1:0]   araddr,
    input logic [7:0]             arlen,
    input logic [2:0]             arsize,
    input logic [1:0]             arburst,
    input logic [1:0]             arlock,
    input logic [3:0]             arcache,
    input logic [2:0]             arprot,
    input logic [3:0]             arqos,
    input logic                   arvalid,
    input logic                   arready,
    input logic [IdWidth-1:0]     rid,
    input logic [DataWidth-1:0]   rdata,
    input logic [1:0]             rresp,
    input logic                   rlast,
    input logic                   rvalid,
    input logic                   rready
);

    // Reports a breach: values are (expected or limit or previous, found).
    import "DPI-C" context function void rebound_violation(
        input int port, input string rule, input string section, input string text,
        input longint unsigned value0, input longint unsigned value1);

endmodule
