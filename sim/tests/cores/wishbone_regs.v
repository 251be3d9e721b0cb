// SPDX-License-Identifier: MIT OR Apache-2.0
// Four registers behind a Wishbone port that counts words; a read of the fourth starts a count and returns its id.
module wishbone_regs (
    input  wire        clk_i,
    input  wire        rst_i,
    input  wire [3:0]  wbs_adr_i,
    input  wire [31:0] wbs_dat_i,
    output reg  [31:0] wbs_dat_o,
    input  wire        wbs_we_i,
    input  wire [3:0]  wbs_sel_i,
    input  wire        wbs_cyc_i,
    input  wire        wbs_stb_i,
    output reg         wbs_ack_o,
    output reg         wbs_err_o,
    output reg         wbs_rty_o,
    // A manager that never asks, since every device has one.
    output wire [31:0] m_axi_araddr,
    output wire        m_axi_arvalid,
    input  wire        m_axi_arready,
    input  wire [31:0] m_axi_rdata,
    input  wire        m_axi_rvalid
);

    reg [31:0] registers [0:1];
    reg [7:0]  launched, done;
    reg [3:0]  wait_left;
    reg        has_retried;

    wire is_asked = wbs_cyc_i && wbs_stb_i && !wbs_ack_o && !wbs_err_o && !wbs_rty_o;
    integer lane;

    assign m_axi_araddr  = 32'd0;
    assign m_axi_arvalid = 1'b0;

    always @(posedge clk_i) begin
        wbs_ack_o <= 1'b0;
        wbs_err_o <= 1'b0;
        wbs_rty_o <= 1'b0;
        if (wait_left != 4'd0) wait_left <= wait_left - 4'd1;
        else if (done != launched) done <= done + 8'd1;
        if (is_asked) begin
            has_retried <= !has_retried;
            if (!has_retried) begin
                // Each cycle is asked to be tried again once.
                wbs_rty_o <= 1'b1;
            end else if (wbs_adr_i > 4'd3) begin
                wbs_err_o <= 1'b1;
            end else begin
                wbs_ack_o <= 1'b1;
                wbs_dat_o <= wbs_adr_i == 4'd2 ? {24'd0, done} : wbs_adr_i == 4'd3 ? {24'd0, launched + 8'd1}
                             : registers[wbs_adr_i[0]];
                if (!wbs_we_i && wbs_adr_i == 4'd3) begin
                    launched  <= launched + 8'd1;
                    wait_left <= 4'd15;
                end
                for (lane = 0; lane < 4; lane = lane + 1)
                    if (wbs_we_i && wbs_sel_i[lane] && wbs_adr_i < 4'd2)
                        registers[wbs_adr_i[0]][8*lane +: 8] <= wbs_dat_i[8*lane +: 8];
            end
        end
        if (rst_i) begin
            launched    <= 8'd254;
            done        <= 8'd254;
            wait_left   <= 4'd0;
            has_retried <= 1'b0;
            registers[0] <= 32'd0;
            registers[1] <= 32'd0;
        end
    end

endmodule
