// SPDX-License-Identifier: MIT OR Apache-2.0
// Copies whole words, controlled by plain wires; a command says how many words, minus one.
//
// A word is a beat of the bus. Reading and writing overlap: a read burst is asked for when the FIFO has room
// for it, a write burst as soon as the one before is answered. One burst at a time each way. Errors do not stop
// a command; `fault` tells them when it is done.
module words_copy #(
    parameter int unsigned AddrWidth  = 32,
    parameter int unsigned DataWidth  = 32,
    // Bits of the length: a command moves at most 2^CountWidth words.
    parameter int unsigned CountWidth = 10,
    parameter int unsigned MaxBeats   = 8,
    parameter int unsigned Defect     = 0
) (
    input  logic                   aclk,
    // Synchronous.
    input  logic                   areset,

    // Sampled in the cycle of `go`; their low bits, within a word, are ignored.
    input  logic [AddrWidth-1:0]   src,
    input  logic [AddrWidth-1:0]   dst,
    input  logic [CountWidth-1:0]  words_minus_one,
    // Ignored while busy.
    input  logic                   go,
    output logic                   busy,
    // High for one cycle.
    output logic                   done,
    // Bit 0: a read failed, bit 1: a write failed. Valid from `done` to the next `go`.
    output logic [1:0]             fault,

    output logic [AddrWidth-1:0]   m_axi_mm2s_araddr,
    output logic [7:0]             m_axi_mm2s_arlen,
    output logic                   m_axi_mm2s_arvalid,
    input  logic                   m_axi_mm2s_arready,
    input  logic [DataWidth-1:0]   m_axi_mm2s_rdata,
    input  logic [1:0]             m_axi_mm2s_rresp,
    input  logic                   m_axi_mm2s_rlast,
    input  logic                   m_axi_mm2s_rvalid,
    output logic                   m_axi_mm2s_rready,

    output logic [AddrWidth-1:0]   m_axi_s2mm_awaddr,
    output logic [7:0]             m_axi_s2mm_awlen,
    output logic                   m_axi_s2mm_awvalid,
    input  logic                   m_axi_s2mm_awready,
    output logic [DataWidth-1:0]   m_axi_s2mm_wdata,
    output logic                   m_axi_s2mm_wlast,
    output logic                   m_axi_s2mm_wvalid,
    input  logic                   m_axi_s2mm_wready,
    input  logic [1:0]             m_axi_s2mm_bresp,
    input  logic                   m_axi_s2mm_bvalid,
    output logic                   m_axi_s2mm_bready
);
    import dma_defect_pkg::*;

    if (!(Defect inside {DefectNone, DefectLostRead, DefectWvalidDrops,
                         DefectShortCounter})) begin : gen_no_such_defect
        $fatal(1, "words_copy: Defect must be one that this core can plant, got %0d", Defect);
    end

    if (!(DataWidth inside {32, 64, 128})) begin : gen_no_such_width
        $fatal(1, "words_copy: DataWidth must be 32, 64 or 128, got %0d", DataWidth);
    end
    if (!(MaxBeats inside {2, 4, 8, 16})) begin : gen_no_such_burst
        $fatal(1, "words_copy: MaxBeats must be 2, 4, 8 or 16, got %0d", MaxBeats);
    end

    localparam int unsigned LaneBits  = $clog2(DataWidth / 8);
    // Words from one page boundary to the next, as address bits.
    localparam int unsigned PageBits  = 12 - LaneBits;
    localparam int unsigned WordBits  = AddrWidth - LaneBits;
    localparam int unsigned FifoBeats = 2 * MaxBeats;
    localparam int unsigned IndexBits = $clog2(FifoBeats);
    localparam int unsigned UsedBits  = IndexBits + 1;
    // Counts 1 to 2^CountWidth words.
    localparam int unsigned LeftBits  = CountWidth + 1;

    // Beats of the next burst: to the end of the command, of the page, or the longest.
    function automatic logic [8:0] burst_beats(logic [PageBits-1:0] word_in_page, logic [LeftBits-1:0] left);
        logic [31:0] beats;
        beats = (32'd1 << PageBits) - 32'(word_in_page);
        if (beats > MaxBeats) beats = MaxBeats;
        if (beats > 32'(left)) beats = 32'(left);
        return 9'(beats);
    endfunction

    logic                starts;
    logic [LeftBits-1:0] words;

    assign starts = go && !busy && !areset;

    always_comb begin
        words = LeftBits'(words_minus_one) + LeftBits'(1);
        if (Defect == DefectShortCounter) words = LeftBits'(words_minus_one[CountWidth-2:0]) + LeftBits'(1);
    end

    // ---- Reading ----

    logic [WordBits-1:0] rword_q;
    logic [LeftBits-1:0] rleft_q;
    logic [8:0]          rbeats;
    logic                arvalid_q, reading_q, asks, has_room, read_ends;
    logic [UsedBits-1:0] used_q;

    assign rbeats    = burst_beats(rword_q[PageBits-1:0], rleft_q);
    assign has_room  = UsedBits'(FifoBeats) - used_q >= UsedBits'(rbeats) || Defect == DefectLostRead;
    assign asks      = m_axi_mm2s_arvalid && m_axi_mm2s_arready;
    assign read_ends = m_axi_mm2s_rvalid && m_axi_mm2s_rready && m_axi_mm2s_rlast;

    always_ff @(posedge aclk) begin
        if (areset) begin
            rleft_q   <= '0;
            arvalid_q <= 1'b0;
            reading_q <= 1'b0;
        end else begin
            if (starts) begin
                rword_q <= src[AddrWidth-1:LaneBits];
                rleft_q <= words;
            end else if (asks) begin
                rword_q <= rword_q + WordBits'(rbeats);
                rleft_q <= rleft_q - LeftBits'(rbeats);
            end
            // Room only grows while nothing is being read, so the burst stays as it was offered.
            if (asks) arvalid_q <= 1'b0;
            else if (rleft_q != '0 && !reading_q && has_room) arvalid_q <= 1'b1;
            if (asks) reading_q <= 1'b1;
            else if (read_ends) reading_q <= 1'b0;
        end
    end

    assign m_axi_mm2s_araddr  = {rword_q, LaneBits'(0)};
    assign m_axi_mm2s_arlen   = 8'(rbeats - 9'd1);
    assign m_axi_mm2s_arvalid = arvalid_q;
    assign m_axi_mm2s_rready  = reading_q;

    // ---- FIFO ----

    logic [DataWidth-1:0] fifo_q [FifoBeats];
    logic [IndexBits-1:0] head_q, tail_q;
    logic                 pushes, pops;

    assign pushes = m_axi_mm2s_rvalid && m_axi_mm2s_rready && used_q != UsedBits'(FifoBeats);

    always_ff @(posedge aclk) begin
        if (pushes) fifo_q[tail_q] <= m_axi_mm2s_rdata;
        if (areset) begin
            head_q <= '0;
            tail_q <= '0;
            used_q <= '0;
        end else begin
            head_q <= head_q + IndexBits'(pops);
            tail_q <= tail_q + IndexBits'(pushes);
            used_q <= used_q + UsedBits'(pushes) - UsedBits'(pops);
        end
    end

    // ---- Writing ----

    typedef enum logic [1:0] {
        StIdle,
        StWrite,
        StResponse
    } state_e;

    state_e              state_q;
    logic [WordBits-1:0] wword_q;
    logic [LeftBits-1:0] wleft_q;
    logic [8:0]          wbeats, beat_q;
    logic                aw_sent_q, w_sent_q, stalled_q, aw_goes, w_goes, has_data, answered, ends;

    assign wbeats   = burst_beats(wword_q[PageBits-1:0], wleft_q);
    assign aw_goes  = m_axi_s2mm_awvalid && m_axi_s2mm_awready;
    assign w_goes   = m_axi_s2mm_wvalid && m_axi_s2mm_wready;
    assign answered = state_q == StResponse && m_axi_s2mm_bvalid;
    assign ends     = answered && wleft_q == LeftBits'(wbeats);
    // What was dropped will not come: the defective core fills up with what the FIFO held before.
    assign has_data = used_q != '0 || (Defect == DefectLostRead && rleft_q == '0 && !reading_q);
    assign pops     = w_goes && used_q != '0;

    always_ff @(posedge aclk) begin
        if (areset) begin
            state_q <= StIdle;
        end else begin
            unique case (state_q)
                StIdle: if (starts) state_q <= StWrite;
                StWrite: if ((aw_sent_q || aw_goes) && (w_sent_q || (w_goes && m_axi_s2mm_wlast))) begin
                    state_q <= StResponse;
                end
                StResponse: if (answered) state_q <= ends ? StIdle : StWrite;
                default: state_q <= StIdle;
            endcase
        end
    end

    always_ff @(posedge aclk) begin
        stalled_q <= m_axi_s2mm_wvalid && !m_axi_s2mm_wready;
        if (starts) begin
            wword_q <= dst[AddrWidth-1:LaneBits];
            wleft_q <= words;
        end else if (answered) begin
            wword_q <= wword_q + WordBits'(wbeats);
            wleft_q <= wleft_q - LeftBits'(wbeats);
        end
        if (state_q == StWrite) begin
            if (aw_goes) aw_sent_q <= 1'b1;
            if (w_goes) beat_q <= beat_q + 9'd1;
            if (w_goes && m_axi_s2mm_wlast) w_sent_q <= 1'b1;
        end else begin
            aw_sent_q <= 1'b0;
            w_sent_q  <= 1'b0;
            beat_q    <= '0;
        end
    end

    assign m_axi_s2mm_awaddr  = {wword_q, LaneBits'(0)};
    assign m_axi_s2mm_awlen   = 8'(wbeats - 9'd1);
    assign m_axi_s2mm_awvalid = state_q == StWrite && !aw_sent_q;
    assign m_axi_s2mm_wdata   = fifo_q[head_q];
    assign m_axi_s2mm_wlast   = beat_q == wbeats - 9'd1;
    assign m_axi_s2mm_wvalid  = state_q == StWrite && !w_sent_q && has_data
                                && !(stalled_q && Defect == DefectWvalidDrops);
    assign m_axi_s2mm_bready  = state_q == StResponse;

    // ---- Outcome ----

    assign busy = state_q != StIdle;

    always_ff @(posedge aclk) begin
        if (areset) begin
            done  <= 1'b0;
            fault <= '0;
        end else begin
            done <= ends;
            if (starts) begin
                fault <= '0;
            end else begin
                if (m_axi_mm2s_rvalid && m_axi_mm2s_rready && m_axi_mm2s_rresp[1]) fault[0] <= 1'b1;
                if (answered && m_axi_s2mm_bresp[1]) fault[1] <= 1'b1;
            end
        end
    end

    logic unused;
    assign unused = ^{src[LaneBits-1:0], dst[LaneBits-1:0], words_minus_one, m_axi_mm2s_rresp[0], m_axi_s2mm_bresp[0],
                      stalled_q};
endmodule
