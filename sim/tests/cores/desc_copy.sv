// SPDX-License-Identifier: MIT OR Apache-2.0
// Copies words as descriptors say, with AXI4 in two packed structs and a status that has no ready.
package desc_copy_pkg;
    typedef struct packed {
        logic [31:0] aw_addr;
        logic [7:0]  aw_len;
        logic        aw_valid;
        logic [31:0] w_data;
        logic        w_last;
        logic        w_valid;
        logic        b_ready;
        logic [31:0] ar_addr;
        logic [7:0]  ar_len;
        logic        ar_valid;
        logic        r_ready;
    } request_t;

    typedef struct packed {
        logic        aw_ready;
        logic        w_ready;
        logic [1:0]  b_resp;
        logic        b_valid;
        logic        ar_ready;
        logic [31:0] r_data;
        logic [1:0]  r_resp;
        logic        r_valid;
    } response_t;
endpackage

module desc_copy
    import desc_copy_pkg::*;
(
    input  logic        clk,
    input  logic        rst,
    input  logic        enable,
    output request_t    axi_o,
    input  response_t   axi_i,
    // Descriptor: two addresses, length and tag in one vector, and a flag of its own.
    input  logic [83:0] desc_data,
    input  logic        desc_invert,
    input  logic        desc_valid,
    output logic        desc_ready,
    // Status, for one cycle.
    output logic [7:0]  status_tag,
    output logic [1:0]  status_error,
    output logic        status_valid
);

    typedef enum logic [2:0] {Idle, ReadAddress, ReadData, WriteAddress, WriteData, WriteAnswer} state_e;
    state_e      state_q;
    logic [31:0] from_q, to_q, word_q;
    logic [11:0] left_q;
    logic [7:0]  tag_q;
    logic        invert_q, aw_sent_q, w_sent_q;
    logic [1:0]  error_q;

    assign desc_ready = state_q == Idle && enable;

    always_comb begin
        axi_o          = '0;
        axi_o.ar_addr  = from_q;
        axi_o.ar_valid = state_q == ReadAddress;
        axi_o.r_ready  = state_q == ReadData;
        axi_o.aw_addr  = to_q;
        axi_o.aw_valid = state_q == WriteAddress && !aw_sent_q;
        axi_o.w_data   = invert_q ? ~word_q : word_q;
        axi_o.w_last   = 1'b1;
        axi_o.w_valid  = state_q == WriteAddress && !w_sent_q;
        axi_o.b_ready  = state_q == WriteAnswer;
    end

    always_ff @(posedge clk) begin
        status_valid <= 1'b0;
        unique case (state_q)
            Idle: if (desc_valid && desc_ready) begin
                {tag_q, left_q, to_q, from_q} <= desc_data;
                invert_q <= desc_invert;
                error_q  <= '0;
                state_q  <= ReadAddress;
            end
            ReadAddress: if (axi_i.ar_ready) state_q <= ReadData;
            ReadData: if (axi_i.r_valid) begin
                word_q    <= axi_i.r_data;
                error_q   <= error_q | axi_i.r_resp;
                aw_sent_q <= 1'b0;
                w_sent_q  <= 1'b0;
                state_q   <= WriteAddress;
            end
            WriteAddress: begin
                aw_sent_q <= aw_sent_q || axi_i.aw_ready;
                w_sent_q  <= w_sent_q || axi_i.w_ready;
                if ((aw_sent_q || axi_i.aw_ready) && (w_sent_q || axi_i.w_ready)) state_q <= WriteAnswer;
            end
            default: if (axi_i.b_valid) begin
                from_q  <= from_q + 32'd4;
                to_q    <= to_q + 32'd4;
                left_q  <= left_q - 12'd4;
                error_q <= error_q | axi_i.b_resp;
                state_q <= left_q <= 12'd4 ? Idle : ReadAddress;
                if (left_q <= 12'd4) begin
                    status_valid <= 1'b1;
                    status_tag   <= tag_q;
                    status_error <= error_q | axi_i.b_resp;
                end
            end
        endcase
        if (rst) begin
            state_q      <= Idle;
            status_valid <= 1'b0;
        end
    end

endmodule
