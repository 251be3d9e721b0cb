// SPDX-License-Identifier: MIT OR Apache-2.0
// Cuts a transfer into bursts, one per cycle.
//
// `start_i` with address and length shows the first burst in the same cycle (ShowsAtOnce), or in the next one:
// then it may come while the last burst of the transfer before is taken. `take_i` moves on to the next burst;
// `clear_i` forgets the rest.
// A burst ends at the transfer's end, at a 4 KiB boundary, or after MaxBurstBeats beats, whichever is first;
// only the first one may begin within a beat. Here the address limit is made, but for mode Error: there the caller
// sees to it that no transfer reaches it. `limit_i` is taken with the start.
module dma_splitter #(
    // Bytes in a bus beat.
    parameter int unsigned BeatBytes     = 8,
    // Address bits that are built.
    parameter int unsigned AddrBits      = 32,
    parameter int unsigned MaxBurstBeats = 16,
    parameter bit          ShowsAtOnce   = 1'b1,
    parameter int unsigned PlantedFault  = 0
) (
    input  logic                           clk_i,
    input  logic                           rst_ni,
    input  logic                           start_i,
    input  logic [63:0]                    addr_i,
    input  logic [dma_pkg::LengthBits-1:0] length_i,
    input  dma_pkg::addr_limit_t           limit_i,
    input  logic                           take_i,
    input  logic                           clear_i,
    output logic                           valid_o,
    // Bursts of a transfer are left from earlier cycles.
    output logic                           busy_o,
    output logic [63:0]                    addr_o,
    // Beats in the burst: 1 to 256.
    output logic [8:0]                     beats_o,
    // Bytes of the transfer that come after this burst.
    output logic [dma_pkg::LengthBits-1:0] left_after_o,
    output logic                           is_last_o
);
    import dma_pkg::*;

    localparam int unsigned LaneBits = $clog2(BeatBytes);
    localparam int unsigned MaxBytes = MaxBurstBeats * BeatBytes;
    // Holds the bytes of any burst: 256 beats of 64 bytes.
    localparam int unsigned BurstBits = 15;

    logic active_q, shows;
    logic [AddrBits-1:0] addr_q;
    logic [LengthBits-1:0] left_q;

    addr_limit_t limit, limit_q;
    logic [63:0] addr, first_addr, next_addr;
    logic [LengthBits-1:0] left;
    logic [BurstBits-1:0] lane, to_page_end, to_longest, most_bytes, bytes;

    assign first_addr = addr_i & low_bits(limit_i.bits);

    assign shows = ShowsAtOnce && start_i;
    assign addr  = shows ? 64'(first_addr[AddrBits-1:0]) : 64'(addr_q);
    assign left  = shows ? length_i : left_q;
    assign limit = shows ? limit_i : limit_q;
    assign lane  = BurstBits'(addr[LaneBits-1:0]);

    // The 4 KiB rule (IHI 0022, A3.4.1) and the longest burst; both end on a whole beat.
    assign to_page_end = BurstBits'(PageBytes) - BurstBits'(addr[11:0]);
    assign to_longest  = BurstBits'(MaxBytes) - lane;

    if (PlantedFault == FaultCross4K) begin : gen_planted_crossing
        assign most_bytes = to_longest;
        logic unused_page_end;
        assign unused_page_end = ^to_page_end;
    end else if (MaxBytes >= PageBytes) begin : gen_page_is_limit
        assign most_bytes = to_page_end;
        logic unused_longest;
        assign unused_longest = ^to_longest;
    end else begin : gen_both_limits
        assign most_bytes = (to_page_end < to_longest) ? to_page_end : to_longest;
    end

    assign is_last_o    = left <= LengthBits'(most_bytes);
    assign bytes        = is_last_o ? left[BurstBits-1:0] : most_bytes;
    assign left_after_o = left - LengthBits'(bytes);
    assign beats_o      = 9'((lane + bytes + BurstBits'(BeatBytes - 1)) >> LaneBits);
    assign addr_o       = addr;
    assign valid_o      = shows || active_q;
    assign busy_o       = active_q;

    assign next_addr = limited(limit, addr, 64'(bytes));

    always_ff @(posedge clk_i) begin
        if (!rst_ni || clear_i) active_q <= 1'b0;
        else if (start_i && !(ShowsAtOnce && take_i)) active_q <= 1'b1;
        else if (take_i) active_q <= !is_last_o;
    end

    always_ff @(posedge clk_i) begin
        if (start_i) limit_q <= limit_i;
        if (start_i && !(ShowsAtOnce && take_i)) begin
            addr_q <= first_addr[AddrBits-1:0];
            left_q <= length_i;
        end else if (take_i) begin
            addr_q <= next_addr[AddrBits-1:0];
            left_q <= left_after_o;
        end
    end

    if (AddrBits < 64) begin : gen_unused_bits
        logic unused_bits;
        assign unused_bits = ^{next_addr[63:AddrBits], first_addr[63:AddrBits]};
    end
endmodule
