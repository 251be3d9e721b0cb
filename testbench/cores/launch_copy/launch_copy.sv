// SPDX-License-Identifier: MIT OR Apache-2.0
// Copies memory to memory with two reads in flight under two ids, which may be answered in any order.
//
// Any address and any length. A transfer is cut into chunks that are one read burst and one write burst each;
// chunks take two slots in turn, and a slot's number is its read's id. A read of a register launches a transfer.
// The ports are named as a generator does it: a bundle to read and one to write, each with all five channels.
module launch_copy #(
    parameter int unsigned AddrWidth = 64,
    parameter int unsigned DataWidth = 64,
    parameter int unsigned LenWidth  = 24,
    parameter int unsigned MaxBeats  = 16,
    parameter int unsigned IdWidth   = 2,
    parameter int unsigned Defect    = 0
) (
    input  logic                   clock,
    // Asynchronous.
    input  logic                   reset,

    input  logic [5:0]             io_control_aw_awaddr,
    input  logic                   io_control_aw_awvalid,
    output logic                   io_control_aw_awready,
    input  logic [31:0]            io_control_w_wdata,
    input  logic [3:0]             io_control_w_wstrb,
    input  logic                   io_control_w_wvalid,
    output logic                   io_control_w_wready,
    output logic [1:0]             io_control_b_bresp,
    output logic                   io_control_b_bvalid,
    input  logic                   io_control_b_bready,
    input  logic [5:0]             io_control_ar_araddr,
    input  logic                   io_control_ar_arvalid,
    output logic                   io_control_ar_arready,
    output logic [31:0]            io_control_r_rdata,
    output logic [1:0]             io_control_r_rresp,
    output logic                   io_control_r_rvalid,
    input  logic                   io_control_r_rready,

    output logic [IdWidth-1:0]     io_read_aw_awid,
    output logic [AddrWidth-1:0]   io_read_aw_awaddr,
    output logic [7:0]             io_read_aw_awlen,
    output logic [2:0]             io_read_aw_awsize,
    output logic [1:0]             io_read_aw_awburst,
    output logic                   io_read_aw_awlock,
    output logic [3:0]             io_read_aw_awcache,
    output logic [2:0]             io_read_aw_awprot,
    output logic [3:0]             io_read_aw_awqos,
    output logic                   io_read_aw_awvalid,
    input  logic                   io_read_aw_awready,
    output logic [DataWidth-1:0]   io_read_w_wdata,
    output logic [DataWidth/8-1:0] io_read_w_wstrb,
    output logic                   io_read_w_wlast,
    output logic                   io_read_w_wvalid,
    input  logic                   io_read_w_wready,
    input  logic [IdWidth-1:0]     io_read_b_bid,
    input  logic [1:0]             io_read_b_bresp,
    input  logic                   io_read_b_bvalid,
    output logic                   io_read_b_bready,
    output logic [IdWidth-1:0]     io_read_ar_arid,
    output logic [AddrWidth-1:0]   io_read_ar_araddr,
    output logic [7:0]             io_read_ar_arlen,
    output logic [2:0]             io_read_ar_arsize,
    output logic [1:0]             io_read_ar_arburst,
    output logic                   io_read_ar_arlock,
    output logic [3:0]             io_read_ar_arcache,
    output logic [2:0]             io_read_ar_arprot,
    output logic [3:0]             io_read_ar_arqos,
    output logic                   io_read_ar_arvalid,
    input  logic                   io_read_ar_arready,
    input  logic [IdWidth-1:0]     io_read_r_rid,
    input  logic [DataWidth-1:0]   io_read_r_rdata,
    input  logic [1:0]             io_read_r_rresp,
    input  logic                   io_read_r_rlast,
    input  logic                   io_read_r_rvalid,
    output logic                   io_read_r_rready,

    output logic [IdWidth-1:0]     io_write_aw_awid,
    output logic [AddrWidth-1:0]   io_write_aw_awaddr,
    output logic [7:0]             io_write_aw_awlen,
    output logic [2:0]             io_write_aw_awsize,
    output logic [1:0]             io_write_aw_awburst,
    output logic                   io_write_aw_awlock,
    output logic [3:0]             io_write_aw_awcache,
    output logic [2:0]             io_write_aw_awprot,
    output logic [3:0]             io_write_aw_awqos,
    output logic                   io_write_aw_awvalid,
    input  logic                   io_write_aw_awready,
    output logic [DataWidth-1:0]   io_write_w_wdata,
    output logic [DataWidth/8-1:0] io_write_w_wstrb,
    output logic                   io_write_w_wlast,
    output logic                   io_write_w_wvalid,
    input  logic                   io_write_w_wready,
    input  logic [IdWidth-1:0]     io_write_b_bid,
    input  logic [1:0]             io_write_b_bresp,
    input  logic                   io_write_b_bvalid,
    output logic                   io_write_b_bready,
    output logic [IdWidth-1:0]     io_write_ar_arid,
    output logic [AddrWidth-1:0]   io_write_ar_araddr,
    output logic [7:0]             io_write_ar_arlen,
    output logic [2:0]             io_write_ar_arsize,
    output logic [1:0]             io_write_ar_arburst,
    output logic                   io_write_ar_arlock,
    output logic [3:0]             io_write_ar_arcache,
    output logic [2:0]             io_write_ar_arprot,
    output logic [3:0]             io_write_ar_arqos,
    output logic                   io_write_ar_arvalid,
    input  logic                   io_write_ar_arready,
    input  logic [IdWidth-1:0]     io_write_r_rid,
    input  logic [DataWidth-1:0]   io_write_r_rdata,
    input  logic [1:0]             io_write_r_rresp,
    input  logic                   io_write_r_rlast,
    input  logic                   io_write_r_rvalid,
    output logic                   io_write_r_rready
);
    import dma_defect_pkg::*;

    if (!(Defect inside {DefectNone, DefectWrap4G, DefectIgnoreWriteError, DefectStaleReset,
                         DefectMixedIds})) begin : gen_no_such_defect
        $fatal(1, "launch_copy: Defect must be one that this core can plant, got %0d", Defect);
    end

    localparam int unsigned BeatBytes = DataWidth / 8;
    localparam int unsigned LaneBits  = $clog2(BeatBytes);
    localparam int unsigned IndexBits = $clog2(MaxBeats);

    // ---- Transfers ----

    logic                 waits, active_q, ends, failed_q, takes;
    logic [AddrWidth-1:0] src, dst;
    logic [LenWidth-1:0]  len;

    launch_registers #(
        .AddrWidth(AddrWidth), .LenWidth(LenWidth)
    ) u_registers (
        .clock, .reset,
        .awaddr_i(io_control_aw_awaddr), .awvalid_i(io_control_aw_awvalid), .awready_o(io_control_aw_awready),
        .wdata_i(io_control_w_wdata), .wstrb_i(io_control_w_wstrb), .wvalid_i(io_control_w_wvalid),
        .wready_o(io_control_w_wready), .bvalid_o(io_control_b_bvalid), .bready_i(io_control_b_bready),
        .araddr_i(io_control_ar_araddr), .arvalid_i(io_control_ar_arvalid), .arready_o(io_control_ar_arready),
        .rdata_o(io_control_r_rdata), .rvalid_o(io_control_r_rvalid), .rready_i(io_control_r_rready),
        .valid_o(waits), .src_o(src), .dst_o(dst), .len_o(len), .done_i(ends), .failed_i(failed_q)
    );

    assign io_control_b_bresp = 2'b00;
    assign io_control_r_rresp = 2'b00;

    // ---- Chunks: what both a read burst and a write burst may carry ----

    logic [AddrWidth-1:0] raddr_q, waddr_q;
    logic [LenWidth-1:0]  left_q;
    logic [12:0]          read_bytes, bytes;
    logic [8:0]           unused_beats, unused_more_beats, read_beats;

    burst_split #(
        .DataWidth(DataWidth), .LenWidth(LenWidth), .MaxBeats(MaxBeats)
    ) u_read_split (
        .addr_i(raddr_q[11:0]), .left_i(left_q), .bytes_o(read_bytes), .beats_o(unused_beats)
    );
    burst_split #(
        .DataWidth(DataWidth), .LenWidth(13), .MaxBeats(MaxBeats)
    ) u_write_split (
        .addr_i(waddr_q[11:0]), .left_i(read_bytes), .bytes_o(bytes), .beats_o(unused_more_beats)
    );

    assign read_beats = 9'((13'(raddr_q[LaneBits-1:0]) + bytes + 13'(BeatBytes - 1)) >> LaneBits);

    function automatic logic [AddrWidth-1:0] advanced(logic [AddrWidth-1:0] addr, logic [12:0] step);
        logic [AddrWidth-1:0] sum;
        sum = addr + AddrWidth'(step);
        if (Defect == DefectWrap4G) sum = AddrWidth'({32'(addr >> 32), sum[31:0]});
        return sum;
    endfunction

    // ---- Slots ----

    // Taken from AR to B; full when all its beats are there.
    logic [1:0]           taken_q, full_q, bad_q;
    logic [AddrWidth-1:0] slot_addr_q  [2];
    logic [12:0]          slot_bytes_q [2];
    logic [LaneBits-1:0]  slot_lane_q  [2];
    logic [IndexBits-1:0] slot_index_q [2];
    logic [DataWidth-1:0] beats_q      [2 * MaxBeats];
    // Whose turn it is to be read, to be filled if answers came in order, and to be written.
    logic                 read_slot_q, order_slot_q, write_slot_q, fill_slot;
    logic                 arvalid_q, asks, arrives, arrives_last, frees, stops;
    logic [AddrWidth-1:0] araddr_q;
    logic [7:0]           arlen_q;
    logic                 arid_q;

    assign asks         = left_q != '0 && !stops && !taken_q[read_slot_q] && (!arvalid_q || io_read_ar_arready);
    assign arrives      = io_read_r_rvalid && io_read_r_rready;
    assign arrives_last = arrives && io_read_r_rlast;
    assign fill_slot    = (Defect == DefectMixedIds) ? order_slot_q : io_read_r_rid[0];
    assign takes        = waits && !active_q && left_q == '0 && taken_q == '0 && !arvalid_q;
    assign ends         = active_q && left_q == '0 && taken_q == '0 && !arvalid_q;

    always_ff @(posedge clock or posedge reset) begin
        if (reset) begin
            active_q     <= 1'b0;
            failed_q     <= 1'b0;
            taken_q      <= '0;
            full_q       <= '0;
            arvalid_q    <= 1'b0;
            read_slot_q  <= 1'b0;
            order_slot_q <= 1'b0;
            write_slot_q <= 1'b0;
        end else begin
            if (takes) {active_q, failed_q} <= 2'b10;
            else if (ends) active_q <= 1'b0;
            if (stops) failed_q <= 1'b1;
            if (asks) begin
                taken_q[read_slot_q] <= 1'b1;
                read_slot_q          <= !read_slot_q;
            end
            if (asks) arvalid_q <= 1'b1;
            else if (io_read_ar_arready) arvalid_q <= 1'b0;
            if (arrives_last) begin
                full_q[fill_slot] <= 1'b1;
                order_slot_q      <= !order_slot_q;
            end
            if (frees) begin
                taken_q[write_slot_q] <= 1'b0;
                full_q[write_slot_q]  <= 1'b0;
                write_slot_q          <= !write_slot_q;
            end
        end
    end

    // At power-up there is nothing to copy, even without a reset of it.
    initial left_q = '0;

    always_ff @(posedge clock or posedge reset) begin
        if (reset) begin
            if (Defect != DefectStaleReset) left_q <= '0;
        end else begin
            if (takes) left_q <= len;
            else if (stops) left_q <= '0;
            else if (asks) left_q <= left_q - LenWidth'(bytes);
        end
    end

    always_ff @(posedge clock) begin
        if (takes) begin
            raddr_q <= src;
            waddr_q <= dst;
        end else if (asks) begin
            raddr_q <= advanced(raddr_q, bytes);
            waddr_q <= advanced(waddr_q, bytes);
        end
        if (asks) begin
            araddr_q                  <= raddr_q;
            arlen_q                   <= 8'(read_beats - 9'd1);
            arid_q                    <= read_slot_q;
            slot_addr_q[read_slot_q]  <= waddr_q;
            slot_bytes_q[read_slot_q] <= bytes;
            slot_lane_q[read_slot_q]  <= raddr_q[LaneBits-1:0];
            slot_index_q[read_slot_q] <= '0;
            bad_q[read_slot_q]        <= 1'b0;
        end
        if (arrives) begin
            beats_q[{fill_slot, slot_index_q[fill_slot]}] <= io_read_r_rdata;
            slot_index_q[fill_slot] <= slot_index_q[fill_slot] + 1'b1;
            if (io_read_r_rresp[1]) bad_q[fill_slot] <= 1'b1;
        end
    end

    // ---- Writing ----

    typedef enum logic [1:0] {
        StIdle,
        StWrite,
        StResponse
    } state_e;

    state_e                 state_q;
    logic                   aw_sent_q, w_sent_q, aw_goes, w_goes, write_fails, discards;
    logic [IndexBits-1:0]   index_q, newer;
    logic [LaneBits-1:0]    src_lane, dst_lane, shift, last_lane;
    logic [AddrWidth-1:0]   awaddr;
    logic [12:0]            write_bytes;
    logic [8:0]             write_beats;
    logic [2*DataWidth-1:0] pair;

    assign awaddr      = slot_addr_q[write_slot_q];
    assign write_bytes = slot_bytes_q[write_slot_q];
    assign src_lane    = slot_lane_q[write_slot_q];
    assign dst_lane    = awaddr[LaneBits-1:0];
    assign shift       = dst_lane - src_lane;
    assign last_lane   = dst_lane + write_bytes[LaneBits-1:0] - 1'b1;
    assign write_beats = 9'((13'(dst_lane) + write_bytes + 13'(BeatBytes - 1)) >> LaneBits);

    assign aw_goes     = io_write_aw_awvalid && io_write_aw_awready;
    assign w_goes      = io_write_w_wvalid && io_write_w_wready;
    assign write_fails = state_q == StResponse && io_write_b_bvalid && io_write_b_bresp[1]
                         && Defect != DefectIgnoreWriteError;
    // After a failure, what was still read is not written.
    assign discards    = state_q == StIdle && full_q[write_slot_q] && (bad_q[write_slot_q] || failed_q);
    assign frees       = discards || (state_q == StResponse && io_write_b_bvalid);
    assign stops       = discards || write_fails;

    always_ff @(posedge clock or posedge reset) begin
        if (reset) begin
            state_q <= StIdle;
        end else begin
            unique case (state_q)
                StIdle: if (full_q[write_slot_q] && !discards) state_q <= StWrite;
                StWrite: if ((aw_sent_q || aw_goes) && (w_sent_q || (w_goes && io_write_w_wlast))) begin
                    state_q <= StResponse;
                end
                StResponse: if (io_write_b_bvalid) state_q <= StIdle;
                default: state_q <= StIdle;
            endcase
        end
    end

    always_ff @(posedge clock) begin
        if (state_q == StWrite) begin
            if (aw_goes) aw_sent_q <= 1'b1;
            if (w_goes) index_q <= index_q + 1'b1;
            if (w_goes && io_write_w_wlast) w_sent_q <= 1'b1;
        end else begin
            aw_sent_q <= 1'b0;
            w_sent_q  <= 1'b0;
            index_q   <= '0;
        end
    end

    assign newer = index_q + IndexBits'(dst_lane < src_lane);
    assign pair  = {beats_q[{write_slot_q, newer}], beats_q[{write_slot_q, IndexBits'(newer - 1'b1)}]};

    always_comb begin
        for (int unsigned lane = 0; lane < BeatBytes; lane++) begin
            io_write_w_wstrb[lane] = (index_q != '0 || lane >= 32'(dst_lane))
                                     && (!io_write_w_wlast || lane <= 32'(last_lane));
        end
    end

    // ---- Bus ----

    assign io_read_ar_arid    = IdWidth'(arid_q);
    assign io_read_ar_araddr  = araddr_q;
    assign io_read_ar_arlen   = arlen_q;
    assign io_read_ar_arvalid = arvalid_q;
    assign io_read_r_rready   = taken_q != '0;

    assign io_write_aw_awid    = '0;
    assign io_write_aw_awaddr  = awaddr;
    assign io_write_aw_awlen   = 8'(write_beats - 9'd1);
    assign io_write_aw_awvalid = state_q == StWrite && !aw_sent_q;
    assign io_write_w_wdata    = DataWidth'(pair >> {(LaneBits + 1)'(BeatBytes) - (LaneBits + 1)'(shift), 3'b000});
    assign io_write_w_wlast    = index_q == IndexBits'(write_beats - 9'd1);
    assign io_write_w_wvalid   = state_q == StWrite && !w_sent_q;
    assign io_write_b_bready   = state_q == StResponse;

    assign {io_read_ar_arsize, io_read_ar_arburst, io_read_ar_arlock, io_read_ar_arcache, io_read_ar_arprot,
            io_read_ar_arqos} = {3'(LaneBits), 2'b01, 1'b0, 4'b0011, 3'd0, 4'd0};
    assign {io_write_aw_awsize, io_write_aw_awburst, io_write_aw_awlock, io_write_aw_awcache, io_write_aw_awprot,
            io_write_aw_awqos} = {3'(LaneBits), 2'b01, 1'b0, 4'b0011, 3'd0, 4'd0};

    // The halves that a bundle does not use.
    assign io_read_aw_awid       = '0;
    assign io_read_aw_awaddr     = '0;
    assign io_read_aw_awlen      = '0;
    assign io_read_aw_awsize     = '0;
    assign io_read_aw_awburst    = '0;
    assign io_read_aw_awlock     = '0;
    assign io_read_aw_awcache    = '0;
    assign io_read_aw_awprot     = '0;
    assign io_read_aw_awqos      = '0;
    assign io_read_aw_awvalid    = '0;
    assign io_read_w_wdata       = '0;
    assign io_read_w_wstrb       = '0;
    assign io_read_w_wlast       = '0;
    assign io_read_w_wvalid      = '0;
    assign io_read_b_bready      = '0;
    assign io_write_ar_arid      = '0;
    assign io_write_ar_araddr    = '0;
    assign io_write_ar_arlen     = '0;
    assign io_write_ar_arsize    = '0;
    assign io_write_ar_arburst   = '0;
    assign io_write_ar_arlock    = '0;
    assign io_write_ar_arcache   = '0;
    assign io_write_ar_arprot    = '0;
    assign io_write_ar_arqos     = '0;
    assign io_write_ar_arvalid   = '0;
    assign io_write_r_rready     = '0;

    logic unused;
    assign unused = ^{io_read_aw_awready, io_read_w_wready, io_read_b_bid, io_read_b_bresp, io_read_b_bvalid,
                      io_write_ar_arready, io_write_r_rid, io_write_r_rdata, io_write_r_rresp,
                      io_write_r_rlast, io_write_r_rvalid, io_read_r_rid, io_read_r_rresp[0], io_write_b_bid,
                      io_write_b_bresp[0], unused_beats, unused_more_beats, order_slot_q};
endmodule
