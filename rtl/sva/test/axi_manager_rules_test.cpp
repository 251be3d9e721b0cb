// SPDX-License-Identifier: MIT OR Apache-2.0
// Breaks each rule of axi_manager_rules, and expects exactly that rule to be reported; and keeps them all in
// the corners, and expects silence. Run by test.sh: AXI4, 64 data bits, MaxReads = MaxWrites = 4.

#include "manager_port.h"

namespace {

const std::vector<Case> cases = {
    // Silence.
    {"an unaligned INCR burst is fine", {}, [](Port& p) { p.aw(0x1003, 3); p.w(0xf8, 0); p.w(0xff, 0); p.w(0xff, 0); p.w(0x01, 1); p.b(); }},
    {"a narrow unaligned INCR burst walks over the lanes", {}, [](Port& p) { p.aw(0x1001, 4, 1); p.w(0x02, 0); p.w(0x0c, 0); p.w(0x30, 0); p.w(0xc0, 0); p.w(0x03, 1); p.b(); }},
    {"a narrow WRAP burst comes back to its beginning", {}, [](Port& p) { p.aw(0x100c, 3, 2, Wrap); p.w(0xf0, 0); p.w(0x0f, 0); p.w(0xf0, 0); p.w(0x0f, 1); p.b(); }},
    {"a FIXED burst stays on its lanes", {}, [](Port& p) { p.aw(0x1004, 3, 2, Fixed); p.w(0xf0, 0); p.w(0xf0, 0); p.w(0xf0, 0); p.w(0xf0, 1); p.b(); }},
    {"a burst may end at a 4 KiB boundary", {}, [](Port& p) { p.ar(0x1800, 255); p.ar(0x1801, 255); p.ar(0x1ff9, 0); }},
    {"the last bytes of the address space can be read", {}, [](Port& p) { p.ar(0xfffffffffffffff8, 0); }},
    {"an exclusive read of 128 bytes may be answered EXOKAY", {}, [](Port& p) { p.pins().arlock = 1; p.ar(0x1000, 15); for (int i = 0; i < 16; i++) p.r(0, i == 15, 1); }},
    {"an exclusive write may be answered EXOKAY", {}, [](Port& p) { p.pins().awlock = 1; p.aw(0x1000, 0); p.w(0xff, 1); p.b(0, 1); }},
    {"reads of different ids may overtake each other and interleave", {}, [](Port& p) {
         p.pins().arid = 3; p.ar(0x1000, 1);
         p.pins().arid = 5; p.ar(0x2000, 0);
         p.pins().arid = 3; p.ar(0x3000, 2);
         p.r(3, 0); p.r(5, 1); p.r(3, 1); p.r(3, 0); p.r(3, 0); p.r(3, 1);
     }},
    {"data may come before its address", {}, [](Port& p) { p.w(0xff, 0); p.w(0xff, 1); p.w(0xff, 1); p.aw(0x1000, 1); p.aw(0x2000, 0); p.b(); p.b(); }},
    {"narrow data may come before its address", {}, [](Port& p) { p.w(0x02, 0); p.w(0x0c, 0); p.w(0x30, 1); p.w(0x08, 1); p.aw(0x1001, 2, 1); p.aw(0x2003, 0, 0); p.b(); p.b(); }},
    {"strobes of early data beyond what is kept are not judged, later ones are again", {"AXI_W_STRB"}, [](Port& p) {
         for (int i = 0; i < 256; i++) p.w(0xff, i == 255);
         p.w(0xff, 1);
         p.aw(0x1000, 255); p.aw(0x2001, 0); p.b(); p.b();
         p.w(0x02, 1); p.aw(0x3000, 0, 0); p.b();
     }},
    {"data may begin before its address", {}, [](Port& p) { p.w(0xff, 0); p.aw(0x1000, 1); p.w(0xff, 1); p.b(); }},
    {"two addresses may wait for data", {}, [](Port& p) { p.aw(0x1000, 1); p.aw(0x2001, 0); p.w(0xff, 0); p.w(0xff, 1); p.w(0xfe, 1); p.b(); p.b(); }},
    {"as many bursts as promised may be outstanding", {}, [](Port& p) { for (int i = 0; i < 4; i++) { p.ar(0x1000, 0); p.aw(0x1000, 0); } }},

    // Reset.
    {"valid in reset", {"AXI_AW_RESET", "AXI_W_RESET", "AXI_AR_RESET", "AXI_R_RESET", "AXI_B_RESET"}, [](Port& p) {
         auto& pins = p.pins();
         pins.aresetn = 0;
         p.tick(); p.tick();
         pins.awvalid = 1; p.tick(); pins.awvalid = 0;
         pins.wvalid = 1; p.tick(); pins.wvalid = 0;
         pins.rvalid = 1; p.tick(); pins.rvalid = 0;
         pins.bvalid = 1; p.tick(); pins.bvalid = 0;
         // The edge that ends the reset counts as well.
         pins.aresetn = 1; pins.arvalid = 1; p.tick(); pins.arvalid = 0;
     }},
    {"reset forgets what was in flight", {"AXI_R_ID"}, [](Port& p) { p.ar(0x1000, 3); p.reset(); p.r(0, 1); }},

    // Valid held, payload stable.
    {"AWVALID falls while waiting", {"AXI_AW_VALID"}, [](Port& p) { p.pins().awready = 0; p.aw(0x1000, 0); p.tick(); }},
    {"WVALID falls while waiting", {"AXI_W_VALID"}, [](Port& p) { p.pins().wready = 0; p.w(0xff, 1); p.tick(); }},
    {"ARVALID falls while waiting", {"AXI_AR_VALID"}, [](Port& p) { p.pins().arready = 0; p.ar(0x1000, 0); p.tick(); }},
    {"RVALID falls while waiting", {"AXI_R_VALID"}, [](Port& p) { p.ar(0x1000, 0); p.pins().rready = 0; p.r(0, 1); p.tick(); }},
    {"BVALID falls while waiting", {"AXI_B_VALID"}, [](Port& p) { p.aw(0x1000, 0); p.w(0xff, 1); p.pins().bready = 0; p.b(); p.tick(); }},
    {"AWADDR changes while waiting", {"AXI_AW_STABLE"}, [](Port& p) { p.pins().awready = 0; p.aw(0x1000, 0); p.aw(0x1008, 0); p.pins().awready = 1; p.aw(0x1008, 0); }},
    {"AWLEN changes while waiting", {"AXI_AW_STABLE"}, [](Port& p) { p.pins().awready = 0; p.aw(0x1000, 0); p.pins().awready = 1; p.aw(0x1000, 1); }},
    {"ARADDR changes while waiting", {"AXI_AR_STABLE"}, [](Port& p) { p.pins().arready = 0; p.ar(0x1000, 0); p.pins().arready = 1; p.ar(0x1008, 0); }},
    {"ARID changes while waiting", {"AXI_AR_STABLE"}, [](Port& p) { p.pins().arready = 0; p.ar(0x1000, 0); p.pins().arready = 1; p.pins().arid = 1; p.ar(0x1000, 0); }},
    {"WDATA changes while waiting", {"AXI_W_STABLE"}, [](Port& p) { p.pins().wready = 0; p.w(0xff, 1); p.pins().wready = 1; p.pins().wdata = 1; p.w(0xff, 1); }},
    {"WSTRB changes while waiting", {"AXI_W_STABLE"}, [](Port& p) { p.pins().wready = 0; p.w(0xff, 1); p.pins().wready = 1; p.w(0x7f, 1); }},
    {"WLAST changes while waiting", {"AXI_W_STABLE"}, [](Port& p) { p.pins().wready = 0; p.w(0xff, 1); p.pins().wready = 1; p.w(0xff, 0); }},
    {"RDATA changes while waiting", {"AXI_R_STABLE"}, [](Port& p) { p.ar(0x1000, 0); p.pins().rready = 0; p.r(0, 1); p.pins().rready = 1; p.pins().rdata = 1; p.r(0, 1); }},
    {"RRESP changes while waiting", {"AXI_R_STABLE"}, [](Port& p) { p.ar(0x1000, 0); p.pins().rready = 0; p.r(0, 1); p.pins().rready = 1; p.r(0, 1, 2); }},
    {"BRESP changes while waiting", {"AXI_B_STABLE"}, [](Port& p) { p.aw(0x1000, 0); p.w(0xff, 1); p.pins().bready = 0; p.b(); p.pins().bready = 1; p.b(0, 2); }},

    // Addresses.
    {"a read crosses 4 KiB", {"AXI_AR_4K"}, [](Port& p) { p.ar(0x1ff8, 1); }},
    {"an unaligned read crosses 4 KiB", {"AXI_AR_4K"}, [](Port& p) { p.ar(0x1ff9, 1); }},
    {"a write crosses 4 KiB", {"AXI_AW_4K"}, [](Port& p) { p.aw(0x1ff8, 1); }},
    {"ARSIZE is wider than the bus", {"AXI_AR_SIZE"}, [](Port& p) { p.ar(0x1000, 0, 4); }},
    {"AWSIZE is wider than the bus", {"AXI_AW_SIZE"}, [](Port& p) { p.aw(0x1000, 0, 4); }},
    {"ARBURST is reserved", {"AXI_AR_BURST"}, [](Port& p) { p.ar(0x1000, 0, 3, 3); }},
    {"AWBURST is reserved", {"AXI_AW_BURST"}, [](Port& p) { p.aw(0x1000, 0, 3, 3); }},
    {"a FIXED read is too long", {"AXI_AR_FIXED_LEN"}, [](Port& p) { p.ar(0x1000, 16, 3, Fixed); }},
    {"a FIXED write is too long", {"AXI_AW_FIXED_LEN"}, [](Port& p) { p.aw(0x1000, 16, 3, Fixed); }},
    {"a WRAP read has 5 beats", {"AXI_AR_WRAP_LEN"}, [](Port& p) { p.ar(0x1000, 4, 3, Wrap); }},
    {"a WRAP write has 5 beats", {"AXI_AW_WRAP_LEN"}, [](Port& p) { p.aw(0x1000, 4, 3, Wrap); }},
    {"a WRAP read is not aligned", {"AXI_AR_WRAP_ALIGN"}, [](Port& p) { p.ar(0x1004, 3, 3, Wrap); }},
    {"a WRAP write is not aligned", {"AXI_AW_WRAP_ALIGN"}, [](Port& p) { p.aw(0x1004, 3, 3, Wrap); }},
    {"ARCACHE is reserved", {"AXI_AR_CACHE"}, [](Port& p) { p.pins().arcache = 0xc; p.ar(0x1000, 0); }},
    {"AWCACHE is reserved", {"AXI_AW_CACHE"}, [](Port& p) { p.pins().awcache = 0x4; p.aw(0x1000, 0); }},
    {"an AXI4 read is locked", {"AXI_AR_LOCK"}, [](Port& p) { p.pins().arlock = 2; p.ar(0x1000, 0); }},
    {"an AXI4 write is locked", {"AXI_AW_LOCK"}, [](Port& p) { p.pins().awlock = 2; p.aw(0x1000, 0); }},
    {"an exclusive read is too long", {"AXI_AR_EXCLUSIVE_SIZE", "AXI_AR_EXCLUSIVE_LEN"}, [](Port& p) { p.pins().arlock = 1; p.ar(0x1000, 16); }},
    {"an exclusive write is too long", {"AXI_AW_EXCLUSIVE_SIZE", "AXI_AW_EXCLUSIVE_LEN"}, [](Port& p) { p.pins().awlock = 1; p.aw(0x1000, 16); }},
    {"an exclusive read moves 24 bytes", {"AXI_AR_EXCLUSIVE_SIZE"}, [](Port& p) { p.pins().arlock = 1; p.ar(0x1008, 2); }},
    {"an exclusive read is not aligned", {"AXI_AR_EXCLUSIVE_ALIGN"}, [](Port& p) { p.pins().arlock = 1; p.ar(0x1008, 1); }},
    {"an exclusive write is not aligned", {"AXI_AW_EXCLUSIVE_ALIGN"}, [](Port& p) { p.pins().awlock = 1; p.aw(0x1008, 1); }},
    {"more reads than promised", {"AXI_AR_OUTSTANDING"}, [](Port& p) { for (int i = 0; i < 5; i++) p.ar(0x1000, 0); }},
    {"more writes than promised", {"AXI_AW_OUTSTANDING"}, [](Port& p) { for (int i = 0; i < 5; i++) p.aw(0x1000, 0); }},

    // Write data.
    {"WLAST comes early", {"AXI_W_LAST"}, [](Port& p) { p.aw(0x1000, 1); p.w(0xff, 1); }},
    {"WLAST is missing", {"AXI_W_LAST"}, [](Port& p) { p.aw(0x1000, 1); p.w(0xff, 0); p.w(0xff, 0); }},
    {"early data is too short", {"AXI_W_LAST"}, [](Port& p) { p.w(0xff, 0); p.w(0xff, 1); p.aw(0x1000, 2); }},
    {"early data is too long", {"AXI_W_LAST"}, [](Port& p) { p.w(0xff, 0); p.w(0xff, 0); p.aw(0x1000, 0); }},
    {"early data never ends", {"AXI_W_LAST"}, [](Port& p) { for (int i = 0; i < 256; i++) p.w(0xff, 0); }},
    {"a strobe lies before the address", {"AXI_W_STRB"}, [](Port& p) { p.aw(0x1003, 0); p.w(0xff, 1); p.b(); }},
    {"a strobe lies on another narrow beat's lanes", {"AXI_W_STRB"}, [](Port& p) { p.aw(0x1001, 4, 1); p.w(0x02, 0); p.w(0x0c, 0); p.w(0x0c, 0); p.w(0xc0, 0); p.w(0x03, 1); p.b(); }},
    {"a FIXED burst moves on", {"AXI_W_STRB"}, [](Port& p) { p.aw(0x1004, 1, 2, Fixed); p.w(0xf0, 0); p.w(0x0f, 1); p.b(); }},
    {"early data strobes a lane before the address", {"AXI_W_STRB"}, [](Port& p) { p.w(0xff, 1); p.aw(0x1003, 0); p.b(); }},
    {"early narrow data strobes another beat's lanes", {"AXI_W_STRB"}, [](Port& p) { p.w(0x02, 0); p.w(0x0c, 0); p.w(0x0c, 1); p.aw(0x1001, 2, 1); p.b(); }},
    {"data that began before its address strobes another beat's lanes", {"AXI_W_STRB"}, [](Port& p) { p.w(0x01, 0); p.w(0x03, 0); p.aw(0x1000, 3, 0); p.w(0x04, 0); p.w(0x08, 1); p.b(); }},
    {"the second of two early bursts has a wrong strobe", {"AXI_W_STRB"}, [](Port& p) { p.w(0xff, 0); p.w(0xff, 1); p.w(0xff, 1); p.aw(0x1000, 1); p.aw(0x2001, 0); p.b(); p.b(); }},
    {"the second of two waiting addresses has a wrong strobe", {"AXI_W_STRB"}, [](Port& p) { p.aw(0x1000, 1); p.aw(0x2001, 0); p.w(0xff, 0); p.w(0xff, 1); p.w(0xff, 1); p.b(); p.b(); }},

    // Responses.
    {"read data without a read", {"AXI_R_ID"}, [](Port& p) { p.r(0, 1); }},
    {"read data with another id", {"AXI_R_ID"}, [](Port& p) { p.pins().arid = 3; p.ar(0x1000, 0); p.r(4, 1); }},
    {"RLAST comes early", {"AXI_R_LAST"}, [](Port& p) { p.ar(0x1000, 1); p.r(0, 1); }},
    {"RLAST is missing", {"AXI_R_LAST"}, [](Port& p) { p.ar(0x1000, 1); p.r(0, 0); p.r(0, 0); }},
    {"EXOKAY answers a normal read", {"AXI_R_EXOKAY"}, [](Port& p) { p.ar(0x1000, 0); p.r(0, 1, 1); }},
    {"EXOKAY answers a normal write", {"AXI_B_EXOKAY"}, [](Port& p) { p.aw(0x1000, 0); p.w(0xff, 1); p.b(0, 1); }},
    {"a response comes before the last beat", {"AXI_B_EARLY"}, [](Port& p) { p.aw(0x1000, 1); p.w(0xff, 0); p.b(); }},
    {"a response has another id", {"AXI_B_ID"}, [](Port& p) { p.pins().awid = 2; p.aw(0x1000, 0); p.w(0xff, 1); p.b(1); }},
    {"a write is answered twice", {"AXI_B_ID"}, [](Port& p) { p.aw(0x1000, 0); p.w(0xff, 1); p.b(); p.b(); }},
};

}  // namespace

int main() { return run("axi_manager_rules", cases); }
