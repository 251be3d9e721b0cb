//! Waveforms, read back: both edges, windows, wide buses, the driver's side as text.

mod common;

use std::path::Path;

use common::{command, device, probe, run_command, traced};
use rebound_sim::device::{Device, DeviceError};
use rebound_sim::trace::{TraceKind, TraceWindow, UNITS_PER_CYCLE};
use wellen::simple::{self, Waveform};
use wellen::{SignalRef, TimescaleUnit};

/// Cycles of the recorded run.
const CYCLES: u64 = 60;

/// A run of a wide probe in which the driver's side changes once, in cycle 30.
fn record(kind: TraceKind, path: &Path, window: TraceWindow) -> Device {
    let mut device = device(&traced(kind), 1);
    assert_eq!(device.cycle(), 4);
    device.open_trace(path, window).expect("a writable file");
    device.host_view_mut().cpu_state[0][..7].copy_from_slice(b"mapping");
    while device.cycle() < CYCLES {
        if device.cycle() == 30 {
            let view = device.host_view_mut();
            view.cpu_state[0] = *b"copying in      ";
            view.cpu_state[3][..4].copy_from_slice(b"idle");
            view.slots_used = 3;
            view.bounce_addr = 0x1_8000_1000;
        }
        if device.cycle() == 40 {
            device.managers_mut()[0].rvalid = 1;
            device.managers_mut()[0].rdata[7] = 0xabcd << 48;
        }
        device.step().expect("runs");
    }
    device
}

fn find(wave: &mut Waveform, path: &[&str]) -> SignalRef {
    let (name, scopes) = path.split_last().expect("a name");
    let variable = wave
        .hierarchy()
        .lookup_var(scopes, name)
        .unwrap_or_else(|| panic!("no signal {path:?} in {:?}", names(wave)));
    let signal = wave.hierarchy()[variable].signal_ref();
    wave.load_signals(&[signal]);
    signal
}

fn names(wave: &Waveform) -> Vec<String> {
    wave.hierarchy()
        .all_vars()
        .map(|var| wave.hierarchy()[var].full_name(wave.hierarchy()))
        .collect()
}

/// Bits of a signal at a time.
fn bits(wave: &Waveform, signal: SignalRef, time: u64) -> String {
    let index = wave
        .time_table()
        .iter()
        .rposition(|each| *each <= time)
        .expect("recorded");
    let index = u32::try_from(index).expect("a short run");
    let signal = wave.get_signal(signal).expect("loaded");
    let offset = signal.get_offset(index).expect("has a value");
    signal
        .get_value_at(&offset, 0)
        .to_bit_string()
        .expect("bits")
}

fn number(wave: &Waveform, signal: SignalRef, time: u64) -> u64 {
    u64::from_str_radix(&bits(wave, signal, time), 2).expect("at most 64 bits")
}

fn text(wave: &Waveform, signal: SignalRef, time: u64) -> String {
    let bits = bits(wave, signal, time);
    bits.as_bytes()
        .chunks(8)
        .map(|byte| {
            let byte = std::str::from_utf8(byte).expect("binary digits");
            char::from(u8::from_str_radix(byte, 2).expect("binary digits"))
        })
        .collect()
}

fn check_whole_run(kind: TraceKind) {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join("run.wave");
    drop(record(kind, &path, TraceWindow::ALL));
    let mut wave = simple::read(&path).expect("a readable dump");
    let scale = wave.hierarchy().timescale().expect("a time scale");
    assert_eq!((scale.factor, scale.unit), (1, TimescaleUnit::NanoSeconds));

    let clock = find(&mut wave, &["rebound", "core", "aclk"]);
    let cycle = find(&mut wave, &["rebound", "host", "cycle"]);
    let count = find(&mut wave, &["rebound", "core", "count"]);
    for at in [10, 29, 59] {
        let start = at * UNITS_PER_CYCLE;
        assert_eq!(
            (bits(&wave, clock, start), bits(&wave, clock, start + 5)),
            ("0".into(), "1".into())
        );
        assert_eq!(number(&wave, cycle, start), at);
        assert_eq!(
            number(&wave, count, start),
            at - 4,
            "reset was released in cycle 4"
        );
        assert_eq!(
            number(&wave, count, start + 5),
            at - 3,
            "it counts with the rising edge"
        );
    }

    let cpu = find(&mut wave, &["rebound", "host", "cpu0_state"]);
    let other = find(&mut wave, &["rebound", "host", "cpu3_state"]);
    let slots = find(&mut wave, &["rebound", "host", "slots_used"]);
    let bounce = find(&mut wave, &["rebound", "host", "bounce_addr"]);
    assert_eq!(text(&wave, cpu, 295), "mapping         ");
    assert_eq!(
        (text(&wave, cpu, 300), text(&wave, other, 300)),
        ("copying in      ".into(), "idle            ".into())
    );
    assert_eq!(
        (number(&wave, slots, 299), number(&wave, slots, 300)),
        (0, 3)
    );
    assert_eq!(number(&wave, bounce, 300), 0x1_8000_1000);

    let data = find(&mut wave, &["rebound", "core", "m_axi_rdata"]);
    let data = bits(&wave, data, 400);
    assert_eq!((data.len(), &data[..16]), (512, "1010101111001101"));
    let rules = find(&mut wave, &["rebound", "rules_m_axi", "rvalid"]);
    assert_eq!(
        (bits(&wave, rules, 395), bits(&wave, rules, 400)),
        ("0".into(), "1".into())
    );
}

#[test]
fn an_fst_of_a_run_can_be_read_back() {
    check_whole_run(TraceKind::Fst);
}

#[test]
fn a_vcd_of_a_run_can_be_read_back() {
    check_whole_run(TraceKind::Vcd);
}

#[test]
fn a_window_is_kept_to() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join("run.fst");
    let mut device = record(TraceKind::Fst, &path, TraceWindow { from: 20, to: 25 });
    let wave = simple::read(&path).expect("closed when the window ended");
    assert_eq!(wave.time_table().first(), Some(&200));
    assert_eq!(wave.time_table().last(), Some(&245));

    let second = folder.path().join("again.fst");
    device
        .open_trace(&second, TraceWindow::ALL)
        .expect("a writable file");
    device.step().expect("runs");
    device.close_trace().expect("written");
    let wave = simple::read(&second).expect("a readable dump");
    assert_eq!(wave.time_table(), [600, 605]);
}

#[test]
fn a_window_that_is_never_reached_leaves_no_file() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join("run.fst");
    drop(record(
        TraceKind::Fst,
        &path,
        TraceWindow {
            from: 1000,
            to: 2000,
        },
    ));
    assert!(!path.exists());
}

#[test]
fn a_waveform_survives_a_core_that_ends_the_simulation() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join("run.fst");
    let mut device = record(TraceKind::Fst, &path, TraceWindow::ALL);
    run_command(&mut device, command::STOP).expect_err("ends");
    drop(device);
    let wave = simple::read(&path).expect("a readable dump");
    assert_eq!(
        wave.time_table().last(),
        Some(&(CYCLES * UNITS_PER_CYCLE + 5))
    );
}

#[test]
fn impossible_waveforms_are_refused() {
    let mut plain = device(&probe(), 1);
    let error = plain
        .open_trace(Path::new("x.fst"), TraceWindow::ALL)
        .expect_err("not built in");
    assert_eq!(
        error,
        DeviceError::NoTrace {
            core: "probe".to_owned()
        }
    );
    let mut device = device(&traced(TraceKind::Fst), 1);
    let error = device
        .open_trace(Path::new("/nowhere/x.fst"), TraceWindow::ALL)
        .expect_err("no folder");
    assert!(
        error
            .to_string()
            .starts_with("waveform /nowhere/x.fst: expected a file that can be written"),
        "{error}"
    );
}
