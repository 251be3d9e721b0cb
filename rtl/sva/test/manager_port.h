// SPDX-License-Identifier: MIT OR Apache-2.0
// A manager port with both sides of the bus, and cases that break rules on it. Included by one test program for
// each protocol, which lists its cases.
#pragma once

#include <cstdint>
#include <cstdio>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "Vaxi_manager_rules.h"
#include "verilated.h"

namespace {

using Rules = std::set<std::string>;

Rules reported;

enum Burst { Fixed = 0, Incr = 1, Wrap = 2 };

// The module, and both sides of the bus driving it.
class Port {
public:
    Port() : context_(new VerilatedContext), model_(new Vaxi_manager_rules(context_.get())) { reset(); }
    ~Port() { model_->final(); }

    Vaxi_manager_rules& pins() { return *model_; }

    // One clock cycle with the pins as they are.
    void tick() {
        model_->aclk = 0;
        model_->eval();
        model_->aclk = 1;
        model_->eval();
    }

    void quiet() {
        auto& p = *model_;
        p.awvalid = p.wvalid = p.arvalid = p.rvalid = p.bvalid = 0;
        p.awready = p.wready = p.arready = p.rready = p.bready = 1;
        p.awaddr = p.araddr = 0x1000;
        p.awlen = p.arlen = 0;
        p.awsize = p.arsize = 3;
        p.awburst = p.arburst = Incr;
        p.awlock = p.arlock = 0;
        p.awcache = p.arcache = 3;
        p.awprot = p.arprot = p.awqos = p.arqos = 0;
        p.awid = p.arid = p.wid = p.rid = p.bid = 0;
        p.wdata = p.rdata = 0;
        p.wstrb = 0xff;
        p.wlast = p.rlast = 1;
        p.rresp = p.bresp = 0;
    }

    void reset() {
        quiet();
        model_->aresetn = 0;
        for (int i = 0; i < 3; i++) tick();
        model_->aresetn = 1;
        tick();
        tick();
    }

    void ar(uint64_t addr, int len, int size = 3, int burst = Incr) {
        auto& p = *model_;
        p.araddr = addr;
        p.arlen = len;
        p.arsize = size;
        p.arburst = burst;
        p.arvalid = 1;
        tick();
        p.arvalid = 0;
    }

    void aw(uint64_t addr, int len, int size = 3, int burst = Incr) {
        auto& p = *model_;
        p.awaddr = addr;
        p.awlen = len;
        p.awsize = size;
        p.awburst = burst;
        p.awvalid = 1;
        tick();
        p.awvalid = 0;
    }

    void w(int strobes, bool last) {
        auto& p = *model_;
        p.wstrb = strobes;
        p.wlast = last;
        p.wvalid = 1;
        tick();
        p.wvalid = 0;
    }

    void b(int id = 0, int resp = 0) {
        auto& p = *model_;
        p.bid = id;
        p.bresp = resp;
        p.bvalid = 1;
        tick();
        p.bvalid = 0;
    }

    void r(int id, bool last, int resp = 0) {
        auto& p = *model_;
        p.rid = id;
        p.rlast = last;
        p.rresp = resp;
        p.rvalid = 1;
        tick();
        p.rvalid = 0;
    }

private:
    std::unique_ptr<VerilatedContext> context_;
    std::unique_ptr<Vaxi_manager_rules> model_;
};

struct Case {
    const char* name;
    Rules expected;
    std::function<void(Port&)> act;
};

std::string joined(const Rules& rules) {
    std::string text;
    for (const auto& rule : rules) text += (text.empty() ? "" : ", ") + rule;
    return text.empty() ? "nothing" : text;
}

// Runs all cases and says which report something else than they should; returns the program's exit code.
int run(const char* name, const std::vector<Case>& cases) {
    int failures = 0;
    Port port;
    for (const auto& each : cases) {
        port.reset();
        reported.clear();
        each.act(port);
        if (reported != each.expected) {
            failures++;
            std::printf("FAIL %s: expected %s, found %s\n", each.name, joined(each.expected).c_str(), joined(reported).c_str());
        }
    }
    std::printf("%s: %zu cases, %d failed\n", name, cases.size(), failures);
    return failures == 0 ? 0 : 1;
}

}  // namespace

extern "C" void rebound_violation(int, const char* rule, const char*, const char*, unsigned long long, unsigned long long) {
    reported.insert(rule);
}
