// SPDX-License-Identifier: MIT OR Apache-2.0
// Performance counters of one channel: they count while `enable_i`, from the last `clear_i` on.
module dma_counters (
    input  logic               clk_i,
    input  logic               rst_ni,
    input  logic               enable_i,
    input  logic               clear_i,
    input  logic               busy_i,
    input  dma_pkg::activity_t activity_i,
    output dma_pkg::counts_t   counts_o
);
    always_ff @(posedge clk_i) begin
        if (!rst_ni || clear_i) begin
            counts_o.busy           <= '0;
            counts_o.beats          <= '0;
            counts_o.stalls_address <= '0;
            counts_o.stalls_data    <= '0;
            counts_o.stalls_stream  <= '0;
            counts_o.outstanding    <= '0;
        end else if (enable_i && busy_i) begin
            counts_o.busy <= counts_o.busy + 32'd1;
            if (activity_i.beat) counts_o.beats <= counts_o.beats + 32'd1;
            if (activity_i.stalls_address) counts_o.stalls_address <= counts_o.stalls_address + 32'd1;
            if (activity_i.stalls_data) counts_o.stalls_data <= counts_o.stalls_data + 32'd1;
            if (activity_i.stalls_stream) counts_o.stalls_stream <= counts_o.stalls_stream + 32'd1;
            if (activity_i.outstanding > counts_o.outstanding) counts_o.outstanding <= activity_i.outstanding;
        end
    end
endmodule
