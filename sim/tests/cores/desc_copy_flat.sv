// SPDX-License-Identifier: MIT OR Apache-2.0
// desc_copy with plain AXI ports in place of its structs.
module desc_copy_flat
    import desc_copy_pkg::*;
(
    input  logic        clk,
    input  logic        rst,
    input  logic        enable,
    output logic [31:0] axi_aw_addr_o,
    output logic [7:0]  axi_aw_len_o,
    output logic        axi_aw_valid_o,
    input  logic        axi_aw_ready_i,
    output logic [31:0] axi_w_data_o,
    output logic        axi_w_last_o,
    output logic        axi_w_valid_o,
    input  logic        axi_w_ready_i,
    input  logic [1:0]  axi_b_resp_i,
    input  logic        axi_b_valid_i,
    output logic        axi_b_ready_o,
    output logic [31:0] axi_ar_addr_o,
    output logic [7:0]  axi_ar_len_o,
    output logic        axi_ar_valid_o,
    input  logic        axi_ar_ready_i,
    input  logic [31:0] axi_r_data_i,
    input  logic [1:0]  axi_r_resp_i,
    input  logic        axi_r_valid_i,
    output logic        axi_r_ready_o,
    input  logic [83:0] desc_data,
    input  logic        desc_invert,
    input  logic        desc_valid,
    output logic        desc_ready,
    output logic [7:0]  status_tag,
    output logic [1:0]  status_error,
    output logic        status_valid
);

    request_t  request;
    response_t response;

    assign {axi_aw_addr_o, axi_aw_len_o, axi_aw_valid_o, axi_w_data_o, axi_w_last_o, axi_w_valid_o, axi_b_ready_o,
            axi_ar_addr_o, axi_ar_len_o, axi_ar_valid_o, axi_r_ready_o} = request;
    assign response = {axi_aw_ready_i, axi_w_ready_i, axi_b_resp_i, axi_b_valid_i, axi_ar_ready_i, axi_r_data_i,
                       axi_r_resp_i, axi_r_valid_i};

    desc_copy core (
        .axi_o(request),
        .axi_i(response),
        .*
    );

endmodule
