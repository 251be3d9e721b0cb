// SPDX-License-Identifier: MIT OR Apache-2.0
// Copies memory to memory over AXI3, programmed over APB; plain Verilog-2001.
//
// Store and forward, one burst at a time. Addresses and lengths are multiples of a beat, others are refused.
// Registers (32 bits): 00 ID, 04 SRC, 08 DST, 0C LEN, 10 COMMAND, 14 STATE, 18 IRQ, 1C MASK; see README.md.
module apb_copy #(
    parameter integer AddrWidth = 32,
    // 32, 64 or 128.
    parameter integer DataWidth = 32,
    // Bits of LEN, 14 to 32.
    parameter integer LenWidth  = 20,
    // 2, 4, 8 or 16: AXI3 has no longer bursts.
    parameter integer MaxBeats  = 16,
    parameter integer IdWidth   = 4,
    // As in dma_defect_pkg: 2, 8, 15, 16 or 24.
    parameter integer Defect    = 0
) (
    input  wire                   CLK,
    input  wire                   RESETn,

    input  wire                   PSEL,
    input  wire                   PENABLE,
    input  wire                   PWRITE,
    input  wire [7:0]             PADDR,
    input  wire [31:0]            PWDATA,
    output reg  [31:0]            PRDATA,
    output wire                   PREADY,
    output wire                   PSLVERR,
    output wire                   IRQ,

    output wire [IdWidth-1:0]     M_AXI_AWID,
    output wire [AddrWidth-1:0]   M_AXI_AWADDR,
    output wire [3:0]             M_AXI_AWLEN,
    output wire [2:0]             M_AXI_AWSIZE,
    output wire [1:0]             M_AXI_AWBURST,
    output wire [1:0]             M_AXI_AWLOCK,
    output wire [3:0]             M_AXI_AWCACHE,
    output wire [2:0]             M_AXI_AWPROT,
    output wire                   M_AXI_AWVALID,
    input  wire                   M_AXI_AWREADY,
    output wire [IdWidth-1:0]     M_AXI_WID,
    output wire [DataWidth-1:0]   M_AXI_WDATA,
    output wire [DataWidth/8-1:0] M_AXI_WSTRB,
    output wire                   M_AXI_WLAST,
    output wire                   M_AXI_WVALID,
    input  wire                   M_AXI_WREADY,
    input  wire [IdWidth-1:0]     M_AXI_BID,
    input  wire [1:0]             M_AXI_BRESP,
    input  wire                   M_AXI_BVALID,
    output wire                   M_AXI_BREADY,
    output wire [IdWidth-1:0]     M_AXI_ARID,
    output wire [AddrWidth-1:0]   M_AXI_ARADDR,
    output wire [3:0]             M_AXI_ARLEN,
    output wire [2:0]             M_AXI_ARSIZE,
    output wire [1:0]             M_AXI_ARBURST,
    output wire [1:0]             M_AXI_ARLOCK,
    output wire [3:0]             M_AXI_ARCACHE,
    output wire [2:0]             M_AXI_ARPROT,
    output wire                   M_AXI_ARVALID,
    input  wire                   M_AXI_ARREADY,
    input  wire [IdWidth-1:0]     M_AXI_RID,
    input  wire [DataWidth-1:0]   M_AXI_RDATA,
    input  wire [1:0]             M_AXI_RRESP,
    input  wire                   M_AXI_RLAST,
    input  wire                   M_AXI_RVALID,
    output wire                   M_AXI_RREADY
);
    localparam DefectWrap64K         = 2;
    localparam DefectIgnoreReadError = 8;
    localparam DefectWlastEarly      = 15;
    localparam DefectAwUnstable      = 16;
    localparam DefectWlastMissing    = 24;

    // log2 of the bytes in a beat.
    localparam LaneBits = (DataWidth == 128) ? 4 : (DataWidth == 64) ? 3 : 2;
    localparam [12:0] BeatBytes = 13'd1 << LaneBits;
    // The longest burst in bytes: at most 16 beats of 16 bytes.
    localparam [12:0] MaxBytes  = MaxBeats[12:0] << LaneBits;

    localparam [2:0] StIdle     = 3'd0;
    localparam [2:0] StReadAddr = 3'd1;
    localparam [2:0] StReadData = 3'd2;
    localparam [2:0] StWrite    = 3'd3;
    localparam [2:0] StResponse = 3'd4;

    localparam [31:0] IdValue = 32'h41504233;

    reg [2:0] state;

    initial begin
        if (Defect != 0 && Defect != DefectWrap64K && Defect != DefectIgnoreReadError
            && Defect != DefectWlastEarly && Defect != DefectAwUnstable && Defect != DefectWlastMissing) begin
            $display("apb_copy: Defect must be one that this core can plant, got %0d", Defect);
            $finish;
        end
    end

    // ---- Registers ----

    reg  [AddrWidth-1:0] src, dst;
    reg  [LenWidth-1:0]  len;
    reg                  done, read_error, write_error, refused, masked_in;
    wire                 busy, writes, commands, misaligned, starts;
    reg                  ends, read_fails, write_fails;

    assign busy       = state != StIdle;
    assign writes     = PSEL && PENABLE && PWRITE;
    assign commands   = writes && PADDR[7:2] == 6'h04 && PWDATA[0];
    assign misaligned = |src[LaneBits-1:0] || |dst[LaneBits-1:0] || |len[LaneBits-1:0];
    assign starts     = commands && !busy && !misaligned && len != {LenWidth{1'b0}};
    assign PREADY     = 1'b1;
    // A second command does not disturb the first.
    assign PSLVERR    = commands && busy;
    assign IRQ        = done && masked_in;

    always @* begin
        PRDATA = 32'd0;
        case (PADDR[7:2])
            6'h00:   PRDATA = IdValue;
            6'h01:   PRDATA[AddrWidth-1:0] = src;
            6'h02:   PRDATA[AddrWidth-1:0] = dst;
            6'h03:   PRDATA[LenWidth-1:0] = len;
            6'h05:   PRDATA = {27'd0, refused, write_error, read_error, done, busy};
            6'h06:   PRDATA = {31'd0, done};
            6'h07:   PRDATA = {31'd0, masked_in};
            default: ;
        endcase
    end

    always @(posedge CLK) begin
        if (!RESETn) begin
            src         <= {AddrWidth{1'b0}};
            dst         <= {AddrWidth{1'b0}};
            len         <= {LenWidth{1'b0}};
            masked_in   <= 1'b0;
            done        <= 1'b0;
            read_error  <= 1'b0;
            write_error <= 1'b0;
            refused     <= 1'b0;
        end else begin
            if (writes) begin
                case (PADDR[7:2])
                    6'h01:   src <= PWDATA[AddrWidth-1:0];
                    6'h02:   dst <= PWDATA[AddrWidth-1:0];
                    6'h03:   len <= PWDATA[LenWidth-1:0];
                    6'h06:   if (PWDATA[0]) done <= 1'b0;
                    6'h07:   masked_in <= PWDATA[0];
                    default: ;
                endcase
            end
            // A new command clears what the last one left.
            if (commands && !busy) begin
                done        <= !starts;
                read_error  <= 1'b0;
                write_error <= 1'b0;
                refused     <= misaligned;
            end
            if (ends) done <= 1'b1;
            if (read_fails) read_error <= 1'b1;
            if (write_fails) write_error <= 1'b1;
        end
    end

    // ---- The burst: up to the transfer's end, either page's end, or the longest ----

    reg  [AddrWidth-1:0] raddr, waddr;
    reg  [LenWidth-1:0]  left;
    wire [12:0]          read_to_page, write_to_page, to_page, most, bytes;
    wire                 is_last_burst;
    wire [3:0]           burst_len;

    assign read_to_page  = 13'd4096 - {1'b0, raddr[11:0]};
    assign write_to_page = 13'd4096 - {1'b0, waddr[11:0]};
    assign to_page       = (read_to_page < write_to_page) ? read_to_page : write_to_page;
    assign most          = (to_page < MaxBytes) ? to_page : MaxBytes;
    assign is_last_burst = left <= {{(LenWidth - 13){1'b0}}, most};
    assign bytes         = is_last_burst ? left[12:0] : most;
    assign burst_len     = bytes[LaneBits+3:LaneBits] - 4'd1;

    function [AddrWidth-1:0] advanced;
        input [AddrWidth-1:0] addr;
        input [12:0]          step;
        begin
            advanced = addr + {{(AddrWidth - 13){1'b0}}, step};
            if (Defect == DefectWrap64K) begin
                advanced = {addr[AddrWidth-1:16], addr[15:0] + {3'd0, step}};
            end
        end
    endfunction

    // ---- The engine ----

    reg  [DataWidth-1:0] beats [0:15];
    reg  [3:0]           index;
    reg                  aw_sent, w_sent, failed, aw_waited;
    wire                 is_last_beat, aw_goes, w_goes, read_is_bad;

    assign is_last_beat = index == burst_len;
    assign aw_goes      = M_AXI_AWVALID && M_AXI_AWREADY;
    assign w_goes       = M_AXI_WVALID && M_AXI_WREADY;
    assign read_is_bad  = (failed || M_AXI_RRESP[1]) && Defect != DefectIgnoreReadError;

    always @* begin
        read_fails  = state == StReadData && M_AXI_RVALID && M_AXI_RLAST && read_is_bad;
        write_fails = state == StResponse && M_AXI_BVALID && M_AXI_BRESP[1];
        ends        = read_fails || write_fails || (state == StResponse && M_AXI_BVALID && is_last_burst);
    end

    always @(posedge CLK) begin
        if (!RESETn) begin
            state <= StIdle;
        end else begin
            case (state)
                StIdle:     if (starts) state <= StReadAddr;
                StReadAddr: if (M_AXI_ARREADY) state <= StReadData;
                // What could not be read is not written.
                StReadData: if (M_AXI_RVALID && M_AXI_RLAST) state <= read_is_bad ? StIdle : StWrite;
                StWrite:    if ((aw_sent || aw_goes) && (w_sent || (w_goes && is_last_beat))) state <= StResponse;
                StResponse: if (M_AXI_BVALID) state <= ends ? StIdle : StReadAddr;
                default:    state <= StIdle;
            endcase
        end
    end

    always @(posedge CLK) begin
        if (starts) begin
            raddr <= src;
            waddr <= dst;
            left  <= len;
        end else if (state == StResponse && M_AXI_BVALID) begin
            raddr <= advanced(raddr, bytes);
            waddr <= advanced(waddr, bytes);
            left  <= left - {{(LenWidth - 13){1'b0}}, bytes};
        end
    end

    always @(posedge CLK) begin
        aw_waited <= M_AXI_AWVALID && !M_AXI_AWREADY;
        if (state == StReadData) begin
            if (M_AXI_RVALID) begin
                beats[index] <= M_AXI_RDATA;
                index        <= M_AXI_RLAST ? 4'd0 : index + 4'd1;
                failed       <= failed || M_AXI_RRESP[1];
            end
        end else if (state == StWrite) begin
            if (aw_goes) aw_sent <= 1'b1;
            if (w_goes) index <= index + 4'd1;
            if (w_goes && is_last_beat) w_sent <= 1'b1;
        end else begin
            index   <= 4'd0;
            failed  <= 1'b0;
            aw_sent <= 1'b0;
            w_sent  <= 1'b0;
        end
    end

    // ---- Bus ----

    wire [AddrWidth-1:0] astray;
    wire                 is_longest;

    // While AWREADY is low, the address goes one beat on in every second cycle.
    assign astray     = (Defect == DefectAwUnstable && aw_waited)
                        ? {{(AddrWidth - 13){1'b0}}, BeatBytes} : {AddrWidth{1'b0}};
    assign is_longest = burst_len == 4'd15;

    assign M_AXI_ARADDR  = raddr;
    assign M_AXI_ARLEN   = burst_len;
    assign M_AXI_ARVALID = state == StReadAddr;
    assign M_AXI_RREADY  = state == StReadData;
    assign M_AXI_AWADDR  = waddr ^ astray;
    assign M_AXI_AWLEN   = burst_len;
    assign M_AXI_AWVALID = state == StWrite && !aw_sent;
    assign M_AXI_WDATA   = beats[index];
    assign M_AXI_WSTRB   = {DataWidth/8{1'b1}};
    assign M_AXI_WLAST   = (Defect == DefectWlastEarly && is_longest) ? index == 4'd14
                           : (Defect == DefectWlastMissing && is_longest) ? 1'b0 : is_last_beat;
    assign M_AXI_WVALID  = state == StWrite && !w_sent;
    assign M_AXI_BREADY  = state == StResponse;

    assign M_AXI_ARID    = {IdWidth{1'b0}};
    assign M_AXI_ARSIZE  = LaneBits[2:0];
    assign M_AXI_ARBURST = 2'b01;
    assign M_AXI_ARLOCK  = 2'b00;
    assign M_AXI_ARCACHE = 4'b0011;
    assign M_AXI_ARPROT  = 3'b000;
    assign M_AXI_AWID    = {IdWidth{1'b0}};
    assign M_AXI_AWSIZE  = LaneBits[2:0];
    assign M_AXI_AWBURST = 2'b01;
    assign M_AXI_AWLOCK  = 2'b00;
    assign M_AXI_AWCACHE = 4'b0011;
    assign M_AXI_AWPROT  = 3'b000;
    assign M_AXI_WID     = {IdWidth{1'b0}};

    wire unused;
    assign unused = ^{PADDR[1:0], PWDATA, M_AXI_BID, M_AXI_BRESP[0], M_AXI_RID, M_AXI_RRESP[0], bytes[LaneBits-1:0],
                      bytes[12:LaneBits+4]};
endmodule
