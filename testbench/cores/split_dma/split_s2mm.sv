// SPDX-License-Identifier: MIT OR Apache-2.0
// The writing half: stream to memory, without a buffer; one burst at a time.
//
// A transfer ends with TLAST or when LENGTH bytes are written, whichever is first; then the stream waits. The
// beats of a burst that come after TLAST are written without strobes.
module split_s2mm #(
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
    // Bytes written, valid with done_o.
    output logic [LenWidth-1:0]    moved_o,

    output logic [AddrWidth-1:0]   awaddr_o,
    output logic [7:0]             awlen_o,
    output logic                   awvalid_o,
    input  logic                   awready_i,
    output logic [DataWidth-1:0]   wdata_o,
    output logic [DataWidth/8-1:0] wstrb_o,
    output logic                   wlast_o,
    output logic                   wvalid_o,
    input  logic                   wready_i,
    input  logic [1:0]             bresp_i,
    input  logic                   bvalid_i,
    output logic                   bready_o,

    input  logic [DataWidth-1:0]   tdata_i,
    input  logic [DataWidth/8-1:0] tkeep_i,
    input  logic                   tlast_i,
    input  logic                   tvalid_i,
    output logic                   tready_o
);
    import dma_defect_pkg::*;

    localparam int unsigned BeatBytes = DataWidth / 8;

    typedef enum logic [1:0] {
        StIdle,
        StBurst,
        StResponse
    } state_e;

    state_e               state_q;
    logic [AddrWidth-1:0] addr_q;
    logic [LenWidth-1:0]  left_q, moved_q, moved;
    logic [1:0]           resp_q;
    logic [8:0]           beat_q, beats;
    logic [12:0]          bytes;
    // After TLAST: what is left of the burst is padding.
    logic                 ended_q, aw_sent_q, w_sent_q, aw_goes, w_goes, is_last_burst, answered;
    logic [LenWidth-1:0]  burst_left_q;

    burst_split #(
        .DataWidth(DataWidth), .LenWidth(LenWidth), .MaxBeats(MaxBeats)
    ) u_split (
        .addr_i(addr_q[11:0]), .left_i(left_q), .bytes_o(bytes), .beats_o(beats)
    );

    assign aw_goes       = awvalid_o && awready_i;
    assign w_goes        = wvalid_o && wready_i;
    assign answered      = state_q == StResponse && bvalid_i;
    assign is_last_burst = ended_q || left_q == LenWidth'(bytes);
    assign moved         = moved_q + LenWidth'($countones(wstrb_o));

    always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
            state_q <= StIdle;
        end else begin
            unique case (state_q)
                StIdle: if (start_i) state_q <= StBurst;
                StBurst: if ((aw_sent_q || aw_goes) && (w_sent_q || (w_goes && wlast_o))) state_q <= StResponse;
                StResponse: if (bvalid_i) state_q <= is_last_burst ? StIdle : StBurst;
                default: state_q <= StIdle;
            endcase
        end
    end

    always_ff @(posedge clk_i) begin
        if (start_i) begin
            addr_q       <= addr_i;
            left_q       <= length_i;
            burst_left_q <= length_i;
            moved_q      <= '0;
            resp_q       <= '0;
            ended_q      <= 1'b0;
        end else begin
            if (w_goes) begin
                moved_q      <= moved;
                burst_left_q <= burst_left_q - LenWidth'(BeatBytes);
                if (!ended_q && tlast_i) ended_q <= 1'b1;
            end
            if (answered) begin
                addr_q <= addr_q + AddrWidth'(bytes);
                left_q <= left_q - LenWidth'(bytes);
                if (bresp_i[1] && !resp_q[1]) resp_q <= bresp_i;
            end
        end
        if (state_q == StBurst) begin
            if (aw_goes) aw_sent_q <= 1'b1;
            if (w_goes) beat_q <= beat_q + 9'd1;
            if (w_goes && wlast_o) w_sent_q <= 1'b1;
        end else begin
            aw_sent_q <= 1'b0;
            w_sent_q  <= 1'b0;
            beat_q    <= '0;
        end
    end

    assign busy_o  = state_q != StIdle;
    assign done_o  = (Defect == DefectEarlyDone)
                     ? w_goes && wlast_o && (ended_q || tlast_i || left_q == LenWidth'(bytes))
                     : answered && is_last_burst;
    assign resp_o  = (answered && bresp_i[1] && !resp_q[1]) ? bresp_i : resp_q;
    assign moved_o = w_goes ? moved : moved_q;

    assign awaddr_o  = addr_q;
    assign awlen_o   = 8'(beats - 9'd1);
    assign awvalid_o = state_q == StBurst && !aw_sent_q;
    assign wdata_o   = tdata_i;
    assign wlast_o   = beat_q == beats - 9'd1;
    assign wvalid_o  = state_q == StBurst && !w_sent_q && (tvalid_i || ended_q);
    assign bready_o  = state_q == StResponse;
    assign tready_o  = state_q == StBurst && !w_sent_q && !ended_q && wready_i;

    always_comb begin
        for (int unsigned lane = 0; lane < BeatBytes; lane++) begin
            wstrb_o[lane] = !ended_q && ((tkeep_i[lane] && lane < 32'(burst_left_q)) || Defect == DefectWideTail);
        end
    end
endmodule
