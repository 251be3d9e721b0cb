// The core's files.
wishbone_regs.v
