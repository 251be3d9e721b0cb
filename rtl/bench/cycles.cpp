// SPDX-License-Identifier: MIT OR Apache-2.0
// Cycles of copies through the engine, counted from the write of the start bit. Every copy is compared byte for byte.
#include <algorithm>
#include "engine.h"

namespace {
constexpr uint32_t Control = 0x20, IntEnable = 0x34, Mm2s = 0x100, S2mm = 0x200;
constexpr uint64_t Source = 0x100000, Target = 0x400000;
constexpr size_t Guard = 64, MemoryBytes = 0x800000;

struct Taken {
    uint64_t response, interrupt;
};

void program(Engine& engine, uint32_t base, uint64_t addr, uint32_t length) {
    engine.write(base + 0x08, uint32_t(addr));
    engine.write(base + 0x0c, uint32_t(addr >> 32));
    engine.write(base + 0x10, length);
}

Taken copy(size_t beat_bytes, uint64_t latency, uint32_t length, unsigned source_offset, unsigned target_offset) {
    Engine engine(beat_bytes, latency, MemoryBytes);
    const uint64_t source = Source + source_offset, target = Target + target_offset;
    uint32_t random = 12345;
    for (uint8_t& byte : engine.memory.bytes) byte = uint8_t((random = random * 1664525 + 1013904223) >> 24);
    const std::vector<uint8_t> before = engine.memory.bytes;
    engine.write(Control, 1);
    engine.write(IntEnable, 0x300);
    program(engine, S2mm, target, length);
    program(engine, Mm2s, source, length);
    engine.write(S2mm, 1);
    engine.write(Mm2s, 1);
    const uint64_t start = engine.written;
    while (!engine.irq) {
        engine.tick();
        if (engine.cycle > start + 40ull * length + 10000) {
            std::fprintf(stderr, "no interrupt: %u bytes, latency %llu\n", length, (unsigned long long)latency);
            std::exit(1);
        }
    }
    const Taken taken{engine.data.last_response - start, engine.cycle - 1 - start};
    const auto& after = engine.memory.bytes;
    const bool is_copied = std::equal(&after[target], &after[target] + length, &before[source])
                           && std::equal(&after[target - Guard], &after[target], &before[target - Guard])
                           && std::equal(&after[target + length], &after[target + length] + Guard, &before[target + length]);
    if (!is_copied || engine.read(S2mm + 0x04) & 4 || engine.read(Mm2s + 0x04) & 4) {
        std::fprintf(stderr, "wrong copy: %u bytes, latency %llu\n", length, (unsigned long long)latency);
        std::exit(1);
    }
    return taken;
}
}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) return std::fprintf(stderr, "usage: cycles DATA_WIDTH\n"), 2;
    const size_t beat = std::strtoul(argv[1], nullptr, 10) / 8;
    std::printf("| bits | offsets | L | bytes | beats | to last response | N + 2L + 1 | to interrupt | bus use %% |\n");
    for (auto [from, to] : {std::pair{0u, 0u}, {1u, 3u}})
        for (uint64_t latency : {1, 10, 50, 100, 200})
            for (uint32_t length : {64u, 256u, 1024u, 4096u, 65536u, 1048576u}) {
                const Taken taken = copy(beat, latency, length, from, to);
                const uint64_t beats = (to % beat + length + beat - 1) / beat;
                std::printf("| %zu | +%u, +%u | %llu | %u | %llu | %llu | %llu | %llu | %.1f |\n", beat * 8, from, to,
                            (unsigned long long)latency, length, (unsigned long long)beats,
                            (unsigned long long)taken.response, (unsigned long long)(beats + 2 * latency + 1),
                            (unsigned long long)taken.interrupt, 100.0 * double(beats) / double(taken.response));
            }
}
