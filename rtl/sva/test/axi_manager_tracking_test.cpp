// SPDX-License-Identifier: MIT OR Apache-2.0
// What axi_manager_rules does with more bursts in flight than it follows: it says so once, stops judging what it
// cannot, and begins anew after a reset. Run by test.sh: MaxTracked = 2.

#include "manager_port.h"

namespace {

void reads(Port& p, int count) {
    for (int i = 0; i < count; i++) p.ar(0x1000, 0);
}

void writes(Port& p, int count) {
    for (int i = 0; i < count; i++) p.aw(0x1000, 0);
}

// Each ends with what was reported since the last clear().
const std::vector<Case> cases = {
    {"as many bursts as are followed", {}, [](Port& p) { reads(p, 2); writes(p, 2); }},
    {"one read more", {"AXI_AR_TRACKED"}, [](Port& p) { reads(p, 3); }},
    {"one write more", {"AXI_AW_TRACKED"}, [](Port& p) { writes(p, 3); }},
    {"data of one write more before its address", {"AXI_W_TRACKED"}, [](Port& p) { for (int i = 0; i < 3; i++) p.w(0xff, 1); }},
    {"it is said once, and read data is not judged any more", {}, [](Port& p) {
         reads(p, 3); reported.clear();
         reads(p, 3); p.r(7, 0); p.r(0, 0);
     }},
    {"it is said once, and write data and responses are not judged any more", {}, [](Port& p) {
         writes(p, 3); reported.clear();
         writes(p, 3); p.w(0xff, 0); p.w(0xff, 0); p.b(7);
     }},
    {"the other direction is still judged", {"AXI_B_ID"}, [](Port& p) { reads(p, 3); reported.clear(); p.b(); }},
    {"addresses are still judged", {"AXI_AR_4K"}, [](Port& p) { reads(p, 3); reported.clear(); p.ar(0x1ff8, 1); }},
    {"a reset makes it judge again", {"AXI_R_ID", "AXI_B_ID"}, [](Port& p) {
         reads(p, 3); writes(p, 3); p.reset(); reported.clear();
         p.r(0, 1); p.b();
     }},
    {"slots are used again", {}, [](Port& p) { for (int i = 0; i < 5; i++) { reads(p, 2); p.r(0, 1); p.r(0, 1); writes(p, 2); p.w(0xff, 1); p.w(0xff, 1); p.b(); p.b(); } }},
};

}  // namespace

int main() { return run("axi_manager_rules, tracking", cases); }
