// SPDX-License-Identifier: MIT OR Apache-2.0
// Types and constants that the engine's modules share.
package dma_pkg;

    // AXI: a burst must not cross a 4 KiB boundary (IHI 0022, A3.4.1).
    localparam int unsigned PageBytes = 4096;

    // Width of a transfer's length in bytes, as in the LENGTH register.
    localparam int unsigned LengthBits = 32;

    // Response codes (IHI 0022, A3.4.4).
    typedef enum logic [1:0] {
        RespOkay   = 2'b00,
        RespExokay = 2'b01,
        RespSlverr = 2'b10,
        RespDecerr = 2'b11
    } resp_e;

    // Burst type (IHI 0022, A3.4.1): the engine only sends INCR.
    localparam logic [1:0] BurstIncr = 2'b01;

    // Normal, non-cacheable, bufferable memory (IHI 0022, A4.4); data, secure, unprivileged (A4.7).
    localparam logic [3:0] CacheNormal = 4'b0011;
    localparam logic [2:0] ProtData = 3'b000;

    // What happens to address bits beyond the limit.
    localparam int unsigned AddrModeTruncate = 0;  // Dropped silently, as cheap hardware does.
    localparam int unsigned AddrModeError = 1;  // The transfer is refused with status and address.
    localparam int unsigned AddrModeWrap64K = 2;  // Dropped, and the low 16 bits do not carry (8237).
    localparam int unsigned AddrModeBoundary = 3;  // Dropped, and as many low bits as BOUNDARY says do not carry.

    // Fewest address bits, and the lowest boundary: no burst crosses 4 KiB, so none wraps on its way.
    localparam int unsigned AddrBitsLeast = 16;
    localparam int unsigned BoundaryBitsLeast = 12;
    localparam int unsigned BoundaryBits8237 = 16;
    // Neither has more.
    localparam int unsigned AddrBitsMost = 64;

    // Width of a number of address bits.
    localparam int unsigned WidthBits = $clog2(AddrBitsMost + 1);

    // How an address counts: what ADDR_LIMIT and BOUNDARY say.
    typedef struct packed {
        // Address bits that there are.
        logic [WidthBits-1:0] bits;
        // Low bits that do not carry into those above.
        logic [WidthBits-1:0] boundary;
    } addr_limit_t;

    // All bits below `bits`.
    function automatic logic [63:0] low_bits(logic [WidthBits-1:0] bits);
        return ~(64'hFFFF_FFFF_FFFF_FFFF << bits);
    endfunction

    // The address `offset` bytes behind `addr`, as a counter of this limit comes to it.
    function automatic logic [63:0] limited(addr_limit_t limit, logic [63:0] addr, logic [63:0] offset);
        logic [63:0] page;
        page = ~low_bits(limit.boundary);
        return ((addr & page) | ((addr + offset) & ~page)) & low_bits(limit.bits);
    endfunction

    // Why a transfer failed; the values are those of STATUS.error_kind.
    typedef enum logic [3:0] {
        ErrNone      = 4'd0,
        ErrSlverr    = 4'd1,
        ErrDecerr    = 4'd2,
        ErrAddrLimit = 4'd3,
        ErrOverrun   = 4'd4,
        ErrBadKeep   = 4'd5,
        ErrAborted   = 4'd6,
        ErrTimeout   = 4'd7
    } error_kind_e;

    // What failed; the values are those of RING_STATUS.error_source.
    typedef enum logic [1:0] {
        SourceData      = 2'd0,
        SourceFetch     = 2'd1,
        SourceWriteback = 2'd2
    } error_source_e;

    // Descriptors of a ring are one beat of its port.
    localparam int unsigned RingDataWidth = 128;
    localparam int unsigned DescriptorBytes = 16;
    // Width of an index into a ring.
    localparam int unsigned RingBits = 16;

    // Faults that PlantedFault can plant, so that a testbench can prove that it would notice. README.md
    // says which rule or check each of them provokes.
    localparam int unsigned FaultNone = 0;
    localparam int unsigned FaultCross4K = 1;  // Bursts ignore the 4 KiB boundary.
    localparam int unsigned FaultLostTail = 2;  // The last write beat of a transfer has no strobes.
    localparam int unsigned FaultEarlyDone = 3;  // s2mm is done before the last write response.
    localparam int unsigned FaultAwUnstable = 4;  // AWADDR changes while AWREADY is low.
    localparam int unsigned FaultWlastMissing = 5;  // WLAST is never set.
    localparam int unsigned FaultWlastEarly = 6;  // WLAST is set one beat early as well.
    localparam int unsigned FaultAwDropped = 7;  // AWVALID falls without AWREADY.
    localparam int unsigned FaultArUnstable = 8;  // ARADDR changes while ARREADY is low.
    localparam int unsigned FaultWUnstable = 9;  // WDATA changes while WREADY is low.
    localparam int unsigned FaultWideStrobes = 10;  // The first write beat strobes lanes before the buffer.
    localparam int unsigned FaultTooManyReads = 11;  // Read bursts beyond MaxReads.
    localparam int unsigned FaultBadBurstType = 12;  // ARBURST is the reserved value 3.
    localparam int unsigned FaultBadSize = 13;  // AWSIZE is wider than the bus.
    localparam int unsigned FaultSwappedBytes = 14;  // The two lowest bytes of a write beat are swapped.
    localparam int unsigned FaultNeverDone = 15;  // s2mm never ends.
    localparam int unsigned FaultWrongAddress = 16;  // The last write burst of a transfer goes one beat too far.
    localparam int unsigned FaultStreamUnstable = 17;  // mm2s TDATA changes while TREADY is low.
    localparam int unsigned FaultStreamDropped = 18;  // mm2s TVALID falls without TREADY.
    localparam int unsigned FaultValidInReset = 19;  // ARVALID is high during reset.
    localparam int unsigned FaultLostInterrupt = 20;  // The interrupt never rises.
    localparam int unsigned FaultReadAstray = 21;  // The last read burst of a transfer reads the neighbouring page.
    localparam int unsigned FaultLast = 21;

endpackage
