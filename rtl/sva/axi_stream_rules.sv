// SPDX-License-Identifier: MIT OR Apache-2.0
// Rules of AXI-Stream on one stream: watches, never drives. All rules: README.md beside this file.
//
// Each breach is one call of `rebound_violation`, made at the clock edge at which it is seen. Under FORMAL the
// rules are assertions, or assumptions where the stream comes from outside (`IsInput`).

`ifdef FORMAL
`define REBOUND_STREAM_RULE(Holds, Rule, Section, Text, Value0, Value1) \
    if (IsInput != 0) assume (Holds); else assert (Holds);
`else
`define REBOUND_STREAM_RULE(Holds, Rule, Section, Text, Value0, Value1) \
    if (!(Holds)) rebound_violation(Port, Rule, Section, Text, 64'(Value0), 64'(Value1));
`endif  // FORMAL

module axi_stream_rules #(
    // Width of TDATA in bits.
    parameter int unsigned DataWidth = 64,
    // verilator lint_off UNUSEDPARAM
    // Handed back with each violation, to tell ports apart (matters to simulation only).
    parameter int          Port      = 0,
    // The core receives this stream (matters to proofs only).
    parameter int unsigned IsInput   = 0
    // verilator lint_on UNUSEDPARAM
) (
    input logic                   aclk,
    input logic                   aresetn,
    input logic                   tvalid,
    input logic                   tready,
    input logic [DataWidth-1:0]   tdata,
    input logic [DataWidth/8-1:0] tkeep,
    input logic                   tlast
);

`ifndef FORMAL
    // Reports a breach: value0 is what was expected or the previous value, value1 what was found.
    import "DPI-C" context function void rebound_violation(
        input int port, input string rule, input string section, input string text,
        input longint unsigned value0, input longint unsigned value1);
`endif  // FORMAL

    // The last edge was in reset; there was a last edge.
    logic                   was_reset, is_started;
    // The stream was valid and not ready at the last edge, with this payload.
    logic                   waited;
    logic [DataWidth-1:0]   tdata_was;
    logic [DataWidth/8-1:0] tkeep_was;
    logic                   tlast_was;

    initial begin
        was_reset  = 1'b0;
        is_started = 1'b0;
        waited     = 1'b0;
    end

    always @(posedge aclk) begin
        was_reset  <= !aresetn;
        is_started <= 1'b1;
        waited     <= aresetn && tvalid && !tready;
        if (tvalid) begin
            tdata_was <= tdata;
            tkeep_was <= tkeep;
            tlast_was <= tlast;
        end

        // A synchronous reset takes one edge to reach the outputs, so the first edge in reset is not judged.
        if (is_started && was_reset) begin
            `REBOUND_STREAM_RULE(!tvalid, "AXIS_RESET", "IHI 0051 2.7.2", "TVALID must be low during reset", 0, 1)
        end
        if (aresetn && waited) begin
            `REBOUND_STREAM_RULE(tvalid, "AXIS_VALID", "IHI 0051 2.2.1", "TVALID must stay high until TREADY", 1, 0)
            if (tvalid) begin
                `REBOUND_STREAM_RULE(tdata == tdata_was, "AXIS_STABLE", "IHI 0051 2.2.1", "TDATA must not change while TVALID waits for TREADY (values: low 64 bits)", tdata_was, tdata)
                `REBOUND_STREAM_RULE(tkeep == tkeep_was, "AXIS_STABLE", "IHI 0051 2.2.1", "TKEEP must not change while TVALID waits for TREADY (values: low 64 lanes)", tkeep_was, tkeep)
                `REBOUND_STREAM_RULE(tlast == tlast_was, "AXIS_STABLE", "IHI 0051 2.2.1", "TLAST must not change while TVALID waits for TREADY", tlast_was, tlast)
            end
        end
    end
endmodule

`undef REBOUND_STREAM_RULE
