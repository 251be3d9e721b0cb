// The yardstick of `rebound bench sim`: the reference engine in a bare C++ loop, without Rebound.
//
// It does what the Rust side of the benchmark does: the engine copies `copies` buffers of `bytes` bytes,
// one after the other, from and to a memory that answers after `latency` cycles, in order, a beat a cycle.
// Memory is one flat array. Usage: bare_loop COPIES BYTES LATENCY; prints cycles and nanoseconds.

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <memory>
#include <vector>

#include "Vbare.h"
#include "verilated.h"

double sc_time_stamp() { return 0; }

namespace {

constexpr std::uint64_t kBase = 0x1000000;
// The longest that one transfer may take, for a core that hangs.
constexpr std::uint64_t kCycleLimit = 1000000000;

struct Burst {
    std::uint64_t addr;
    std::uint32_t beats;
    std::uint64_t due;
};

class Bench {
  public:
    Bench(std::size_t bytes, std::uint64_t latency)
        : m_context{new VerilatedContext}, m_top{new Vbare{m_context.get()}}, m_memory(bytes), m_latency{latency} {
        m_context->assertOn(false);
    }

    std::uint64_t cycle() const { return m_cycle; }
    std::vector<std::uint8_t>& memory() { return m_memory; }

    void reset() {
        Vbare& top = *m_top;
        top.aresetn = 0;
        for (int i = 0; i < 8; ++i) edge();
        top.aresetn = 1;
        top.m_axi_arready = 1;
        top.m_axi_awready = 1;
        top.m_axi_wready = 1;
        top.m_axis_mm2s_tready = 1;
    }

    // A register access, from address to response.
    void write(std::uint32_t addr, std::uint32_t value) {
        Vbare& top = *m_top;
        top.s_axil_awaddr = addr;
        top.s_axil_wdata = value;
        top.s_axil_wstrb = 15;
        top.s_axil_awvalid = 1;
        top.s_axil_wvalid = 1;
        top.s_axil_bready = 1;
        bool is_done = false;
        while (!is_done) {
            drive();
            low();
            const bool took_address = top.s_axil_awvalid && top.s_axil_awready;
            const bool took_data = top.s_axil_wvalid && top.s_axil_wready;
            is_done = top.s_axil_bvalid;
            sample();
            high();
            if (took_address) top.s_axil_awvalid = 0;
            if (took_data) top.s_axil_wvalid = 0;
        }
        top.s_axil_bready = 0;
    }

    void wait_for_interrupt() {
        bool is_high = false;
        while (!is_high) {
            drive();
            low();
            is_high = m_top->irq;
            sample();
            high();
            if (m_cycle > kCycleLimit) {
                std::fprintf(stderr, "bare_loop: no interrupt within %llu cycles\n",
                             static_cast<unsigned long long>(kCycleLimit));
                std::exit(1);
            }
        }
    }

  private:
    void drive() {
        Vbare& top = *m_top;
        top.m_axi_rvalid = 0;
        if (!m_reads.empty() && m_reads.front().due <= m_cycle) {
            const Burst& burst = m_reads.front();
            std::uint64_t word;
            std::memcpy(&word, &m_memory[(burst.addr & ~std::uint64_t{7}) - kBase], 8);
            top.m_axi_rvalid = 1;
            top.m_axi_rdata = word;
            top.m_axi_rlast = burst.beats == 1;
        }
        top.m_axi_bvalid = !m_answers.empty() && m_answers.front() <= m_cycle;
    }

    void sample() {
        Vbare& top = *m_top;
        if (top.m_axi_rvalid && top.m_axi_rready) {
            Burst& burst = m_reads.front();
            burst.addr = (burst.addr & ~std::uint64_t{7}) + 8;
            if (--burst.beats == 0) m_reads.pop_front();
        }
        if (top.m_axi_arvalid) {
            m_reads.push_back({top.m_axi_araddr, top.m_axi_arlen + 1U, m_cycle + m_latency});
        }
        if (top.m_axi_bvalid && top.m_axi_bready) m_answers.pop_front();
        if (top.m_axi_awvalid) m_writes.push_back({top.m_axi_awaddr, top.m_axi_awlen + 1U, 0});
        if (top.m_axi_wvalid && !m_writes.empty()) {
            Burst& burst = m_writes.front();
            std::uint8_t* const to = &m_memory[(burst.addr & ~std::uint64_t{7}) - kBase];
            const std::uint64_t word = top.m_axi_wdata;
            if (top.m_axi_wstrb == 255) {
                std::memcpy(to, &word, 8);
            } else {
                for (int lane = 0; lane < 8; ++lane) {
                    if (top.m_axi_wstrb >> lane & 1) to[lane] = static_cast<std::uint8_t>(word >> (8 * lane));
                }
            }
            burst.addr = (burst.addr & ~std::uint64_t{7}) + 8;
            if (--burst.beats == 0) {
                m_writes.pop_front();
                m_answers.push_back(m_cycle + m_latency);
            }
        }
    }

    void low() {
        m_top->aclk = 0;
        m_top->eval();
    }

    void high() {
        m_top->aclk = 1;
        m_top->eval();
        ++m_cycle;
    }

    void edge() {
        low();
        high();
    }

    std::unique_ptr<VerilatedContext> m_context;
    std::unique_ptr<Vbare> m_top;
    std::vector<std::uint8_t> m_memory;
    std::uint64_t m_latency;
    std::uint64_t m_cycle = 0;
    std::deque<Burst> m_reads;
    std::deque<Burst> m_writes;
    std::deque<std::uint64_t> m_answers;
};

}  // namespace

int main(int argc, char** argv) {
    if (argc != 4) {
        std::fprintf(stderr, "usage: bare_loop COPIES BYTES LATENCY\n");
        return 2;
    }
    const std::uint64_t copies = std::strtoull(argv[1], nullptr, 10);
    const std::uint64_t bytes = std::strtoull(argv[2], nullptr, 10);
    const std::uint64_t latency = std::strtoull(argv[3], nullptr, 10);
    Bench bench{2 * bytes, latency};
    // Noise, as Rebound's patterns are: what moves must not favour one side.
    std::uint64_t noise = 1;
    for (std::uint64_t at = 0; at < bytes; ++at) {
        noise = noise * 6364136223846793005ULL + 1442695040888963407ULL;
        bench.memory()[at] = static_cast<std::uint8_t>(noise >> 56);
    }
    const auto start = std::chrono::steady_clock::now();
    bench.reset();
    bench.write(0x034, 0x202 | 0x100);  // INT_ENABLE: s2mm done, and errors of both
    bench.write(0x020, 1);              // CONTROL: loopback
    for (std::uint64_t copy = 0; copy < copies; ++copy) {
        const std::uint32_t source = static_cast<std::uint32_t>(kBase);
        const std::uint32_t destination = static_cast<std::uint32_t>(kBase + bytes);
        bench.write(0x208, destination);
        bench.write(0x20c, 0);
        bench.write(0x210, static_cast<std::uint32_t>(bytes));
        bench.write(0x200, 1);
        bench.write(0x108, source);
        bench.write(0x10c, 0);
        bench.write(0x110, static_cast<std::uint32_t>(bytes));
        bench.write(0x100, 1);
        bench.wait_for_interrupt();
        bench.write(0x204, 6);
        bench.write(0x104, 6);
    }
    const auto end = std::chrono::steady_clock::now();
    if (std::memcmp(&bench.memory()[0], &bench.memory()[bytes], bytes) != 0) {
        std::fprintf(stderr, "bare_loop: the copy differs from its source\n");
        return 1;
    }
    const auto time = std::chrono::duration_cast<std::chrono::nanoseconds>(end - start).count();
    std::printf("%llu %lld\n", static_cast<unsigned long long>(bench.cycle()), static_cast<long long>(time));
    return 0;
}
