// SPDX-License-Identifier: MIT OR Apache-2.0
// Sends what mm2s read as an AXI-Stream: bytes packed from lane 0, outputs registered.
//
// Input: valid/ready beats of dma_read. Every transfer ends with a beat; it has TLAST unless `keep_open_i`,
// and always if the transfer broke off. Such a beat may be empty (TKEEP 0).
`include "dma_assert.svh"
module dma_stream_out #(
    parameter int unsigned DataWidth  = 64,
    // Follow from DataWidth: do not set.
    localparam int unsigned BeatBytes = DataWidth / 8,
    localparam int unsigned LaneBits  = $clog2(BeatBytes)
) (
    input  logic                 clk_i,
    input  logic                 rst_ni,
    // The last beat of a transfer has been taken, in each cycle in which that happens.
    output logic                 sent_o,

    input  logic                 valid_i,
    output logic                 ready_o,
    input  logic [DataWidth-1:0] data_i,
    input  logic [LaneBits-1:0]  lane_i,
    input  logic [LaneBits:0]    count_i,
    input  logic                 end_i,
    // With `end_i`: the packet goes on; the transfer broke off.
    input  logic                 keep_open_i,
    input  logic                 broken_i,

    output logic [DataWidth-1:0] tdata_o,
    output logic [BeatBytes-1:0] tkeep_o,
    output logic                 tlast_o,
    output logic                 tvalid_o,
    input  logic                 tready_i
);
    logic packed_valid, packed_end, flushes, loads, closes, closes_q;
    logic [DataWidth-1:0] packed_data;
    logic [BeatBytes-1:0] packed_strobes;
    logic tvalid_q, tlast_q, tend_q;
    logic [DataWidth-1:0] tdata_q;
    logic [BeatBytes-1:0] tkeep_q;

    dma_align #(
        .BeatBytes(BeatBytes)
    ) u_align (
        .clk_i,
        .rst_ni,
        .start_i     (1'b0),
        .first_lane_i('0),
        .valid_i,
        .ready_o,
        .data_i,
        .lane_i,
        .count_i,
        .end_i,
        .valid_o     (packed_valid),
        .ready_i     (!tvalid_q || tready_i),
        .data_o      (packed_data),
        .strobes_o   (packed_strobes),
        .end_o       (packed_end),
        .flushes_o   (flushes),
        .will_flush_o()
    );

    assign loads  = packed_valid && (!tvalid_q || tready_i);
    assign closes = flushes ? closes_q : (broken_i || !keep_open_i);
    assign sent_o = tvalid_q && tready_i && tend_q;

    always_ff @(posedge clk_i) begin
        if (!rst_ni) tvalid_q <= 1'b0;
        else if (loads) tvalid_q <= 1'b1;
        else if (tready_i) tvalid_q <= 1'b0;
    end

    always_ff @(posedge clk_i) begin
        if (loads) begin
            tdata_q <= packed_data;
            tkeep_q <= packed_strobes;
            tlast_q <= packed_end && closes;
            tend_q  <= packed_end;
        end
        if (valid_i && ready_o) closes_q <= closes;
    end

    assign tvalid_o = tvalid_q;
    assign tdata_o  = tdata_q;
    assign tkeep_o  = tkeep_q;
    assign tlast_o  = tlast_q;

    `DMA_ASSERT_STABLE(TStable_A, tvalid_o, tready_i, {tdata_o, tkeep_o, tlast_o})
endmodule
