// SPDX-License-Identifier: MIT OR Apache-2.0
// Breaks each rule of axi_stream_rules, and expects exactly that rule to be reported. Run by test.sh.

#include <cstdio>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "Vaxi_stream_rules.h"
#include "verilated.h"

namespace {

std::set<std::string> reported;

struct Case {
    const char* name;
    const char* expected;
    std::function<void(Vaxi_stream_rules&)> act;
};

// One clock cycle with the pins as they are.
void tick(Vaxi_stream_rules& pins) {
    pins.aclk = 0;
    pins.eval();
    pins.aclk = 1;
    pins.eval();
}

void reset(Vaxi_stream_rules& pins) {
    pins.tvalid = 0;
    pins.tready = 0;
    pins.tdata = 0;
    pins.tkeep = 0xff;
    pins.tlast = 0;
    pins.aresetn = 0;
    for (int i = 0; i < 3; i++) tick(pins);
    pins.aresetn = 1;
    tick(pins);
}

// A beat waits for a cycle.
void wait(Vaxi_stream_rules& pins) {
    pins.tvalid = 1;
    tick(pins);
}

const std::vector<Case> cases = {
    {"a beat waits and goes", "", [](auto& p) { wait(p); wait(p); p.tready = 1; tick(p); p.tdata = 1; tick(p); p.tvalid = 0; tick(p); }},
    {"TVALID falls while waiting", "AXIS_VALID", [](auto& p) { wait(p); p.tvalid = 0; tick(p); }},
    {"TDATA changes while waiting", "AXIS_STABLE", [](auto& p) { wait(p); p.tdata = 1; tick(p); }},
    {"TKEEP changes while waiting", "AXIS_STABLE", [](auto& p) { wait(p); p.tkeep = 1; tick(p); }},
    {"TLAST changes while waiting", "AXIS_STABLE", [](auto& p) { wait(p); p.tlast = 1; tick(p); }},
    {"TVALID is high in reset", "AXIS_RESET", [](auto& p) { p.aresetn = 0; tick(p); p.tvalid = 1; tick(p); }},
    {"TVALID is high at the end of reset", "AXIS_RESET", [](auto& p) { p.aresetn = 0; tick(p); p.aresetn = 1; p.tvalid = 1; tick(p); }},
};

}  // namespace

extern "C" void rebound_violation(int, const char* rule, const char*, const char*, unsigned long long, unsigned long long) {
    reported.insert(rule);
}

int main() {
    int failures = 0;
    VerilatedContext context;
    Vaxi_stream_rules pins(&context);
    for (const auto& each : cases) {
        reset(pins);
        reported.clear();
        each.act(pins);
        std::string found;
        for (const auto& rule : reported) found += (found.empty() ? "" : ", ") + rule;
        if (found != each.expected) {
            failures++;
            std::printf("FAIL %s: expected %s, found %s\n", each.name, each.expected, found.c_str());
        }
    }
    pins.final();
    std::printf("axi_stream_rules: %zu cases, %d failed\n", cases.size(), failures);
    return failures == 0 ? 0 : 1;
}
