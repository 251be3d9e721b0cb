// SPDX-License-Identifier: MIT OR Apache-2.0
// Copies up to 16 words: APB registers on one clock, AXI3 managers for reading and writing on another.
// Plain Verilog of 2005, in which `logic` and `bit` are names.
module word_dma (
    input  wire        pclk,
    input  wire        hclk,
    input  wire        reset,
    input  wire        test_mode,
    // APB, at pclk; one wait state.
    input  wire [7:0]  PADDR,
    input  wire        PSEL,
    input  wire        PENABLE,
    input  wire        PWRITE,
    input  wire [31:0] PWDATA,
    output reg         PREADY,
    output wire [31:0] PRDATA,
    output wire        PSLVERR,
    output wire        nIRQ,
    // AXI3, at hclk: AR and R, with halves that are not used.
    output wire [3:0]  RD_ARID,
    output wire [31:0] RD_ARADDR,
    output wire [3:0]  RD_ARLEN,
    output wire [2:0]  RD_ARSIZE,
    output wire [1:0]  RD_ARLOCK,
    output reg         RD_ARVALID,
    input  wire        RD_ARREADY,
    input  wire [3:0]  RD_RID,
    input  wire [31:0] RD_RDATA,
    input  wire [1:0]  RD_RRESP,
    input  wire        RD_RLAST,
    input  wire        RD_RVALID,
    output wire        RD_RREADY,
    input  wire        RD_AWREADY,
    input  wire        RD_WREADY,
    input  wire        RD_BVALID,
    // AXI3: AW, W and B.
    output wire [3:0]  WR_AWID,
    output wire [31:0] TARGET_ADDRESS,
    output wire [3:0]  WR_AWLEN,
    output wire [2:0]  WR_AWSIZE,
    output wire [1:0]  WR_AWLOCK,
    output reg         WR_AWVALID,
    input  wire        WR_AWREADY,
    output wire [3:0]  WR_WID,
    output wire [31:0] WR_WDATA,
    output wire        WR_WLAST,
    output reg         WR_WVALID,
    input  wire        WR_WREADY,
    input  wire [3:0]  WR_BID,
    input  wire [1:0]  WR_BRESP,
    input  wire        WR_BVALID,
    output wire        WR_BREADY
);

    // Registers: 0 source, 4 destination, 8 words - 1 and start in bit 31, c status: done, error.
    reg [31:0] source, destination;
    reg [9:0]  words_minus_one;
    reg        start, is_done, is_failed;
    reg [2:0]  finished_sync;
    reg        finished, failed;

    wire logic = PSEL && PENABLE && PREADY;
    wire bit   = finished_sync[2] != finished_sync[1];

    assign PSLVERR = logic && PADDR > 8'h0c;
    assign PRDATA  = PADDR == 8'h0 ? source : PADDR == 8'h4 ? destination :
                     PADDR == 8'h8 ? {22'd0, words_minus_one} : {30'd0, is_failed, is_done};
    assign nIRQ    = !is_done;

    always @(posedge pclk or posedge reset) begin
        if (reset) begin
            PREADY        <= 1'b0;
            start         <= 1'b0;
            is_done       <= 1'b0;
            is_failed     <= 1'b0;
            finished_sync <= 3'd0;
            source        <= 32'd0;
            destination   <= 32'd0;
            words_minus_one <= 10'd0;
        end else begin
            PREADY        <= PSEL && PENABLE && !PREADY;
            finished_sync <= {finished_sync[1:0], finished};
            if (bit) begin
                is_done   <= 1'b1;
                is_failed <= failed;
            end
            if (logic && PWRITE) begin
                case (PADDR)
                    8'h0: source <= PWDATA;
                    8'h4: destination <= PWDATA;
                    8'h8: begin
                        words_minus_one <= PWDATA[9:0];
                        start           <= start ^ PWDATA[31];
                    end
                    8'hc: begin
                        if (PWDATA[0]) is_done <= 1'b0;
                        if (PWDATA[1]) is_failed <= 1'b0;
                    end
                    default: ;
                endcase
            end
        end
    end

    localparam Idle = 3'd0, Address = 3'd1, Read = 3'd2, Write = 3'd3, Answer = 3'd4;
    reg [2:0]  state;
    reg [2:0]  start_sync;
    reg [31:0] words [0:15];
    reg [3:0]  index;

    assign RD_ARID = 4'd5, RD_ARADDR = source, RD_ARLEN = words_minus_one[3:0], RD_ARSIZE = 3'd2;
    assign RD_ARLOCK = 2'd0, RD_RREADY = state == Read;
    assign WR_AWID = 4'd9, TARGET_ADDRESS = destination, WR_AWLEN = words_minus_one[3:0], WR_AWSIZE = 3'd2;
    assign WR_AWLOCK = 2'd0, WR_WID = 4'd9, WR_BREADY = state == Answer;
    assign WR_WDATA = words[index] ^ {32{test_mode}}, WR_WLAST = index == words_minus_one[3:0];

    always @(posedge hclk or posedge reset) begin
        if (reset) begin
            state      <= Idle;
            start_sync <= 3'd0;
            RD_ARVALID <= 1'b0;
            WR_AWVALID <= 1'b0;
            WR_WVALID  <= 1'b0;
            finished   <= 1'b0;
            failed     <= 1'b0;
            index      <= 4'd0;
        end else begin
            start_sync <= {start_sync[1:0], start};
            if (RD_ARREADY) RD_ARVALID <= 1'b0;
            if (WR_AWREADY) WR_AWVALID <= 1'b0;
            case (state)
                Idle: if (start_sync[2] != start_sync[1]) begin
                    state      <= Address;
                    RD_ARVALID <= 1'b1;
                    failed     <= 1'b0;
                    index      <= 4'd0;
                end
                Address: if (RD_ARREADY) state <= Read;
                Read: if (RD_RVALID) begin
                    words[index] <= RD_RDATA;
                    index        <= index + 4'd1;
                    failed       <= failed || RD_RRESP[1];
                    if (RD_RLAST) begin
                        state      <= Write;
                        index      <= 4'd0;
                        WR_AWVALID <= 1'b1;
                        WR_WVALID  <= 1'b1;
                    end
                end
                Write: if (WR_WREADY) begin
                    index <= index + 4'd1;
                    if (WR_WLAST) begin
                        WR_WVALID <= 1'b0;
                        state     <= Answer;
                    end
                end
                default: if (WR_BVALID) begin
                    state    <= Idle;
                    failed   <= failed || WR_BRESP[1];
                    finished <= !finished;
                end
            endcase
        end
    end

endmodule
