// SPDX-License-Identifier: MIT OR Apache-2.0
// Performance counters of one channel: they count while `enable_i`, from the last `clear_i` on.
module dma_counters (
    input  logic        clk_i,
    input  logic        rst_ni,
    input  logic        enable_i,
    input  logic        clear_i,
    input  logic        busy_i,
    input  logic        activity_beat_i,
    input  logic        activity_stalls_address_i,
    input  logic        activity_stalls_data_i,
    input  logic        activity_stalls_stream_i,
    input  logic [8:0]  activity_outstanding_i,
    output logic [31:0] counts_busy_o,
    output logic [31:0] counts_beats_o,
    output logic [31:0] counts_stalls_address_o,
    output logic [31:0] counts_stalls_data_o,
    output logic [31:0] counts_stalls_stream_o,
    output logic [8:0]  counts_outstanding_o
);
    always_ff @(posedge clk_i) begin
        if (!rst_ni || clear_i) begin
            counts_busy_o           <= '0;
            counts_beats_o          <= '0;
            counts_stalls_address_o <= '0;
            counts_stalls_data_o    <= '0;
            counts_stalls_stream_o  <= '0;
            counts_outstanding_o    <= '0;
        end else if (enable_i && busy_i) begin
            counts_busy_o <= counts_busy_o + 32'd1;
            if (activity_beat_i) counts_beats_o <= counts_beats_o + 32'd1;
            if (activity_stalls_address_i) counts_stalls_address_o <= counts_stalls_address_o + 32'd1;
            if (activity_stalls_data_i) counts_stalls_data_o <= counts_stalls_data_o + 32'd1;
            if (activity_stalls_stream_i) counts_stalls_stream_o <= counts_stalls_stream_o + 32'd1;
            if (activity_outstanding_i > counts_outstanding_o) counts_outstanding_o <= activity_outstanding_i;
        end
    end
endmodule
