// SPDX-License-Identifier: MIT OR Apache-2.0
// What all harnesses share. Their inputs are free: in each cycle they take any value that no assumption rules out.
`ifndef DMA_FORMAL_SVH
`define DMA_FORMAL_SVH

// Makes `rst_ni`: low in the first two cycles, then high.
`define FORMAL_RESET \
    logic [1:0] formal_age = 2'd1; \
    logic       rst_ni; \
    assign rst_ni = formal_age == 2'd3; \
    always @(posedge clk_i) if (formal_age != 2'd3) formal_age <= formal_age + 2'd1;

// `Prop` is assumed, holds, or is reached in some cycle out of reset.
`define FORMAL_ASSUME(Prop)       always @(posedge clk_i) if (rst_ni) assume (Prop);
`define FORMAL_ASSERT(Name, Prop) always @(posedge clk_i) if (rst_ni) Name: assert (Prop);
`define FORMAL_COVER(Name, Prop)  always @(posedge clk_i) if (rst_ni) Name: cover (Prop);

// A free input that never changes: what is proven is proven for all its values.
`define FORMAL_CONSTANT(Signal) \
    logic [$bits(Signal)-1:0] Signal``_was; \
    logic                     Signal``_known = 1'b0; \
    always @(posedge clk_i) begin \
        Signal``_known <= 1'b1; \
        Signal``_was   <= Signal; \
        if (Signal``_known) assume (Signal == Signal``_was); \
    end

`endif
