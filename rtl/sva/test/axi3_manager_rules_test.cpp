// SPDX-License-Identifier: MIT OR Apache-2.0
// Breaks each rule that axi_manager_rules has only, or in another way, for AXI3, and expects exactly that rule to
// be reported; what AXI3 allows must stay silent. Run by test.sh: AXI3, 64 data bits, MaxReads = MaxWrites = 4.

#include "manager_port.h"

namespace {

// Addresses of two writes with these ids, a beat each; their data is to follow.
void two_addresses(Port& p, int first, int second) {
    p.pins().awid = first;
    p.aw(0x1000, 1);
    p.pins().awid = second;
    p.aw(0x2000, 0);
}

// A beat of write data with this id.
void w(Port& p, int id, bool last) {
    p.pins().wid = id;
    p.w(0xff, last);
}

const std::vector<Case> cases = {
    // Silence.
    {"a burst of 16 beats is the longest", {}, [](Port& p) { p.ar(0x1000, 15); p.aw(0x1000, 15); for (int i = 0; i < 16; i++) p.w(0xff, i == 15); p.b(); }},
    {"a locked read and a locked write are allowed", {}, [](Port& p) { p.pins().arlock = 2; p.ar(0x1000, 0); p.pins().awlock = 2; p.aw(0x1000, 0); p.w(0xff, 1); p.b(); }},
    {"an exclusive read may be answered EXOKAY", {}, [](Port& p) { p.pins().arlock = 1; p.ar(0x1000, 0); p.r(0, 1, 1); }},
    {"data follows the order of the addresses with their ids", {}, [](Port& p) { two_addresses(p, 3, 5); w(p, 3, 0); w(p, 3, 1); w(p, 5, 1); p.b(5); p.b(3); }},
    {"WID may change between beats that do not wait", {}, [](Port& p) { two_addresses(p, 3, 5); w(p, 3, 0); p.pins().wready = 0; w(p, 3, 1); p.pins().wready = 1; w(p, 3, 1); w(p, 5, 1); p.b(3); p.b(5); }},

    // Lengths.
    {"a read has 17 beats", {"AXI_AR_LEN"}, [](Port& p) { p.ar(0x1000, 16); }},
    {"a write has 17 beats", {"AXI_AW_LEN"}, [](Port& p) { p.aw(0x1000, 16); }},
    {"a read has 256 beats, as only AXI4 allows", {"AXI_AR_LEN"}, [](Port& p) { p.ar(0x1000, 255); }},
    {"a FIXED write is too long in both ways", {"AXI_AW_LEN", "AXI_AW_FIXED_LEN"}, [](Port& p) { p.aw(0x1000, 16, 3, Fixed); }},

    // Locks.
    {"ARLOCK is reserved", {"AXI_AR_LOCK"}, [](Port& p) { p.pins().arlock = 3; p.ar(0x1000, 0); }},
    {"AWLOCK is reserved", {"AXI_AW_LOCK"}, [](Port& p) { p.pins().awlock = 3; p.aw(0x1000, 0); }},
    {"EXOKAY answers a locked read", {"AXI_R_EXOKAY"}, [](Port& p) { p.pins().arlock = 2; p.ar(0x1000, 0); p.r(0, 1, 1); }},
    {"EXOKAY answers a locked write", {"AXI_B_EXOKAY"}, [](Port& p) { p.pins().awlock = 2; p.aw(0x1000, 0); p.w(0xff, 1); p.b(0, 1); }},
    {"ARLOCK changes while waiting", {"AXI_AR_STABLE"}, [](Port& p) { p.pins().arready = 0; p.ar(0x1000, 0); p.pins().arready = 1; p.pins().arlock = 2; p.ar(0x1000, 0); }},

    // Write ids.
    {"WID is not that of the address", {"AXI_W_ID"}, [](Port& p) { p.pins().awid = 3; p.aw(0x1000, 0); w(p, 4, 1); p.b(3); }},
    {"WID changes within a burst", {"AXI_W_ID"}, [](Port& p) { p.pins().awid = 3; p.aw(0x1000, 1); w(p, 3, 0); w(p, 4, 1); p.b(3); }},
    {"data comes in another order than the addresses", {"AXI_W_ID"}, [](Port& p) { p.pins().awid = 3; p.aw(0x1000, 0); p.pins().awid = 5; p.aw(0x2000, 0); w(p, 5, 1); w(p, 3, 1); }},
    {"WID changes while waiting", {"AXI_W_STABLE"}, [](Port& p) { p.pins().awid = 4; p.aw(0x1000, 0); p.pins().wready = 0; w(p, 3, 1); p.pins().wready = 1; w(p, 4, 1); p.b(4); }},
};

}  // namespace

int main() { return run("axi_manager_rules, AXI3", cases); }
