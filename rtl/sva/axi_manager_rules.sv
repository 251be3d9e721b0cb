// SPDX-License-Identifier: MIT OR Apache-2.0
// Rules of AXI4 (and AXI3) on one manager port: watches, never drives. All rules: README.md beside this file.
//
// Judges both sides: the manager (AW, W, AR) and whoever answers it (R, B). Each breach is one call of
// `rebound_violation`, made at the clock edge at which it is seen. Under FORMAL the manager's rules are
// assertions and the other side's are assumptions.
//
// Limits: up to MaxTracked reads and as many writes in flight are followed; one more is reported once, and
// turns the checks of data order and responses off until the next reset. Ids wider than 12 bits are not told apart in responses. W beats that
// come before their address are counted, but their strobes are not judged. AXI3 write interleaving is not
// followed (WID must follow the order of the addresses).

// The registers below belong to one process, which reads its own assignments: blocking assignments are meant.
// verilator lint_off BLKSEQ
// Some comparisons are constant for some widths.
// verilator lint_off CMPCONST

`ifdef FORMAL
`define REBOUND_MANAGER_RULE(Holds, Rule, Section, Text, Value0, Value1) assert (Holds);
`define REBOUND_SUBORDINATE_RULE(Holds, Rule, Section, Text, Value0, Value1) assume (Holds);
`else
`define REBOUND_MANAGER_RULE(Holds, Rule, Section, Text, Value0, Value1) \
    if (!(Holds)) rebound_violation(Port, Rule, Section, Text, 64'(Value0), 64'(Value1));
`define REBOUND_SUBORDINATE_RULE(Holds, Rule, Section, Text, Value0, Value1) \
    `REBOUND_MANAGER_RULE(Holds, Rule, Section, Text, Value0, Value1)
`endif  // FORMAL

module axi_manager_rules #(
    // Width of AxADDR in bits.
    parameter int unsigned AddrWidth  = 64,
    // Width of WDATA and RDATA in bits: 8 to 1024.
    parameter int unsigned DataWidth  = 64,
    // Width of the ids in bits.
    parameter int unsigned IdWidth    = 4,
    // Handed back with each violation, to tell ports apart (matters to simulation only).
    // verilator lint_off UNUSEDPARAM
    parameter int          Port       = 0,
    // verilator lint_on UNUSEDPARAM
    // Most read bursts outstanding that the core promises; 0 = not checked.
    parameter int unsigned MaxReads   = 0,
    // Most write bursts outstanding that the core promises; 0 = not checked.
    parameter int unsigned MaxWrites  = 0,
    // 1 for an AXI3 port: bursts of at most 16 beats, locked accesses, WID.
    parameter int unsigned Axi3       = 0,
    // Reads, and writes, in flight that are followed: a power of two.
    parameter int unsigned MaxTracked = 1024,
    // Beats before their address whose strobes are kept: a power of two, the longest burst that there can be.
    parameter int unsigned EarlyStrobes = 256
) (
    input logic                   aclk,
    input logic                   aresetn,
    input logic [IdWidth-1:0]     awid,
    input logic [AddrWidth-1:0]   awaddr,
    input logic [7:0]             awlen,
    input logic [2:0]             awsize,
    input logic [1:0]             awburst,
    input logic [1:0]             awlock,
    input logic [3:0]             awcache,
    input logic [2:0]             awprot,
    input logic [3:0]             awqos,
    input logic                   awvalid,
    input logic                   awready,
    input logic [IdWidth-1:0]     wid,
    input logic [DataWidth-1:0]   wdata,
    input logic [DataWidth/8-1:0] wstrb,
    input logic                   wlast,
    input logic                   wvalid,
    input logic                   wready,
    input logic [IdWidth-1:0]     bid,
    input logic [1:0]             bresp,
    input logic                   bvalid,
    input logic                   bready,
    input logic [IdWidth-1:0]     arid,
    input logic [AddrWidth-1:0]   araddr,
    input logic [7:0]             arlen,
    input logic [2:0]             arsize,
    input logic [1:0]             arburst,
    input logic [1:0]             arlock,
    input logic [3:0]             arcache,
    input logic [2:0]             arprot,
    input logic [3:0]             arqos,
    input logic                   arvalid,
    input logic                   arready,
    input logic [IdWidth-1:0]     rid,
    input logic [DataWidth-1:0]   rdata,
    input logic [1:0]             rresp,
    input logic                   rlast,
    input logic                   rvalid,
    input logic                   rready
);

`ifndef FORMAL
    // Reports a breach: value0 is what was expected, the limit or the previous value, value1 what was found.
    import "DPI-C" context function void rebound_violation(
        input int port, input string rule, input string section, input string text,
        input longint unsigned value0, input longint unsigned value1);
`endif  // FORMAL

    localparam int unsigned BusBytes  = DataWidth / 8;
    localparam logic [2:0]  FullSize  = 3'($clog2(BusBytes));
    // Ids that are told apart in responses.
    localparam bit          TellsIds  = IdWidth <= 12;
    localparam int unsigned KeyBits   = TellsIds ? IdWidth : 1;
    localparam int unsigned Keys      = 1 << KeyBits;
    localparam int unsigned SlotBits  = $clog2(MaxTracked);
    localparam int unsigned CountBits = SlotBits + 1;

    localparam logic [1:0] BurstFixed = 2'b00;
    localparam logic [1:0] BurstIncr  = 2'b01;
    localparam logic [1:0] BurstWrap  = 2'b10;
    localparam logic [1:0] RespExokay = 2'b01;

    // What is kept of an address until its data and response.
    typedef struct packed {
        logic [IdWidth-1:0] id;
        // Low bits, enough for the byte lanes.
        logic [11:0]        addr;
        logic [7:0]         len;
        logic [2:0]         size;
        logic [1:0]         burst;
        logic               exclusive;
    } address_t;

    // verilator lint_off UNUSEDSIGNAL
    function automatic logic [KeyBits-1:0] key_of(input logic [IdWidth-1:0] id);
    // verilator lint_on UNUSEDSIGNAL
        return TellsIds ? KeyBits'(id) : '0;
    endfunction

    // The last edge was in reset; there was a last edge.
    logic was_reset, is_started;

    // ---- Stable while waiting, valid held, valid low in reset ----

    // The channel was valid and not ready at the last edge, with this payload.
    logic                 aw_waited, w_waited, ar_waited, r_waited, b_waited;
    logic [AddrWidth-1:0] awaddr_was, araddr_was;
    logic [63:0]          aw_control, aw_control_was, ar_control, ar_control_was;
    logic [IdWidth-1:0]   wid_was, bid_was, rid_was;
    logic [DataWidth-1:0] wdata_was, rdata_was;
    logic [BusBytes-1:0]  wstrb_was;
    logic                 wlast_was, rlast_was;
    logic [1:0]           bresp_was, rresp_was;

    assign aw_control = 64'({awid, awlen, awsize, awburst, awlock, awcache, awprot, awqos});
    assign ar_control = 64'({arid, arlen, arsize, arburst, arlock, arcache, arprot, arqos});

    initial begin
        was_reset  = 1'b0;
        is_started = 1'b0;
        aw_waited  = 1'b0;
        w_waited   = 1'b0;
        ar_waited  = 1'b0;
        r_waited   = 1'b0;
        b_waited   = 1'b0;
    end

    always @(posedge aclk) begin
        was_reset  <= !aresetn;
        is_started <= 1'b1;
        aw_waited  <= aresetn && awvalid && !awready;
        w_waited   <= aresetn && wvalid && !wready;
        ar_waited  <= aresetn && arvalid && !arready;
        r_waited   <= aresetn && rvalid && !rready;
        b_waited   <= aresetn && bvalid && !bready;

        if (awvalid) begin
            awaddr_was     <= awaddr;
            aw_control_was <= aw_control;
        end
        if (wvalid) begin
            wid_was   <= wid;
            wdata_was <= wdata;
            wstrb_was <= wstrb;
            wlast_was <= wlast;
        end
        if (arvalid) begin
            araddr_was     <= araddr;
            ar_control_was <= ar_control;
        end
        if (rvalid) begin
            rid_was   <= rid;
            rdata_was <= rdata;
            rresp_was <= rresp;
            rlast_was <= rlast;
        end
        if (bvalid) begin
            bid_was   <= bid;
            bresp_was <= bresp;
        end

        // A synchronous reset takes one edge to reach the outputs, so the first edge in reset is not judged; the
        // edge that ends the reset is.
        if (is_started && was_reset) begin
            `REBOUND_MANAGER_RULE(!awvalid, "AXI_AW_RESET", "IHI 0022 A3.1.2", "AWVALID must be low during reset", 0, 1)
            `REBOUND_MANAGER_RULE(!wvalid, "AXI_W_RESET", "IHI 0022 A3.1.2", "WVALID must be low during reset", 0, 1)
            `REBOUND_MANAGER_RULE(!arvalid, "AXI_AR_RESET", "IHI 0022 A3.1.2", "ARVALID must be low during reset", 0, 1)
            `REBOUND_SUBORDINATE_RULE(!rvalid, "AXI_R_RESET", "IHI 0022 A3.1.2", "RVALID must be low during reset", 0, 1)
            `REBOUND_SUBORDINATE_RULE(!bvalid, "AXI_B_RESET", "IHI 0022 A3.1.2", "BVALID must be low during reset", 0, 1)
        end

        if (aresetn && aw_waited) begin
            `REBOUND_MANAGER_RULE(awvalid, "AXI_AW_VALID", "IHI 0022 A3.2.1", "AWVALID must stay high until AWREADY", 1, 0)
            if (awvalid) begin
                `REBOUND_MANAGER_RULE(awaddr == awaddr_was, "AXI_AW_STABLE", "IHI 0022 A3.2.1", "AWADDR must not change while AWVALID waits for AWREADY", awaddr_was, awaddr)
                `REBOUND_MANAGER_RULE(aw_control == aw_control_was, "AXI_AW_STABLE", "IHI 0022 A3.2.1", "AWID, AWLEN, AWSIZE, AWBURST, AWLOCK, AWCACHE, AWPROT and AWQOS must not change while AWVALID waits for AWREADY (values: all of them, joined)", aw_control_was, aw_control)
            end
        end
        if (aresetn && w_waited) begin
            `REBOUND_MANAGER_RULE(wvalid, "AXI_W_VALID", "IHI 0022 A3.2.1", "WVALID must stay high until WREADY", 1, 0)
            if (wvalid) begin
                `REBOUND_MANAGER_RULE(wdata == wdata_was, "AXI_W_STABLE", "IHI 0022 A3.2.1", "WDATA must not change while WVALID waits for WREADY (values: low 64 bits)", wdata_was, wdata)
                `REBOUND_MANAGER_RULE(wstrb == wstrb_was, "AXI_W_STABLE", "IHI 0022 A3.2.1", "WSTRB must not change while WVALID waits for WREADY (values: low 64 lanes)", wstrb_was, wstrb)
                `REBOUND_MANAGER_RULE(wlast == wlast_was, "AXI_W_STABLE", "IHI 0022 A3.2.1", "WLAST must not change while WVALID waits for WREADY", wlast_was, wlast)
                if (Axi3 != 0) begin
                    `REBOUND_MANAGER_RULE(wid == wid_was, "AXI_W_STABLE", "IHI 0022 A3.2.1", "WID must not change while WVALID waits for WREADY", wid_was, wid)
                end
            end
        end
        if (aresetn && ar_waited) begin
            `REBOUND_MANAGER_RULE(arvalid, "AXI_AR_VALID", "IHI 0022 A3.2.1", "ARVALID must stay high until ARREADY", 1, 0)
            if (arvalid) begin
                `REBOUND_MANAGER_RULE(araddr == araddr_was, "AXI_AR_STABLE", "IHI 0022 A3.2.1", "ARADDR must not change while ARVALID waits for ARREADY", araddr_was, araddr)
                `REBOUND_MANAGER_RULE(ar_control == ar_control_was, "AXI_AR_STABLE", "IHI 0022 A3.2.1", "ARID, ARLEN, ARSIZE, ARBURST, ARLOCK, ARCACHE, ARPROT and ARQOS must not change while ARVALID waits for ARREADY (values: all of them, joined)", ar_control_was, ar_control)
            end
        end
        if (aresetn && r_waited) begin
            `REBOUND_SUBORDINATE_RULE(rvalid, "AXI_R_VALID", "IHI 0022 A3.2.1", "RVALID must stay high until RREADY", 1, 0)
            if (rvalid) begin
                `REBOUND_SUBORDINATE_RULE(rdata == rdata_was, "AXI_R_STABLE", "IHI 0022 A3.2.1", "RDATA must not change while RVALID waits for RREADY (values: low 64 bits)", rdata_was, rdata)
                `REBOUND_SUBORDINATE_RULE({rid, rresp, rlast} == {rid_was, rresp_was, rlast_was}, "AXI_R_STABLE", "IHI 0022 A3.2.1", "RID, RRESP and RLAST must not change while RVALID waits for RREADY (values: joined)", ({rid_was, rresp_was, rlast_was}), ({rid, rresp, rlast}))
            end
        end
        if (aresetn && b_waited) begin
            `REBOUND_SUBORDINATE_RULE(bvalid, "AXI_B_VALID", "IHI 0022 A3.2.1", "BVALID must stay high until BREADY", 1, 0)
            if (bvalid) begin
                `REBOUND_SUBORDINATE_RULE({bid, bresp} == {bid_was, bresp_was}, "AXI_B_STABLE", "IHI 0022 A3.2.1", "BID and BRESP must not change while BVALID waits for BREADY (values: joined)", ({bid_was, bresp_was}), ({bid, bresp}))
            end
        end
    end

    // ---- What an address may ask for ----

    // Under FORMAL nothing is reported, so what only the report uses is not used.
    // verilator lint_off UNUSEDSIGNAL
    task automatic judge_address(
        input bit is_write, input logic [63:0] addr, input logic [7:0] len, input logic [2:0] size,
        input logic [1:0] burst, input logic [1:0] lock, input logic [3:0] cache);
        logic [63:0] beat_bytes, bytes, last;
        // verilator lint_on UNUSEDSIGNAL
        beat_bytes = 64'd1 << size;
        bytes      = (64'(len) + 64'd1) << size;
        last       = (addr & ~(beat_bytes - 64'd1)) + bytes - 64'd1;

        `REBOUND_MANAGER_RULE(size <= FullSize, is_write ? "AXI_AW_SIZE" : "AXI_AR_SIZE", "IHI 0022 A3.4.1", "AxSIZE must not be wider than the data bus (values: log2 of bytes)", FullSize, size)
        `REBOUND_MANAGER_RULE(burst <= BurstWrap, is_write ? "AXI_AW_BURST" : "AXI_AR_BURST", "IHI 0022 A3.4.1", "AxBURST must be FIXED, INCR or WRAP", BurstWrap, burst)
        if (burst == BurstIncr) begin
            `REBOUND_MANAGER_RULE(addr[63:12] == last[63:12], is_write ? "AXI_AW_4K" : "AXI_AR_4K", "IHI 0022 A3.4.1", "a burst must not cross a 4 KiB boundary (values: last address allowed, last address of the burst)", ({addr[63:12], 12'hFFF}), last)
        end
        if (burst == BurstFixed) begin
            `REBOUND_MANAGER_RULE(len <= 8'd15, is_write ? "AXI_AW_FIXED_LEN" : "AXI_AR_FIXED_LEN", "IHI 0022 A3.4.1", "a FIXED burst has at most 16 beats (values: AxLEN)", 15, len)
        end
        if (burst == BurstWrap) begin
            `REBOUND_MANAGER_RULE(len == 8'd1 || len == 8'd3 || len == 8'd7 || len == 8'd15, is_write ? "AXI_AW_WRAP_LEN" : "AXI_AR_WRAP_LEN", "IHI 0022 A3.4.1", "a WRAP burst has 2, 4, 8 or 16 beats (values: largest AxLEN, AxLEN)", 15, len)
            `REBOUND_MANAGER_RULE((addr & (beat_bytes - 64'd1)) == 64'd0, is_write ? "AXI_AW_WRAP_ALIGN" : "AXI_AR_WRAP_ALIGN", "IHI 0022 A3.4.1", "a WRAP burst begins at a multiple of its beat size (values: aligned address, address)", addr & ~(beat_bytes - 64'd1), addr)
        end
        if (Axi3 != 0) begin
            `REBOUND_MANAGER_RULE(len <= 8'd15, is_write ? "AXI_AW_LEN" : "AXI_AR_LEN", "IHI 0022 A3.4.1", "an AXI3 burst has at most 16 beats (values: AxLEN)", 15, len)
            `REBOUND_MANAGER_RULE(lock != 2'b11, is_write ? "AXI_AW_LOCK" : "AXI_AR_LOCK", "IHI 0022 A7.4", "AxLOCK 3 is reserved", 2, lock)
        end else begin
            `REBOUND_MANAGER_RULE(!lock[1], is_write ? "AXI_AW_LOCK" : "AXI_AR_LOCK", "IHI 0022 A7.3", "AXI4 has no locked accesses: AxLOCK is 0 or 1", 1, lock)
        end
        `REBOUND_MANAGER_RULE(cache[1] || cache[3:2] == 2'b00, is_write ? "AXI_AW_CACHE" : "AXI_AR_CACHE", "IHI 0022 A4.4", "AxCACHE must not ask to allocate what is not modifiable (values: without the allocate bits, AxCACHE)", ({2'b00, cache[1:0]}), cache)
        if (lock == 2'b01) begin
            `REBOUND_MANAGER_RULE((bytes & (bytes - 64'd1)) == 64'd0 && bytes <= 64'd128, is_write ? "AXI_AW_EXCLUSIVE_SIZE" : "AXI_AR_EXCLUSIVE_SIZE", "IHI 0022 A7.2.4", "an exclusive access moves a power of two of at most 128 bytes (values: bytes)", 128, bytes)
            `REBOUND_MANAGER_RULE((bytes & (bytes - 64'd1)) != 64'd0 || (addr & (bytes - 64'd1)) == 64'd0, is_write ? "AXI_AW_EXCLUSIVE_ALIGN" : "AXI_AR_EXCLUSIVE_ALIGN", "IHI 0022 A7.2.4", "an exclusive access begins at a multiple of its bytes (values: aligned address, address)", addr & ~(bytes - 64'd1), addr)
            `REBOUND_MANAGER_RULE(len <= 8'd15, is_write ? "AXI_AW_EXCLUSIVE_LEN" : "AXI_AR_EXCLUSIVE_LEN", "IHI 0022 A7.2.4", "an exclusive access has at most 16 beats (values: AxLEN)", 15, len)
        end
    endtask

    // ---- Reads in flight: one list per id, in the order of their addresses ----

    logic [CountBits-1:0] reads_in_flight;
    logic                 lost_reads;
    logic [SlotBits-1:0]  free_slots [MaxTracked];
    logic [8:0]           slot_beats [MaxTracked];
    logic                 slot_exclusive [MaxTracked];
    logic [SlotBits-1:0]  slot_next [MaxTracked];
    logic [SlotBits-1:0]  first_slot [Keys];
    logic [SlotBits-1:0]  last_slot [Keys];
    logic [CountBits-1:0] reads_of [Keys];

    task automatic forget_reads();
        reads_in_flight = '0;
        lost_reads      = 1'b0;
        for (int unsigned slot = 0; slot < MaxTracked; slot++) free_slots[slot] = SlotBits'(slot);
        for (int unsigned key = 0; key < Keys; key++) reads_of[key] = '0;
    endtask

    task automatic begin_read(input logic [KeyBits-1:0] key, input logic [7:0] len, input bit exclusive);
        logic [SlotBits-1:0] slot;
        `REBOUND_MANAGER_RULE(reads_in_flight != CountBits'(MaxTracked), "AXI_AR_TRACKED", "limit of the rules", "more reads are in flight than the rules follow: until the next reset, read data is not judged any more (values: bursts)", MaxTracked, ({reads_in_flight + 1'b1}))
        if (reads_in_flight == CountBits'(MaxTracked)) begin
            lost_reads = 1'b1;
        end else begin
            slot                 = free_slots[SlotBits'(reads_in_flight)];
            reads_in_flight      = reads_in_flight + 1'b1;
            slot_beats[slot]     = 9'(len) + 9'd1;
            slot_exclusive[slot] = exclusive;
            if (reads_of[key] == '0) first_slot[key] = slot;
            else slot_next[last_slot[key]] = slot;
            last_slot[key] = slot;
            reads_of[key]  = reads_of[key] + 1'b1;
        end
    endtask

    // A beat is presented for the first time.
    task automatic judge_read_beat(input logic [KeyBits-1:0] key);
        logic [SlotBits-1:0] slot;
        `REBOUND_SUBORDINATE_RULE(reads_of[key] != '0, "AXI_R_ID", "IHI 0022 A5.3", "read data must answer an outstanding read with this id (values: reads outstanding, RID)", reads_in_flight, rid)
        if (reads_of[key] != '0) begin
            slot = first_slot[key];
            `REBOUND_SUBORDINATE_RULE(!TellsIds || rlast == (slot_beats[slot] == 9'd1), "AXI_R_LAST", "IHI 0022 A3.4.1", "RLAST must be set with the last beat of a burst and with no other (values: beats still to come with this one, RLAST)", slot_beats[slot], rlast)
            `REBOUND_SUBORDINATE_RULE(!TellsIds || rresp != RespExokay || slot_exclusive[slot], "AXI_R_EXOKAY", "IHI 0022 A7.2.3", "EXOKAY answers only an exclusive read", 0, rresp)
        end
    endtask

    task automatic take_read_beat(input logic [KeyBits-1:0] key);
        logic [SlotBits-1:0] slot;
        if (reads_of[key] != '0) begin
            slot             = first_slot[key];
            slot_beats[slot] = slot_beats[slot] - 9'd1;
            // A wrong RLAST has been reported: follow what the data says, to stay in step.
            if (rlast || (TellsIds && slot_beats[slot] == 9'd0)) begin
                first_slot[key]                       = slot_next[slot];
                reads_of[key]                         = reads_of[key] - 1'b1;
                reads_in_flight                       = reads_in_flight - 1'b1;
                free_slots[SlotBits'(reads_in_flight)] = slot;
            end
        end
    endtask

    // ---- Writes in flight: addresses wait for data in order, or data for addresses ----

    address_t aw_address;
    assign aw_address.id        = awid;
    assign aw_address.addr      = 12'(awaddr);
    assign aw_address.len       = awlen;
    assign aw_address.size      = awsize;
    assign aw_address.burst     = awburst;
    assign aw_address.exclusive = awlock == 2'b01;

    logic [CountBits-1:0] writes_in_flight;
    logic                 lost_writes;
    // Addresses whose data has not begun.
    address_t             waiting [MaxTracked];
    logic [SlotBits-1:0]  waiting_first, waiting_next;
    logic [CountBits-1:0] waiting_count;
    // Beats of complete bursts whose address has not come.
    logic [8:0]           early [MaxTracked];
    logic [SlotBits-1:0]  early_first, early_next;
    logic [CountBits-1:0] early_count;
    // Strobes of the beats whose address has not come, in their order. What does not fit is not judged, nor is
    // what comes after it, until no such beat is left.
    logic [BusBytes-1:0]  early_strobes [EarlyStrobes];
    logic [$clog2(EarlyStrobes)-1:0] strobes_first, strobes_next;
    logic [8:0]           strobes_count;
    logic                 lost_strobes;
    // The burst whose data is coming: its address, if it has come, and beats so far.
    logic                 has_address;
    address_t             present;
    logic [8:0]           beats_so_far;
    // Where the next beat of the present burst goes.
    logic [11:0]          beat_addr;
    // Per id: writes with all their data, and without; exclusive ones among both.
    logic [CountBits-1:0] complete_of [Keys];
    logic [CountBits-1:0] incomplete_of [Keys];
    logic [CountBits-1:0] exclusive_of [Keys];

    task automatic forget_writes();
        writes_in_flight = '0;
        lost_writes      = 1'b0;
        waiting_first    = '0;
        waiting_next     = '0;
        waiting_count    = '0;
        early_first      = '0;
        early_next       = '0;
        early_count      = '0;
        forget_early_strobes();
        has_address      = 1'b0;
        beats_so_far     = '0;
        for (int unsigned key = 0; key < Keys; key++) begin
            complete_of[key]   = '0;
            incomplete_of[key] = '0;
            exclusive_of[key]  = '0;
        end
    endtask

    task automatic forget_early_strobes();
        strobes_first = '0;
        strobes_next  = '0;
        strobes_count = '0;
        lost_strobes  = 1'b0;
    endtask

    task automatic keep_early_strobes();
        if (strobes_count == 9'(EarlyStrobes)) begin
            lost_strobes = 1'b1;
        end else if (!lost_strobes) begin
            early_strobes[strobes_next] = wstrb;
            strobes_next                = strobes_next + 1'b1;
            strobes_count               = strobes_count + 1'b1;
        end
    endtask

    // The address of the first `beats` early beats has come: judges them, and says where the beat after them goes.
    task automatic judge_early_beats(input address_t address, input logic [8:0] beats, output logic [11:0] next);
        next = address.addr;
        for (int unsigned beat = 0; beat < EarlyStrobes; beat++) begin
            if (9'(beat) < beats) begin
                if (strobes_count != '0) begin
                    // Beats past the end of the burst have been reported already.
                    if (9'(beat) <= 9'(address.len)) judge_strobes(address, next, beat == 0, early_strobes[strobes_first]);
                    strobes_first = strobes_first + 1'b1;
                    strobes_count = strobes_count - 1'b1;
                end
                next = next_beat_addr(address, next);
            end
        end
    endtask

    // Under FORMAL nothing is reported, so what only the report uses is not used.
    // verilator lint_off UNUSEDSIGNAL
    task automatic judge_strobes(
        input address_t address, input logic [11:0] addr, input bit is_first, input logic [BusBytes-1:0] strobes);
        // verilator lint_on UNUSEDSIGNAL
        logic [BusBytes-1:0] lanes;
        // A whole beat in the middle may strobe every lane.
        if (is_first || address.size != FullSize || address.burst == BurstFixed) begin
            lanes = legal_lanes(address.size, addr);
            `REBOUND_MANAGER_RULE((strobes & ~lanes) == '0, "AXI_W_STRB", "IHI 0022 A3.4.3", "strobes must lie on the lanes of the beat's bytes (values: lanes allowed, WSTRB; low 64 lanes)", lanes, strobes)
        end
    endtask

    task automatic complete_write(input logic [KeyBits-1:0] key);
        incomplete_of[key] = incomplete_of[key] - 1'b1;
        complete_of[key]   = complete_of[key] + 1'b1;
    endtask

    task automatic begin_write(input logic [KeyBits-1:0] key, input address_t address);
        logic [11:0] behind;
        `REBOUND_MANAGER_RULE(writes_in_flight != CountBits'(MaxTracked), "AXI_AW_TRACKED", "limit of the rules", "more writes are in flight than the rules follow: until the next reset, write data and responses are not judged any more (values: bursts)", MaxTracked, ({writes_in_flight + 1'b1}))
        if (writes_in_flight == CountBits'(MaxTracked)) begin
            lost_writes = 1'b1;
        end else begin
            writes_in_flight   = writes_in_flight + 1'b1;
            incomplete_of[key] = incomplete_of[key] + 1'b1;
            if (address.exclusive) exclusive_of[key] = exclusive_of[key] + 1'b1;
            if (early_count != '0) begin
                `REBOUND_MANAGER_RULE(early[early_first] == 9'(address.len) + 9'd1, "AXI_W_LAST", "IHI 0022 A3.4.1", "data that came before its address must have as many beats as AWLEN says (values: beats)", ({9'(address.len) + 9'd1}), early[early_first])
                judge_early_beats(address, early[early_first], behind);
                early_first = early_first + 1'b1;
                early_count = early_count - 1'b1;
                complete_write(key);
            end else if (!has_address) begin
                // Beats that came before stay counted; the next one is judged.
                `REBOUND_MANAGER_RULE(beats_so_far <= 9'(address.len), "AXI_W_LAST", "IHI 0022 A3.4.1", "WLAST must be set with the last beat of a burst (values: beats of the burst, beats without WLAST)", ({9'(address.len) + 9'd1}), beats_so_far)
                present     = address;
                has_address = 1'b1;
                beat_addr   = address.addr;
                if (beats_so_far != '0) begin
                    judge_early_beats(address, beats_so_far, behind);
                    beat_addr = behind;
                end
            end else begin
                waiting[waiting_next] = address;
                waiting_next          = waiting_next + 1'b1;
                waiting_count         = waiting_count + 1'b1;
            end
            if (lost_strobes && (has_address || (early_count == '0 && beats_so_far == '0))) forget_early_strobes();
        end
    endtask

    // Where the beat after the one at `addr` goes (IHI 0022 A3.4.1).
    // verilator lint_off UNUSEDSIGNAL
    function automatic logic [11:0] next_beat_addr(input address_t address, input logic [11:0] addr);
    // verilator lint_on UNUSEDSIGNAL
        logic [11:0] beat_bytes, burst_bytes, next;
        beat_bytes  = 12'd1 << address.size;
        burst_bytes = (12'(address.len) + 12'd1) << address.size;
        next        = (addr & ~(beat_bytes - 12'd1)) + beat_bytes;
        if (address.burst == BurstFixed) next = address.addr;
        else if (address.burst == BurstWrap && (next & (burst_bytes - 12'd1)) == 12'd0) next = next - burst_bytes;
        return next;
    endfunction

    // Lanes that a beat at `addr` may strobe (IHI 0022 A3.4.3).
    function automatic logic [BusBytes-1:0] legal_lanes(input logic [2:0] size, input logic [11:0] addr);
        logic [11:0]         beat_bytes, first, last;
        logic [BusBytes-1:0] lanes;
        beat_bytes = 12'd1 << size;
        first      = addr & 12'(BusBytes - 1);
        last       = (first & ~(beat_bytes - 12'd1)) + beat_bytes - 12'd1;
        lanes      = {BusBytes{1'b1}} << first;
        if (last + 12'd1 < 12'(BusBytes)) lanes = lanes & ~({BusBytes{1'b1}} << (last + 12'd1));
        return lanes;
    endfunction

    task automatic take_write_beat();
        beats_so_far = beats_so_far + 9'd1;
        if (has_address) begin
            `REBOUND_MANAGER_RULE(wlast == (beats_so_far == 9'(present.len) + 9'd1), "AXI_W_LAST", "IHI 0022 A3.4.1", "WLAST must be set with the last beat of a burst and with no other (values: beats of the burst, number of this beat)", ({9'(present.len) + 9'd1}), beats_so_far)
            judge_strobes(present, beat_addr, beats_so_far == 9'd1, wstrb);
            if (Axi3 != 0) begin
                `REBOUND_MANAGER_RULE(wid == present.id, "AXI_W_ID", "IHI 0022 A5.4", "WID must follow the order of the addresses (values: AWID, WID)", present.id, wid)
            end
            if (beats_so_far == 9'(present.len) + 9'd1) begin
                complete_write(key_of(present.id));
                beats_so_far = '0;
                has_address  = waiting_count != '0;
                if (has_address) begin
                    present       = waiting[waiting_first];
                    beat_addr     = present.addr;
                    waiting_first = waiting_first + 1'b1;
                    waiting_count = waiting_count - 1'b1;
                end
            end else begin
                beat_addr = next_beat_addr(present, beat_addr);
            end
        end else begin
            keep_early_strobes();
            `REBOUND_MANAGER_RULE(wlast || beats_so_far != 9'd256, "AXI_W_LAST", "IHI 0022 A3.4.1", "a burst has at most 256 beats: WLAST is missing (values: beats)", 256, beats_so_far)
            if (wlast || beats_so_far == 9'd256) begin
                `REBOUND_MANAGER_RULE(early_count != CountBits'(MaxTracked), "AXI_W_TRACKED", "limit of the rules", "data of more writes came before its address than the rules follow: until the next reset, write data and responses are not judged any more (values: bursts)", MaxTracked, ({early_count + 1'b1}))
                if (early_count == CountBits'(MaxTracked)) begin
                    lost_writes = 1'b1;
                end else begin
                    early[early_next] = beats_so_far;
                    early_next        = early_next + 1'b1;
                    early_count       = early_count + 1'b1;
                end
                beats_so_far = '0;
            end
        end
    endtask

    // A response is presented for the first time.
    task automatic judge_response(input logic [KeyBits-1:0] key);
        if (complete_of[key] == '0) begin
            `REBOUND_SUBORDINATE_RULE(incomplete_of[key] == '0, "AXI_B_EARLY", "IHI 0022 A3.3.1", "a write response must wait for the last data beat (values: writes outstanding, BID)", writes_in_flight, bid)
            `REBOUND_SUBORDINATE_RULE(incomplete_of[key] != '0, "AXI_B_ID", "IHI 0022 A5.3", "a write response must answer an outstanding write with this id (values: writes outstanding, BID)", writes_in_flight, bid)
        end
        `REBOUND_SUBORDINATE_RULE(bresp != RespExokay || exclusive_of[key] != '0, "AXI_B_EXOKAY", "IHI 0022 A7.2.3", "EXOKAY answers only an exclusive write", 0, bresp)
    endtask

    task automatic take_response(input logic [KeyBits-1:0] key);
        if (complete_of[key] != '0) begin
            complete_of[key] = complete_of[key] - 1'b1;
            writes_in_flight = writes_in_flight - 1'b1;
            if (complete_of[key] == '0 && incomplete_of[key] == '0) exclusive_of[key] = '0;
            else if (bresp == RespExokay && exclusive_of[key] != '0) exclusive_of[key] = exclusive_of[key] - 1'b1;
        end
    endtask

    initial begin
        forget_reads();
        forget_writes();
    end

    always @(posedge aclk) begin
        if (!aresetn) begin
            if (!was_reset) begin
                forget_reads();
                forget_writes();
            end
        end else begin
            if (arvalid && !ar_waited) begin
                judge_address(1'b0, 64'(araddr), arlen, arsize, arburst, arlock, arcache);
            end
            if (awvalid && !aw_waited) begin
                judge_address(1'b1, 64'(awaddr), awlen, awsize, awburst, awlock, awcache);
            end

            if (!lost_reads) begin
                if (arvalid && arready) begin_read(key_of(arid), arlen, arlock == 2'b01);
                if (rvalid) begin
                    if (!r_waited) judge_read_beat(key_of(rid));
                    if (rready) take_read_beat(key_of(rid));
                end
                if (MaxReads != 0 && arvalid && arready) begin
                    `REBOUND_MANAGER_RULE(32'(reads_in_flight) <= MaxReads, "AXI_AR_OUTSTANDING", "promise of the core", "no more read bursts may be outstanding than the core promises (values: bursts)", MaxReads, reads_in_flight)
                end
            end

            // An address and its first beat may come together; so the address goes first.
            if (!lost_writes) begin
                if (awvalid && awready) begin_write(key_of(awid), aw_address);
                if (wvalid && wready) take_write_beat();
                if (bvalid) begin
                    if (!b_waited) judge_response(key_of(bid));
                    if (bready) take_response(key_of(bid));
                end
                if (MaxWrites != 0 && awvalid && awready) begin
                    `REBOUND_MANAGER_RULE(32'(writes_in_flight) <= MaxWrites, "AXI_AW_OUTSTANDING", "promise of the core", "no more write bursts may be outstanding than the core promises (values: bursts)", MaxWrites, writes_in_flight)
                end
            end
        end
    end
endmodule
// verilator lint_on CMPCONST
// verilator lint_on BLKSEQ

`undef REBOUND_MANAGER_RULE
`undef REBOUND_SUBORDINATE_RULE
