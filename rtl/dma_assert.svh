// SPDX-License-Identifier: MIT OR Apache-2.0
// Assertion macros. Names end in _A. They run in simulation (Verilator with --assert) and vanish only in
// synthesis; clock and reset are the engine's own, `clk_i` and `rst_ni`.
`ifndef DMA_ASSERT_SVH
`define DMA_ASSERT_SVH

`ifdef SYNTHESIS
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
