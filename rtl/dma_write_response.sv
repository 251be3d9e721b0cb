// SPDX-License-Identifier: MIT OR Apache-2.0
// Write responses: which bursts are in memory, and which transfers are done by them.
//
// `sends_i` tells of a burst whose last beat goes out, `ends_i` of a transfer that has sent its last burst (in the same
// cycle or later). A transfer is done when the count of responses reaches that of its bursts; `done_o` is high in the
// cycle of its last response, for one transfer after the other, and `result_*_o` tell of it.
// A failing response only concerns the oldest transfer, which may be the one that still takes data (`none_ended_o`).
module dma_write_response #(
    // Bursts outstanding.
    parameter int unsigned MaxWrites    = 16,
    // Several transfers can wait for responses.
    parameter bit          IsQueued     = 1'b1,
    parameter int unsigned PlantedFault = 0
) (
    input  logic                           clk_i,
    input  logic                           rst_ni,

    // A burst: its address, and the bytes of the transfer up to its end.
    input  logic                           sends_i,
    input  logic [63:0]                    sent_addr_i,
    input  logic [dma_pkg::LengthBits-1:0] sent_bytes_i,
    // AW or W are valid.
    input  logic                           is_sending_i,

    input  logic [1:0]                     bresp_i,
    input  logic                           bvalid_i,
    // A burst is answered; it failed, and its transfer had not failed before.
    output logic                           answered_o,
    output logic                           fails_o,

    // The transfer that takes data is to end.
    input  logic                           is_stopped_i,
    // It has sent all its beats; and what is known of it.
    input  logic                           ends_i,
    input  logic                           ended_is_stopped_i,
    input  logic                           ended_packet_end_i,
    input  dma_pkg::error_kind_e           ended_kind_i,
    // No transfer waits for responses but the one that takes data.
    output logic                           none_ended_o,

    output logic                           done_o,
    output dma_pkg::error_kind_e           result_error_kind_o,
    output logic [63:0]                    result_fail_addr_o,
    output logic [dma_pkg::LengthBits-1:0] result_bytes_o,
    output logic                           result_packet_end_o,
    // Bytes in memory of the oldest transfer that is not done.
    output logic [dma_pkg::LengthBits-1:0] bytes_o
);
    import dma_pkg::*;

    // Bursts are counted modulo a number that outstanding ones cannot reach.
    localparam int unsigned CountBits = $clog2(MaxWrites + 1) + 1;

    // What is remembered of a burst until its response.
    typedef struct packed {
        logic [63:0]           addr;
        logic [LengthBits-1:0] bytes;
    } burst_t;

    // What is remembered of a transfer that has sent all its beats, until it is done.
    typedef struct packed {
        // Count of bursts after its last one.
        logic [CountBits-1:0]  last_count;
        logic                  is_stopped;
        logic                  packet_end;
        error_kind_e           kind;
    } ended_t;

    burst_t sent, oldest;
    ended_t ended, oldest_ended;
    logic none_sent, none_ended, answered, is_frozen, may_complete;
    // Bursts sent and answered.
    logic [CountBits-1:0] sent_count_q, sent_count_d, answered_count_q, answered_count_d;
    // Of the oldest transfer: bytes in memory, and the response that failed.
    logic [LengthBits-1:0] bytes_q, bytes_d;
    logic failed_q, fails;
    error_kind_e error_kind_q, error_kind;
    logic [63:0] fail_addr_q, fail_addr;

    // ---- Bursts ----

    assign sent = '{addr: sent_addr_i, bytes: sent_bytes_i};

    dma_queue #(
        .Width($bits(burst_t)),
        .Depth(MaxWrites)
    ) u_sent (
        .clk_i,
        .rst_ni,
        .push_i (sends_i),
        .data_i (sent),
        .pop_i  (answered),
        .head_o (oldest),
        .empty_o(none_sent),
        .full_o (),
        .used_o ()
    );

    // A response that nobody waits for is ignored.
    assign answered         = bvalid_i && !none_sent;
    assign answered_o       = answered;
    assign sent_count_d     = sent_count_q + CountBits'(sends_i);
    assign answered_count_d = answered_count_q + CountBits'(answered);

    always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
            sent_count_q     <= '0;
            answered_count_q <= '0;
        end else begin
            if (sends_i) sent_count_q <= sent_count_d;
            if (answered) answered_count_q <= answered_count_d;
        end
    end

    // ---- Bytes in memory, and the failure ----

    // The oldest transfer is the one that takes data, if no other has ended.
    assign is_frozen  = failed_q || (none_ended ? is_stopped_i : oldest_ended.is_stopped);
    assign error_kind = failed_q ? error_kind_q : (bresp_i == RespDecerr) ? ErrDecerr : ErrSlverr;
    assign fail_addr  = failed_q ? fail_addr_q : oldest.addr;

    always_comb begin
        fails   = 1'b0;
        bytes_d = bytes_q;
        if (answered && !is_frozen) begin
            fails = bresp_i[1];
            // A planted early end cannot wait for the responses.
            if (!fails && PlantedFault != FaultEarlyDone) bytes_d = oldest.bytes;
        end
    end

    always_ff @(posedge clk_i) begin
        if (!rst_ni || done_o) failed_q <= 1'b0;
        else if (fails) failed_q <= 1'b1;
        if (fails) begin
            error_kind_q <= error_kind;
            fail_addr_q  <= fail_addr;
        end
        if (!rst_ni || done_o) bytes_q <= '0;
        else if (PlantedFault == FaultEarlyDone && sends_i) bytes_q <= sent_bytes_i;
        else if (answered) bytes_q <= bytes_d;
    end

    assign fails_o = fails;
    assign bytes_o = bytes_q;

    // ---- Transfers ----

    assign ended = '{last_count: sent_count_d, is_stopped: ended_is_stopped_i, packet_end: ended_packet_end_i,
                     kind: ended_kind_i};

    dma_queue #(
        .Width($bits(ended_t)),
        .Depth(IsQueued ? MaxWrites + 1 : 1)
    ) u_ended (
        .clk_i,
        .rst_ni,
        .push_i (ends_i),
        .data_i (ended),
        .pop_i  (done_o),
        .head_o (oldest_ended),
        .empty_o(none_ended),
        .full_o (),
        .used_o ()
    );

    if (PlantedFault == FaultEarlyDone) begin : gen_planted_early_done
        assign may_complete = !is_sending_i;
        logic unused_count;
        assign unused_count = ^{answered_count_d, oldest_ended.last_count};
    end else if (PlantedFault == FaultNeverDone) begin : gen_planted_never_done
        assign may_complete = 1'b0;
        logic unused_count;
        assign unused_count = ^{answered_count_d, oldest_ended.last_count, is_sending_i};
    end else begin : gen_complete
        assign may_complete = answered_count_d == oldest_ended.last_count;
        logic unused_sending;
        assign unused_sending = is_sending_i;
    end

    assign none_ended_o = none_ended;
    assign done_o       = !none_ended && may_complete;

    // A failure of the input that was seen before a response failed is told.
    always_comb begin
        result_error_kind_o = oldest_ended.kind;
        result_fail_addr_o  = '0;
        if (oldest_ended.kind == ErrNone && (failed_q || fails)) begin
            result_error_kind_o = error_kind;
            result_fail_addr_o  = fail_addr;
        end
    end

    assign result_bytes_o      = bytes_d;
    assign result_packet_end_o = oldest_ended.packet_end;
endmodule
