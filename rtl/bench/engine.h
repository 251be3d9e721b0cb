// SPDX-License-Identifier: MIT OR Apache-2.0
// The verilated engine between its memory ports, with a register port that waits for its answers.
#pragma once
#include <memory>
#include "Vdma_engine.h"
#include "memory_port.h"
#include "verilated.h"

class Engine {
public:
    Engine(size_t beat_bytes, uint64_t latency, size_t memory_bytes)
        : memory(memory_bytes), top(std::make_unique<Vdma_engine>()), data(memory, data_pins(), beat_bytes, latency),
          ring(memory, ring_pins(), 16, latency) {
        top->s_axil_wstrb = 0xf;
        top->s_axil_bready = top->s_axil_rready = 1;
        top->m_axis_mm2s_tready = 1;
        top->aresetn = 0;
        for (int i = 0; i < 4; ++i) tick();
        top->aresetn = 1;
        tick();
    }

    Memory memory;
    std::unique_ptr<Vdma_engine> top;
    MemoryPort data, ring;
    uint64_t cycle = 0;
    // The cycle of the last W handshake on the register port.
    uint64_t written = 0;

    // One clock cycle. Inputs change while the clock is low.
    void tick() {
        top->aclk = 0;
        data.drive(cycle);
        ring.drive(cycle);
        top->eval();
        const bool runs = top->aresetn;
        if (runs) {
            data.sample(cycle);
            ring.sample(cycle);
        }
        aw_taken_ = runs && top->s_axil_awvalid && top->s_axil_awready;
        w_taken_ = runs && top->s_axil_wvalid && top->s_axil_wready;
        ar_taken_ = runs && top->s_axil_arvalid && top->s_axil_arready;
        r_taken_ = runs && top->s_axil_rvalid;
        b_taken_ = runs && top->s_axil_bvalid;
        rdata_ = top->s_axil_rdata;
        if (w_taken_) written = cycle;
        irq = top->irq;
        top->aclk = 1;
        top->eval();
        ++cycle;
        // As a register would, inputs follow the edge.
        if (aw_taken_) top->s_axil_awvalid = 0;
        if (w_taken_) top->s_axil_wvalid = 0;
        if (ar_taken_) top->s_axil_arvalid = 0;
    }

    void write(uint32_t addr, uint32_t value) {
        top->s_axil_awaddr = addr;
        top->s_axil_wdata = value;
        top->s_axil_awvalid = top->s_axil_wvalid = 1;
        do tick();
        while (!b_taken_);
    }

    uint32_t read(uint32_t addr) {
        top->s_axil_araddr = addr;
        top->s_axil_arvalid = 1;
        do tick();
        while (!r_taken_);
        return rdata_;
    }

    // The interrupt in the last cycle.
    bool irq = false;

private:
    Pins data_pins() {
        Vdma_engine* t = top.get();
        return {&t->m_axi_arvalid, &t->m_axi_arready, &t->m_axi_arlen, &t->m_axi_araddr, &t->m_axi_arid,
                &t->m_axi_rvalid, &t->m_axi_rready, &t->m_axi_rlast, &t->m_axi_rresp, &t->m_axi_rdata, &t->m_axi_rid,
                &t->m_axi_awvalid, &t->m_axi_awready, &t->m_axi_awlen, &t->m_axi_awaddr, &t->m_axi_awid,
                &t->m_axi_wvalid, &t->m_axi_wready, &t->m_axi_wlast, &t->m_axi_wdata, &t->m_axi_wstrb,
                &t->m_axi_bvalid, &t->m_axi_bready, &t->m_axi_bresp, &t->m_axi_bid};
    }

    Pins ring_pins() {
        Vdma_engine* t = top.get();
        return {&t->m_axi_ring_arvalid, &t->m_axi_ring_arready, &t->m_axi_ring_arlen, &t->m_axi_ring_araddr, &t->m_axi_ring_arid,
                &t->m_axi_ring_rvalid, &t->m_axi_ring_rready, &t->m_axi_ring_rlast, &t->m_axi_ring_rresp, &t->m_axi_ring_rdata, &t->m_axi_ring_rid,
                &t->m_axi_ring_awvalid, &t->m_axi_ring_awready, &t->m_axi_ring_awlen, &t->m_axi_ring_awaddr, &t->m_axi_ring_awid,
                &t->m_axi_ring_wvalid, &t->m_axi_ring_wready, &t->m_axi_ring_wlast, &t->m_axi_ring_wdata, &t->m_axi_ring_wstrb,
                &t->m_axi_ring_bvalid, &t->m_axi_ring_bready, &t->m_axi_ring_bresp, &t->m_axi_ring_bid};
    }

    bool aw_taken_ = false, w_taken_ = false, ar_taken_ = false, r_taken_ = false, b_taken_ = false;
    uint32_t rdata_ = 0;
};
