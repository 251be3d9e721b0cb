// SPDX-License-Identifier: MIT OR Apache-2.0
// Does a transfer reach beyond the implemented address bits? Combinational.
//
// Only mode Error ever says yes. The transfer is judged as a whole, before its first burst; `length_i` is at
// least 1. The failing address is the first byte beyond the limit (0 if the limit is 2^64 itself).
module dma_limit #(
    // Implemented DMA address bits: 16 to 64.
    parameter int unsigned AddrBits = 32,
    // See dma_pkg: AddrModeTruncate, AddrModeError, AddrModeWrap64K.
    parameter int unsigned AddrMode = 0
) (
    input  logic [63:0]                    addr_i,
    input  logic [dma_pkg::LengthBits-1:0] length_i,
    output logic                           exceeds_o,
    output logic [63:0]                    fail_addr_o
);
    import dma_pkg::*;

    if (AddrMode == AddrModeError) begin : gen_check
        localparam logic [64:0] Limit = 65'd1 << AddrBits;

        logic        starts_beyond;
        logic [64:0] last;

        assign last          = {1'b0, addr_i} + 65'(length_i) - 65'd1;
        assign starts_beyond = {1'b0, addr_i} >= Limit;
        assign exceeds_o     = last >= Limit;
        assign fail_addr_o   = starts_beyond ? addr_i : Limit[63:0];
    end else begin : gen_no_check
        logic unused_inputs;
        assign unused_inputs = ^{addr_i, length_i};
        assign exceeds_o     = 1'b0;
        assign fail_addr_o   = '0;
    end
endmodule
