// SPDX-License-Identifier: MIT OR Apache-2.0
// Queue of the models: up to 8 entries, the oldest at the head. Nothing of the engine's, so that a fault there is not here.
`ifndef DMA_FORMAL_QUEUE_SVH
`define DMA_FORMAL_QUEUE_SVH
module formal_queue #(
    parameter int unsigned Width = 8
) (
    input  logic             clk_i,
    input  logic             rst_ni,
    input  logic             push_i,
    input  logic [Width-1:0] data_i,
    input  logic             pop_i,
    output logic [Width-1:0] head_o,
    output logic [3:0]       count_o
);
    // Shifts towards the head, which is all that is seen.
    logic [8 * Width-1:0] entries;
    logic [3:0]           count = '0, kept;

    assign head_o  = entries[Width-1:0];
    assign count_o = count;
    assign kept    = count - 4'(pop_i && count != '0);

    always @(posedge clk_i) begin
        logic [8 * Width-1:0] next;
        next = pop_i ? entries >> Width : entries;
        for (int unsigned index = 0; index < 8; index++) begin
            if (push_i && 4'(index) == kept) next[index * Width +: Width] = data_i;
        end
        entries <= next;
        if (!rst_ni) count <= '0;
        else count <= kept + 4'(push_i);
    end
endmodule
`endif
