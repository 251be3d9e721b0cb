//! Recognition of the naming styles of real cores, from port lists alone.

use rebound::init::model::{Interface, Protocol, Recognised};
use rebound::init::recognise;
use rebound_sim::manifest::{Access, ActiveLevel, NamingCase, ResetKind, StreamDirection};
use rebound_sim::verilate::outline::Outline;
use rebound_sim::verilate::ports::{CorePort, PortDirection};

/// Signals of an AXI manager: `>` is driven by it.
const MANAGER: &str = ">awid:4 >awaddr:32 >awlen:8 >awsize:3 >awburst:2 >awvalid <awready >wdata:64 >wstrb:8 >wlast >wvalid \
     <wready <bid:4 <bresp:2 <bvalid >bready >arid:4 >araddr:32 >arlen:8 >arsize:3 >arburst:2 >arvalid <arready <rid:4 \
     <rdata:64 <rresp:2 <rlast <rvalid >rready";
const LITE: &str = "<awaddr:6 <awvalid >awready <wdata:32 <wstrb:4 <wvalid >wready >bresp:2 >bvalid <bready <araddr:6 \
     <arvalid >arready >rdata:32 >rresp:2 >rvalid <rready";

/// Ports from words like `>awaddr:32`, renamed by `name` (signal, is an output).
fn list(words: &str, name: impl Fn(&str, bool) -> String) -> Vec<CorePort> {
    let port = |word: &str| {
        let is_output = word.starts_with('>');
        let (signal, width) = word[1..].split_once(':').unwrap_or((&word[1..], "1"));
        CorePort {
            name: name(signal, is_output),
            direction: if is_output {
                PortDirection::Output
            } else {
                PortDirection::Input
            },
            width: width.parse().ok(),
        }
    };
    words.split_whitespace().map(port).collect()
}

fn plain(words: &str) -> Vec<CorePort> {
    list(words, |signal, _| signal.to_owned())
}

fn found(ports: impl IntoIterator<Item = Vec<CorePort>>) -> Recognised {
    recognise(&Outline {
        ports: ports.into_iter().flatten().collect(),
        ..Outline::default()
    })
}

/// Channel and signal of a name such as `awaddr`.
fn parts(signal: &str) -> (&str, &str) {
    signal.split_at(if signal.starts_with('a') { 2 } else { 1 })
}

fn the_only(found: &Recognised) -> &Interface {
    assert_eq!(found.interfaces.len(), 1, "{found:?}");
    &found.interfaces[0]
}

#[test]
fn every_style_of_a_manager_is_one_interface_with_one_pattern() {
    type Style = fn(&str, bool) -> String;
    let styles: [(Style, &str, NamingCase); 7] = [
        (
            |signal, _| format!("m_axi_{signal}"),
            "m_axi_{channel}{signal}",
            NamingCase::Lower,
        ),
        (
            |signal, _| format!("M_AXI_{}", signal.to_uppercase()),
            "M_AXI_{channel}{signal}",
            NamingCase::Upper,
        ),
        (
            |signal, _| format!("{}0", signal.to_uppercase()),
            "{channel}{signal}0",
            NamingCase::Upper,
        ),
        (
            |signal, is_output| {
                let (channel, signal) = parts(signal);
                format!(
                    "axi_{channel}_{signal}_{}",
                    if is_output { 'o' } else { 'i' }
                )
            },
            "axi_{channel}_{signal}_{direction}",
            NamingCase::Lower,
        ),
        (
            |signal, _| format!("io_dma_{}_{signal}", parts(signal).0),
            "io_dma_{channel}_{channel}{signal}",
            NamingCase::Lower,
        ),
        (
            |signal, is_output| format!("m_axi_{signal}_{}", if is_output { 'o' } else { 'i' }),
            "m_axi_{channel}{signal}_{direction}",
            NamingCase::Lower,
        ),
        (
            |signal, is_output| format!("{}_axi_{signal}", if is_output { 'o' } else { 'i' }),
            "{direction}_axi_{channel}{signal}",
            NamingCase::Lower,
        ),
    ];
    for (style, pattern, case) in styles {
        let found = found([plain("<clk <rst"), list(MANAGER, style)]);
        let manager = the_only(&found);
        assert_eq!(manager.protocol, Protocol::Axi4);
        assert_eq!((manager.pattern.as_str(), manager.case), (pattern, case));
        assert_eq!(
            manager.signals.len(),
            MANAGER.split_whitespace().count(),
            "{pattern}"
        );
        assert!(manager.ports.is_empty() && found.ties.is_empty() && found.unused.is_empty());
        assert!(found.open.is_empty(), "{:?}", found.open);
    }
}

#[test]
fn names_that_follow_no_pattern_are_mapped_one_by_one() {
    let chisel = |signal: &str, _: bool| {
        let (channel, signal) = parts(signal);
        match signal {
            "valid" | "ready" => format!("io_mem_{channel}_{signal}"),
            _ => format!("io_mem_{channel}_bits_{signal}"),
        }
    };
    let found = found([plain("<clock <reset"), list(MANAGER, chisel)]);
    let manager = the_only(&found);
    assert_eq!(manager.signals.len(), MANAGER.split_whitespace().count());
    assert_eq!(manager.pattern, "io_mem_{channel}_bits_{signal}");
    assert_eq!(manager.ports["awvalid"], "io_mem_aw_valid");
    assert!(!manager.ports.contains_key("awaddr"), "{:?}", manager.ports);
}

#[test]
fn axi3_is_told_by_wid_or_by_short_lengths() {
    let named = |signal: &str, _: bool| format!("m_{signal}");
    let short = MANAGER.replace("len:8", "len:4");
    let with_wid = format!("{MANAGER} >wid:4");
    for words in [short.as_str(), with_wid.as_str()] {
        let found = found([plain("<clk <rst"), list(words, named)]);
        assert_eq!(the_only(&found).protocol, Protocol::Axi3, "{words}");
    }
}

#[test]
fn halves_are_read_only_and_write_only_managers() {
    let half = |first: &str, prefix: &'static str| {
        let is_half = |word: &&str| {
            ["ar", "r"].iter().any(|c| {
                let signal = word[1..].split(':').next().unwrap_or_default();
                parts(signal).0 == *c
            }) == (first == "read")
        };
        let words: Vec<&str> = MANAGER.split_whitespace().filter(is_half).collect();
        list(&words.join(" "), move |signal, _| {
            format!("{prefix}{signal}")
        })
    };
    let found = found([
        plain("<aclk <aresetn"),
        half("read", "m_axi_mm2s_"),
        half("write", "m_axi_s2mm_"),
    ]);
    let access: Vec<_> = found
        .interfaces
        .iter()
        .map(|each| (each.name.as_str(), each.access))
        .collect();
    assert_eq!(
        access,
        [("m_axi_mm2s", Access::Read), ("m_axi_s2mm", Access::Write)]
    );
}

#[test]
fn two_whole_bundles_are_halved_by_their_names() {
    let bundle = |name: &'static str| {
        list(MANAGER, move |signal, _| {
            format!("io_{name}_{}_{signal}", parts(signal).0)
        })
    };
    let found = found([plain("<clock <reset"), bundle("read"), bundle("write")]);
    let access: Vec<_> = found.interfaces.iter().map(|each| each.access).collect();
    assert_eq!(access, [Access::Read, Access::Write]);
    assert!(found.interfaces.iter().all(|each| !each.notes.is_empty()));
}

#[test]
fn the_direction_of_valid_decides_about_the_role() {
    let found = found([
        plain("<S_AXI_ACLK <S_AXI_ARESETN >o_int"),
        list(LITE, |signal, _| {
            format!("S_AXIL_{}", signal.to_uppercase())
        }),
    ]);
    assert_eq!(the_only(&found).protocol, Protocol::Lite);
    assert!(found.wires[0].is_interrupt && found.wires[0].port == "o_int");
    assert!(
        found
            .open
            .iter()
            .any(|open| open.contains("no AXI manager"))
    );
}

#[test]
fn a_whole_axi4_register_port_is_used_with_single_beats() {
    let flipped: String = MANAGER
        .chars()
        .map(|c| match c {
            '<' => '>',
            '>' => '<',
            other => other,
        })
        .collect();
    let found = found([
        plain("<clk <rst"),
        list(&flipped, |signal, _| format!("s_axi_{signal}")),
    ]);
    assert_eq!(the_only(&found).protocol, Protocol::Lite);
    let tie = |port: &str| {
        found
            .ties
            .iter()
            .find(|tie| tie.port == port)
            .map(|tie| tie.value)
    };
    assert_eq!(tie("s_axi_awsize"), Some(3));
    assert_eq!(
        (tie("s_axi_awburst"), tie("s_axi_wlast"), tie("s_axi_awlen")),
        (Some(1), Some(1), Some(0))
    );
}

#[test]
fn register_ports_of_apb_and_wishbone_are_recognised() {
    let apb = "<PSEL <PENABLE <PWRITE <PADDR:8 <PWDATA:32 >PRDATA:32 >PREADY >PSLVERR";
    let wishbone = "<i_wb_cyc <i_wb_stb <i_wb_we <i_wb_addr:4 <i_wb_data:32 <i_wb_sel:4 >o_wb_ack >o_wb_stall >o_wb_data:32";
    let of_apb = found([plain("<PCLK <PRESETn"), plain(apb)]);
    assert_eq!(the_only(&of_apb).protocol, Protocol::Apb);
    assert_eq!(the_only(&of_apb).signals.len(), 8);
    let of_wishbone = found([plain("<i_clk <i_reset"), plain(wishbone)]);
    let port = the_only(&of_wishbone);
    assert_eq!(port.protocol, Protocol::Wishbone);
    assert_eq!(
        port.port("", "dat_w").map(|port| port.name.as_str()),
        Some("i_wb_data")
    );
    assert_eq!(port.ports["adr"], "i_wb_addr");
}

#[test]
fn descriptors_status_and_data_are_told_apart() {
    let found = found([
        plain("<clk <rst <read_enable"),
        plain(
            "<s_axis_read_desc_addr:16 <s_axis_read_desc_len:20 <s_axis_read_desc_tag:8 <s_axis_read_desc_valid",
        ),
        plain(
            ">s_axis_read_desc_ready >m_axis_read_desc_status_tag:8 >m_axis_read_desc_status_valid",
        ),
        plain(
            ">m_axis_read_data_tdata:32 >m_axis_read_data_tvalid <m_axis_read_data_tready >m_axis_read_data_tlast",
        ),
        plain("<s_axis_cmd_tdata:72 <s_axis_cmd_tvalid >s_axis_cmd_tready"),
    ]);
    assert_eq!(
        the_only(&found).protocol,
        Protocol::Stream(StreamDirection::Source)
    );
    let channels: Vec<_> = found
        .channels
        .iter()
        .map(|each| {
            (
                each.name.as_str(),
                each.direction,
                each.ready.is_some(),
                each.fields.len(),
            )
        })
        .collect();
    assert_eq!(
        channels,
        [
            ("s_axis_cmd", StreamDirection::Sink, true, 1),
            ("s_axis_read_desc", StreamDirection::Sink, true, 3),
            ("m_axis_read_desc_status", StreamDirection::Source, false, 1),
        ]
    );
    assert_eq!(
        (found.wires[0].port.as_str(), found.wires[0].initial),
        ("read_enable", 1)
    );
}

#[test]
fn resets_without_known_edges_are_taken_by_name() {
    for (name, active, kind) in [
        ("rst", ActiveLevel::High, ResetKind::Sync),
        ("S_AXI_ARESETN", ActiveLevel::Low, ResetKind::Sync),
        ("rst_ni", ActiveLevel::Low, ResetKind::Async),
        ("reset", ActiveLevel::High, ResetKind::Sync),
    ] {
        let found = found([plain(&format!("<clk <{name}"))]);
        assert_eq!(
            (found.resets[0].active, found.resets[0].kind),
            (active, kind),
            "{name}"
        );
    }
}

#[test]
fn interfaces_belong_to_the_clock_of_their_name() {
    let found = found([
        plain("<s_axi_lite_aclk <m_axi_mm2s_aclk <axi_resetn"),
        list(LITE, |signal, _| format!("s_axi_lite_{signal}")),
        list(MANAGER, |signal, _| format!("m_axi_mm2s_{signal}")),
    ]);
    let clocks: Vec<_> = found
        .interfaces
        .iter()
        .map(|each| each.clock.as_deref())
        .collect();
    assert_eq!(clocks, [None, Some("m_axi_mm2s_aclk")]);
}

#[test]
fn every_port_has_a_place_even_when_it_fits_nothing() {
    let ports = [
        plain("<clk <mystery:9 >result:3 <testmode_i <wide:128"),
        plain(">m_axi_awvalid <m_axi_awready >m_axi_awaddr:32 >m_axi_wdata:32"),
        list(LITE, |signal, _| format!("s_{signal}")),
    ];
    let all: Vec<String> = ports
        .iter()
        .flatten()
        .map(|port| port.name.clone())
        .collect();
    let found = found(ports);
    let mut placed: Vec<String> = found
        .clocks
        .iter()
        .map(|clock| clock.port.clone())
        .collect();
    placed.extend(found.ties.iter().map(|tie| tie.port.clone()));
    placed.extend(found.unused.iter().cloned());
    placed.extend(found.wires.iter().map(|wire| wire.port.clone()));
    let members = found
        .interfaces
        .iter()
        .flat_map(|each| each.signals.values());
    placed.extend(members.map(|port| port.name.clone()));
    for port in &all {
        assert_eq!(
            placed.iter().filter(|each| *each == port).count(),
            1,
            "{port}: {placed:?}"
        );
    }
    let open = found.open.join("\n");
    assert!(
        open.contains("looks like AXI, but reads lack") && open.contains("input mystery"),
        "{open}"
    );
}
