// Sources of dma_engine in the order of compilation; paths are relative to this folder.
generated/dma_engine_regs_pkg.sv
generated/dma_engine_regs.sv
dma_engine.sv
