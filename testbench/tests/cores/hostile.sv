// SPDX-License-Identifier: MIT OR Apache-2.0
// A core that looks like the reference engine until it is started, and then does harm.
//
// What it does is chosen when it runs, by the number in the environment variable REBOUND_TEST_HARM, so that
// all kinds share one build. Registers answer with the engine's ID; nothing is ever transferred.
module hostile #(
    parameter int unsigned DataWidth     = 64,
    parameter int unsigned AddrBits      = 32,
    parameter int unsigned AddrMode      = 0,
    parameter int unsigned MaxBurstBeats = 16,
    parameter int unsigned FifoDepth     = 512,
    parameter int unsigned RingDepth     = 64,
    parameter int unsigned MaxReads      = 16,
    parameter int unsigned MaxWrites     = 16,
    parameter int unsigned PlantedFault  = 0
) (
    input  logic                   aclk,
    input  logic                   aresetn,

    input  logic [11:0]            s_axil_awaddr,
    input  logic [2:0]             s_axil_awprot,
    input  logic                   s_axil_awvalid,
    output logic                   s_axil_awready,
    input  logic [31:0]            s_axil_wdata,
    input  logic [3:0]             s_axil_wstrb,
    input  logic                   s_axil_wvalid,
    output logic                   s_axil_wready,
    output logic [1:0]             s_axil_bresp,
    output logic                   s_axil_bvalid,
    input  logic                   s_axil_bready,
    input  logic [11:0]            s_axil_araddr,
    input  logic [2:0]             s_axil_arprot,
    input  logic                   s_axil_arvalid,
    output logic                   s_axil_arready,
    output logic [31:0]            s_axil_rdata,
    output logic [1:0]             s_axil_rresp,
    output logic                   s_axil_rvalid,
    input  logic                   s_axil_rready,

    output logic [3:0]             m_axi_awid,
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
    input  logic [3:0]             m_axi_bid,
    input  logic [1:0]             m_axi_bresp,
    input  logic                   m_axi_bvalid,
    output logic                   m_axi_bready,
    output logic [3:0]             m_axi_arid,
    output logic [63:0]            m_axi_araddr,
    output logic [7:0]             m_axi_arlen,
    output logic [2:0]             m_axi_arsize,
    output logic [1:0]             m_axi_arburst,
    output logic                   m_axi_arvalid,
    input  logic                   m_axi_arready,
    input  logic [3:0]             m_axi_rid,
    input  logic [DataWidth-1:0]   m_axi_rdata,
    input  logic [1:0]             m_axi_rresp,
    input  logic                   m_axi_rlast,
    input  logic                   m_axi_rvalid,
    output logic                   m_axi_rready,

    output logic [DataWidth-1:0]   m_axis_mm2s_tdata,
    output logic [DataWidth/8-1:0] m_axis_mm2s_tkeep,
    output logic                   m_axis_mm2s_tlast,
    output logic                   m_axis_mm2s_tvalid,
    input  logic                   m_axis_mm2s_tready,
    input  logic [DataWidth-1:0]   s_axis_s2mm_tdata,
    input  logic [DataWidth/8-1:0] s_axis_s2mm_tkeep,
    input  logic                   s_axis_s2mm_tlast,
    input  logic                   s_axis_s2mm_tvalid,
    output logic                   s_axis_s2mm_tready,

    output logic                   irq
);
    localparam int HarmFinish    = 1;   // $finish
    localparam int HarmFatal     = 2;   // $fatal
    localparam int HarmStop      = 3;   // $stop
    localparam int HarmError     = 4;   // $error in every cycle
    localparam int HarmLoop      = 5;   // One evaluation never ends.
    localparam int HarmOscillate = 6;   // Combinational logic never settles.
    localparam int HarmAbort     = 7;   // abort()
    localparam int HarmSegfault  = 8;   // A write through a null pointer.
    localparam int HarmDivide    = 9;   // An integer division by zero in C++.
    localparam int HarmExit      = 10;  // exit(0): the process ends, and says that all is well.
    localparam int HarmMute      = 11;  // The registers never answer.
    localparam int HarmFloodBus  = 12;  // A read burst in every cycle, to ever higher addresses.
    localparam int HarmFloodText = 13;  // One evaluation prints without end.
    localparam int HarmFloodIrq  = 14;  // The interrupt never falls, and no status explains it.
    localparam int HarmThrow     = 15;  // A C++ exception that nobody expects.
    localparam int HarmAstray    = 16;  // Writes where nothing is mapped.
    localparam int HarmRevenant  = 17;  // Says done at once, and reads the source of the transfer before.

    int harm = $c32("std::getenv(\"REBOUND_TEST_HARM\") ? std::atoi(std::getenv(\"REBOUND_TEST_HARM\")) : 0");

    // Registers: the ID at 0, else 0; writes only tell a start.
    logic started_q;
    wire  writes = s_axil_awvalid && s_axil_wvalid && s_axil_awready;
    wire  starts = writes && s_axil_wdata[0] && (s_axil_awaddr == 12'h100 || s_axil_awaddr == 12'h200);
    assign s_axil_arready = !s_axil_rvalid && harm != HarmMute;
    assign s_axil_awready = s_axil_awvalid && s_axil_wvalid && !s_axil_bvalid;
    assign s_axil_wready  = s_axil_awready;
    assign {s_axil_bresp, s_axil_rresp} = '0;

    always_ff @(posedge aclk) begin
        if (!aresetn) begin
            {s_axil_rvalid, s_axil_bvalid, started_q, irq} <= '0;
        end else begin
            if (s_axil_rready) s_axil_rvalid <= 1'b0;
            if (s_axil_arvalid && s_axil_arready) begin
                s_axil_rvalid <= 1'b1;
                s_axil_rdata  <= s_axil_araddr == '0 ? 32'h5242_4445 : '0;
            end
            if (s_axil_bready) s_axil_bvalid <= 1'b0;
            if (writes) s_axil_bvalid <= 1'b1;
            if (starts) started_q <= 1'b1;
            if (started_q && harm == HarmFloodIrq) irq <= 1'b1;
            if (writes && s_axil_awaddr == 12'h108) irq <= 1'b0;
            if (starts && harm == HarmRevenant) irq <= 1'b1;
        end
    end

    // verilator lint_off UNOPTFLAT
    logic swings;
    assign swings = started_q && harm == HarmOscillate && !swings;
    // verilator lint_on UNOPTFLAT

    always_ff @(posedge aclk) begin
        if (started_q) begin
            case (harm)
                HarmFinish:    $finish;
                HarmFatal:     $fatal(1, "hostile: this core gives up");
                HarmStop:      $stop;
                HarmError:     $error("hostile: this core complains");
                HarmLoop:      forever $c("asm volatile (\"\");");
                HarmAbort:     $c("std::abort();");
                HarmSegfault:  $c("*static_cast<volatile int*>(nullptr) = 1;");
                HarmDivide:    $c("volatile int zero = 0; zero = 7 / zero;");
                HarmExit:      $c("std::exit(0);");
                HarmThrow:     $c("throw 1;");
                HarmFloodText: forever $display("hostile: one more line");
                default:       ;
            endcase
        end
    end

    // Source addresses, written to 104: of this transfer, and of the one before.
    logic [31:0] source_q, before_q;
    always_ff @(posedge aclk) begin
        if (!aresetn) {source_q, before_q} <= '0;
        else if (writes && s_axil_awaddr == 12'h104) {source_q, before_q} <= {s_axil_wdata, source_q};
    end

    // The bus: silent, one read burst after the other, one read for each start, or one write.
    wire revisits = starts && harm == HarmRevenant && before_q != '0;
    always_ff @(posedge aclk) begin
        if (!aresetn) begin
            m_axi_arvalid <= 1'b0;
            m_axi_araddr  <= '0;
        end else if (harm == HarmRevenant) begin
            if (m_axi_arready) m_axi_arvalid <= 1'b0;
            if (revisits) {m_axi_arvalid, m_axi_araddr} <= {1'b1, 32'd0, before_q & ~32'd7};
        end else if (started_q && harm == HarmFloodBus && (m_axi_arready || !m_axi_arvalid)) begin
            m_axi_arvalid <= 1'b1;
            m_axi_araddr  <= m_axi_araddr + 64'd4096;
        end
    end
    assign m_axi_arid    = {4{swings}};
    assign m_axi_arlen   = harm == HarmRevenant ? 8'd0 : 8'd255;
    assign m_axi_arsize  = 3'd3;
    assign m_axi_arburst = 2'b01;
    assign m_axi_rready  = 1'b1;
    always_ff @(posedge aclk) begin
        if (!aresetn) {m_axi_awvalid, m_axi_wvalid} <= '0;
        else begin
            if (m_axi_awready) m_axi_awvalid <= 1'b0;
            if (m_axi_wready) m_axi_wvalid <= 1'b0;
            if (starts && harm == HarmAstray) {m_axi_awvalid, m_axi_wvalid} <= '1;
        end
    end
    assign {m_axi_awid, m_axi_awlen} = '0;
    assign {m_axi_awsize, m_axi_awburst, m_axi_awaddr} = {3'd3, 2'b01, 64'h00e0_0000};
    assign {m_axi_wdata, m_axi_wstrb, m_axi_wlast} = '1;
    assign m_axi_bready = 1'b1;
    assign {m_axis_mm2s_tdata, m_axis_mm2s_tkeep, m_axis_mm2s_tlast, m_axis_mm2s_tvalid} = '0;
    assign s_axis_s2mm_tready = 1'b0;
endmodule
