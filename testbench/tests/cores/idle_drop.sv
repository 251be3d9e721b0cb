// SPDX-License-Identifier: MIT OR Apache-2.0
// Writes a stream to memory, a beat a burst, and takes and drops what the stream brings while it is idle.
module idle_drop #(
    // A register that no reset reaches decides about the data.
    parameter bit ForgetsReset = 1'b0
) (
    input  logic        clk,
    input  logic        rst_n,
    // A transfer: go is sampled while busy is low.
    input  logic        go,
    input  logic [31:0] dst,
    input  logic [15:0] words,
    output logic        busy,
    output logic        failed,

    input  logic [31:0] s_axis_tdata,
    input  logic        s_axis_tvalid,
    output logic        s_axis_tready,

    output logic [31:0] m_axi_awaddr,
    output logic        m_axi_awvalid,
    input  logic        m_axi_awready,
    output logic [31:0] m_axi_wdata,
    output logic        m_axi_wvalid,
    input  logic        m_axi_wready,
    input  logic [1:0]  m_axi_bresp,
    input  logic        m_axi_bvalid
);
    logic [15:0] left_q;
    logic        waits_q;   // A write is on the bus.

    assign s_axis_tready = !busy || (!waits_q && left_q != '0);
    wire takes = busy && s_axis_tready && s_axis_tvalid;

    logic inverts_q;
    always_ff @(posedge clk) if (go && words == '0) inverts_q <= 1'b0;
    wire inverts = ForgetsReset && inverts_q;

    always_ff @(posedge clk) begin
        if (!rst_n) begin
            {busy, failed, waits_q, left_q, m_axi_awvalid, m_axi_wvalid} <= '0;
        end else begin
            if (m_axi_awready) m_axi_awvalid <= 1'b0;
            if (m_axi_wready) m_axi_wvalid <= 1'b0;
            if (go && !busy) begin
                {busy, failed} <= 2'b10;
                {left_q, m_axi_awaddr} <= {words, dst - 32'd4};
            end
            if (takes) begin
                m_axi_awaddr <= m_axi_awaddr + 32'd4;
                m_axi_wdata  <= s_axis_tdata ^ {32{inverts}};
                {waits_q, m_axi_awvalid, m_axi_wvalid} <= '1;
                left_q <= left_q - 16'd1;
            end
            if (m_axi_bvalid) begin
                waits_q <= 1'b0;
                failed  <= failed || m_axi_bresp[1];
                busy    <= left_q != '0;
            end
        end
    end
endmodule
