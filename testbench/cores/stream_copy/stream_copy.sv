// SPDX-License-Identifier: MIT OR Apache-2.0
// Copies memory to memory, asked by a stream of descriptors and answering with a stream of statuses.
//
// Any address and any length, several reads outstanding. Read bursts are only issued when the FIFO has room for
// all of their beats; what comes out of it is shifted to the destination's lanes and cut into write bursts. A
// transfer goes on to its end in spite of an error; the status tells the first one.
module stream_copy #(
    parameter int unsigned AddrWidth = 32,
    parameter int unsigned DataWidth = 64,
    parameter int unsigned LenWidth  = 20,
    parameter int unsigned TagWidth  = 8,
    parameter int unsigned MaxBeats  = 16,
    // Beats: a power of two, at least two bursts.
    parameter int unsigned FifoBeats = 64,
    parameter int unsigned Defect    = 0
) (
    input  logic                   clk,
    // Synchronous.
    input  logic                   rst,
    // Low: no new descriptor is taken.
    input  logic                   enable,

    input  logic [AddrWidth-1:0]   s_axis_desc_read_addr,
    input  logic [AddrWidth-1:0]   s_axis_desc_write_addr,
    input  logic [LenWidth-1:0]    s_axis_desc_len,
    input  logic [TagWidth-1:0]    s_axis_desc_tag,
    input  logic                   s_axis_desc_valid,
    output logic                   s_axis_desc_ready,

    // Valid for one cycle: there is no ready.
    output logic [TagWidth-1:0]    m_axis_desc_status_tag,
    output logic [3:0]             m_axis_desc_status_error,
    output logic                   m_axis_desc_status_valid,

    output logic [AddrWidth-1:0]   m_axi_awaddr,
    output logic [7:0]             m_axi_awlen,
    output logic [2:0]             m_axi_awsize,
    output logic [1:0]             m_axi_awburst,
    output logic                   m_axi_awvalid,
    input  logic                   m_axi_awready,
    output logic [DataWidth-1:0]   m_axi_wdata,
    output logic [DataWidth/8-1:0] m_axi_wstrb,
    output logic                   m_axi_wlast,
    output logic                   m_axi_wvalid,
    input  logic                   m_axi_wready,
    input  logic [1:0]             m_axi_bresp,
    input  logic                   m_axi_bvalid,
    output logic                   m_axi_bready,
    output logic [AddrWidth-1:0]   m_axi_araddr,
    output logic [7:0]             m_axi_arlen,
    output logic [2:0]             m_axi_arsize,
    output logic [1:0]             m_axi_arburst,
    output logic                   m_axi_arvalid,
    input  logic                   m_axi_arready,
    input  logic [DataWidth-1:0]   m_axi_rdata,
    input  logic [1:0]             m_axi_rresp,
    input  logic                   m_axi_rlast,
    input  logic                   m_axi_rvalid,
    output logic                   m_axi_rready
);
    import dma_defect_pkg::*;

    if (!(Defect inside {DefectNone, DefectReadCross4K, DefectWideTail, DefectLostRead, DefectEarlyDone,
                         DefectPrefetch, DefectRoundsAddress})) begin : gen_no_such_defect
        $fatal(1, "stream_copy: Defect must be one that this core can plant, got %0d", Defect);
    end

    localparam int unsigned BeatBytes = DataWidth / 8;
    localparam int unsigned LaneBits  = $clog2(BeatBytes);
    localparam int unsigned IndexBits = $clog2(FifoBeats);
    localparam int unsigned RoomBits  = IndexBits + 1;
    localparam int unsigned LeftBits  = LenWidth + 1;
    // Read bursts outstanding when nothing else bounds them, and write bursts.
    localparam int unsigned MaxReads  = 8;
    localparam int unsigned MaxWrites = 8;

    typedef enum logic [3:0] {
        ErrNone        = 4'd0,
        ErrReadSlverr  = 4'd1,
        ErrReadDecerr  = 4'd2,
        ErrWriteSlverr = 4'd3,
        ErrWriteDecerr = 4'd4
    } error_e;

    // ---- Descriptors and statuses ----

    logic                active_q, takes, ends;
    logic [TagWidth-1:0] tag_q;
    error_e              error_q, error_d;

    assign s_axis_desc_ready = enable && !active_q && !rst;
    assign takes             = s_axis_desc_valid && s_axis_desc_ready;

    always_comb begin
        error_d = error_q;
        if (error_q == ErrNone && m_axi_rvalid && m_axi_rready && m_axi_rresp[1]) begin
            error_d = m_axi_rresp[0] ? ErrReadDecerr : ErrReadSlverr;
        end else if (error_q == ErrNone && m_axi_bvalid && m_axi_bresp[1]) begin
            error_d = m_axi_bresp[0] ? ErrWriteDecerr : ErrWriteSlverr;
        end
    end

    always_ff @(posedge clk) begin
        if (rst) active_q <= 1'b0;
        else if (takes) active_q <= 1'b1;
        else if (ends) active_q <= 1'b0;
        error_q <= (rst || takes) ? ErrNone : error_d;
        if (takes) tag_q <= s_axis_desc_tag;
    end

    assign m_axis_desc_status_valid = ends && !rst;
    assign m_axis_desc_status_tag   = tag_q;
    assign m_axis_desc_status_error = error_q;

    logic [AddrWidth-1:0] src, dst;

    always_comb begin
        src = s_axis_desc_read_addr;
        dst = s_axis_desc_write_addr;
        if (Defect == DefectRoundsAddress) begin
            src[LaneBits-1:0] = '0;
            dst[LaneBits-1:0] = '0;
        end
    end

    // ---- Read side ----

    logic [AddrWidth-1:0] raddr_q, araddr_q;
    logic [LeftBits-1:0]  rleft_q;
    logic [12:0]          read_bytes;
    logic [8:0]           read_beats;
    logic [7:0]           arlen_q;
    logic                 arvalid_q, asks, has_room;
    logic [3:0]           reads_q;
    // FIFO entries that no read burst has claimed.
    logic [RoomBits-1:0]  room_q;

    burst_split #(
        .DataWidth(DataWidth), .LenWidth(LeftBits), .MaxBeats(MaxBeats),
        .IgnorePage(Defect == DefectReadCross4K)
    ) u_read_split (
        .addr_i(raddr_q[11:0]), .left_i(rleft_q), .bytes_o(read_bytes), .beats_o(read_beats)
    );

    assign has_room = 32'(room_q) >= 32'(read_beats) || Defect == DefectLostRead;
    assign asks     = rleft_q != '0 && has_room && reads_q != 4'(MaxReads) && (!arvalid_q || m_axi_arready);

    always_ff @(posedge clk) begin
        if (takes) begin
            raddr_q <= src;
        end else if (asks) begin
            raddr_q  <= raddr_q + AddrWidth'(read_bytes);
            araddr_q <= raddr_q;
            arlen_q  <= 8'(read_beats - 9'd1);
        end
    end

    always_ff @(posedge clk) begin
        if (rst) begin
            rleft_q   <= '0;
            arvalid_q <= 1'b0;
            reads_q   <= '0;
        end else begin
            if (takes) begin
                rleft_q <= LeftBits'(s_axis_desc_len);
                if (Defect == DefectPrefetch && s_axis_desc_len != '0) begin
                    rleft_q <= LeftBits'(s_axis_desc_len) + LeftBits'(MaxBeats * BeatBytes);
                end
            end else if (asks) begin
                rleft_q <= rleft_q - LeftBits'(read_bytes);
            end
            if (asks) arvalid_q <= 1'b1;
            else if (m_axi_arready) arvalid_q <= 1'b0;
            reads_q <= reads_q + 4'(asks) - 4'(m_axi_rvalid && m_axi_rready && m_axi_rlast);
        end
    end

    // ---- FIFO ----

    logic [DataWidth-1:0] fifo_q [FifoBeats];
    logic [RoomBits-1:0]  used_q;
    logic [IndexBits-1:0] head_q, tail_q;
    logic                 pushes, pops;

    // A beat without room cannot come, unless room was not asked for.
    assign pushes = m_axi_rvalid && m_axi_rready && used_q != RoomBits'(FifoBeats);

    always_ff @(posedge clk) begin
        if (pushes) fifo_q[tail_q] <= m_axi_rdata;
        if (rst || takes) begin
            head_q <= '0;
            tail_q <= '0;
            used_q <= '0;
            room_q <= RoomBits'(FifoBeats);
        end else begin
            head_q <= head_q + IndexBits'(pops);
            tail_q <= tail_q + IndexBits'(pushes);
            used_q <= used_q + RoomBits'(pushes) - RoomBits'(pops);
            room_q <= room_q + RoomBits'(pops) - (asks ? RoomBits'(read_beats) : '0);
        end
    end

    // ---- Write side ----

    logic [AddrWidth-1:0] waddr_q, awaddr_q;
    logic [LenWidth-1:0]  wleft_q;
    logic [12:0]          write_bytes;
    logic [8:0]           write_beats, beats_left_q;
    logic [7:0]           awlen_q;
    logic                 awvalid_q, writing_q, opens, w_goes;
    logic [3:0]           writes_q;

    burst_split #(
        .DataWidth(DataWidth), .LenWidth(LenWidth), .MaxBeats(MaxBeats)
    ) u_write_split (
        .addr_i(waddr_q[11:0]), .left_i(wleft_q), .bytes_o(write_bytes), .beats_o(write_beats)
    );

    assign opens  = wleft_q != '0 && !writing_q && !awvalid_q && writes_q != 4'(MaxWrites);
    assign w_goes = m_axi_wvalid && m_axi_wready;

    always_ff @(posedge clk) begin
        if (takes) begin
            waddr_q <= dst;
        end else if (opens) begin
            waddr_q  <= waddr_q + AddrWidth'(write_bytes);
            awaddr_q <= waddr_q;
            awlen_q  <= 8'(write_beats - 9'd1);
        end
        if (opens) beats_left_q <= write_beats;
        else if (w_goes) beats_left_q <= beats_left_q - 9'd1;
    end

    always_ff @(posedge clk) begin
        if (rst) begin
            wleft_q   <= '0;
            awvalid_q <= 1'b0;
            writing_q <= 1'b0;
            writes_q  <= '0;
        end else begin
            if (takes) wleft_q <= s_axis_desc_len;
            else if (opens) wleft_q <= wleft_q - LenWidth'(write_bytes);
            if (opens) awvalid_q <= 1'b1;
            else if (m_axi_awready) awvalid_q <= 1'b0;
            if (opens) writing_q <= 1'b1;
            else if (w_goes && m_axi_wlast) writing_q <= 1'b0;
            writes_q <= writes_q + 4'(opens) - 4'(m_axi_bvalid && writes_q != '0);
        end
    end

    assign ends = active_q && rleft_q == '0 && wleft_q == '0 && reads_q == '0 && !arvalid_q && !writing_q
                  && !awvalid_q && (writes_q == '0 || Defect == DefectEarlyDone);

    // ---- From the source's lanes to the destination's ----

    logic [LaneBits-1:0]    shift_q, first_lane_q, last_lane_q, src_lane, dst_lane;
    // Source beats not yet taken from the FIFO.
    logic [LeftBits-1:0]    beats_in_q;
    logic                   primes_q, first_q, is_last_beat;
    logic [DataWidth-1:0]   older_q;
    logic [2*DataWidth-1:0] pair;

    assign src_lane = src[LaneBits-1:0];
    assign dst_lane = dst[LaneBits-1:0];

    // The first write beat needs a second source beat if the data moves towards lower lanes.
    assign pops = used_q != '0 && beats_in_q != '0 && (primes_q || w_goes);

    always_ff @(posedge clk) begin
        if (takes) begin
            shift_q      <= dst_lane - src_lane;
            first_lane_q <= dst_lane;
            last_lane_q  <= dst_lane + s_axis_desc_len[LaneBits-1:0] - 1'b1;
            primes_q     <= dst_lane < src_lane;
            first_q      <= 1'b1;
            beats_in_q   <= (LeftBits'(src_lane) + LeftBits'(s_axis_desc_len) + LeftBits'(BeatBytes - 1)) >> LaneBits;
        end else begin
            if (pops) begin
                older_q    <= fifo_q[head_q];
                primes_q   <= 1'b0;
                beats_in_q <= beats_in_q - 1'b1;
            end
            if (w_goes) first_q <= 1'b0;
        end
    end

    assign pair         = {fifo_q[head_q], older_q};
    assign is_last_beat = m_axi_wlast && wleft_q == '0;

    always_comb begin
        for (int unsigned lane = 0; lane < BeatBytes; lane++) begin
            m_axi_wstrb[lane] = (!first_q || lane >= 32'(first_lane_q))
                                && (!is_last_beat || lane <= 32'(last_lane_q) || Defect == DefectWideTail);
        end
    end

    // ---- Bus ----

    assign m_axi_araddr  = araddr_q;
    assign m_axi_arlen   = arlen_q;
    assign m_axi_arsize  = 3'(LaneBits);
    assign m_axi_arburst = 2'b01;
    assign m_axi_arvalid = arvalid_q;
    assign m_axi_rready  = reads_q != '0;
    assign m_axi_awaddr  = awaddr_q;
    assign m_axi_awlen   = awlen_q;
    assign m_axi_awsize  = 3'(LaneBits);
    assign m_axi_awburst = 2'b01;
    assign m_axi_awvalid = awvalid_q;
    assign m_axi_wdata   = DataWidth'(pair >> {(LaneBits + 1)'(BeatBytes) - (LaneBits + 1)'(shift_q), 3'b000});
    assign m_axi_wlast   = beats_left_q == 9'd1;
    assign m_axi_wvalid  = writing_q && !primes_q && (beats_in_q == '0 || used_q != '0);
    assign m_axi_bready  = 1'b1;
endmodule
