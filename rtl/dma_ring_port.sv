// SPDX-License-Identifier: MIT OR Apache-2.0
// Joins the rings of two channels to one AXI4 port: the id of a burst is its channel.
//
// AR takes turns burst by burst; AW and W are given to one channel until its WLAST. Responses go by id; they are
// always taken.
module dma_ring_port #(
    parameter int unsigned IdWidth = 4
) (
    input  logic               clk_i,
    input  logic               rst_ni,

    input  logic [1:0][63:0]   araddr_i,
    input  logic [1:0][7:0]    arlen_i,
    input  logic [1:0]         arvalid_i,
    output logic [1:0]         arready_o,
    output logic [1:0]         rvalid_o,
    input  logic [1:0][63:0]   awaddr_i,
    input  logic [1:0][7:0]    awlen_i,
    input  logic [1:0]         awvalid_i,
    output logic [1:0]         awready_o,
    input  logic [1:0][127:0]  wdata_i,
    input  logic [1:0]         wlast_i,
    input  logic [1:0]         wvalid_i,
    output logic [1:0]         wready_o,
    output logic [1:0]         bvalid_o,

    output logic [IdWidth-1:0] arid_o,
    output logic [63:0]        araddr_o,
    output logic [7:0]         arlen_o,
    output logic               arvalid_o,
    input  logic               arready_i,
    input  logic [IdWidth-1:0] rid_i,
    input  logic               rvalid_i,
    output logic [IdWidth-1:0] awid_o,
    output logic [63:0]        awaddr_o,
    output logic [7:0]         awlen_o,
    output logic               awvalid_o,
    input  logic               awready_i,
    output logic [127:0]       wdata_o,
    output logic               wlast_o,
    output logic               wvalid_o,
    input  logic               wready_i,
    input  logic [IdWidth-1:0] bid_i,
    input  logic               bvalid_i
);
    // ---- AR ----

    // An address that waits stays; else the other channel goes first.
    logic ar_waits_q, ar_last_q, ar_turn;

    assign ar_turn   = ar_waits_q ? ar_last_q : (arvalid_i == 2'b11) ? !ar_last_q : arvalid_i[1];
    assign arvalid_o = |arvalid_i;
    assign araddr_o  = araddr_i[ar_turn];
    assign arlen_o   = arlen_i[ar_turn];
    assign arid_o    = IdWidth'(ar_turn);
    assign arready_o = {arready_i && ar_turn, arready_i && !ar_turn};

    always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
            ar_waits_q <= 1'b0;
            ar_last_q  <= 1'b0;
        end else begin
            ar_waits_q <= arvalid_o && !arready_i;
            if (arvalid_o) ar_last_q <= ar_turn;
        end
    end

    // ---- AW and W ----

    // A channel writes; its address is taken; so is its last beat.
    logic w_owned_q, w_owner_q, aw_done_q, w_done_q, w_turn, is_owned, aw_is_done, w_is_done;

    assign w_turn     = w_owned_q ? w_owner_q : (awvalid_i == 2'b11) ? !w_owner_q : awvalid_i[1];
    assign is_owned   = w_owned_q || (|awvalid_i);
    assign awvalid_o  = awvalid_i[w_turn] && !aw_done_q;
    assign awaddr_o   = awaddr_i[w_turn];
    assign awlen_o    = awlen_i[w_turn];
    assign awid_o     = IdWidth'(w_turn);
    assign awready_o  = {awready_i && !aw_done_q && w_turn, awready_i && !aw_done_q && !w_turn};
    assign wvalid_o   = is_owned && wvalid_i[w_turn] && !w_done_q;
    assign wdata_o    = wdata_i[w_turn];
    assign wlast_o    = wlast_i[w_turn];
    assign wready_o   = {wready_i && is_owned && !w_done_q && w_turn, wready_i && is_owned && !w_done_q && !w_turn};
    assign aw_is_done = aw_done_q || (awvalid_o && awready_i);
    assign w_is_done  = w_done_q || (wvalid_o && wready_i && wlast_o);

    always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
            w_owned_q <= 1'b0;
            w_owner_q <= 1'b0;
            aw_done_q <= 1'b0;
            w_done_q  <= 1'b0;
        end else begin
            w_owned_q <= is_owned && !(aw_is_done && w_is_done);
            if (is_owned) w_owner_q <= w_turn;
            aw_done_q <= aw_is_done && !w_is_done;
            w_done_q  <= w_is_done && !aw_is_done;
        end
    end

    // ---- Responses ----

    assign rvalid_o = {rvalid_i && rid_i[0], rvalid_i && !rid_i[0]};
    assign bvalid_o = {bvalid_i && bid_i[0], bvalid_i && !bid_i[0]};

    if (IdWidth > 1) begin : gen_unused_ids
        logic unused_ids;
        assign unused_ids = ^{rid_i[IdWidth-1:1], bid_i[IdWidth-1:1]};
    end
endmodule
