// The reference of `rebound bench sim`: the engine in a bare C++ loop, as one would write it by hand.
//
// No checks, no events, no tracing: the Verilated core, a flat memory with a fixed latency, and the same
// register writes as the driver's. Two evals a clock cycle. The memory: ready always high, the first R
// beat L cycles after its AR, then one beat a cycle in order; B L cycles after the last W beat.
//
// usage: bare_loop TRANSFERS BYTES LATENCY
// prints: cycles=N seconds=S beats=B
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "Vbare.h"
#include "verilated.h"

namespace {

// Register offsets (REGISTERS.md).
constexpr std::uint32_t kControl = 0x020, kIntEnable = 0x034, kMm2s = 0x100, kS2mm = 0x200;
constexpr std::uint32_t kStatus = 0x04, kAddrLo = 0x08, kAddrHi = 0x0c, kLength = 0x10;
constexpr std::uint32_t kDone = 1u << 1;

constexpr std::uint64_t kMemoryBytes = 4u << 20, kSource = 0x10000, kDestination = 0x210000;
constexpr std::uint64_t kGiveUp = 1'000'000;

struct Read {
    std::uint64_t addr, due;
    std::uint32_t beats, id;
};
struct Write {
    std::uint64_t addr;
    std::uint32_t id;
};
struct Response {
    std::uint64_t due;
    std::uint32_t id;
};

// A ring of 1024 entries: the memory accepts as many bursts.
template <typename T>
struct Ring {
    T at[1024];
    unsigned head = 0, tail = 0;
    bool empty() const { return head == tail; }
    T& front() { return at[head & 1023]; }
    void push(const T& value) { at[tail++ & 1023] = value; }
    void pop() { ++head; }
};

struct Loop {
    std::unique_ptr<VerilatedContext> context = std::make_unique<VerilatedContext>();
    std::unique_ptr<Vbare> top = std::make_unique<Vbare>(context.get());
    std::vector<std::uint8_t> memory = std::vector<std::uint8_t>(kMemoryBytes);
    Ring<Read> reads;
    Ring<Write> writes;
    Ring<Response> responses;
    std::uint64_t latency = 1, cycle = 0, beats = 0;

    void tick() {
        top->m_axi_rvalid = !reads.empty() && cycle >= reads.front().due;
        if (top->m_axi_rvalid) {
            const Read& read = reads.front();
            std::uint64_t word;
            std::memcpy(&word, &memory[read.addr & ~7ull], 8);
            top->m_axi_rdata = word;
            top->m_axi_rid = read.id;
            top->m_axi_rlast = read.beats == 1;
        }
        top->m_axi_bvalid = !responses.empty() && cycle >= responses.front().due;
        if (top->m_axi_bvalid) top->m_axi_bid = responses.front().id;
        top->aclk = 0;
        top->eval();

        if (top->m_axi_rvalid && top->m_axi_rready) {
            Read& read = reads.front();
            read.addr = (read.addr & ~7ull) + 8;
            if (--read.beats == 0) reads.pop();
        }
        if (top->m_axi_bvalid && top->m_axi_bready) responses.pop();
        if (top->m_axi_arvalid)
            reads.push({top->m_axi_araddr, cycle + latency, top->m_axi_arlen + 1u, top->m_axi_arid});
        if (top->m_axi_awvalid) writes.push({top->m_axi_awaddr, top->m_axi_awid});
        if (top->m_axi_wvalid) {
            Write& write = writes.front();
            const std::uint64_t data = top->m_axi_wdata, base = write.addr & ~7ull;
            if (top->m_axi_wstrb == 0xff) {
                std::memcpy(&memory[base], &data, 8);
            } else {
                for (unsigned lane = 0; lane < 8; ++lane)
                    if (top->m_axi_wstrb >> lane & 1) memory[base + lane] = data >> (8 * lane) & 0xff;
            }
            write.addr = base + 8;
            ++beats;
            if (top->m_axi_wlast) {
                responses.push({cycle + latency, write.id});
                writes.pop();
            }
        }
        top->aclk = 1;
        top->eval();
        ++cycle;
    }

    void give_up(const char* wait) {
        std::fprintf(stderr, "bare_loop: no end of %s after %llu cycles\n", wait,
                     static_cast<unsigned long long>(kGiveUp));
        std::exit(1);
    }

    void write_register(std::uint32_t offset, std::uint32_t value) {
        top->s_axil_awaddr = offset;
        top->s_axil_wdata = value;
        top->s_axil_wstrb = 0xf;
        top->s_axil_awvalid = top->s_axil_wvalid = top->s_axil_bready = 1;
        for (std::uint64_t start = cycle;;) {
            // The handshakes of a cycle are those seen before its edge.
            top->aclk = 0;
            top->eval();
            const bool aw = top->s_axil_awvalid && top->s_axil_awready;
            const bool w = top->s_axil_wvalid && top->s_axil_wready;
            const bool b = top->s_axil_bvalid;
            tick();
            if (aw) top->s_axil_awvalid = 0;
            if (w) top->s_axil_wvalid = 0;
            if (b) return;
            if (cycle - start > kGiveUp) give_up("a register write");
        }
    }

    void program(std::uint32_t channel, std::uint64_t addr, std::uint32_t bytes) {
        write_register(channel + kAddrLo, static_cast<std::uint32_t>(addr));
        write_register(channel + kAddrHi, static_cast<std::uint32_t>(addr >> 32));
        write_register(channel + kLength, bytes);
        write_register(channel, 1);
    }

    void copy(std::uint32_t bytes) {
        program(kS2mm, kDestination, bytes);
        program(kMm2s, kSource, bytes);
        for (std::uint64_t start = cycle; !top->irq; tick())
            if (cycle - start > kGiveUp) give_up("a copy");
        write_register(kMm2s + kStatus, kDone);
        write_register(kS2mm + kStatus, kDone);
    }
};

}  // namespace

int main(int argc, char** argv) {
    if (argc != 4) {
        std::fprintf(stderr, "usage: bare_loop TRANSFERS BYTES LATENCY\n");
        return 2;
    }
    const long transfers = std::atol(argv[1]);
    const auto bytes = static_cast<std::uint32_t>(std::atol(argv[2]));
    auto loop = std::make_unique<Loop>();
    loop->latency = std::strtoull(argv[3], nullptr, 10);
    for (std::uint64_t i = 0; i < kMemoryBytes; ++i) loop->memory[i] = static_cast<std::uint8_t>(i * 7 + (i >> 8));

    Vbare& top = *loop->top;
    top.m_axi_arready = top.m_axi_awready = top.m_axi_wready = 1;
    top.aresetn = 0;
    for (int i = 0; i < 8; ++i) loop->tick();
    top.aresetn = 1;
    loop->tick();
    loop->write_register(kControl, 1);           // loopback
    loop->write_register(kIntEnable, 1u << 8);   // s2mm done

    const std::uint64_t first = loop->cycle;
    const auto begin = std::chrono::steady_clock::now();
    for (long i = 0; i < transfers; ++i) loop->copy(bytes);
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begin;

    if (std::memcmp(&loop->memory[kSource], &loop->memory[kDestination], bytes) != 0) {
        std::fprintf(stderr, "bare_loop: the copy is wrong\n");
        return 1;
    }
    std::printf("cycles=%llu seconds=%.9f beats=%llu\n", static_cast<unsigned long long>(loop->cycle - first),
                elapsed.count(), static_cast<unsigned long long>(loop->beats));
    top.final();
    return 0;
}
