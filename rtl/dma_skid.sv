// SPDX-License-Identifier: MIT OR Apache-2.0
// Takes the combinational path out of a ready signal, without adding latency to valid.
//
// Input: `ready_o` is a register. Output: `valid_o` and `data_o` show the input in the same cycle, or the one
// entry kept while the output was not ready.
`include "dma_assert.svh"
module dma_skid #(
    // Width of the payload in bits.
    parameter int unsigned Width = 64
) (
    input  logic             clk_i,
    input  logic             rst_ni,
    input  logic             valid_i,
    output logic             ready_o,
    input  logic [Width-1:0] data_i,
    output logic             valid_o,
    input  logic             ready_i,
    output logic [Width-1:0] data_o
);
    logic holds_q, ready_q;
    logic [Width-1:0] held_q;

    assign ready_o = ready_q;
    assign valid_o = holds_q || (valid_i && ready_q);
    assign data_o  = holds_q ? held_q : data_i;

    always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
            holds_q <= 1'b0;
            ready_q <= 1'b0;
        end else begin
            holds_q <= valid_o && !ready_i;
            ready_q <= !(valid_o && !ready_i);
        end
    end

    always_ff @(posedge clk_i) begin
        if (!holds_q) held_q <= data_i;
    end

    `DMA_ASSERT(ReadyIsRoom_A, !(holds_q && ready_q))
endmodule
