// SPDX-License-Identifier: MIT OR Apache-2.0
// Copies memory to memory with its registers on one clock and its bus on another.
//
// Any address and any length; store and forward, one burst at a time. A command crosses to the bus clock as a
// toggle beside registers that hold still until the answering toggle has come back with the outcome. The two
// resets belong together: both must be low at the same time, and the clocks must run.
//
// Registers (32 bits, AXI4-Lite): 00 SRC, 04 DST, 08 LEN (starts), 0C STATUS, 10 IRQ_ENABLE; see README.md.
module two_clock_copy #(
    parameter int unsigned AddrWidth = 32,
    parameter int unsigned DataWidth = 32,
    // Bits of LEN.
    parameter int unsigned LenWidth  = 16,
    parameter int unsigned MaxBeats  = 8,
    parameter int unsigned Defect    = 0
) (
    input  logic                   ctl_clk,
    input  logic                   ctl_resetn,
    input  logic                   bus_clk,
    input  logic                   bus_resetn,

    // Clocked by ctl_clk.
    input  logic [4:0]             s_ctl_awaddr,
    input  logic                   s_ctl_awvalid,
    output logic                   s_ctl_awready,
    input  logic [31:0]            s_ctl_wdata,
    input  logic [3:0]             s_ctl_wstrb,
    input  logic                   s_ctl_wvalid,
    output logic                   s_ctl_wready,
    output logic [1:0]             s_ctl_bresp,
    output logic                   s_ctl_bvalid,
    input  logic                   s_ctl_bready,
    input  logic [4:0]             s_ctl_araddr,
    input  logic                   s_ctl_arvalid,
    output logic                   s_ctl_arready,
    output logic [31:0]            s_ctl_rdata,
    output logic [1:0]             s_ctl_rresp,
    output logic                   s_ctl_rvalid,
    input  logic                   s_ctl_rready,
    output logic                   ctl_irq,

    // Clocked by bus_clk.
    output logic [AddrWidth-1:0]   AWADDR0,
    output logic [7:0]             AWLEN0,
    output logic [2:0]             AWSIZE0,
    output logic [1:0]             AWBURST0,
    output logic [2:0]             AWPROT0,
    output logic                   AWVALID0,
    input  logic                   AWREADY0,
    output logic [DataWidth-1:0]   WDATA0,
    output logic [DataWidth/8-1:0] WSTRB0,
    output logic                   WLAST0,
    output logic                   WVALID0,
    input  logic                   WREADY0,
    input  logic [1:0]             BRESP0,
    input  logic                   BVALID0,
    output logic                   BREADY0,
    output logic [AddrWidth-1:0]   ARADDR0,
    output logic [7:0]             ARLEN0,
    output logic [2:0]             ARSIZE0,
    output logic [1:0]             ARBURST0,
    output logic [2:0]             ARPROT0,
    output logic                   ARVALID0,
    input  logic                   ARREADY0,
    input  logic [DataWidth-1:0]   RDATA0,
    input  logic [1:0]             RRESP0,
    input  logic                   RLAST0,
    input  logic                   RVALID0,
    output logic                   RREADY0
);
    import dma_defect_pkg::*;

    if (!(Defect inside {DefectNone, DefectReadCross4K, DefectIgnoreReadError, DefectEarlyDone, DefectStaleReset,
                         DefectHangOnPage})) begin : gen_no_such_defect
        $fatal(1, "two_clock_copy: Defect must be one that this core can plant, got %0d", Defect);
    end

    localparam int unsigned LaneBits  = $clog2(DataWidth / 8);
    localparam int unsigned BeatBytes = DataWidth / 8;
    localparam int unsigned IndexBits = $clog2(MaxBeats);

    // ==== Control clock: registers ====

    logic        write, unused_read, starts, busy_q, done_q, enable_q, answers;
    logic [4:0]  write_addr, read_addr;
    logic [31:0] write_data, read_data;
    logic [1:0]  error_q;
    logic [AddrWidth-1:0] src_q, dst_q;
    logic [LenWidth-1:0]  len_q;
    // Toggles: each edge is a command, or its end.
    logic        command_q, ended_q;
    logic [2:0]  ended_sync_q;
    // Steady from before `ended_q` toggles to the next command.
    logic [1:0]  outcome_q;

    axil_slave #(
        .AddrWidth(5)
    ) u_slave (
        .clk_i(ctl_clk), .rst_ni(ctl_resetn),
        .awaddr_i(s_ctl_awaddr), .awvalid_i(s_ctl_awvalid), .awready_o(s_ctl_awready),
        .wdata_i(s_ctl_wdata), .wstrb_i(s_ctl_wstrb), .wvalid_i(s_ctl_wvalid), .wready_o(s_ctl_wready),
        .bresp_o(s_ctl_bresp), .bvalid_o(s_ctl_bvalid), .bready_i(s_ctl_bready),
        .araddr_i(s_ctl_araddr), .arvalid_i(s_ctl_arvalid), .arready_o(s_ctl_arready),
        .rdata_o(s_ctl_rdata), .rresp_o(s_ctl_rresp), .rvalid_o(s_ctl_rvalid), .rready_i(s_ctl_rready),
        .write_o(write), .write_addr_o(write_addr), .write_data_o(write_data),
        .read_o(unused_read), .read_addr_o(read_addr), .read_data_i(read_data)
    );

    assign starts  = write && write_addr[4:2] == 3'd2 && !busy_q;
    assign answers = ended_sync_q[2] != ended_sync_q[1];
    assign ctl_irq = enable_q && done_q;

    always_comb begin
        unique case (read_addr[4:2])
            3'd0:    read_data = 32'(src_q);
            3'd1:    read_data = 32'(dst_q);
            3'd2:    read_data = 32'(len_q);
            3'd3:    read_data = {28'd0, error_q, done_q, busy_q};
            3'd4:    read_data = 32'(enable_q);
            default: read_data = '0;
        endcase
    end

    always_ff @(posedge ctl_clk) begin
        if (!ctl_resetn) begin
            busy_q       <= 1'b0;
            done_q       <= 1'b0;
            error_q      <= '0;
            enable_q     <= 1'b0;
            command_q    <= 1'b0;
            ended_sync_q <= '0;
        end else begin
            ended_sync_q <= {ended_sync_q[1:0], ended_q};
            if (write && write_addr[4:2] == 3'd3) begin
                if (write_data[1]) done_q <= 1'b0;
                error_q <= error_q & ~write_data[3:2];
            end
            if (write && write_addr[4:2] == 3'd4) enable_q <= write_data[0];
            if (starts) begin
                busy_q    <= 1'b1;
                command_q <= !command_q;
            end
            if (answers) begin
                busy_q  <= 1'b0;
                done_q  <= 1'b1;
                error_q <= error_q | outcome_q;
            end
        end
    end

    // The command's registers hold still while the bus clock's side may look at them.
    always_ff @(posedge ctl_clk) begin
        if (write && !busy_q) begin
            if (write_addr[4:2] == 3'd0) src_q <= AddrWidth'(write_data);
            if (write_addr[4:2] == 3'd1) dst_q <= AddrWidth'(write_data);
            if (write_addr[4:2] == 3'd2) len_q <= LenWidth'(write_data);
        end
    end

    // ==== Bus clock: engine ====

    typedef enum logic [2:0] {
        StIdle,
        StReadAddr,
        StReadData,
        StWrite,
        StResponse,
        StHung
    } state_e;

    state_e               state_q;
    logic [2:0]           command_sync_q;
    logic [AddrWidth-1:0] raddr_q, waddr_q;
    logic [LenWidth-1:0]  left_q;
    logic                 accepts, resumes, tells, hangs;

    // For the core that forgets to reset it: at power-up there is nothing to go on with.
    initial left_q = '0;

    assign accepts = state_q == StIdle && command_sync_q[2] != command_sync_q[1];
    assign resumes = state_q == StIdle && left_q != '0 && Defect == DefectStaleReset;

    logic [12:0]          read_bytes, bytes;
    logic [8:0]           read_beats, write_beats, unused_beats;
    logic [LaneBits-1:0]  src_lane, dst_lane, shift, last_lane;

    burst_split #(
        .DataWidth(DataWidth), .LenWidth(LenWidth), .MaxBeats(MaxBeats), .IgnorePage(Defect == DefectReadCross4K)
    ) u_read_split (
        .addr_i(raddr_q[11:0]), .left_i(left_q), .bytes_o(read_bytes), .beats_o(unused_beats)
    );
    burst_split #(
        .DataWidth(DataWidth), .LenWidth(13), .MaxBeats(MaxBeats)
    ) u_write_split (
        .addr_i(waddr_q[11:0]), .left_i(read_bytes), .bytes_o(bytes), .beats_o(write_beats)
    );

    assign src_lane   = raddr_q[LaneBits-1:0];
    assign dst_lane   = waddr_q[LaneBits-1:0];
    assign shift      = dst_lane - src_lane;
    assign last_lane  = dst_lane + bytes[LaneBits-1:0] - 1'b1;
    assign read_beats = 9'((13'(src_lane) + bytes + 13'(BeatBytes - 1)) >> LaneBits);

    logic                   aw_sent_q, w_sent_q, failed_q, aw_goes, w_goes, answered, is_last_burst;
    logic                   read_is_bad, read_fails, write_fails;
    logic [IndexBits-1:0]   index_q;
    // The newest source beat comes in at the top; a write burst takes its beats from the bottom.
    logic [DataWidth-1:0]   buffer_q [MaxBeats + 1];
    logic [2*DataWidth-1:0] pair;

    assign is_last_burst = left_q == LenWidth'(bytes);
    assign aw_goes       = AWVALID0 && AWREADY0;
    assign w_goes        = WVALID0 && WREADY0;
    assign answered      = state_q == StResponse && BVALID0;
    assign read_is_bad   = (failed_q || RRESP0[1]) && Defect != DefectIgnoreReadError;
    assign read_fails    = state_q == StReadData && RVALID0 && RLAST0 && read_is_bad;
    assign write_fails   = answered && BRESP0[1];
    assign hangs         = Defect == DefectHangOnPage && len_q[11:0] == '0;

    always_comb begin
        tells = read_fails || write_fails || (answered && is_last_burst) || (accepts && len_q == '0);
        if (Defect == DefectEarlyDone) begin
            tells = read_fails || (accepts && len_q == '0) || (w_goes && WLAST0 && is_last_burst)
                    || (write_fails && !is_last_burst);
        end
        if (hangs && !(read_fails || write_fails || accepts)) tells = 1'b0;
    end

    always_ff @(posedge bus_clk) begin
        if (!bus_resetn) begin
            state_q        <= StIdle;
            command_sync_q <= '0;
            ended_q        <= 1'b0;
            outcome_q      <= '0;
        end else begin
            command_sync_q <= {command_sync_q[1:0], command_q};
            // A command that comes while busy, as after a stale one, waits.
            if (!accepts && state_q != StIdle) command_sync_q[2] <= command_sync_q[2];
            if (tells) begin
                ended_q   <= !ended_q;
                outcome_q <= {write_fails, read_fails};
            end
            unique case (state_q)
                StIdle: if (resumes || (accepts && len_q != '0)) state_q <= StReadAddr;
                StReadAddr: if (ARREADY0) state_q <= StReadData;
                StReadData: if (RVALID0 && RLAST0) state_q <= read_is_bad ? StIdle : StWrite;
                StWrite: if ((aw_sent_q || aw_goes) && (w_sent_q || (w_goes && WLAST0))) state_q <= StResponse;
                StResponse: if (BVALID0) begin
                    if (write_fails) state_q <= StIdle;
                    else if (is_last_burst) state_q <= hangs ? StHung : StIdle;
                    else state_q <= StReadAddr;
                end
                default: ;
            endcase
        end
    end

    always_ff @(posedge bus_clk) begin
        if (accepts && !resumes) begin
            raddr_q <= src_q;
            waddr_q <= dst_q;
            left_q  <= len_q;
        end else if (read_fails || write_fails) begin
            left_q <= '0;
        end else if (answered) begin
            raddr_q <= raddr_q + AddrWidth'(bytes);
            waddr_q <= waddr_q + AddrWidth'(bytes);
            left_q  <= left_q - LenWidth'(bytes);
        end
    end

    always_ff @(posedge bus_clk) begin
        if (state_q == StReadData) begin
            if (RVALID0) begin
                buffer_q[(IndexBits + 1)'(index_q) + 1'b1] <= RDATA0;
                index_q <= RLAST0 ? '0 : index_q + 1'b1;
                if (RRESP0[1]) failed_q <= 1'b1;
            end
        end else if (state_q == StWrite) begin
            if (aw_goes) aw_sent_q <= 1'b1;
            if (w_goes) index_q <= index_q + 1'b1;
            if (w_goes && WLAST0) w_sent_q <= 1'b1;
        end else begin
            index_q   <= '0;
            failed_q  <= 1'b0;
            aw_sent_q <= 1'b0;
            w_sent_q  <= 1'b0;
        end
    end

    // ---- Bus ----

    logic [IndexBits:0] older, newer;

    // Source beat k is kept at k + 1. Beyond the last one lies nothing that a strobe would let through.
    assign older = (IndexBits + 1)'(index_q) + (IndexBits + 1)'(dst_lane < src_lane);
    assign newer = (older == (IndexBits + 1)'(MaxBeats)) ? older : older + 1'b1;
    assign pair  = {buffer_q[newer], buffer_q[older]};

    always_comb begin
        for (int unsigned lane = 0; lane < BeatBytes; lane++) begin
            WSTRB0[lane] = (index_q != '0 || lane >= 32'(dst_lane)) && (!WLAST0 || lane <= 32'(last_lane));
        end
    end

    assign ARADDR0  = raddr_q;
    assign ARLEN0   = 8'(read_beats - 9'd1);
    assign ARVALID0 = state_q == StReadAddr;
    assign RREADY0  = state_q == StReadData;
    assign AWADDR0  = waddr_q;
    assign AWLEN0   = 8'(write_beats - 9'd1);
    assign AWVALID0 = state_q == StWrite && !aw_sent_q;
    assign WDATA0   = DataWidth'(pair >> {(LaneBits + 1)'(BeatBytes) - (LaneBits + 1)'(shift), 3'b000});
    assign WLAST0   = index_q == IndexBits'(write_beats - 9'd1);
    assign WVALID0  = state_q == StWrite && !w_sent_q;
    assign BREADY0  = state_q == StResponse;

    assign {ARSIZE0, ARBURST0, ARPROT0} = {3'(LaneBits), 2'b01, 3'b000};
    assign {AWSIZE0, AWBURST0, AWPROT0} = {3'(LaneBits), 2'b01, 3'b000};

    logic unused;
    assign unused = ^{write_addr[1:0], read_addr[1:0], write_data, unused_beats, unused_read, RRESP0[0], BRESP0[0]};
endmodule
