// SPDX-License-Identifier: MIT OR Apache-2.0
// Tells when something that runs has not moved for a number of cycles.
//
// `expires_o` is high for one cycle when `runs_i` was high and `moves_i` low for `limit_i` cycles; a limit of 0 never
// expires.
module dma_watchdog (
    input  logic        clk_i,
    input  logic        rst_ni,
    input  logic [31:0] limit_i,
    input  logic        runs_i,
    input  logic        moves_i,
    output logic        expires_o
);
    logic [31:0] waited_q;
    logic is_on, is_due;

    assign is_on     = runs_i && limit_i != '0;
    assign is_due    = is_on && waited_q >= limit_i;
    assign expires_o = is_due && !moves_i;

    always_ff @(posedge clk_i) begin
        if (!rst_ni || !is_on) waited_q <= '0;
        else waited_q <= (moves_i || is_due) ? '0 : waited_q + 32'd1;
    end
endmodule
