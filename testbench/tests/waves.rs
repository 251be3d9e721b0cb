//! The default waveform, read back: it tells what `waves/README.md` says, and the layouts fit it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use predicates::str::contains;
use wellen::SignalRef;
use wellen::simple::{self, Waveform};

/// Bytes of a buffer of the scenario, and of a slot of the pool.
const BUFFER: u64 = 700;
const SLOT: u64 = 2048;

/// The project's folder.
fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The waveform that a run of the suite leaves without being asked.
struct Dump {
    wave: Waveform,
    _folder: tempfile::TempDir,
}

impl Dump {
    fn record() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Command::new(env!("CARGO_BIN_EXE_rebound"))
            .current_dir(project())
            .args(["sim", "--scenario", "bounce/waveform", "--no-comparison"])
            .arg("--results")
            .arg(folder.path())
            .arg("--waves-folder")
            .arg(folder.path())
            .assert()
            .success()
            .stdout(contains("waveform: "))
            .stdout(contains("bounce-waveform-0x1.fst"))
            .stdout(contains("open it with `rebound waves "));
        let wave = simple::read(folder.path().join("bounce-waveform-0x1.fst")).expect("an FST");
        Self {
            wave,
            _folder: folder,
        }
    }

    fn find(&self, path: &str) -> Option<SignalRef> {
        let scopes: Vec<&str> = path.split('.').collect();
        let (name, scopes) = scopes.split_last()?;
        let hierarchy = self.wave.hierarchy();
        let variable = hierarchy.lookup_var(scopes, name)?;
        Some(hierarchy[variable].signal_ref())
    }

    fn load(&mut self, path: &str) -> SignalRef {
        let signal = self
            .find(path)
            .unwrap_or_else(|| panic!("no signal {path}"));
        self.wave.load_signals(&[signal]);
        signal
    }

    /// The values that a signal takes: index of the time, and bits.
    fn changes(&mut self, path: &str) -> Vec<(usize, String)> {
        let signal = self.load(path);
        let signal = self.wave.get_signal(signal).expect("just loaded");
        let mut changes: Vec<(usize, String)> = signal
            .iter_changes()
            .map(|(at, value)| (at as usize, value.to_string()))
            .collect();
        changes.dedup_by(|next, before| next.1 == before.1);
        changes
    }

    /// As [`Dump::changes`], as numbers.
    fn numbers(&mut self, path: &str) -> Vec<(usize, u64)> {
        let changes = self.changes(path);
        let number = |bits: &str| u64::from_str_radix(bits, 2).expect("at most 64 bits");
        changes
            .iter()
            .map(|(at, bits)| (*at, number(bits)))
            .collect()
    }

    /// What the CPU does, without the accesses to registers between.
    fn states(&mut self) -> Vec<(usize, String)> {
        let states = self.changes("rebound.host.cpu0_state");
        let mut states: Vec<(usize, String)> = states
            .iter()
            .map(|(at, bits)| (*at, ascii(bits)))
            .filter(|(_, state)| !["idle", "registers"].contains(&state.as_str()))
            .collect();
        states.dedup_by(|next, before| next.1 == before.1);
        states
    }

    /// The handshakes of an address channel: index of the time, and address.
    fn handshakes(&mut self, channel: &str) -> Vec<(usize, u64)> {
        let signal = |name: &str| format!("rebound.core.m_axi_{channel}{name}");
        let [valid, ready, addr] =
            ["valid", "ready", "addr"].map(|name| self.numbers(&signal(name)));
        let clock = self.numbers("rebound.core.aclk");
        // What counts is what was there before the rising edge.
        clock
            .iter()
            .filter(|(at, level)| *level == 1 && *at > 0)
            .filter(|(at, _)| value(&valid, at - 1) & value(&ready, at - 1) == 1)
            .map(|(at, _)| (*at, value(&addr, at - 1)))
            .collect()
    }
}

/// The value at a time.
fn value(changes: &[(usize, u64)], at: usize) -> u64 {
    let next = changes.partition_point(|(since, _)| *since <= at);
    next.checked_sub(1).map_or(0, |last| changes[last].1)
}

/// Reads a vector of bits as text, the first character in the highest bits.
fn ascii(bits: &str) -> String {
    bits.as_bytes()
        .chunks(8)
        .filter_map(|byte| u8::from_str_radix(std::str::from_utf8(byte).ok()?, 2).ok())
        .filter(|byte| *byte != 0)
        .map(char::from)
        .collect::<String>()
        .trim_end()
        .to_owned()
}

#[test]
fn the_driver_maps_copies_waits_and_unmaps_in_this_order() {
    let mut dump = Dump::record();
    let states: Vec<String> = dump.states().into_iter().map(|(_, state)| state).collect();
    let to_device = ["mapping", "copying in", "waiting", "interrupt", "unmapping"];
    let from_device = [
        "mapping",
        "copying in",
        "waiting",
        "interrupt",
        "unmapping",
        "copying out",
    ];
    // Two mappings, neither of them bounced; each channel of the copy has its interrupt.
    let direct = ["mapping", "waiting", "interrupt", "unmapping"];
    let (first, rest) = states.split_at(to_device.len());
    let (second, third) = rest.split_at(from_device.len());
    assert_eq!(first, to_device);
    assert_eq!(second, from_device);
    assert_eq!(third, direct);
}

#[test]
fn one_slot_is_in_use_while_a_buffer_is_bounced_and_none_else() {
    let mut dump = Dump::record();
    let slots = dump.numbers("rebound.host.slots_used");
    let values: Vec<u64> = slots.iter().map(|(_, slots)| *slots).collect();
    assert_eq!(values, [0, 1, 0, 1, 0]);
    for (at, state) in dump.states() {
        if state.starts_with("copying") {
            assert_eq!(value(&slots, at), 1, "{state}: the slot is taken");
        }
    }
}

#[test]
fn the_bus_reaches_the_bounce_buffer_while_bounced_and_the_buffers_themselves_else() {
    let mut dump = Dump::record();
    let slots = dump.numbers("rebound.host.slots_used");
    let [orig, bounce, given] = ["orig_addr", "bounce_addr", "dma_addr"]
        .map(|name| dump.numbers(&format!("rebound.host.{name}")));
    let mut bursts = [0, 0];
    let mut direct = BTreeSet::new();
    for channel in ["ar", "aw"] {
        for (at, addr) in dump.handshakes(channel) {
            let [orig, bounce, given] = [&orig, &bounce, &given].map(|changes| value(changes, at));
            if value(&slots, at) == 1 {
                assert!(orig >= 1 << 32, "{orig:#x} is out of reach");
                assert_eq!(given, bounce);
                assert!(bounce + SLOT <= 1 << 32, "{bounce:#x} is within reach");
                assert!((bounce..bounce + BUFFER).contains(&addr), "{addr:#x}");
                bursts[usize::from(channel == "aw")] += 1;
            } else {
                assert_eq!(bounce, 0);
                assert_eq!(given, orig);
                direct.insert((channel, addr));
            }
        }
    }
    // 700 bytes in bursts of 128, and a copy of 300 bytes from offset 3 to offset 5 of a page.
    assert_eq!(bursts, [6, 6]);
    assert_eq!(direct.len(), 3 + 3);
    let lends: BTreeSet<u64> = orig.iter().map(|(_, addr)| *addr).collect();
    for (channel, offset) in [("ar", 3), ("aw", 5)] {
        let first = direct.iter().find(|(each, _)| *each == channel);
        let (_, first) = first.expect("the copy's first burst");
        assert_eq!(first % 4096, offset);
        assert!(lends.contains(first), "{first:#x} was lent as it is");
    }
}

#[test]
fn every_signal_of_both_layouts_is_in_the_dump() {
    let dump = Dump::record();
    let waves = project().join("waves");
    let read = |name| fs::read_to_string(waves.join(name)).expect("a layout");
    let surfer = read("rebound.sucl");
    let surfer: Vec<&str> = surfer
        .lines()
        .filter_map(|line| line.strip_prefix("variable_add "))
        .collect();
    let gtkwave = read("rebound.gtkw");
    let gtkwave: Vec<&str> = gtkwave
        .lines()
        .filter(|line| line.starts_with("rebound."))
        .collect();
    assert!(surfer.len() > 60 && surfer.len() == gtkwave.len());
    let hierarchy = dump.wave.hierarchy();
    for path in surfer.iter().chain(&gtkwave) {
        let (name, range) = path.split_once('[').unwrap_or((path, ""));
        let signal = dump.find(name);
        assert!(signal.is_some(), "{path}: no such signal");
        // GTKWave's layout has the width.
        if let Some((high, _)) = range.split_once(':') {
            let (scopes, name) = name.rsplit_once('.').expect("a scope");
            let scopes: Vec<&str> = scopes.split('.').collect();
            let variable = hierarchy.lookup_var(&scopes, name).expect("found before");
            let width = hierarchy[variable].length(hierarchy).expect("bits");
            assert_eq!(high.parse(), Ok(width - 1), "{path}");
        }
    }
}
