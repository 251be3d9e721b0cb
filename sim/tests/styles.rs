//! A core with other names, widths, polarities and protocols than ours.

mod common;

use common::{build, core};
use rebound_sim::device::Device;
use rebound_sim::manifest::{Access, AxiProtocol, Manifest};
use rebound_sim::verilate::CoreBuilder;

fn styles() -> Device {
    let builder = CoreBuilder::new(Manifest::load(&core("styles.toml")).expect("a valid manifest"));
    let mut device = Device::load(&build(&builder), 1).expect("loads");
    device.reset(3).expect("resets");
    device.step().expect("runs");
    device
}

#[test]
fn the_ports_are_found_with_their_widths() {
    let device = styles();
    let interfaces = device.interfaces();
    let writer = &interfaces.managers[0];
    assert_eq!(
        (writer.protocol, writer.access),
        (AxiProtocol::Axi3, Access::Write)
    );
    assert_eq!(
        (writer.address_width, writer.data_width, writer.id_width),
        (36, 32, 6)
    );
    assert_eq!((writer.max_reads, writer.max_writes), (None, Some(2)));
    let control = &interfaces.lites[0];
    assert_eq!((control.address_width, control.data_width), (5, 64));
    let (command, status) = (&interfaces.streams_in[0], &interfaces.streams_out[0]);
    assert_eq!(
        (command.data_width, command.has_ready, command.has_last),
        (90, true, false)
    );
    assert_eq!(
        (status.data_width, status.has_ready, status.has_keep),
        (90, false, false)
    );
    let numbers: Vec<_> = (0..4).map(|number| interfaces.port_name(number)).collect();
    assert_eq!(
        numbers,
        [
            Some("writer"),
            Some("control"),
            Some("command"),
            Some("status")
        ]
    );
}

#[test]
fn axi3_signals_arrive_and_absent_ones_have_their_defaults() {
    let mut device = styles();
    device.managers_mut()[0].bid = 0xffff_ffff;
    device.step().expect("runs");
    let pins = device.managers()[0];
    assert_eq!(
        (pins.aw.addr, pins.aw.len, pins.aw.lock),
        (0xf_1234_5678, 3, 2)
    );
    assert_eq!(
        (pins.aw.id, pins.wid),
        (0x3f, 0x3f),
        "a port takes as many bits as it has"
    );
    assert_eq!(
        (
            pins.aw.size,
            pins.aw.burst,
            pins.wstrb[0],
            pins.wlast,
            pins.bready
        ),
        (2, 1, 0xf, 1, 1)
    );
    assert_eq!(device.take_violations(), []);
}

#[test]
fn a_reset_that_is_active_high_resets() {
    let mut device = styles();
    device.lites_mut()[0].wdata = 0x1122_3344_5566_7788;
    device.lites_mut()[0].wstrb = 0b1000_0001;
    device.lites_mut()[0].wvalid = 1;
    device.step().expect("runs");
    let pins = &mut device.lites_mut()[0];
    pins.wvalid = 0;
    pins.arvalid = 1;
    pins.araddr = 0x18;
    device.step().expect("runs");
    assert_eq!(
        (device.lites()[0].rdata, device.lites()[0].rvalid),
        (0x1100_0000_0000_0088, 1)
    );
    device.reset(1).expect("resets");
    device.step().expect("runs");
    assert_eq!(device.lites()[0].rdata, 0);
}

#[test]
fn all_clocks_run_and_asynchronous_resets_act() {
    let mut device = styles();
    let level = device.wires_out()[0];
    device.step().expect("runs");
    assert_eq!((level, device.wires_out()[0]), (0, 1));
    device.set_reset(true);
    device.step().expect("runs");
    assert_eq!(device.wires_out()[0], 0, "at once, without an edge");
}

#[test]
fn a_stream_of_an_odd_width_carries_its_bits_and_no_more() {
    let mut device = styles();
    device.streams_in_mut()[0].valid = 1;
    device.streams_in_mut()[0].data = [u64::MAX; 16];
    device.step().expect("runs");
    let status = device.streams_out()[0];
    assert_eq!((status.valid, status.data), (1, [0; 16]));
    device.streams_in_mut()[0].data = [0; 16];
    device.step().expect("runs");
    let status = device.streams_out()[0];
    assert_eq!(status.data[..3], [u64::MAX, (1 << 26) - 1, 0]);
    assert_eq!((status.keep[0], status.last), ((1 << 12) - 1, 1));
}
