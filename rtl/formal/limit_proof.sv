// SPDX-License-Identifier: MIT OR Apache-2.0
// dma_limit: says exactly of those transfers that they exceed the limit that have a byte at or beyond it.
`include "formal.svh"
module limit_proof #(
    parameter int unsigned AddrMode = 1
) (
    input logic                           clk_i,
    input logic [dma_pkg::WidthBits-1:0]  bits_i,
    input logic [63:0]                    addr_i,
    input logic [dma_pkg::LengthBits-1:0] length_i,
    // Any byte of the transfer.
    input logic [dma_pkg::LengthBits-1:0] offset_i
);
    import dma_pkg::*;

    `FORMAL_RESET

    logic        exceeds;
    logic [63:0] fail_addr;

    dma_limit #(
        .AddrMode(AddrMode)
    ) dut (
        .bits_i,
        .addr_i,
        .length_i,
        .exceeds_o  (exceeds),
        .fail_addr_o(fail_addr)
    );

    logic [64:0] limit, a_byte, last;

    assign limit  = 65'd1 << bits_i;
    assign a_byte = {1'b0, addr_i} + 65'(offset_i);
    assign last   = {1'b0, addr_i} + 65'(length_i) - 65'd1;

    `FORMAL_ASSUME(bits_i >= WidthBits'(AddrBitsLeast) && bits_i <= WidthBits'(AddrBitsMost))
    `FORMAL_ASSUME(length_i != '0 && offset_i < length_i)

    if (AddrMode == AddrModeError) begin : gen_error
        `FORMAL_ASSERT(NoByteBeyond_A, exceeds || a_byte < limit)
        `FORMAL_ASSERT(NoneForNothing_A, !exceeds || last >= limit)
        `FORMAL_ASSERT(FailsAtFirst_A, !exceeds || a_byte < limit || {1'b0, fail_addr} <= a_byte || limit[64])
        `FORMAL_ASSERT(FailsBeyond_A, !exceeds || limit[64]
                                       || ({1'b0, fail_addr} >= limit && {1'b0, fail_addr} <= last))
        `FORMAL_COVER(BeginsBeyond_C, exceeds && {1'b0, addr_i} > limit)
        `FORMAL_COVER(ReachesBeyond_C, exceeds && {1'b0, addr_i} < limit)
        `FORMAL_COVER(JustFits_C, !exceeds && last + 65'd1 == limit)
        `FORMAL_COVER(WrapsAt64_C, exceeds && limit[64])
    end else begin : gen_others
        `FORMAL_ASSERT(NeverRefuses_A, !exceeds)
    end
endmodule
