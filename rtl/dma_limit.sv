// SPDX-License-Identifier: MIT OR Apache-2.0
// Does a transfer reach beyond the address limit? Combinational.
//
// Only mode Error ever says yes. The transfer is judged as a whole, before its first burst; `length_i` is at
// least 1. The failing address is the first byte beyond the limit (0 if the limit is 2^64 itself).
module dma_limit #(
    // See dma_pkg: AddrModeTruncate and the others.
    parameter int unsigned AddrMode = 0
) (
    // Address bits that there are: 16 to 64.
    input  logic [dma_pkg::WidthBits-1:0]  bits_i,
    input  logic [63:0]                    addr_i,
    input  logic [dma_pkg::LengthBits-1:0] length_i,
    output logic                           exceeds_o,
    output logic [63:0]                    fail_addr_o
);
    import dma_pkg::*;

    if (AddrMode == AddrModeError) begin : gen_check
        logic starts_beyond;
        logic [63:0] reach, limit;
        logic [64:0] last;

        assign reach         = low_bits(bits_i);
        // The lowest bit that is not there.
        assign limit         = ~reach & {reach[62:0], 1'b1};
        assign last          = {1'b0, addr_i} + 65'(length_i) - 65'd1;
        assign starts_beyond = |(addr_i & ~reach);
        assign exceeds_o     = |(last & ~{1'b0, reach});
        assign fail_addr_o   = starts_beyond ? addr_i : limit;
    end else begin : gen_no_check
        logic unused_inputs;
        assign unused_inputs = ^{bits_i, addr_i, length_i};
        assign exceeds_o     = 1'b0;
        assign fail_addr_o   = '0;
    end
endmodule
