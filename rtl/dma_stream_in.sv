// SPDX-License-Identifier: MIT OR Apache-2.0
// Takes an AXI-Stream: registered TREADY, and TKEEP turned into a count of bytes.
//
// Bytes of a beat are those from lane 0 up to the first zero of TKEEP; a one after a zero is reported by
// `bad_keep_o`. Any beat of a packet may be partial or empty. Output: valid/ready, combinational from the
// input while nothing waits.
module dma_stream_in #(
    parameter int unsigned DataWidth  = 64,
    // Follow from DataWidth: do not set.
    localparam int unsigned BeatBytes = DataWidth / 8,
    localparam int unsigned LaneBits  = $clog2(BeatBytes)
) (
    input  logic                 clk_i,
    input  logic                 rst_ni,

    input  logic [DataWidth-1:0] tdata_i,
    input  logic [BeatBytes-1:0] tkeep_i,
    input  logic                 tlast_i,
    input  logic                 tvalid_i,
    output logic                 tready_o,

    output logic                 valid_o,
    input  logic                 ready_i,
    output logic [DataWidth-1:0] data_o,
    output logic [LaneBits:0]    count_o,
    output logic                 bad_keep_o,
    output logic                 last_o
);
    logic [BeatBytes-1:0] keep;
    // Ones from lane 0 up to the first zero.
    logic [BeatBytes-1:0] run;

    dma_skid #(
        .Width(DataWidth + BeatBytes + 1)
    ) u_skid (
        .clk_i,
        .rst_ni,
        .valid_i(tvalid_i),
        .ready_o(tready_o),
        .data_i ({tlast_i, tkeep_i, tdata_i}),
        .valid_o,
        .ready_i,
        .data_o ({last_o, keep, data_o})
    );

    assign run        = keep & ~(keep + 1'b1);
    assign bad_keep_o = keep != run;

    always_comb begin
        count_o = '0;
        for (int unsigned lane = 0; lane < BeatBytes; lane++) begin
            if (run[lane]) count_o = (LaneBits + 1)'(lane + 1);
        end
    end
endmodule
