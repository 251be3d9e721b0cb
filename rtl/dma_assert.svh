// SPDX-License-Identifier: MIT OR Apache-2.0
// Assertion macros. Names end in _A. They run in simulation (Verilator with --assert) and vanish only in
// synthesis; clock and reset are the engine's own, `clk_i` and `rst_ni`. Under FORMAL they are immediate assertions,
// which is what yosys takes; there they are proven (formal/README.md).
`ifndef DMA_ASSERT_SVH
`define DMA_ASSERT_SVH

`ifdef FORMAL
`define DMA_ASSERT(Name, Prop) \
    always @(posedge clk_i) if (rst_ni) Name: assert (Prop);
`define DMA_ASSERT_STABLE(Name, Valid, Ready, Payload) \
    logic Name``_waited = 1'b0; \
    logic [$bits(Payload)-1:0] Name``_was; \
    always @(posedge clk_i) begin \
        Name``_waited <= rst_ni && (Valid) && !(Ready); \
        Name``_was    <= Payload; \
        if (rst_ni && Name``_waited) Name: assert ((Valid) && Payload == Name``_was); \
    end
`elsif SYNTHESIS
`define DMA_ASSERT(Name, Prop)
`define DMA_ASSERT_STABLE(Name, Valid, Ready, Payload)
`else
// `Prop` holds in every cycle out of reset.
`define DMA_ASSERT(Name, Prop) \
    Name: assert property (@(posedge clk_i) disable iff (!rst_ni) (Prop)) \
        else $error("%m: Name failed");

// Valid stays and the payload does not change until ready (IHI 0022, A3.2.1).
`define DMA_ASSERT_STABLE(Name, Valid, Ready, Payload) \
    Name: assert property (@(posedge clk_i) disable iff (!rst_ni) \
        ((Valid) && !(Ready)) |=> ((Valid) && $stable(Payload))) \
        else $error("%m: Name failed");
`endif

`endif
