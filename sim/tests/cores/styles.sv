// SPDX-License-Identifier: MIT OR Apache-2.0
// A core whose ports are named and cut in other ways: AXI3, upper case, suffixes, reset high, no TREADY.
module styles (
    input  logic         CLK,
    input  logic         CLK2,
    input  logic         RESET,
    // AXI3, write channels only, an index behind each name, addresses of 36 bits.
    output logic [5:0]   AWID0,
    output logic [35:0]  AWADDR0,
    output logic [3:0]   AWLEN0,
    output logic [1:0]   AWLOCK0,
    output logic         AWVALID0,
    input  logic         AWREADY0,
    output logic [5:0]   WID0,
    output logic [31:0]  WDATA0,
    output logic         WVALID0,
    input  logic         WREADY0,
    input  logic [5:0]   BID0,
    input  logic         BUSER0,
    input  logic         BVALID0,
    // Registers, channel and direction in the name.
    input  logic [4:0]   ctl_aw_addr_i,
    input  logic         ctl_aw_valid_i,
    output logic         ctl_aw_ready_o,
    input  logic [63:0]  ctl_w_data_i,
    input  logic [7:0]   ctl_w_strb_i,
    input  logic         ctl_w_valid_i,
    output logic         ctl_w_ready_o,
    output logic         ctl_b_valid_o,
    input  logic         ctl_b_ready_i,
    input  logic [4:0]   ctl_ar_addr_i,
    input  logic         ctl_ar_valid_i,
    output logic         ctl_ar_ready_o,
    output logic [63:0]  ctl_r_data_o,
    output logic         ctl_r_valid_o,
    input  logic         ctl_r_ready_i,
    // A command of 90 bits in, a status without ready out.
    input  logic [89:0]  cmd_tdata,
    input  logic         cmd_tvalid,
    output logic         cmd_tready,
    output logic [89:0]  status_tdata,
    output logic         status_tvalid,
    output logic [7:0]   level
);

    logic [63:0] register_q;
    logic in_reset_q;

    always_ff @(posedge CLK) begin
        in_reset_q <= RESET;
        if (RESET) register_q <= '0;
        else if (ctl_w_valid_i)
            for (int lane = 0; lane < 8; lane++)
                if (ctl_w_strb_i[lane]) register_q[8*lane +: 8] <= ctl_w_data_i[8*lane +: 8];
    end

    always_ff @(posedge CLK2 or posedge RESET) if (RESET) level <= '0; else level <= level + 8'd1;

    assign AWID0          = BID0;
    assign AWADDR0        = 36'hf_1234_5678;
    assign AWLEN0         = 4'd3;
    assign AWLOCK0        = 2'd2;
    assign AWVALID0       = 1'b0;
    assign WID0           = 6'h3f;
    assign WDATA0         = {31'd0, in_reset_q};
    assign WVALID0        = 1'b0;
    assign ctl_aw_ready_o = 1'b1;
    assign ctl_w_ready_o  = 1'b1;
    assign ctl_b_valid_o  = 1'b0;
    assign ctl_ar_ready_o = 1'b1;
    assign ctl_r_data_o   = register_q;
    assign ctl_r_valid_o  = ctl_ar_valid_i && ctl_ar_addr_i == 5'h18;
    assign cmd_tready     = 1'b1;
    assign status_tdata   = ~cmd_tdata;
    assign status_tvalid  = cmd_tvalid;

endmodule
