// SPDX-License-Identifier: MIT OR Apache-2.0
// A core that does on command what the border to a model must cope with.
`include "probe_commands.svh"

module probe #(
    parameter int unsigned DataWidth = 64,
    parameter int unsigned IdWidth   = 4
) (
    input  logic                   aclk,
    input  logic                   aresetn,
    input  logic [7:0]             command,
    input  logic                   strap,
    output logic [31:0]            count,
    output logic                   irq,
    // Power-up state that no reset touches.
    output logic [63:0]            remembered,

    output logic [IdWidth-1:0]     m_axi_awid,
    output logic [63:0]            m_axi_awaddr,
    output logic [7:0]             m_axi_awlen,
    output logic [2:0]             m_axi_awsize,
    output logic [1:0]             m_axi_awburst,
    output logic                   m_axi_awvalid,
    input  logic                   m_axi_awready,
    output logic [DataWidth-1:0]   m_axi_wdata,
    output logic [DataWidth/8-1:0] m_axi_wstrb,
    output logic                   m_axi_wlast,
    output logic                   m_axi_wvalid,
    input  logic                   m_axi_wready,
    input  logic [IdWidth-1:0]     m_axi_bid,
    input  logic [1:0]             m_axi_bresp,
    input  logic                   m_axi_bvalid,
    output logic                   m_axi_bready,
    output logic [63:0]            m_axi_araddr,
    output logic [7:0]             m_axi_arlen,
    output logic                   m_axi_arvalid,
    input  logic                   m_axi_arready,
    input  logic [DataWidth-1:0]   m_axi_rdata,
    input  logic                   m_axi_rlast,
    input  logic                   m_axi_rvalid,
    output logic                   m_axi_rready,

    output logic [DataWidth-1:0]   m_axis_tdata,
    output logic                   m_axis_tvalid,
    input  logic                   m_axis_tready
);

    logic [DataWidth-1:0] last_data;
    logic is_settling;

    always_ff @(posedge aclk) begin
        if (!aresetn) begin
            count         <= '0;
            last_data     <= '0;
            m_axi_arvalid <= 1'b0;
            m_axi_awvalid <= 1'b0;
        end else begin
            count <= count + 1;
            if (m_axi_rvalid && m_axi_rready) last_data <= m_axi_rdata;
            m_axi_arvalid <= command == `COMMAND_READ || (m_axi_arvalid && !m_axi_arready);
            // A valid that falls without a ready is against the rules.
            m_axi_awvalid <= command == `COMMAND_WITHDRAW;
        end
    end

    always_ff @(posedge aclk) if (command == `COMMAND_REMEMBER) remembered <= 64'(count);

    always_ff @(posedge aclk) begin
        if (command == `COMMAND_FATAL) $fatal(1, "count is %0d", count);
        if (command == `COMMAND_FINISH) $finish;
        if (command == `COMMAND_STOP) $stop;
        if (command == `COMMAND_ERROR) $error("strange count %0d", count);
        if (command == `COMMAND_DISPLAY) $display("hello from cycle %0d", count);
    end

    CommandIsAllowed_A: assert property (@(posedge aclk) disable iff (!aresetn) command != `COMMAND_ASSERT);

    // Never settles once the command is given.
    assign is_settling = command == `COMMAND_LOOP ? ~is_settling : 1'b0;

    assign irq           = strap || command == `COMMAND_IRQ || is_settling;
    assign m_axi_awid    = '0;
    assign m_axi_awaddr  = 64'h1000;
    assign m_axi_awlen   = '0;
    assign m_axi_awsize  = 3'($clog2(DataWidth / 8));
    assign m_axi_awburst = 2'b01;
    assign m_axi_wdata   = '0;
    assign m_axi_wstrb   = '0;
    assign m_axi_wlast   = 1'b1;
    assign m_axi_wvalid  = 1'b0;
    assign m_axi_bready  = 1'b1;
    assign m_axi_araddr  = 64'hfedc_ba98_7654_3200;
    assign m_axi_arlen   = '0;
    assign m_axi_rready  = 1'b1;
    assign m_axis_tdata  = ~last_data;
    assign m_axis_tvalid = command == `COMMAND_SEND;

    logic unused;
    assign unused = ^{m_axi_awready, m_axi_wready, m_axi_bid, m_axi_bresp, m_axi_bvalid, m_axi_rlast, m_axis_tready};

endmodule
