// SPDX-License-Identifier: MIT OR Apache-2.0
// The reading half: memory to stream, without a buffer; one burst at a time.
module split_mm2s #(
    parameter int unsigned AddrWidth = 36,
    parameter int unsigned DataWidth = 64,
    parameter int unsigned LenWidth  = 23,
    parameter int unsigned MaxBeats  = 16,
    parameter int unsigned Defect    = 0
) (
    input  logic                   clk_i,
    input  logic                   rst_ni,
    input  logic                   start_i,
    input  logic [AddrWidth-1:0]   addr_i,
    input  logic [LenWidth-1:0]    length_i,
    output logic                   busy_o,
    output logic                   done_o,
    output logic [1:0]             resp_o,

    output logic [AddrWidth-1:0]   araddr_o,
    output logic [7:0]             arlen_o,
    output logic                   arvalid_o,
    input  logic                   arready_i,
    input  logic [DataWidth-1:0]   rdata_i,
    input  logic [1:0]             rresp_i,
    input  logic                   rlast_i,
    input  logic                   rvalid_i,
    output logic                   rready_o,

    output logic [DataWidth-1:0]   tdata_o,
    output logic [DataWidth/8-1:0] tkeep_o,
    output logic                   tlast_o,
    output logic                   tvalid_o,
    input  logic                   tready_i
);
    import dma_defect_pkg::*;

    localparam int unsigned BeatBytes = DataWidth / 8;

    typedef enum logic [1:0] {
        StIdle,
        StAddr,
        StData,
        StHung
    } state_e;

    state_e               state_q;
    logic [AddrWidth-1:0] addr_q;
    logic [LenWidth-1:0]  left_q;
    logic [1:0]           resp_q, resp;
    logic                 hangs_q, goes;
    logic [12:0]          unused_bytes;
    logic [8:0]           beats;

    burst_split #(
        .DataWidth(DataWidth), .LenWidth(LenWidth), .MaxBeats(MaxBeats)
    ) u_split (
        .addr_i(addr_q[11:0]), .left_i(left_q), .bytes_o(unused_bytes), .beats_o(beats)
    );

    assign goes = rvalid_i && rready_o;
    assign resp = (goes && rresp_i[1] && !resp_q[1]) ? rresp_i : resp_q;

    always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
            state_q <= StIdle;
        end else begin
            unique case (state_q)
                StIdle: if (start_i) state_q <= StAddr;
                StAddr: if (arready_i) state_q <= StData;
                StData: if (goes && rlast_i) state_q <= !tlast_o ? StAddr : hangs_q ? StHung : StIdle;
                default: ;
            endcase
        end
    end

    always_ff @(posedge clk_i) begin
        if (start_i) begin
            addr_q  <= addr_i;
            left_q  <= length_i;
            resp_q  <= '0;
            hangs_q <= Defect == DefectHangOnPage && length_i[11:0] == '0;
        end else if (goes) begin
            addr_q <= addr_q + AddrWidth'(BeatBytes);
            left_q <= tlast_o ? '0 : left_q - LenWidth'(BeatBytes);
            resp_q <= resp;
        end
    end

    assign busy_o = state_q != StIdle;
    assign done_o = state_q == StData && goes && tlast_o && !hangs_q;
    assign resp_o = resp;

    assign araddr_o  = addr_q;
    assign arlen_o   = 8'(beats - 9'd1);
    assign arvalid_o = state_q == StAddr;
    assign rready_o  = state_q == StData && tready_i;

    assign tvalid_o = state_q == StData && rvalid_i;
    assign tdata_o  = rdata_i;
    assign tlast_o  = left_q <= LenWidth'(BeatBytes);

    always_comb begin
        for (int unsigned lane = 0; lane < BeatBytes; lane++) tkeep_o[lane] = lane < 32'(left_q);
    end

    logic unused;
    assign unused = ^unused_bytes;
endmodule
