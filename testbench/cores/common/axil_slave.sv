// SPDX-License-Identifier: MIT OR Apache-2.0
// AXI4-Lite subordinate with 32-bit registers: handshakes only, the registers are the user's.
//
// `write_o` and `read_o` are high for the one cycle in which an access happens; `read_data_i` answers in the
// same cycle. Only whole words are written: a write without all four strobes is answered and ignored.
module axil_slave #(
    parameter int unsigned AddrWidth = 6
) (
    input  logic                 clk_i,
    input  logic                 rst_ni,
    input  logic [AddrWidth-1:0] awaddr_i,
    input  logic                 awvalid_i,
    output logic                 awready_o,
    input  logic [31:0]          wdata_i,
    input  logic [3:0]           wstrb_i,
    input  logic                 wvalid_i,
    output logic                 wready_o,
    output logic [1:0]           bresp_o,
    output logic                 bvalid_o,
    input  logic                 bready_i,
    input  logic [AddrWidth-1:0] araddr_i,
    input  logic                 arvalid_i,
    output logic                 arready_o,
    output logic [31:0]          rdata_o,
    output logic [1:0]           rresp_o,
    output logic                 rvalid_o,
    input  logic                 rready_i,

    output logic                 write_o,
    output logic [AddrWidth-1:0] write_addr_o,
    output logic [31:0]          write_data_o,
    output logic                 read_o,
    output logic [AddrWidth-1:0] read_addr_o,
    input  logic [31:0]          read_data_i
);
    logic takes_write, bvalid_q, rvalid_q;
    logic [31:0] rdata_q;

    assign takes_write  = rst_ni && awvalid_i && wvalid_i && (!bvalid_q || bready_i);
    assign awready_o    = takes_write;
    assign wready_o     = takes_write;
    assign write_o      = takes_write && (&wstrb_i);
    assign write_addr_o = awaddr_i;
    assign write_data_o = wdata_i;
    assign bvalid_o     = bvalid_q;
    assign bresp_o      = 2'b00;

    assign read_o      = rst_ni && arvalid_i && (!rvalid_q || rready_i);
    assign arready_o   = read_o;
    assign read_addr_o = araddr_i;
    assign rvalid_o    = rvalid_q;
    assign rdata_o     = rdata_q;
    assign rresp_o     = 2'b00;

    always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
            bvalid_q <= 1'b0;
            rvalid_q <= 1'b0;
        end else begin
            if (takes_write) bvalid_q <= 1'b1;
            else if (bready_i) bvalid_q <= 1'b0;
            if (read_o) rvalid_q <= 1'b1;
            else if (rready_i) rvalid_q <= 1'b0;
        end
    end

    always_ff @(posedge clk_i) begin
        if (read_o) rdata_q <= read_data_i;
    end
endmodule
