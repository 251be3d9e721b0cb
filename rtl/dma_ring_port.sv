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

    input  logic [63:0]        mm2s_araddr_i,
    input  logic [7:0]         mm2s_arlen_i,
    input  logic               mm2s_arvalid_i,
    output logic               mm2s_arready_o,
    output logic               mm2s_rvalid_o,
    input  logic [63:0]        mm2s_awaddr_i,
    input  logic [7:0]         mm2s_awlen_i,
    input  logic               mm2s_awvalid_i,
    output logic               mm2s_awready_o,
    // The upper half of a descriptor: the lower one is not written.
    input  logic [63:0]        mm2s_wdata_i,
    input  logic               mm2s_wlast_i,
    input  logic               mm2s_wvalid_i,
    output logic               mm2s_wready_o,
    output logic               mm2s_bvalid_o,

    input  logic [63:0]        s2mm_araddr_i,
    input  logic [7:0]         s2mm_arlen_i,
    input  logic               s2mm_arvalid_i,
    output logic               s2mm_arready_o,
    output logic               s2mm_rvalid_o,
    input  logic [63:0]        s2mm_awaddr_i,
    input  logic [7:0]         s2mm_awlen_i,
    input  logic               s2mm_awvalid_i,
    output logic               s2mm_awready_o,
    input  logic [63:0]        s2mm_wdata_i,
    input  logic               s2mm_wlast_i,
    input  logic               s2mm_wvalid_i,
    output logic               s2mm_wready_o,
    output logic               s2mm_bvalid_o,

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

    // An address that waits stays; else the other channel goes first. A turn of 1 is s2mm's.
    logic ar_waits_q, ar_last_q, ar_turn;

    assign ar_turn        = ar_waits_q ? ar_last_q : s2mm_arvalid_i && !(mm2s_arvalid_i && ar_last_q);
    assign arvalid_o      = mm2s_arvalid_i || s2mm_arvalid_i;
    assign araddr_o       = ar_turn ? s2mm_araddr_i : mm2s_araddr_i;
    assign arlen_o        = ar_turn ? s2mm_arlen_i : mm2s_arlen_i;
    assign arid_o         = IdWidth'(ar_turn);
    assign mm2s_arready_o = arready_i && !ar_turn;
    assign s2mm_arready_o = arready_i && ar_turn;

    always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
            ar_waits_q <= 1'b0;
            ar_last_q  <= 1'b0;
        end else if (arvalid_o) begin
            ar_waits_q <= !arready_i;
            ar_last_q  <= ar_turn;
        end
    end

    // ---- AW and W ----

    // A channel writes; its address is taken; so is its last beat.
    logic w_owned_q, w_owner_q, aw_done_q, w_done_q, w_turn, is_owned, aw_is_done, w_is_done;

    assign w_turn         = w_owned_q ? w_owner_q : s2mm_awvalid_i && !(mm2s_awvalid_i && w_owner_q);
    assign is_owned       = w_owned_q || mm2s_awvalid_i || s2mm_awvalid_i;
    assign awvalid_o      = (w_turn ? s2mm_awvalid_i : mm2s_awvalid_i) && !aw_done_q;
    assign awaddr_o       = w_turn ? s2mm_awaddr_i : mm2s_awaddr_i;
    assign awlen_o        = w_turn ? s2mm_awlen_i : mm2s_awlen_i;
    assign awid_o         = IdWidth'(w_turn);
    assign mm2s_awready_o = awready_i && !aw_done_q && !w_turn;
    assign s2mm_awready_o = awready_i && !aw_done_q && w_turn;
    assign wvalid_o       = is_owned && (w_turn ? s2mm_wvalid_i : mm2s_wvalid_i) && !w_done_q;
    assign wdata_o        = {w_turn ? s2mm_wdata_i : mm2s_wdata_i, 64'd0};
    assign wlast_o        = w_turn ? s2mm_wlast_i : mm2s_wlast_i;
    assign mm2s_wready_o  = wready_i && is_owned && !w_done_q && !w_turn;
    assign s2mm_wready_o  = wready_i && is_owned && !w_done_q && w_turn;
    assign aw_is_done     = aw_done_q || (awvalid_o && awready_i);
    assign w_is_done      = w_done_q || (wvalid_o && wready_i && wlast_o);

    always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
            w_owned_q <= 1'b0;
            w_owner_q <= 1'b0;
            aw_done_q <= 1'b0;
            w_done_q  <= 1'b0;
        end else if (is_owned) begin
            w_owned_q <= !(aw_is_done && w_is_done);
            w_owner_q <= w_turn;
            aw_done_q <= aw_is_done && !w_is_done;
            w_done_q  <= w_is_done && !aw_is_done;
        end
    end

    // ---- Responses ----

    assign mm2s_rvalid_o = rvalid_i && !rid_i[0];
    assign s2mm_rvalid_o = rvalid_i && rid_i[0];
    assign mm2s_bvalid_o = bvalid_i && !bid_i[0];
    assign s2mm_bvalid_o = bvalid_i && bid_i[0];

    if (IdWidth > 1) begin : gen_unused_ids
        logic unused_ids;
        assign unused_ids = ^{rid_i[IdWidth-1:1], bid_i[IdWidth-1:1]};
    end
endmodule
