// SPDX-License-Identifier: MIT OR Apache-2.0
// An ideal AXI subordinate in front of plain memory, as used for comparing DMA cores: addresses and write data
// are always taken, the first read beat can be taken `latency` cycles after its AR, then one beat a cycle, bursts
// in order and back to back; a response can be taken `latency` cycles after the last W. Reads and writes do not
// disturb each other. What breaks a rule that matters here (4 KiB, WLAST) ends the program with a message.
#pragma once
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <vector>

struct Memory {
    std::vector<uint8_t> bytes;
    explicit Memory(size_t size) : bytes(size) {}
    uint8_t* at(uint64_t addr, size_t count) {
        if (addr + count > bytes.size()) {
            std::fprintf(stderr, "address 0x%llx is outside of memory\n", (unsigned long long)addr);
            std::exit(1);
        }
        return &bytes[addr];
    }
};

// Where a verilated core keeps the signals of one manager port.
struct Pins {
    uint8_t *arvalid, *arready, *arlen;
    uint64_t* araddr;
    void* arid;
    uint8_t *rvalid, *rready, *rlast, *rresp;
    void *rdata, *rid;
    uint8_t *awvalid, *awready, *awlen;
    uint64_t* awaddr;
    void* awid;
    uint8_t *wvalid, *wready, *wlast;
    void *wdata, *wstrb;
    uint8_t *bvalid, *bready, *bresp;
    void* bid;
};

class MemoryPort {
public:
    MemoryPort(Memory& memory, Pins pins, size_t beat_bytes, uint64_t latency)
        : memory_(memory), pins_(pins), beat_(beat_bytes), latency_(latency) {}

    // Counters of handshakes.
    uint64_t reads = 0, read_beats = 0, writes = 0, write_beats = 0;
    size_t most_reads = 0, most_writes = 0;
    // The cycle of the last response.
    uint64_t last_response = 0;

    bool is_idle() const { return reads_.empty() && writes_.empty() && responses_.empty(); }

    // Before the rising edge: what the core sees in this cycle.
    void drive(uint64_t cycle) {
        *pins_.arready = *pins_.awready = *pins_.wready = 1;
        *pins_.rvalid = !reads_.empty() && reads_.front().ready <= cycle;
        if (*pins_.rvalid) {
            const Burst& burst = reads_.front();
            std::memcpy(pins_.rdata, memory_.at(burst.addr & ~uint64_t(beat_ - 1), beat_), beat_);
            std::memcpy(pins_.rid, &burst.id, 1);
            *pins_.rlast = burst.beats == 1;
            *pins_.rresp = 0;
        }
        *pins_.bvalid = !responses_.empty() && responses_.front().ready <= cycle;
        if (*pins_.bvalid) {
            std::memcpy(pins_.bid, &responses_.front().id, 1);
            *pins_.bresp = 0;
        }
    }

    // At the rising edge: handshakes of this cycle.
    void sample(uint64_t cycle) {
        if (*pins_.rvalid && *pins_.rready) {
            Burst& burst = reads_.front();
            burst.addr = (burst.addr & ~uint64_t(beat_ - 1)) + beat_;
            ++read_beats;
            if (--burst.beats == 0) reads_.pop_front();
        }
        if (*pins_.bvalid && *pins_.bready) {
            responses_.pop_front();
            last_response = cycle;
        }
        if (*pins_.arvalid && *pins_.arready) {
            reads_.push_back(taken(*pins_.araddr, *pins_.arlen, pins_.arid, cycle + latency_));
            ++reads;
            most_reads = std::max(most_reads, reads_.size());
        }
        if (*pins_.awvalid && *pins_.awready) {
            writes_.push_back(taken(*pins_.awaddr, *pins_.awlen, pins_.awid, 0));
            ++writes;
        }
        if (*pins_.wvalid && *pins_.wready) write(cycle);
        most_writes = std::max(most_writes, writes_.size() + responses_.size());
    }

private:
    struct Burst {
        uint64_t addr;
        unsigned beats;
        uint8_t id;
        uint64_t ready;
    };

    Burst taken(uint64_t addr, unsigned len, const void* id, uint64_t ready) const {
        const uint64_t last = (addr & ~uint64_t(beat_ - 1)) + uint64_t(len) * beat_;
        if (addr / 4096 != last / 4096) fail("a burst crosses 4 KiB", addr);
        Burst burst{addr, len + 1, 0, ready};
        std::memcpy(&burst.id, id, 1);
        return burst;
    }

    void write(uint64_t cycle) {
        if (writes_.empty()) fail("W before its AW", 0);
        Burst& burst = writes_.front();
        uint64_t strobes = 0;
        std::memcpy(&strobes, pins_.wstrb, beat_ < 8 ? 1 : beat_ / 8);
        const uint64_t base = burst.addr & ~uint64_t(beat_ - 1);
        uint8_t* to = memory_.at(base, beat_);
        const uint8_t* from = static_cast<const uint8_t*>(pins_.wdata);
        for (size_t lane = 0; lane < beat_; ++lane)
            if (strobes >> lane & 1) to[lane] = from[lane];
        ++write_beats;
        burst.addr = base + beat_;
        if ((--burst.beats == 0) != bool(*pins_.wlast)) fail("WLAST is wrong", base);
        if (burst.beats == 0) {
            responses_.push_back({0, 0, burst.id, cycle + latency_});
            writes_.pop_front();
        }
    }

    [[noreturn]] static void fail(const char* what, uint64_t addr) {
        std::fprintf(stderr, "%s, address 0x%llx\n", what, (unsigned long long)addr);
        std::exit(1);
    }

    Memory& memory_;
    Pins pins_;
    size_t beat_;
    uint64_t latency_;
    std::deque<Burst> reads_, writes_, responses_;
};
