// SPDX-License-Identifier: MIT OR Apache-2.0
// Faults on the engine's pins, planted to test testbenches: wires only at PlantedFault 0.
//
// Sits between the engine and its outputs. Faults that need to know more than the pins are in dma_splitter,
// dma_read and dma_write.
module dma_fault #(
    parameter int unsigned DataWidth    = 64,
    parameter int unsigned PlantedFault = 0
) (
    input  logic                 clk_i,
    input  logic                 rst_ni,

    input  logic [63:0]          awaddr_i,
    input  logic [2:0]           awsize_i,
    input  logic                 awvalid_i,
    input  logic                 awready_i,
    input  logic [DataWidth-1:0] wdata_i,
    input  logic                 wlast_i,
    input  logic                 wvalid_i,
    input  logic                 wready_i,
    input  logic [63:0]          araddr_i,
    input  logic [1:0]           arburst_i,
    input  logic                 arvalid_i,
    input  logic                 arready_i,
    input  logic [DataWidth-1:0] tdata_i,
    input  logic                 tvalid_i,
    input  logic                 tready_i,
    input  logic                 irq_i,

    output logic [63:0]          awaddr_o,
    output logic [2:0]           awsize_o,
    output logic                 awvalid_o,
    output logic [DataWidth-1:0] wdata_o,
    output logic                 wlast_o,
    output logic [63:0]          araddr_o,
    output logic [1:0]           arburst_o,
    output logic                 arvalid_o,
    output logic [DataWidth-1:0] tdata_o,
    output logic                 tvalid_o,
    output logic                 irq_o
);
    import dma_pkg::*;

    // High in a cycle after one in which the channel waited.
    logic aw_waited, w_waited, ar_waited, t_waited;

    if (PlantedFault == FaultNone) begin : gen_none
        assign {aw_waited, w_waited, ar_waited, t_waited} = '0;
        logic unused_inputs;
        assign unused_inputs = ^{clk_i, rst_ni, awready_i, wvalid_i, wready_i, arready_i, tready_i};
    end else begin : gen_waits
        always_ff @(posedge clk_i) begin
            aw_waited <= rst_ni && awvalid_i && !awready_i && !aw_waited;
            w_waited  <= rst_ni && wvalid_i && !wready_i && !w_waited;
            ar_waited <= rst_ni && arvalid_i && !arready_i && !ar_waited;
            t_waited  <= rst_ni && tvalid_i && !tready_i && !t_waited;
        end
    end

    always_comb begin
        awaddr_o  = awaddr_i;
        awsize_o  = awsize_i;
        awvalid_o = awvalid_i;
        wdata_o   = wdata_i;
        wlast_o   = wlast_i;
        araddr_o  = araddr_i;
        arburst_o = arburst_i;
        arvalid_o = arvalid_i;
        tdata_o   = tdata_i;
        tvalid_o  = tvalid_i;
        irq_o     = irq_i;
        case (PlantedFault)
            FaultAwUnstable:     if (aw_waited) awaddr_o = awaddr_i ^ 64'h40;
            FaultWlastMissing:   wlast_o = 1'b0;
            FaultAwDropped:      awvalid_o = awvalid_i && !(aw_waited && !awready_i);
            FaultArUnstable:     if (ar_waited) araddr_o = araddr_i ^ 64'h40;
            FaultWUnstable:      if (w_waited) wdata_o = ~wdata_i;
            FaultBadBurstType:   arburst_o = 2'b11;
            FaultBadSize:        awsize_o = awsize_i + 3'd1;
            FaultSwappedBytes:   wdata_o = {wdata_i[DataWidth-1:16], wdata_i[7:0], wdata_i[15:8]};
            FaultStreamUnstable: if (t_waited) tdata_o = ~tdata_i;
            FaultStreamDropped:  tvalid_o = tvalid_i && !(t_waited && !tready_i);
            FaultValidInReset:   arvalid_o = arvalid_i || !rst_ni;
            FaultLostInterrupt:  irq_o = 1'b0;
            default:             ;
        endcase
    end
endmodule
