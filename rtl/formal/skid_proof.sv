// SPDX-License-Identifier: MIT OR Apache-2.0
// dma_skid: no beat is lost, doubled or changed; the output waits as AXI wants it; ready does not hang on valid.
`include "formal.svh"
module skid_proof #(
    parameter int unsigned Width = 2
) (
    input logic             clk_i,
    input logic             valid_i,
    input logic [Width-1:0] data_i,
    input logic             ready_i,
    input logic             marks_i
);
    `FORMAL_RESET

    logic             in_ready, out_valid;
    logic [Width-1:0] out_data;

    dma_skid #(
        .Width(Width)
    ) dut (
        .clk_i,
        .rst_ni,
        .valid_i,
        .ready_o(in_ready),
        .data_i,
        .valid_o(out_valid),
        .ready_i,
        .data_o (out_data)
    );

    logic             enters, leaves, marked = 1'b0, waited = 1'b0, out_waited = 1'b0;
    logic             used = 1'b0;
    logic [Width-1:0] marked_data, data_was, out_was;

    assign enters = valid_i && in_ready;
    assign leaves = out_valid && ready_i;

    always @(posedge clk_i) begin
        waited     <= rst_ni && valid_i && !in_ready;
        data_was   <= data_i;
        out_waited <= rst_ni && out_valid && !ready_i;
        out_was    <= out_data;
        if (rst_ni) begin
            used <= used + enters - leaves;
            if (enters && marks_i && !leaves && !marked) begin
                marked      <= 1'b1;
                marked_data <= data_i;
            end else if (leaves) begin
                marked <= 1'b0;
            end
        end
    end

    // The sender keeps to the rules of the handshake.
    `FORMAL_ASSUME(!waited || (valid_i && data_i == data_was))

    `FORMAL_ASSERT(KeepsOne_A, !(used && enters && !leaves))
    `FORMAL_ASSERT(ShowsAtOnce_A, out_valid == (used || enters))
    `FORMAL_ASSERT(Passes_A, used || !enters || out_data == data_i)
    `FORMAL_ASSERT(Keeps_A, !marked || (used && out_valid && out_data == marked_data))
    `FORMAL_ASSERT(Stable_A, !out_waited || (out_valid && out_data == out_was))

    `FORMAL_COVER(Held_C, used && valid_i && !in_ready && leaves)
    `FORMAL_COVER(Streams_C, !used && enters && leaves)
endmodule
