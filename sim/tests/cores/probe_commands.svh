// SPDX-License-Identifier: MIT OR Apache-2.0
// What the probe core does when told so on its command wire.
`define COMMAND_FATAL 8'd1
`define COMMAND_FINISH 8'd2
`define COMMAND_STOP 8'd3
`define COMMAND_ERROR 8'd4
`define COMMAND_DISPLAY 8'd5
`define COMMAND_ASSERT 8'd6
`define COMMAND_LOOP 8'd7
`define COMMAND_READ 8'd8
`define COMMAND_WITHDRAW 8'd9
`define COMMAND_IRQ 8'd10
`define COMMAND_SEND 8'd11
`define COMMAND_REMEMBER 8'd12
