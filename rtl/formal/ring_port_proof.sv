// SPDX-License-Identifier: MIT OR Apache-2.0
// dma_ring_port: what two rings ask for goes out unmixed, stable while it waits, under their ids, and both get turns.
`include "formal.svh"
module ring_port_proof (
    input logic             clk_i,
    input logic [1:0][63:0] araddr_i,
    input logic [1:0][7:0]  arlen_i,
    input logic [1:0]       arvalid_i,
    input logic [1:0][63:0] awaddr_i,
    input logic [1:0][7:0]  awlen_i,
    input logic [1:0]       awvalid_i,
    input logic [1:0][63:0] wdata_i,
    input logic [1:0]       wlast_i,
    input logic [1:0]       wvalid_i,
    input logic             arready_i,
    input logic             rid_i,
    input logic             rvalid_i,
    input logic             awready_i,
    input logic             wready_i,
    input logic             bid_i,
    input logic             bvalid_i
);
    `FORMAL_RESET

    logic [1:0]   arready, rvalid, awready, wready, bvalid;
    logic         arid, arvalid, awid, awvalid, wlast, wvalid;
    logic [63:0]  araddr, awaddr;
    logic [7:0]   arlen, awlen;
    logic [127:0] whole_wdata;
    // The upper half of a descriptor.
    logic [63:0]  wdata;

    assign wdata = whole_wdata[127:64];

    dma_ring_port #(
        .IdWidth(1)
    ) dut (
        .clk_i,
        .rst_ni,
        .mm2s_araddr_i(araddr_i[0]), .mm2s_arlen_i(arlen_i[0]), .mm2s_arvalid_i(arvalid_i[0]),
        .mm2s_arready_o(arready[0]), .mm2s_rvalid_o(rvalid[0]),
        .mm2s_awaddr_i(awaddr_i[0]), .mm2s_awlen_i(awlen_i[0]), .mm2s_awvalid_i(awvalid_i[0]),
        .mm2s_awready_o(awready[0]),
        .mm2s_wdata_i(wdata_i[0]), .mm2s_wlast_i(wlast_i[0]), .mm2s_wvalid_i(wvalid_i[0]),
        .mm2s_wready_o(wready[0]), .mm2s_bvalid_o(bvalid[0]),
        .s2mm_araddr_i(araddr_i[1]), .s2mm_arlen_i(arlen_i[1]), .s2mm_arvalid_i(arvalid_i[1]),
        .s2mm_arready_o(arready[1]), .s2mm_rvalid_o(rvalid[1]),
        .s2mm_awaddr_i(awaddr_i[1]), .s2mm_awlen_i(awlen_i[1]), .s2mm_awvalid_i(awvalid_i[1]),
        .s2mm_awready_o(awready[1]),
        .s2mm_wdata_i(wdata_i[1]), .s2mm_wlast_i(wlast_i[1]), .s2mm_wvalid_i(wvalid_i[1]),
        .s2mm_wready_o(wready[1]), .s2mm_bvalid_o(bvalid[1]),
        .arid_o(arid), .araddr_o(araddr), .arlen_o(arlen), .arvalid_o(arvalid), .arready_i,
        .rid_i, .rvalid_i,
        .awid_o(awid), .awaddr_o(awaddr), .awlen_o(awlen), .awvalid_o(awvalid), .awready_i,
        .wdata_o(whole_wdata), .wlast_o(wlast), .wvalid_o(wvalid), .wready_i,
        .bid_i, .bvalid_i
    );

    // ---- The rings' part: valid waits, and a burst's data comes with or after its address ----

    // A burst whose address, whose last beat is still to be taken.
    logic [1:0] aw_open = '0, w_open = '0, aw_waits, w_waits;

    for (genvar ring = 0; ring < 2; ring++) begin : gen_ring
        logic         ar_waited = 1'b0, aw_waited = 1'b0, w_waited = 1'b0;
        logic [71:0]  ar_was, aw_was;
        logic [64:0]  w_was;

        assign aw_waits[ring] = aw_open[ring] || (awvalid_i[ring] && !w_open[ring]);
        assign w_waits[ring]  = w_open[ring] || (awvalid_i[ring] && !aw_open[ring]);

        always @(posedge clk_i) begin
            ar_waited <= rst_ni && arvalid_i[ring] && !arready[ring];
            aw_waited <= rst_ni && awvalid_i[ring] && !awready[ring];
            w_waited  <= rst_ni && wvalid_i[ring] && !wready[ring];
            ar_was    <= {araddr_i[ring], arlen_i[ring]};
            aw_was    <= {awaddr_i[ring], awlen_i[ring]};
            w_was     <= {wdata_i[ring], wlast_i[ring]};
            if (!rst_ni) begin
                aw_open[ring] <= 1'b0;
                w_open[ring]  <= 1'b0;
            end else begin
                aw_open[ring] <= aw_waits[ring] && !(awvalid_i[ring] && awready[ring]);
                w_open[ring]  <= w_waits[ring] && !(wvalid_i[ring] && wready[ring] && wlast_i[ring]);
            end
        end

        `FORMAL_ASSUME(!ar_waited || (arvalid_i[ring] && {araddr_i[ring], arlen_i[ring]} == ar_was))
        `FORMAL_ASSUME(!aw_waited || (awvalid_i[ring] && {awaddr_i[ring], awlen_i[ring]} == aw_was))
        `FORMAL_ASSUME(!w_waited || (wvalid_i[ring] && {wdata_i[ring], wlast_i[ring]} == w_was))
        // The next address comes when the burst before is out.
        `FORMAL_ASSUME(!(awvalid_i[ring] && !aw_open[ring] && w_open[ring]))
        `FORMAL_ASSUME(!wvalid_i[ring] || w_waits[ring])

        `FORMAL_ASSERT(Responses_A, rvalid[ring] == (rvalid_i && rid_i == 1'(ring))
                                    && bvalid[ring] == (bvalid_i && bid_i == 1'(ring)))
        `FORMAL_ASSERT(AddressTaken_A, arready[ring] == (arready_i && arvalid && arid == 1'(ring)) || !arvalid_i[ring])
    end

    // ---- The port ----

    logic         ar_waited = 1'b0, aw_waited = 1'b0, w_waited = 1'b0;
    logic [72:0]  ar_was, aw_was;
    logic [64:0]  w_was;
    // Whose burst is out in part: its address, its data; addresses that the other ring has had in between.
    logic         owned = 1'b0, owner, aw_gone = 1'b0, w_gone = 1'b0;
    logic [1:0]   passed_by [2];
    logic         aw_goes, w_goes;

    assign aw_goes = awvalid && awready_i;
    assign w_goes  = wvalid && wready_i && wlast;

    always @(posedge clk_i) begin
        ar_waited <= rst_ni && arvalid && !arready_i;
        aw_waited <= rst_ni && awvalid && !awready_i;
        w_waited  <= rst_ni && wvalid && !wready_i;
        ar_was    <= {arid, araddr, arlen};
        aw_was    <= {awid, awaddr, awlen};
        w_was     <= {wdata, wlast};
        if (!rst_ni) begin
            owned   <= 1'b0;
            aw_gone <= 1'b0;
            w_gone  <= 1'b0;
        end else begin
            if (!owned && awvalid) owner <= awid;
            owned   <= (owned || awvalid) && !((aw_gone || aw_goes) && (w_gone || w_goes));
            aw_gone <= (aw_gone || aw_goes) && !(w_gone || w_goes);
            w_gone  <= (w_gone || w_goes) && !(aw_gone || aw_goes);
        end
        for (int ring = 0; ring < 2; ring++) begin
            if (!rst_ni || !arvalid_i[ring] || arready[ring]) passed_by[ring] <= '0;
            else if (arvalid && arready_i) passed_by[ring] <= passed_by[ring] + 2'd1;
        end
    end

    `FORMAL_ASSERT(ArStable_A, !ar_waited || (arvalid && {arid, araddr, arlen} == ar_was))
    `FORMAL_ASSERT(AwStable_A, !aw_waited || (awvalid && {awid, awaddr, awlen} == aw_was))
    `FORMAL_ASSERT(WStable_A, !w_waited || (wvalid && {wdata, wlast} == w_was))
    `FORMAL_ASSERT(ArOfItsRing_A, !arvalid || (arvalid_i[arid] && araddr == araddr_i[arid] && arlen == arlen_i[arid]))
    `FORMAL_ASSERT(AwOfItsRing_A, !awvalid || (awvalid_i[awid] && awaddr == awaddr_i[awid] && awlen == awlen_i[awid]))
    `FORMAL_ASSERT(OwnerKeeps_A, !(owned && awvalid) || (awid == owner && !aw_gone))
    `FORMAL_ASSERT(DataOfOwner_A, !wvalid || ((owned || awvalid) && !w_gone
                   && {wdata, wlast} == {wdata_i[owned ? owner : awid], wlast_i[owned ? owner : awid]}))
    `FORMAL_ASSERT(DataTaken_A, wready == (wvalid && wready_i ? (2'b01 << (owned ? owner : awid)) : wready & ~wvalid_i))
    `FORMAL_ASSERT(BothGetTurns_A, passed_by[0] <= 2'd1 && passed_by[1] <= 2'd1)
    // Makes the proof inductive.
    `FORMAL_ASSERT(SameState_A, dut.w_owned_q == owned && (!owned || dut.w_owner_q == owner)
                                && dut.aw_done_q == aw_gone && dut.w_done_q == w_gone)
    `FORMAL_ASSERT(RingsAgree_A, owned ? aw_open[owner] == !aw_gone && w_open[owner] == !w_gone && !(aw_gone && w_gone)
                                 : !aw_gone && !w_gone)
    `FORMAL_ASSERT(WaitsIsTrue_A, dut.ar_waits_q == ar_waited)
    for (genvar ring = 0; ring < 2; ring++) begin : gen_inductive
        `FORMAL_ASSERT(TheLastWaits_A, !ar_waited || dut.ar_last_q != 1'(ring) || gen_ring[ring].ar_waited)
        `FORMAL_ASSERT(OthersBegin_A, aw_open[ring] == w_open[ring] || (owned && owner == 1'(ring)))
        `FORMAL_ASSERT(OpenWaits_A, !aw_open[ring] || gen_ring[ring].aw_waited)
        `FORMAL_ASSERT(NextTurn_A, passed_by[ring] == '0 || dut.ar_waits_q == (dut.ar_last_q == 1'(ring)))
    end

    `FORMAL_COVER(TakesTurns_C, passed_by[1] == 2'd1 && arready[1])
    `FORMAL_COVER(DataBeforeAddress_C, owned && w_gone && aw_goes)
    `FORMAL_COVER(AddressBeforeData_C, owned && aw_gone && w_goes && owner)
endmodule
