// SPDX-License-Identifier: MIT OR Apache-2.0
// Gives the struct ports of struct_copy plain names: wiring only.
module struct_copy_wrap #(
    parameter int unsigned AddrWidth = 32,
    parameter int unsigned DataWidth = 64,
    parameter int unsigned LenWidth  = 20,
    parameter int unsigned MaxBeats  = 16,
    parameter int unsigned Slots     = 4,
    parameter int unsigned Defect    = 0
) (
    input  logic                   clk_i,
    input  logic                   rst_ni,

    input  logic                   wb_cyc_i,
    input  logic                   wb_stb_i,
    input  logic                   wb_we_i,
    input  logic [4:0]             wb_adr_i,
    input  logic [3:0]             wb_sel_i,
    input  logic [31:0]            wb_dat_i,
    output logic [31:0]            wb_dat_o,
    output logic                   wb_ack_o,
    output logic                   irq_o,

    output logic [AddrWidth-1:0]   axi_aw_addr_o,
    output logic [7:0]             axi_aw_len_o,
    output logic [2:0]             axi_aw_size_o,
    output logic [1:0]             axi_aw_burst_o,
    output logic                   axi_aw_valid_o,
    input  logic                   axi_aw_ready_i,
    output logic [DataWidth-1:0]   axi_w_data_o,
    output logic [DataWidth/8-1:0] axi_w_strb_o,
    output logic                   axi_w_last_o,
    output logic                   axi_w_valid_o,
    input  logic                   axi_w_ready_i,
    input  logic [1:0]             axi_b_resp_i,
    input  logic                   axi_b_valid_i,
    output logic                   axi_b_ready_o,
    output logic [AddrWidth-1:0]   axi_ar_addr_o,
    output logic [7:0]             axi_ar_len_o,
    output logic [2:0]             axi_ar_size_o,
    output logic [1:0]             axi_ar_burst_o,
    output logic                   axi_ar_valid_o,
    input  logic                   axi_ar_ready_i,
    input  logic [DataWidth-1:0]   axi_r_data_i,
    input  logic [1:0]             axi_r_resp_i,
    input  logic                   axi_r_last_i,
    input  logic                   axi_r_valid_i,
    output logic                   axi_r_ready_o
);
    typedef struct packed {
        logic [AddrWidth-1:0] addr;
        logic [7:0]           len;
        logic [2:0]           size;
        logic [1:0]           burst;
    } ax_t;

    typedef struct packed {
        logic [DataWidth-1:0]   data;
        logic [DataWidth/8-1:0] strb;
        logic                   last;
    } w_t;

    typedef struct packed {
        logic [1:0] resp;
    } b_t;

    typedef struct packed {
        logic [DataWidth-1:0] data;
        logic [1:0]           resp;
        logic                 last;
    } r_t;

    typedef struct packed {
        ax_t  aw;
        logic aw_valid;
        w_t   w;
        logic w_valid;
        logic b_ready;
        ax_t  ar;
        logic ar_valid;
        logic r_ready;
    } axi_req_t;

    typedef struct packed {
        logic aw_ready;
        logic w_ready;
        b_t   b;
        logic b_valid;
        logic ar_ready;
        r_t   r;
        logic r_valid;
    } axi_rsp_t;

    axi_req_t req;
    axi_rsp_t rsp;

    struct_copy #(
        .AddrWidth(AddrWidth), .DataWidth(DataWidth), .LenWidth(LenWidth), .MaxBeats(MaxBeats), .Slots(Slots),
        .Defect(Defect), .axi_req_t(axi_req_t), .axi_rsp_t(axi_rsp_t)
    ) u_core (
        .clk_i, .rst_ni, .wb_cyc_i, .wb_stb_i, .wb_we_i, .wb_adr_i, .wb_sel_i, .wb_dat_i, .wb_dat_o, .wb_ack_o,
        .irq_o, .axi_req_o(req), .axi_rsp_i(rsp)
    );

    assign {axi_aw_addr_o, axi_aw_len_o, axi_aw_size_o, axi_aw_burst_o, axi_aw_valid_o} = {req.aw, req.aw_valid};
    assign {axi_w_data_o, axi_w_strb_o, axi_w_last_o, axi_w_valid_o} = {req.w, req.w_valid};
    assign axi_b_ready_o = req.b_ready;
    assign {axi_ar_addr_o, axi_ar_len_o, axi_ar_size_o, axi_ar_burst_o, axi_ar_valid_o} = {req.ar, req.ar_valid};
    assign axi_r_ready_o = req.r_ready;

    assign rsp = '{
        aw_ready: axi_aw_ready_i,
        w_ready: axi_w_ready_i,
        b: '{resp: axi_b_resp_i},
        b_valid: axi_b_valid_i,
        ar_ready: axi_ar_ready_i,
        r: '{data: axi_r_data_i, resp: axi_r_resp_i, last: axi_r_last_i},
        r_valid: axi_r_valid_i
    };
endmodule
