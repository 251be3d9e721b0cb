// SPDX-License-Identifier: MIT OR Apache-2.0
// AXI4-Lite front of the register block.
//
// All ready and valid outputs are registers. A write takes effect in the cycle in which the later of its
// address and data is taken, so that a start bit reaches the channels at once; the response follows one cycle
// later. Reads and writes take turns. PROT is ignored. Limits: one write and one read held at a time.
`include "dma_assert.svh"
module dma_axil #(
    // Width of a register address in bits.
    parameter int unsigned AddrWidth = 12
) (
    input  logic                 clk_i,
    input  logic                 rst_ni,

    // AXI4-Lite.
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

    // Register block: one request per cycle, answered in the same cycle.
    output logic                 req_o,
    output logic                 req_is_write_o,
    output logic [AddrWidth-1:0] addr_o,
    output logic [31:0]          wdata_o,
    output logic [31:0]          wmask_o,
    input  logic [31:0]          rdata_i,
    input  logic                 rerror_i,
    input  logic                 werror_i
);
    import dma_pkg::*;

    // Each channel holds at most one item that could not be used at once.
    logic aw_held_q, w_held_q, ar_held_q;
    logic awready_q, wready_q, arready_q;
    logic [AddrWidth-1:0] awaddr_q, araddr_q;
    logic [31:0] wdata_q;
    logic [3:0] wstrb_q;
    logic bvalid_q, rvalid_q;
    logic [1:0] bresp_q, rresp_q;
    logic [31:0] rdata_q;
    logic last_was_write_q;

    logic aw_there, w_there, ar_there;
    logic can_write, can_read, does_write, does_read;
    logic [3:0] wstrb;

    assign aw_there = aw_held_q || (awvalid_i && awready_q);
    assign w_there  = w_held_q || (wvalid_i && wready_q);
    assign ar_there = ar_held_q || (arvalid_i && arready_q);

    assign can_write  = aw_there && w_there && (!bvalid_q || bready_i);
    assign can_read   = ar_there && (!rvalid_q || rready_i);
    assign does_write = can_write && !(can_read && last_was_write_q);
    assign does_read  = can_read && !does_write;

    assign req_o          = does_write || does_read;
    assign req_is_write_o = does_write;
    assign wdata_o        = w_held_q ? wdata_q : wdata_i;
    assign wstrb          = w_held_q ? wstrb_q : wstrb_i;
    assign wmask_o        = {{8{wstrb[3]}}, {8{wstrb[2]}}, {8{wstrb[1]}}, {8{wstrb[0]}}};

    always_comb begin
        if (does_write) addr_o = aw_held_q ? awaddr_q : awaddr_i;
        else addr_o = ar_held_q ? araddr_q : araddr_i;
        // Registers are words: the bus may address any byte in them.
        addr_o[1:0] = 2'b00;
    end

    always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
            aw_held_q        <= 1'b0;
            w_held_q         <= 1'b0;
            ar_held_q        <= 1'b0;
            awready_q        <= 1'b0;
            wready_q         <= 1'b0;
            arready_q        <= 1'b0;
            bvalid_q         <= 1'b0;
            rvalid_q         <= 1'b0;
            last_was_write_q <= 1'b0;
        end else begin
            aw_held_q <= aw_there && !does_write;
            w_held_q  <= w_there && !does_write;
            ar_held_q <= ar_there && !does_read;
            awready_q <= !(aw_there && !does_write);
            wready_q  <= !(w_there && !does_write);
            arready_q <= !(ar_there && !does_read);
            if (does_write) bvalid_q <= 1'b1;
            else if (bready_i) bvalid_q <= 1'b0;
            if (does_read) rvalid_q <= 1'b1;
            else if (rready_i) rvalid_q <= 1'b0;
            if (req_o) last_was_write_q <= does_write;
        end
    end

    always_ff @(posedge clk_i) begin
        if (!aw_held_q) awaddr_q <= awaddr_i;
        if (!w_held_q) wdata_q <= wdata_i;
        if (!w_held_q) wstrb_q <= wstrb_i;
        if (!ar_held_q) araddr_q <= araddr_i;
        if (does_write) bresp_q <= werror_i ? RespSlverr : RespOkay;
        if (does_read) begin
            rdata_q <= rdata_i;
            rresp_q <= rerror_i ? RespSlverr : RespOkay;
        end
    end

    assign awready_o = awready_q;
    assign wready_o  = wready_q;
    assign arready_o = arready_q;
    assign bvalid_o  = bvalid_q;
    assign bresp_o   = bresp_q;
    assign rvalid_o  = rvalid_q;
    assign rdata_o   = rdata_q;
    assign rresp_o   = rresp_q;

    `DMA_ASSERT_STABLE(BStable_A, bvalid_o, bready_i, bresp_o)
    `DMA_ASSERT_STABLE(RStable_A, rvalid_o, rready_i, {rdata_o, rresp_o})
endmodule
