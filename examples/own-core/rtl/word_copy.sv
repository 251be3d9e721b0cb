// SPDX-License-Identifier: MIT OR Apache-2.0
// Copies words from one place to another, one at a time. Registers over APB:
//   00 SRC, 04 DST: addresses, 24 bits; 08 WORDS: writing starts; 0C STATUS: bit 0 busy, bit 1 failed.
// irq is high when a copy is done, until STATUS is written.
module word_copy (
    input  logic        clk,
    input  logic        rst_n,
    input  logic [3:0]  paddr,
    input  logic        psel,
    input  logic        penable,
    input  logic        pwrite,
    input  logic [31:0] pwdata,
    output logic        pready,
    output logic [31:0] prdata,
    output logic        irq,

    output logic [23:0] m_axi_araddr,
    output logic        m_axi_arvalid,
    input  logic        m_axi_arready,
    input  logic [31:0] m_axi_rdata,
    input  logic [1:0]  m_axi_rresp,
    input  logic        m_axi_rvalid,
    output logic        m_axi_rready,
    output logic [23:0] m_axi_awaddr,
    output logic        m_axi_awvalid,
    input  logic        m_axi_awready,
    output logic [31:0] m_axi_wdata,
    output logic        m_axi_wvalid,
    input  logic        m_axi_wready,
    input  logic [1:0]  m_axi_bresp,
    input  logic        m_axi_bvalid
);
    logic [15:0] left_q;
    logic        busy_q, failed_q;
    wire         writes = psel && penable && pwrite;

    assign pready = 1'b1;
    assign prdata = {30'd0, failed_q, busy_q};
    assign m_axi_rready = 1'b1;

    always_ff @(posedge clk) begin
        if (!rst_n) begin
            {left_q, busy_q, failed_q, irq, m_axi_arvalid, m_axi_awvalid, m_axi_wvalid} <= '0;
        end else begin
            if (writes && paddr == 4'h0) m_axi_araddr <= pwdata[23:0];
            if (writes && paddr == 4'h4) m_axi_awaddr <= pwdata[23:0];
            if (writes && paddr == 4'h8) begin
                left_q <= pwdata[15:0];
                {busy_q, failed_q, m_axi_arvalid} <= 3'b101;
            end
            if (writes && paddr == 4'hc) irq <= 1'b0;
            if (m_axi_arvalid && m_axi_arready) m_axi_arvalid <= 1'b0;
            if (m_axi_awvalid && m_axi_awready) m_axi_awvalid <= 1'b0;
            if (m_axi_wvalid && m_axi_wready) m_axi_wvalid <= 1'b0;
            if (m_axi_rvalid) begin
                m_axi_wdata <= m_axi_rdata;
                {m_axi_awvalid, m_axi_wvalid} <= '1;
                failed_q <= failed_q || m_axi_rresp[1];
            end
            if (m_axi_bvalid) begin
                {m_axi_araddr, m_axi_awaddr} <= {m_axi_araddr + 24'd4, m_axi_awaddr + 24'd4};
                left_q   <= left_q - 16'd1;
                failed_q <= failed_q || m_axi_bresp[1];
                if (left_q == 16'd1) {busy_q, irq} <= 2'b01;
                else m_axi_arvalid <= 1'b1;
            end
        end
    end
endmodule
