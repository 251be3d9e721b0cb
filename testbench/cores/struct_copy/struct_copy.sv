// SPDX-License-Identifier: MIT OR Apache-2.0
// Copies memory to memory with struct ports for the bus and Wishbone classic registers.
//
// Any address and any length. Chunks of one read burst and one write burst each go through a ring of slots, so
// that as many reads, and several writes, are outstanding; one id, everything in order.
//
// Registers (32 bits): 00 SRC, 04 DST, 08 SIZE, 0C CONTROL, 10 EVENT; see README.md. The structs' members are
// those of struct_copy_wrap, which gives the ports plain names.
module struct_copy #(
    parameter int unsigned AddrWidth = 32,
    parameter int unsigned DataWidth = 64,
    // Bits of SIZE.
    parameter int unsigned LenWidth  = 20,
    parameter int unsigned MaxBeats  = 16,
    // Reads outstanding: a power of two, at least 2.
    parameter int unsigned Slots     = 4,
    parameter int unsigned Defect    = 0,
    parameter type         axi_req_t = logic,
    parameter type         axi_rsp_t = logic
) (
    input  logic        clk_i,
    // Asynchronous.
    input  logic        rst_ni,

    input  logic        wb_cyc_i,
    input  logic        wb_stb_i,
    input  logic        wb_we_i,
    input  logic [4:0]  wb_adr_i,
    input  logic [3:0]  wb_sel_i,
    input  logic [31:0] wb_dat_i,
    output logic [31:0] wb_dat_o,
    output logic        wb_ack_o,
    output logic        irq_o,

    output axi_req_t    axi_req_o,
    input  axi_rsp_t    axi_rsp_i
);
    import dma_defect_pkg::*;

    if (!(Defect inside {DefectNone, DefectWriteCross4K, DefectLostHead, DefectLostResponse,
                         DefectWedgedByError})) begin : gen_no_such_defect
        $fatal(1, "struct_copy: Defect must be one that this core can plant, got %0d", Defect);
    end

    localparam int unsigned BeatBytes = DataWidth / 8;
    localparam int unsigned LaneBits  = $clog2(BeatBytes);
    localparam int unsigned IndexBits = $clog2(MaxBeats);
    localparam int unsigned SlotBits  = $clog2(Slots);

    localparam logic [2:0] RegSrc     = 3'd0;
    localparam logic [2:0] RegDst     = 3'd1;
    localparam logic [2:0] RegSize    = 3'd2;
    localparam logic [2:0] RegControl = 3'd3;
    localparam logic [2:0] RegEvent   = 3'd4;

    // What the write side needs to know of a chunk.
    typedef struct packed {
        logic [AddrWidth-1:0] addr;
        logic [12:0]          bytes;
        logic [LaneBits-1:0]  src_lane;
        logic                 is_first;
    } chunk_t;

    // ---- Registers: each access is answered in the cycle after it was seen ----

    logic                 ack_q, access, writes, asked_q, enable_q, busy_q, takes, ends, fails;
    logic [1:0]           event_q, event_d;
    logic [31:0]          dat_q, dat_d;
    logic [AddrWidth-1:0] src_q, dst_q;
    logic [LenWidth-1:0]  size_q;

    assign access   = wb_cyc_i && wb_stb_i && !ack_q;
    assign writes   = access && wb_we_i && (&wb_sel_i);
    assign wb_ack_o = ack_q;
    assign wb_dat_o = dat_q;
    assign irq_o    = enable_q && event_q[0];

    always_comb begin
        unique case (wb_adr_i[4:2])
            RegSrc:     dat_d = 32'(src_q);
            RegDst:     dat_d = 32'(dst_q);
            RegSize:    dat_d = 32'(size_q);
            RegControl: dat_d = {30'd0, enable_q, busy_q || asked_q};
            RegEvent:   dat_d = {30'd0, event_q};
            default:    dat_d = '0;
        endcase
    end

    // Bit 0: done, bit 1: failed. An event that comes with its clearing stays.
    always_comb begin
        event_d = event_q;
        if (writes && wb_adr_i[4:2] == RegEvent) event_d = event_d & ~wb_dat_i[1:0];
        if (ends) event_d[0] = 1'b1;
        if (fails) event_d[1] = 1'b1;
    end

    always_ff @(posedge clk_i or negedge rst_ni) begin
        if (!rst_ni) begin
            ack_q    <= 1'b0;
            dat_q    <= '0;
            src_q    <= '0;
            dst_q    <= '0;
            size_q   <= '0;
            enable_q <= 1'b0;
            asked_q  <= 1'b0;
            event_q  <= '0;
        end else begin
            ack_q   <= access;
            event_q <= event_d;
            if (access) dat_q <= dat_d;
            if (takes) asked_q <= 1'b0;
            if (writes) begin
                unique case (wb_adr_i[4:2])
                    RegSrc:     src_q  <= AddrWidth'(wb_dat_i);
                    RegDst:     dst_q  <= AddrWidth'(wb_dat_i);
                    RegSize:    size_q <= LenWidth'(wb_dat_i);
                    RegControl: begin
                        enable_q <= wb_dat_i[1];
                        if (wb_dat_i[0] && !busy_q) asked_q <= 1'b1;
                    end
                    default: ;
                endcase
            end
        end
    end

    // ---- Chunks, and reading them ----

    logic [AddrWidth-1:0] raddr_q, waddr_q, araddr_q;
    logic [LenWidth-1:0]  left_q;
    logic [12:0]          read_bytes, bytes;
    logic [8:0]           read_beats, unused_beats, unused_more_beats;
    logic [7:0]           arlen_q;
    logic                 arvalid_q, asks, first_q, failed_q, wedged_q, arrives, arrives_last, frees;

    burst_split #(
        .DataWidth(DataWidth), .LenWidth(LenWidth), .MaxBeats(MaxBeats)
    ) u_read_split (
        .addr_i(raddr_q[11:0]), .left_i(left_q), .bytes_o(read_bytes), .beats_o(unused_beats)
    );
    burst_split #(
        .DataWidth(DataWidth), .LenWidth(13), .MaxBeats(MaxBeats), .IgnorePage(Defect == DefectWriteCross4K)
    ) u_write_split (
        .addr_i(waddr_q[11:0]), .left_i(read_bytes), .bytes_o(bytes), .beats_o(unused_more_beats)
    );

    assign read_beats = 9'((13'(raddr_q[LaneBits-1:0]) + bytes + 13'(BeatBytes - 1)) >> LaneBits);

    // A slot is taken from the time its read is asked for until its write is sent.
    chunk_t               chunk_q [Slots];
    logic [DataWidth-1:0] beats_q [Slots * MaxBeats];
    logic [Slots-1:0]     taken_q, full_q, bad_q;
    logic [SlotBits-1:0]  ask_slot_q, fill_slot_q, write_slot_q;
    logic [IndexBits-1:0] fill_index_q;
    logic [3:0]           unanswered_q;

    assign asks         = left_q != '0 && !fails && !taken_q[ask_slot_q] && (!arvalid_q || axi_rsp_i.ar_ready);
    assign arrives      = axi_rsp_i.r_valid && axi_req_o.r_ready;
    assign arrives_last = arrives && axi_rsp_i.r.last;
    assign takes        = asked_q && !busy_q && !(wedged_q && Defect == DefectWedgedByError);
    assign ends         = busy_q && left_q == '0 && taken_q == '0 && !arvalid_q && unanswered_q == '0;

    always_ff @(posedge clk_i or negedge rst_ni) begin
        if (!rst_ni) begin
            busy_q       <= 1'b0;
            failed_q     <= 1'b0;
            wedged_q     <= 1'b0;
            left_q       <= '0;
            arvalid_q    <= 1'b0;
            taken_q      <= '0;
            full_q       <= '0;
            ask_slot_q   <= '0;
            fill_slot_q  <= '0;
            fill_index_q <= '0;
            write_slot_q <= '0;
        end else begin
            if (takes) busy_q <= 1'b1;
            else if (ends) busy_q <= 1'b0;
            failed_q <= !takes && (failed_q || fails);
            if (fails) wedged_q <= 1'b1;
            if (takes) left_q <= size_q;
            else if (fails) left_q <= '0;
            else if (asks) left_q <= left_q - LenWidth'(bytes);
            if (asks) arvalid_q <= 1'b1;
            else if (axi_rsp_i.ar_ready) arvalid_q <= 1'b0;
            if (asks) begin
                taken_q[ask_slot_q] <= 1'b1;
                ask_slot_q          <= ask_slot_q + 1'b1;
            end
            if (arrives) fill_index_q <= arrives_last ? '0 : fill_index_q + 1'b1;
            if (arrives_last) begin
                full_q[fill_slot_q] <= 1'b1;
                fill_slot_q         <= fill_slot_q + 1'b1;
            end
            if (frees) begin
                taken_q[write_slot_q] <= 1'b0;
                full_q[write_slot_q]  <= 1'b0;
                write_slot_q          <= write_slot_q + 1'b1;
            end
        end
    end

    always_ff @(posedge clk_i) begin
        if (takes) begin
            raddr_q <= src_q;
            waddr_q <= dst_q;
            first_q <= 1'b1;
        end else if (asks) begin
            raddr_q             <= raddr_q + AddrWidth'(bytes);
            waddr_q             <= waddr_q + AddrWidth'(bytes);
            first_q             <= 1'b0;
            araddr_q            <= raddr_q;
            arlen_q             <= 8'(read_beats - 9'd1);
            chunk_q[ask_slot_q] <= '{addr: waddr_q, bytes: bytes, src_lane: raddr_q[LaneBits-1:0], is_first: first_q};
            bad_q[ask_slot_q]   <= 1'b0;
        end
        if (arrives) begin
            beats_q[{fill_slot_q, fill_index_q}] <= axi_rsp_i.r.data;
            if (axi_rsp_i.r.resp[1]) bad_q[fill_slot_q] <= 1'b1;
        end
    end

    // ---- Writing: the oldest slot, once it is full ----

    chunk_t                 chunk;
    logic                   writing_q, opens, discards, aw_sent_q, w_sent_q, aw_goes, w_goes, is_last_beat, answered;
    logic [IndexBits-1:0]   index_q, newer;
    logic [LaneBits-1:0]    dst_lane, shift, last_lane;
    logic [8:0]             write_beats;
    logic [2*DataWidth-1:0] pair;
    logic [BeatBytes-1:0]   strobes;

    assign chunk        = chunk_q[write_slot_q];
    assign dst_lane     = chunk.addr[LaneBits-1:0];
    assign shift        = dst_lane - chunk.src_lane;
    assign last_lane    = dst_lane + chunk.bytes[LaneBits-1:0] - 1'b1;
    assign write_beats  = 9'((13'(dst_lane) + chunk.bytes + 13'(BeatBytes - 1)) >> LaneBits);
    assign is_last_beat = index_q == IndexBits'(write_beats - 9'd1);
    assign aw_goes      = axi_req_o.aw_valid && axi_rsp_i.aw_ready;
    assign w_goes       = axi_req_o.w_valid && axi_rsp_i.w_ready;
    assign answered     = axi_rsp_i.b_valid && axi_req_o.b_ready;
    // After a failure, what was still read is not written.
    assign discards     = full_q[write_slot_q] && !writing_q && (bad_q[write_slot_q] || failed_q);
    assign opens        = full_q[write_slot_q] && !writing_q && !discards && unanswered_q != '1;
    assign frees        = discards || (writing_q && (aw_sent_q || aw_goes) && (w_sent_q || (w_goes && is_last_beat)));
    assign fails        = discards || (answered && axi_rsp_i.b.resp[1]);

    always_ff @(posedge clk_i or negedge rst_ni) begin
        if (!rst_ni) begin
            writing_q    <= 1'b0;
            unanswered_q <= '0;
        end else begin
            if (opens) writing_q <= 1'b1;
            else if (frees) writing_q <= 1'b0;
            unanswered_q <= unanswered_q + 4'(opens)
                            - 4'(answered && !(aw_goes && Defect == DefectLostResponse));
        end
    end

    always_ff @(posedge clk_i) begin
        if (!writing_q) begin
            aw_sent_q <= 1'b0;
            w_sent_q  <= 1'b0;
            index_q   <= '0;
        end else begin
            if (aw_goes) aw_sent_q <= 1'b1;
            if (w_goes) index_q <= index_q + 1'b1;
            if (w_goes && is_last_beat) w_sent_q <= 1'b1;
        end
    end

    assign newer = index_q + IndexBits'(dst_lane < chunk.src_lane);
    assign pair  = {beats_q[{write_slot_q, newer}], beats_q[{write_slot_q, IndexBits'(newer - 1'b1)}]};

    always_comb begin
        for (int unsigned lane = 0; lane < BeatBytes; lane++) begin
            strobes[lane] = (index_q != '0 || lane >= 32'(dst_lane)) && (!is_last_beat || lane <= 32'(last_lane));
        end
        if (Defect == DefectLostHead && chunk.is_first && index_q == '0 && dst_lane != '0) strobes = '0;
    end

    // ---- Bus ----

    always_comb begin
        axi_req_o          = '0;
        axi_req_o.ar.addr  = araddr_q;
        axi_req_o.ar.len   = arlen_q;
        axi_req_o.ar.size  = 3'(LaneBits);
        axi_req_o.ar.burst = 2'b01;
        axi_req_o.ar_valid = arvalid_q;
        axi_req_o.r_ready  = taken_q != '0;
        axi_req_o.aw.addr  = chunk.addr;
        axi_req_o.aw.len   = 8'(write_beats - 9'd1);
        axi_req_o.aw.size  = 3'(LaneBits);
        axi_req_o.aw.burst = 2'b01;
        axi_req_o.aw_valid = writing_q && !aw_sent_q;
        axi_req_o.w.data   = DataWidth'(pair >> {(LaneBits + 1)'(BeatBytes) - (LaneBits + 1)'(shift), 3'b000});
        axi_req_o.w.strb   = strobes;
        axi_req_o.w.last   = is_last_beat;
        axi_req_o.w_valid  = writing_q && !w_sent_q;
        axi_req_o.b_ready  = unanswered_q != '0;
    end

    logic unused;
    assign unused = ^{wb_adr_i[1:0], wb_dat_i, unused_beats, unused_more_beats, axi_rsp_i.r.resp[0],
                      axi_rsp_i.b.resp[0], wedged_q, chunk.is_first};
endmodule
