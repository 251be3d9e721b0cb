// SPDX-License-Identifier: MIT OR Apache-2.0
// Cycles of copies whose transfers come from descriptor rings in memory: one ring of sources, one of targets, buffers
// scattered. Counted from the write of the doorbell to the last response of a write-back. Every byte is compared, and
// so is every descriptor.
#include <algorithm>
#include "engine.h"

namespace {
constexpr uint32_t Control = 0x20, IntEnable = 0x34, Mm2s = 0x100, S2mm = 0x200;
constexpr uint32_t RingEnable = 1 << 9, Done = 1u << 31;
constexpr uint64_t SourceRing = 0x10000, TargetRing = 0x20000, Source = 0x100000, Target = 0x400000;
constexpr size_t MemoryBytes = 0x800000;

struct Job {
    uint32_t count, length;
    unsigned source_offset, target_offset;
};

void put32(Engine& engine, uint64_t addr, uint32_t value) { std::memcpy(engine.memory.at(addr, 4), &value, 4); }

uint32_t get32(Engine& engine, uint64_t addr) {
    uint32_t value;
    std::memcpy(&value, engine.memory.at(addr, 4), 4);
    return value;
}

// Buffers in an order that no prefetcher guesses.
uint64_t scattered(uint32_t index, uint32_t count, uint32_t length) {
    const uint64_t pitch = (length + 255) / 256 * 256;
    return uint64_t(index) * 389 % count * pitch;
}

void describe(Engine& engine, uint64_t ring, uint32_t index, uint64_t addr, uint32_t length) {
    const uint64_t at = ring + 16ull * index;
    put32(engine, at, uint32_t(addr));
    put32(engine, at + 4, uint32_t(addr >> 32));
    put32(engine, at + 8, length);
    put32(engine, at + 12, 0);
}

void enable(Engine& engine, uint32_t base, uint64_t ring, uint32_t count) {
    engine.write(base + 0x40, uint32_t(ring));
    engine.write(base + 0x44, 0);
    engine.write(base + 0x48, count + 1);
    engine.write(base + 0x54, std::min(count, 255u));
    engine.write(base + 0x00, RingEnable);
}

[[noreturn]] void fail(const char* what, Engine& engine, uint32_t index) {
    std::fprintf(stderr, "%s, descriptor %u: head %u of mm2s, %u of s2mm, status %#x and %#x\n", what, index,
                 engine.read(Mm2s + 0x4c), engine.read(S2mm + 0x4c), engine.read(Mm2s + 4), engine.read(S2mm + 4));
    std::exit(1);
}

struct Taken {
    uint64_t cycles, interrupt, bursts;
};

Taken run(size_t beat_bytes, uint64_t latency, Job job) {
    Engine engine(beat_bytes, latency, MemoryBytes);
    uint32_t random = 12345;
    for (uint8_t& byte : engine.memory.bytes) byte = uint8_t((random = random * 1664525 + 1013904223) >> 24);
    for (uint32_t i = 0; i < job.count; ++i) {
        const uint64_t place = scattered(i, job.count, job.length + 8);
        describe(engine, SourceRing, i, Source + place + job.source_offset, job.length);
        describe(engine, TargetRing, i, Target + place + job.target_offset, job.length);
    }
    engine.write(Control, 1);
    engine.write(IntEnable, 0x600);
    enable(engine, Mm2s, SourceRing, job.count);
    enable(engine, S2mm, TargetRing, job.count);
    engine.write(S2mm + 0x50, job.count);
    engine.write(Mm2s + 0x50, job.count);
    const uint64_t start = engine.written;
    uint64_t interrupt = 0;
    const uint64_t limit = start + uint64_t(job.count) * (job.length + 1000) + 20 * latency + 10000;
    auto is_done = [&](uint64_t ring) { return get32(engine, ring + 16ull * (job.count - 1) + 12) & Done; };
    const uint64_t writes = engine.ring.writes;
    while (!is_done(SourceRing) || !is_done(TargetRing) || !engine.ring.is_idle() || !engine.irq) {
        engine.tick();
        if (engine.irq && interrupt == 0) interrupt = engine.cycle - 1;
        if (engine.cycle > limit) fail("never done", engine, 0);
    }
    const Taken taken{engine.ring.last_response - start, interrupt - start, engine.ring.writes - writes};
    for (uint32_t i = 0; i < job.count; ++i) {
        const uint64_t place = scattered(i, job.count, job.length + 8);
        const uint8_t* from = engine.memory.at(Source + place + job.source_offset, job.length);
        const uint8_t* to = engine.memory.at(Target + place + job.target_offset, job.length);
        if (!std::equal(from, from + job.length, to)) fail("wrong bytes", engine, i);
        for (uint64_t ring : {SourceRing, TargetRing}) {
            const uint64_t at = ring + 16ull * i;
            const uint32_t expected = Done | (ring == TargetRing ? 0x10 : 0);
            if (get32(engine, at + 8) != job.length || get32(engine, at + 12) != expected)
                fail("wrong write-back", engine, i);
        }
    }
    return taken;
}
}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) return std::fprintf(stderr, "usage: rings DATA_WIDTH\n"), 2;
    const size_t beat = std::strtoul(argv[1], nullptr, 10) / 8;
    std::printf("| bits | offsets | L | transfers | bytes | cycles | each | N + 4L + 6 | write-back bursts |\n");
    for (auto [from, to] : {std::pair{0u, 0u}, {1u, 3u}})
        for (uint64_t latency : {1, 10, 50, 100, 200})
            for (auto [count, length] : {std::pair{1u, 64u}, {1000u, 64u}, {1000u, 256u}, {1000u, 1024u}}) {
                const Taken taken = run(beat, latency, {count, length, from, to});
                const uint64_t beats = (to % beat + length + beat - 1) / beat;
                std::printf("| %zu | +%u, +%u | %llu | %u | %u | %llu | %.2f | %llu | %llu |\n", beat * 8, from, to,
                            (unsigned long long)latency, count, length, (unsigned long long)taken.cycles,
                            double(taken.cycles) / count, (unsigned long long)(beats + 4 * latency + 6),
                            (unsigned long long)taken.bursts);
            }
}
