// SPDX-License-Identifier: MIT OR Apache-2.0
// Cuts the next burst off a transfer; combinational.
//
// A burst ends at the transfer's end, at a 4 KiB boundary (IHI 0022, A3.4.1) or after MaxBeats beats, whichever
// is first. It may begin and end within a beat.
module burst_split #(
    parameter int unsigned DataWidth  = 64,
    parameter int unsigned LenWidth   = 24,
    // Longest burst in beats.
    parameter int unsigned MaxBeats   = 16,
    // Plants the defect of crossing a page.
    parameter bit          IgnorePage = 1'b0
) (
    // The address within its page.
    input  logic [11:0]         addr_i,
    // Bytes left, at least 1.
    input  logic [LenWidth-1:0] left_i,
    output logic [12:0]         bytes_o,
    output logic [8:0]          beats_o
);
    if (!(DataWidth inside {32, 64, 128})) begin : gen_no_such_width
        $fatal(1, "%m: DataWidth must be 32, 64 or 128, got %0d", DataWidth);
    end
    if (!(MaxBeats inside {2, 4, 8, 16})) begin : gen_no_such_burst
        $fatal(1, "%m: MaxBeats must be 2, 4, 8 or 16, got %0d", MaxBeats);
    end

    localparam int unsigned BeatBytes = DataWidth / 8;
    localparam int unsigned LaneBits  = $clog2(BeatBytes);

    logic [12:0] lane, to_page_end, to_longest, most;

    assign lane        = 13'(addr_i[LaneBits-1:0]);
    assign to_page_end = 13'd4096 - 13'(addr_i);
    assign to_longest  = 13'(MaxBeats * BeatBytes) - lane;
    assign most        = (!IgnorePage && to_page_end < to_longest) ? to_page_end : to_longest;
    assign bytes_o     = (32'(left_i) < 32'(most)) ? 13'(left_i) : most;
    assign beats_o     = 9'((lane + bytes_o + 13'(BeatBytes - 1)) >> LaneBits);
endmodule
