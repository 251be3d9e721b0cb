// SPDX-License-Identifier: MIT OR Apache-2.0
// Rules of AXI-Stream on one stream: watches, never drives.
module axi_stream_rules #(
    // Width of TDATA in bits.
    parameter int unsigned DataWidth = 64,
    // Handed back with each violation, to tell ports apart.
    parameter int          Port      = 0
) (
    input logic                   aclk,
    input logic                   aresetn,
    input logic                   tvalid,
    input logic                   tready,
    input logic [DataWidth-1:0]   tdata,
    input logic [DataWidth/8-1:0] tkeep,
    input logic                   tlast
);

    // Reports a breach: values are (expected or limit or previous, found).
    import "DPI-C" context function void rebound_violation(
        input int port, input string rule, input string section, input string text,
        input longint unsigned value0, input longint unsigned value1);

endmodule
