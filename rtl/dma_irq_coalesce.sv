// SPDX-License-Identifier: MIT OR Apache-2.0
// Decides when completions are worth an interrupt.
//
// `events_i` with a count, which is not 0, adds so many. In the next cycle `fires_o` is high when `limit_i` of them have
// come since it was high last, or with `urgent_i`; later when the oldest of them is `time_i` times 16 cycles old.
// A `limit_i` or `time_i` of 0 switches its rule off.
module dma_irq_coalesce (
    input  logic        clk_i,
    input  logic        rst_ni,
    input  logic        clear_i,
    input  logic [7:0]  limit_i,
    input  logic [15:0] time_i,
    input  logic        events_i,
    input  logic [7:0]  count_i,
    input  logic        urgent_i,
    output logic        fires_o
);
    logic [8:0] pending_q, pending;
    logic [19:0] age_q;
    logic is_enough, is_old, has_pending, events_q, urgent_q;
    logic [7:0] count_q;

    // A cycle later, so that the answers of the bus reach no further.
    always_ff @(posedge clk_i) begin
        events_q <= events_i && rst_ni && !clear_i;
        if (events_i) begin
            count_q  <= count_i;
            urgent_q <= urgent_i;
        end
    end

    assign has_pending = events_q || pending_q != 9'd0;

    always_comb begin
        pending   = '0;
        is_enough = 1'b0;
        is_old    = 1'b0;
        if (has_pending) begin
            pending   = pending_q + (events_q ? 9'(count_q) : 9'd0);
            is_enough = limit_i != 8'd0 && pending >= 9'(limit_i);
            is_old    = time_i != 16'd0 && age_q >= {time_i, 4'd0};
        end
    end

    assign fires_o = is_enough || is_old || (events_q && urgent_q);

    always_ff @(posedge clk_i) begin
        if (!rst_ni || clear_i || fires_o) begin
            pending_q <= '0;
            age_q     <= '0;
        end else if (has_pending) begin
            // Counting ends where it no longer matters.
            pending_q <= pending[8] ? 9'd256 : pending;
            if (!(&age_q)) age_q <= age_q + 20'd1;
        end
    end
endmodule
