// SPDX-License-Identifier: MIT OR Apache-2.0
// Copies memory to memory, one transfer at a time, programmed over AXI4-Lite.
//
// Store and forward: a read burst fills a buffer, a write burst empties it, its B is awaited, and so on. Any
// address and any length. A transfer that would leave the implemented address space is refused.
//
// Registers (32 bits): 00 CTRL, 04 STATUS, 08/0C SRC, 10/14 DST, 18 LEN; see README.md.
module axil_copy #(
    // Address bits implemented; the bus port has 64.
    parameter int unsigned AddrWidth = 40,
    parameter int unsigned DataWidth = 64,
    // Bits of LEN.
    parameter int unsigned LenWidth  = 20,
    parameter int unsigned MaxBeats  = 16,
    parameter int unsigned Defect    = 0
) (
    input  logic                   aclk,
    input  logic                   aresetn,

    input  logic [5:0]             s_axi_awaddr,
    input  logic [2:0]             s_axi_awprot,
    input  logic                   s_axi_awvalid,
    output logic                   s_axi_awready,
    input  logic [31:0]            s_axi_wdata,
    input  logic [3:0]             s_axi_wstrb,
    input  logic                   s_axi_wvalid,
    output logic                   s_axi_wready,
    output logic [1:0]             s_axi_bresp,
    output logic                   s_axi_bvalid,
    input  logic                   s_axi_bready,
    input  logic [5:0]             s_axi_araddr,
    input  logic [2:0]             s_axi_arprot,
    input  logic                   s_axi_arvalid,
    output logic                   s_axi_arready,
    output logic [31:0]            s_axi_rdata,
    output logic [1:0]             s_axi_rresp,
    output logic                   s_axi_rvalid,
    input  logic                   s_axi_rready,

    output logic [3:0]             m_axi_awid,
    output logic [63:0]            m_axi_awaddr,
    output logic [7:0]             m_axi_awlen,
    output logic [2:0]             m_axi_awsize,
    output logic [1:0]             m_axi_awburst,
    output logic                   m_axi_awlock,
    output logic [3:0]             m_axi_awcache,
    output logic [2:0]             m_axi_awprot,
    output logic [3:0]             m_axi_awqos,
    output logic [3:0]             m_axi_awregion,
    output logic                   m_axi_awvalid,
    input  logic                   m_axi_awready,
    output logic [DataWidth-1:0]   m_axi_wdata,
    output logic [DataWidth/8-1:0] m_axi_wstrb,
    output logic                   m_axi_wlast,
    output logic                   m_axi_wvalid,
    input  logic                   m_axi_wready,
    input  logic [3:0]             m_axi_bid,
    input  logic [1:0]             m_axi_bresp,
    input  logic                   m_axi_bvalid,
    output logic                   m_axi_bready,
    output logic [3:0]             m_axi_arid,
    output logic [63:0]            m_axi_araddr,
    output logic [7:0]             m_axi_arlen,
    output logic [2:0]             m_axi_arsize,
    output logic [1:0]             m_axi_arburst,
    output logic                   m_axi_arlock,
    output logic [3:0]             m_axi_arcache,
    output logic [2:0]             m_axi_arprot,
    output logic [3:0]             m_axi_arqos,
    output logic [3:0]             m_axi_arregion,
    output logic                   m_axi_arvalid,
    input  logic                   m_axi_arready,
    input  logic [3:0]             m_axi_rid,
    input  logic [DataWidth-1:0]   m_axi_rdata,
    input  logic [1:0]             m_axi_rresp,
    input  logic                   m_axi_rlast,
    input  logic                   m_axi_rvalid,
    output logic                   m_axi_rready,

    output logic                   irq
);
    import dma_defect_pkg::*;

    if (!(Defect inside {DefectNone, DefectTruncateAddress, DefectIgnoreWriteError, DefectEarlyDone,
                         DefectShortCounter, DefectLateHigh, DefectZeroLength})) begin : gen_no_such_defect
        $fatal(1, "axil_copy: Defect must be one that this core can plant, got %0d", Defect);
    end

    localparam int unsigned BeatBytes = DataWidth / 8;
    localparam int unsigned LaneBits  = $clog2(BeatBytes);
    localparam int unsigned IndexBits = $clog2(MaxBeats);
    // Holds length 0 as 2^LenWidth, for the core that does so by mistake.
    localparam int unsigned LeftBits  = LenWidth + 1;
    // What the core takes of an address: the defect forgets what is above bit 31.
    localparam int unsigned UsedBits  = (Defect == DefectTruncateAddress && AddrWidth > 32) ? 32 : AddrWidth;
    localparam logic [63:0] UsedMask  = (UsedBits == 64) ? '1 : (64'd1 << UsedBits) - 64'd1;

    typedef enum logic [2:0] {
        StIdle,
        StReadAddr,
        StReadData,
        StWrite,
        StResponse
    } state_e;

    // ---- Registers ----

    logic        write, unused_read, starts, accepts, done_q, enable_q;
    logic [5:0]  write_addr, read_addr;
    logic [31:0] write_data, read_data, status;
    logic [2:0]  error_q;
    logic [63:0] src_q, dst_q;
    logic [31:0] src_high_old_q, dst_high_old_q;
    logic [LenWidth-1:0] len_q;
    state_e      state_q;

    axil_slave #(
        .AddrWidth(6)
    ) u_slave (
        .clk_i(aclk), .rst_ni(aresetn),
        .awaddr_i(s_axi_awaddr), .awvalid_i(s_axi_awvalid), .awready_o(s_axi_awready),
        .wdata_i(s_axi_wdata), .wstrb_i(s_axi_wstrb), .wvalid_i(s_axi_wvalid), .wready_o(s_axi_wready),
        .bresp_o(s_axi_bresp), .bvalid_o(s_axi_bvalid), .bready_i(s_axi_bready),
        .araddr_i(s_axi_araddr), .arvalid_i(s_axi_arvalid), .arready_o(s_axi_arready),
        .rdata_o(s_axi_rdata), .rresp_o(s_axi_rresp), .rvalid_o(s_axi_rvalid), .rready_i(s_axi_rready),
        .write_o(write), .write_addr_o(write_addr), .write_data_o(write_data),
        .read_o(unused_read), .read_addr_o(read_addr), .read_data_i(read_data)
    );

    assign status = {28'd0, error_q, done_q};
    assign starts = write && write_addr[5:2] == 4'd0 && write_data[0] && state_q == StIdle;

    always_comb begin
        unique case (read_addr[5:2])
            4'd0:    read_data = {30'd0, enable_q, state_q != StIdle};
            4'd1:    read_data = status;
            4'd2:    read_data = src_q[31:0];
            4'd3:    read_data = src_q[63:32];
            4'd4:    read_data = dst_q[31:0];
            4'd5:    read_data = dst_q[63:32];
            4'd6:    read_data = 32'(len_q);
            default: read_data = '0;
        endcase
    end

    always_ff @(posedge aclk) begin
        if (!aresetn) begin
            enable_q <= 1'b0;
            src_q    <= '0;
            dst_q    <= '0;
            len_q    <= '0;
            src_high_old_q <= '0;
            dst_high_old_q <= '0;
        end else if (write) begin
            unique case (write_addr[5:2])
                4'd0:    enable_q     <= write_data[1];
                4'd2:    src_q[31:0]  <= write_data;
                4'd3:    src_q[63:32] <= write_data;
                4'd4:    dst_q[31:0]  <= write_data;
                4'd5:    dst_q[63:32] <= write_data;
                4'd6:    len_q        <= write_data[LenWidth-1:0];
                default: ;
            endcase
            if (starts) begin
                src_high_old_q <= src_q[63:32];
                dst_high_old_q <= dst_q[63:32];
            end
        end
    end

    // ---- What a start asks for ----

    logic [63:0]         src, dst;
    logic [LeftBits-1:0] len;
    logic                fits;

    always_comb begin
        src = src_q;
        dst = dst_q;
        len = LeftBits'(len_q);
        if (Defect == DefectLateHigh) begin
            src[63:32] = src_high_old_q;
            dst[63:32] = dst_high_old_q;
        end
        if (Defect == DefectShortCounter) len[LenWidth-1] = 1'b0;
        if (Defect == DefectZeroLength && len_q == '0) len = LeftBits'(1) << LenWidth;
        fits = Defect == DefectTruncateAddress || (reaches(src, len) && reaches(dst, len));
    end

    // Whether all bytes are within the implemented address space.
    function automatic logic reaches(logic [63:0] addr, logic [LeftBits-1:0] bytes);
        logic [64:0] last;
        last = 65'(addr) + 65'(bytes) - 65'd1;
        return (bytes == '0) || (last >> AddrWidth) == '0;
    endfunction

    assign accepts = starts && fits && len != '0;

    // ---- Bursts: as much as both a read burst and a write burst may carry ----

    logic [UsedBits-1:0] raddr_q, waddr_q;
    logic [LeftBits-1:0] left_q;
    logic [12:0]         read_bytes, bytes;
    logic [8:0]          read_beats, write_beats, unused_beats;
    logic [LaneBits-1:0] src_lane, dst_lane, shift, last_lane;

    burst_split #(
        .DataWidth(DataWidth), .LenWidth(LeftBits), .MaxBeats(MaxBeats)
    ) u_read_split (
        .addr_i(raddr_q[11:0]), .left_i(left_q), .bytes_o(read_bytes), .beats_o(unused_beats)
    );
    burst_split #(
        .DataWidth(DataWidth), .LenWidth(13), .MaxBeats(MaxBeats)
    ) u_write_split (
        .addr_i(waddr_q[11:0]), .left_i(read_bytes), .bytes_o(bytes), .beats_o(write_beats)
    );

    assign src_lane   = raddr_q[LaneBits-1:0];
    assign dst_lane   = waddr_q[LaneBits-1:0];
    assign shift      = dst_lane - src_lane;
    assign last_lane  = dst_lane + bytes[LaneBits-1:0] - 1'b1;
    assign read_beats = 9'((13'(src_lane) + bytes + 13'(BeatBytes - 1)) >> LaneBits);

    // ---- The engine ----

    logic                 aw_sent_q, w_sent_q, failed_q, is_last_beat, is_last_burst, aw_goes, w_goes;
    logic [IndexBits-1:0] index_q, newer;
    logic [DataWidth-1:0] buffer_q [MaxBeats];
    logic                 finishes;

    assign is_last_burst = left_q == LeftBits'(bytes);
    assign is_last_beat  = index_q == IndexBits'(write_beats - 9'd1);
    assign aw_goes       = m_axi_awvalid && m_axi_awready;
    assign w_goes        = m_axi_wvalid && m_axi_wready;

    always_ff @(posedge aclk) begin
        if (!aresetn) begin
            state_q <= StIdle;
        end else begin
            unique case (state_q)
                StIdle: if (accepts) state_q <= StReadAddr;
                StReadAddr: if (m_axi_arready) state_q <= StReadData;
                StReadData: if (m_axi_rvalid && m_axi_rlast) begin
                    // What could not be read is not written.
                    state_q <= (failed_q || m_axi_rresp[1]) ? StIdle : StWrite;
                end
                StWrite: if ((aw_sent_q || aw_goes) && (w_sent_q || (w_goes && is_last_beat))) begin
                    state_q <= StResponse;
                end
                StResponse: if (m_axi_bvalid) begin
                    if (is_last_burst || (m_axi_bresp[1] && Defect != DefectIgnoreWriteError)) state_q <= StIdle;
                    else state_q <= StReadAddr;
                end
                default: state_q <= StIdle;
            endcase
        end
    end

    always_ff @(posedge aclk) begin
        if (accepts) begin
            raddr_q <= src[UsedBits-1:0];
            waddr_q <= dst[UsedBits-1:0];
            left_q  <= len;
        end else if (state_q == StResponse && m_axi_bvalid) begin
            raddr_q <= raddr_q + UsedBits'(bytes);
            waddr_q <= waddr_q + UsedBits'(bytes);
            left_q  <= left_q - LeftBits'(bytes);
        end
        if (state_q == StReadData && m_axi_rvalid) buffer_q[index_q] <= m_axi_rdata;
        if (state_q == StIdle || state_q == StReadAddr || state_q == StResponse) begin
            index_q   <= '0;
            failed_q  <= 1'b0;
            aw_sent_q <= 1'b0;
            w_sent_q  <= 1'b0;
        end else if (state_q == StReadData) begin
            if (m_axi_rvalid) index_q <= m_axi_rlast ? '0 : index_q + 1'b1;
            if (m_axi_rvalid && m_axi_rresp[1]) failed_q <= 1'b1;
        end else begin
            if (aw_goes) aw_sent_q <= 1'b1;
            if (w_goes) index_q <= index_q + 1'b1;
            if (w_goes && is_last_beat) w_sent_q <= 1'b1;
        end
    end

    // ---- Status: write one to clear ----

    logic read_fails, write_fails;

    assign read_fails  = state_q == StReadData && m_axi_rvalid && m_axi_rlast && (failed_q || m_axi_rresp[1]);
    assign write_fails = state_q == StResponse && m_axi_bvalid && m_axi_bresp[1] && Defect != DefectIgnoreWriteError;

    always_comb begin
        finishes = state_q == StResponse && m_axi_bvalid && is_last_burst;
        if (Defect == DefectEarlyDone) begin
            finishes = state_q == StWrite && w_goes && is_last_beat && is_last_burst;
        end
        finishes = finishes || read_fails || write_fails || (starts && !accepts);
    end

    always_ff @(posedge aclk) begin
        if (!aresetn) begin
            done_q  <= 1'b0;
            error_q <= '0;
        end else begin
            if (write && write_addr[5:2] == 4'd1) begin
                done_q  <= done_q && !write_data[0];
                error_q <= error_q & ~write_data[3:1];
            end
            if (finishes) done_q <= 1'b1;
            if (read_fails) error_q[0] <= 1'b1;
            if (write_fails) error_q[1] <= 1'b1;
            if (starts && !fits) error_q[2] <= 1'b1;
        end
    end

    assign irq = enable_q && done_q;

    // ---- Bus ----

    // A write beat is made of the buffer's beat that ends in it and the one before.
    assign newer = index_q + IndexBits'(dst_lane < src_lane);

    logic [2*DataWidth-1:0] pair;
    assign pair = {buffer_q[newer], buffer_q[newer - 1'b1]};

    always_comb begin
        for (int unsigned lane = 0; lane < BeatBytes; lane++) begin
            m_axi_wstrb[lane] = (index_q != '0 || lane >= 32'(dst_lane)) && (!is_last_beat || lane <= 32'(last_lane));
        end
    end

    assign m_axi_araddr  = 64'(raddr_q) & UsedMask;
    assign m_axi_arlen   = 8'(read_beats - 9'd1);
    assign m_axi_arvalid = state_q == StReadAddr;
    assign m_axi_rready  = state_q == StReadData;
    assign m_axi_awaddr  = 64'(waddr_q) & UsedMask;
    assign m_axi_awlen   = 8'(write_beats - 9'd1);
    assign m_axi_awvalid = state_q == StWrite && !aw_sent_q;
    assign m_axi_wdata   = DataWidth'(pair >> {(LaneBits + 1)'(BeatBytes) - (LaneBits + 1)'(shift), 3'b000});
    assign m_axi_wlast   = is_last_beat;
    assign m_axi_wvalid  = state_q == StWrite && !w_sent_q;
    assign m_axi_bready  = state_q == StResponse;

    assign {m_axi_arid, m_axi_arsize, m_axi_arburst, m_axi_arlock} = {4'd0, 3'(LaneBits), 2'b01, 1'b0};
    assign {m_axi_awid, m_axi_awsize, m_axi_awburst, m_axi_awlock} = {4'd0, 3'(LaneBits), 2'b01, 1'b0};
    assign {m_axi_arcache, m_axi_arprot, m_axi_arqos, m_axi_arregion} = {4'b0011, 3'd0, 4'd0, 4'd0};
    assign {m_axi_awcache, m_axi_awprot, m_axi_awqos, m_axi_awregion} = {4'b0011, 3'd0, 4'd0, 4'd0};

    logic unused;
    assign unused = ^{s_axi_awprot, s_axi_arprot, m_axi_bid, m_axi_rid, m_axi_rresp[0], m_axi_bresp[0],
                      write_addr[1:0], read_addr[1:0], unused_beats, unused_read, src, dst, write_data};
endmodule
