// SPDX-License-Identifier: MIT OR Apache-2.0
// The registers of one half: 00 CR, 04 SR, 18 ADDR, 1C ADDR_HIGH, 28 LENGTH, which starts.
module split_registers #(
    parameter int unsigned AddrWidth = 36,
    parameter int unsigned LenWidth  = 23,
    parameter int unsigned LaneBits  = 3,
    parameter int unsigned Defect    = 0
) (
    input  logic                 clk_i,
    input  logic                 rst_ni,

    input  logic                 write_i,
    input  logic [5:0]           write_offset_i,
    input  logic [31:0]          write_data_i,
    input  logic [5:0]           read_offset_i,
    output logic [31:0]          read_data_o,
    output logic                 irq_o,

    output logic                 start_o,
    output logic [AddrWidth-1:0] addr_o,
    output logic [LenWidth-1:0]  length_o,
    input  logic                 busy_i,
    // High for one cycle, with the worst response of the transfer and the bytes it moved.
    input  logic                 done_i,
    input  logic [1:0]           resp_i,
    input  logic [LenWidth-1:0]  moved_i
);
    import dma_defect_pkg::*;

    localparam logic [5:0] OffsetCr     = 6'h00;
    localparam logic [5:0] OffsetSr     = 6'h04;
    localparam logic [5:0] OffsetAddr   = 6'h18;
    localparam logic [5:0] OffsetHigh   = 6'h1C;
    localparam logic [5:0] OffsetLength = 6'h28;

    logic                runs_q, done_enable_q, error_enable_q;
    logic                done_q, failed_q, internal_q, slave_q, decode_q;
    logic [63:0]         addr_q;
    logic [LenWidth-1:0] length_q;
    logic                asks, is_astray, is_misaligned, is_empty;

    assign asks          = write_i && write_offset_i == OffsetLength && runs_q && !busy_i;
    assign is_empty      = write_data_i[LenWidth-1:0] == '0;
    assign is_astray     = (addr_q >> AddrWidth) != '0 && Defect != DefectTruncateAddress;
    assign is_misaligned = addr_q[LaneBits-1:0] != '0;

    assign start_o  = asks && !is_astray && !is_misaligned && !is_empty;
    assign addr_o   = (Defect == DefectTruncateAddress) ? AddrWidth'(addr_q[31:0]) : addr_q[AddrWidth-1:0];
    assign length_o = write_data_i[LenWidth-1:0];
    assign irq_o    = (done_q && done_enable_q) || (failed_q && error_enable_q);

    always_comb begin
        unique case (read_offset_i)
            OffsetCr:     read_data_o = {17'd0, error_enable_q, 1'b0, done_enable_q, 11'd0, runs_q};
            OffsetSr:     read_data_o = {17'd0, failed_q, 1'b0, done_q, 5'd0, decode_q, slave_q, internal_q, 2'd0,
                                         !busy_i, !runs_q};
            OffsetAddr:   read_data_o = addr_q[31:0];
            OffsetHigh:   read_data_o = addr_q[63:32];
            OffsetLength: read_data_o = 32'(length_q);
            default:      read_data_o = '0;
        endcase
    end

    always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
            {runs_q, done_enable_q, error_enable_q} <= '0;
            addr_q   <= '0;
            length_q <= '0;
        end else if (write_i) begin
            unique case (write_offset_i)
                OffsetCr: begin
                    runs_q         <= write_data_i[0];
                    done_enable_q  <= write_data_i[12];
                    error_enable_q <= write_data_i[14];
                end
                OffsetAddr: addr_q[31:0]  <= write_data_i;
                OffsetHigh: addr_q[63:32] <= write_data_i;
                default: ;
            endcase
            if (asks) length_q <= write_data_i[LenWidth-1:0];
        end else if (done_i) begin
            length_q <= moved_i;
        end
    end

    // An end that comes with a register write must not be lost: the events win over the clearing.
    always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
            {done_q, failed_q, internal_q, slave_q, decode_q} <= '0;
        end else begin
            if (write_i && write_offset_i == OffsetSr) begin
                if (write_data_i[12]) done_q <= 1'b0;
                if (write_data_i[14]) {failed_q, internal_q, slave_q, decode_q} <= '0;
            end
            if (asks && !start_o) begin
                done_q     <= is_empty && !is_astray && !is_misaligned;
                failed_q   <= is_astray || is_misaligned;
                decode_q   <= is_astray;
                internal_q <= is_misaligned;
            end
            if (done_i) begin
                if (resp_i[1]) failed_q <= 1'b1;
                else done_q <= 1'b1;
                if (resp_i == 2'b10) slave_q <= 1'b1;
                if (resp_i == 2'b11) decode_q <= 1'b1;
            end
        end
    end

    logic unused;
    assign unused = ^write_data_i;
endmodule
