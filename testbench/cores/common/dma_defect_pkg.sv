// SPDX-License-Identifier: MIT OR Apache-2.0
// The defects that the sample cores can plant, so that a testbench can prove that it would name them.
//
// Each core has a parameter `Defect` and plants some of these; it refuses the others at elaboration. README.md
// says which core has which, and what an observer should see.
// A core compares with the few it has.
// verilator lint_off UNUSEDPARAM
package dma_defect_pkg;

    localparam int unsigned DefectNone             = 0;
    localparam int unsigned DefectTruncateAddress  = 1;   // Address bits above bit 31 are dropped silently.
    localparam int unsigned DefectWrap64K          = 2;   // The low 16 address bits do not carry.
    localparam int unsigned DefectWrap4G           = 3;   // The low 32 address bits do not carry.
    localparam int unsigned DefectReadCross4K      = 4;   // Read bursts ignore the 4 KiB boundary.
    localparam int unsigned DefectWriteCross4K     = 5;   // Write bursts ignore the 4 KiB boundary.
    localparam int unsigned DefectWideTail         = 6;   // The last write beat strobes all lanes.
    localparam int unsigned DefectLostHead         = 7;   // A first write beat that is not whole has no strobes.
    localparam int unsigned DefectIgnoreReadError  = 8;   // RRESP is not looked at.
    localparam int unsigned DefectIgnoreWriteError = 9;   // BRESP is not looked at.
    localparam int unsigned DefectLostRead         = 10;  // Beats of R are dropped while the FIFO is full.
    localparam int unsigned DefectLostResponse     = 11;  // A B that comes with an AW handshake is not counted.
    localparam int unsigned DefectEarlyDone        = 12;  // Done is told before the last B.
    localparam int unsigned DefectStaleReset       = 13;  // Reset leaves what was to be copied, and it goes on.
    localparam int unsigned DefectHangOnPage       = 14;  // A length that is a multiple of 4 KiB never ends.
    localparam int unsigned DefectWlastEarly       = 15;  // WLAST one beat early in bursts of 16 beats.
    localparam int unsigned DefectAwUnstable       = 16;  // AWADDR changes while AWREADY is low.
    localparam int unsigned DefectWvalidDrops      = 17;  // WVALID falls without WREADY.
    localparam int unsigned DefectShortCounter     = 18;  // The length counter lacks its highest bit.
    localparam int unsigned DefectLateHigh         = 19;  // The address's high half is that of the transfer before.
    localparam int unsigned DefectZeroLength       = 20;  // Length 0 copies 2^LenWidth bytes.
    localparam int unsigned DefectMixedIds         = 21;  // Read data is taken in order of issue, whatever its id.
    localparam int unsigned DefectWedgedByError    = 22;  // After an error nothing is copied any more.
    localparam int unsigned DefectPrefetch         = 23;  // Reads a burst beyond the end of the source.
    localparam int unsigned DefectWlastMissing     = 24;  // No WLAST in bursts of 16 beats.
    localparam int unsigned DefectRoundsAddress    = 25;  // Address bits within a beat are dropped.

endpackage
// verilator lint_on UNUSEDPARAM
