// SPDX-License-Identifier: MIT OR Apache-2.0
// AXI4-Lite registers of which a read launches: reading NEXT_ID takes SRC, DST and LEN as a transfer.
//
// 00/04 SRC, 08/0C DST, 10 LEN, 14 NEXT_ID, 18 DONE_ID, 1C FAILED_ID, 20 STATUS. Whole words only.
module launch_registers #(
    parameter int unsigned AddrWidth = 64,
    parameter int unsigned LenWidth  = 24,
    // Transfers that wait or are in work: a power of two.
    parameter int unsigned Depth     = 4
) (
    input  logic                 clock,
    input  logic                 reset,

    input  logic [5:0]           awaddr_i,
    input  logic                 awvalid_i,
    output logic                 awready_o,
    input  logic [31:0]          wdata_i,
    input  logic [3:0]           wstrb_i,
    input  logic                 wvalid_i,
    output logic                 wready_o,
    output logic                 bvalid_o,
    input  logic                 bready_i,
    input  logic [5:0]           araddr_i,
    input  logic                 arvalid_i,
    output logic                 arready_o,
    output logic [31:0]          rdata_o,
    output logic                 rvalid_o,
    input  logic                 rready_i,

    // The oldest transfer that is not yet done.
    output logic                 valid_o,
    output logic [AddrWidth-1:0] src_o,
    output logic [AddrWidth-1:0] dst_o,
    output logic [LenWidth-1:0]  len_o,
    // High for one cycle: it is done.
    input  logic                 done_i,
    input  logic                 failed_i
);
    localparam int unsigned IndexBits = $clog2(Depth);

    logic [63:0]          src_q, dst_q;
    logic [LenWidth-1:0]  len_q;
    // Ids of the newest transfer that was launched, and done. The first has id 1.
    logic [31:0]          launched_q, done_q, failed_q;
    logic                 writes, reads, launches, is_full, bvalid_q, rvalid_q;
    logic [31:0]          rdata, rdata_q;

    logic [AddrWidth-1:0] queue_src_q [Depth];
    logic [AddrWidth-1:0] queue_dst_q [Depth];
    logic [LenWidth-1:0]  queue_len_q [Depth];

    assign writes    = awvalid_i && wvalid_i && (!bvalid_q || bready_i) && !reset;
    assign awready_o = writes;
    assign wready_o  = writes;
    assign bvalid_o  = bvalid_q;

    assign reads     = arvalid_i && (!rvalid_q || rready_i) && !reset;
    assign arready_o = reads;
    assign rvalid_o  = rvalid_q;
    assign rdata_o   = rdata_q;

    assign is_full  = launched_q - done_q == 32'(Depth);
    assign launches = reads && araddr_i[5:2] == 4'd5 && !is_full;

    always_comb begin
        unique case (araddr_i[5:2])
            4'd0:    rdata = src_q[31:0];
            4'd1:    rdata = src_q[63:32];
            4'd2:    rdata = dst_q[31:0];
            4'd3:    rdata = dst_q[63:32];
            4'd4:    rdata = 32'(len_q);
            4'd5:    rdata = is_full ? '0 : launched_q + 32'd1;
            4'd6:    rdata = done_q;
            4'd7:    rdata = failed_q;
            4'd8:    rdata = 32'(launched_q != done_q);
            default: rdata = '0;
        endcase
    end

    always_ff @(posedge clock or posedge reset) begin
        if (reset) begin
            bvalid_q   <= 1'b0;
            rvalid_q   <= 1'b0;
            rdata_q    <= '0;
            src_q      <= '0;
            dst_q      <= '0;
            len_q      <= '0;
            launched_q <= '0;
            done_q     <= '0;
            failed_q   <= '0;
        end else begin
            if (writes) bvalid_q <= 1'b1;
            else if (bready_i) bvalid_q <= 1'b0;
            if (reads) rvalid_q <= 1'b1;
            else if (rready_i) rvalid_q <= 1'b0;
            if (reads) rdata_q <= rdata;
            if (writes && (&wstrb_i)) begin
                unique case (awaddr_i[5:2])
                    4'd0:    src_q[31:0]  <= wdata_i;
                    4'd1:    src_q[63:32] <= wdata_i;
                    4'd2:    dst_q[31:0]  <= wdata_i;
                    4'd3:    dst_q[63:32] <= wdata_i;
                    4'd4:    len_q        <= wdata_i[LenWidth-1:0];
                    4'd7:    failed_q     <= '0;
                    default: ;
                endcase
            end
            if (launches) launched_q <= launched_q + 32'd1;
            if (done_i) done_q <= done_q + 32'd1;
            if (done_i && failed_i) failed_q <= done_q + 32'd1;
        end
    end

    always_ff @(posedge clock) begin
        if (launches) begin
            queue_src_q[launched_q[IndexBits-1:0]] <= src_q[AddrWidth-1:0];
            queue_dst_q[launched_q[IndexBits-1:0]] <= dst_q[AddrWidth-1:0];
            queue_len_q[launched_q[IndexBits-1:0]] <= len_q;
        end
    end

    assign valid_o = launched_q != done_q;
    assign src_o   = queue_src_q[done_q[IndexBits-1:0]];
    assign dst_o   = queue_dst_q[done_q[IndexBits-1:0]];
    assign len_o   = queue_len_q[done_q[IndexBits-1:0]];

    logic unused;
    assign unused = ^{awaddr_i[1:0], araddr_i[1:0], src_q, dst_q, wdata_i};
endmodule
