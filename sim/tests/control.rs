//! Cores with every kind of control side, driven by the programs of their manifests.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on says so by a panic"
)]

mod common;
#[path = "common/program.rs"]
mod program;

use common::{build, cache, core, toolchain};
use program::{Errors, Transfer, copy, init, transfer};
use rebound_sim::device::Device;
use rebound_sim::manifest::Manifest;
use rebound_sim::memory::HostMemory;
use rebound_sim::simulation::{Options, Outcome, Simulation};
use rebound_sim::stall::Stall;
use rebound_sim::stream::StreamPolicy;
use rebound_sim::verilate::CoreBuilder;
use swiotlb::{PhysAddr, PhysMemory};

const SOURCE: u64 = 0x10_0100;
const TARGET: u64 = 0x10_8000;

fn pattern(bytes: u64) -> Vec<u8> {
    (0..bytes)
        .map(|i| u8::try_from(i * 7 % 251).unwrap())
        .collect()
}

struct Run {
    results: Vec<Result<Errors, String>>,
    reads: Vec<Option<u64>>,
    memory: Vec<u8>,
    cycle: u64,
}

/// Runs transfers one after the other, and takes the bytes at the target.
fn run(core_file: &str, options: &Options, mut transfers: Vec<Transfer>) -> Run {
    let builder =
        CoreBuilder::new(Manifest::load(&core(core_file)).unwrap_or_else(|e| panic!("{e}")));
    let control = builder.manifest.control.clone().expect("a program");
    let device = Device::load(&build(&builder), 1).expect("loads");
    let bytes = transfers.iter().map(|each| each.len).max().unwrap_or(0);
    let mut memory = HostMemory::with_range(PhysAddr::new(0x10_0000), 0x10000).unwrap();
    memory
        .write(PhysAddr::new(SOURCE), &pattern(bytes))
        .unwrap();
    let mut simulation = Simulation::new(device, memory, options).unwrap();
    let host = simulation.host();
    let task = simulation.spawn("driver", async move {
        host.reset(1).await;
        init(&host, &control).await;
        let mut results = Vec::new();
        for each in &mut transfers {
            results.push(copy(&host, &control, each).await);
        }
        let reads = transfers.iter().map(|each| each.read.get("id").copied());
        let length = usize::try_from(bytes).unwrap();
        let memory = host
            .memory()
            .read_vec(PhysAddr::new(TARGET), length)
            .unwrap();
        (results, reads.collect::<Vec<_>>(), memory)
    });
    let outcome = simulation.run(50_000, |_, _| {});
    assert!(matches!(outcome, Outcome::Finished { .. }), "{outcome:?}");
    assert_eq!(simulation.device_mut().take_violations(), [], "rules hold");
    let (results, reads, memory) = task.take().expect("finished");
    Run {
        results,
        reads,
        memory,
        cycle: simulation.cycle(),
    }
}

fn copies(len: u64) -> Vec<Transfer> {
    vec![transfer(SOURCE, TARGET, len, 0x5a)]
}

#[test]
fn a_core_with_apb_axi3_and_two_clocks_copies() {
    let run = run("word_dma.toml", &Options::default(), copies(64));
    assert_eq!(run.results, [Ok(vec![])]);
    assert_eq!(run.memory, pattern(64));
    // Five APB accesses of four edges of a clock of period 3 each, at the least.
    assert!(run.cycle >= 5 * 4 * 3, "{}", run.cycle);
}

#[test]
fn several_transfers_follow_each_other_over_split_managers() {
    let transfers = vec![
        transfer(SOURCE, TARGET, 4, 1),
        transfer(SOURCE + 4, TARGET + 4, 32, 2),
        transfer(SOURCE + 36, TARGET + 36, 28, 3),
    ];
    let stalls = Options {
        axil: rebound_sim::axil::AxilPolicy {
            request_stall: Stall::Random { probability: 0.3 },
            ..rebound_sim::axil::AxilPolicy::default()
        },
        ..Options::default()
    };
    let run = run("word_dma.toml", &stalls, transfers);
    assert_eq!(run.results, [Ok(vec![]), Ok(vec![]), Ok(vec![])]);
    assert_eq!(run.memory[..36], pattern(32 + 36)[..36]);
}

#[test]
fn an_error_on_the_bus_is_decoded_by_the_manifest() {
    let run = run(
        "word_dma.toml",
        &Options::default(),
        vec![transfer(0x900_0000, TARGET, 8, 0)],
    );
    assert_eq!(run.results, [Ok(vec!["bus error".to_owned()])]);
}

#[test]
fn an_apb_error_and_a_core_that_never_finishes_are_told() {
    let path = core("word_dma.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let text = text.replace(
        "{ write = 0x0, value = \"src\" }",
        "{ write = 0x40, value = \"src\" }",
    );
    let changed = core("word_dma_error.toml");
    let manifest = Manifest::parse(&changed, text).expect("valid");
    let device = Device::load(&build(&CoreBuilder::new(manifest.clone())), 1).expect("loads");
    let memory = HostMemory::with_range(PhysAddr::new(0x10_0000), 0x1000).unwrap();
    let mut simulation = Simulation::new(device, memory, &Options::default()).unwrap();
    let (host, control) = (simulation.host(), manifest.control.expect("a program"));
    let task = simulation.spawn("driver", async move {
        host.reset(1).await;
        let refused = copy(&host, &control, &mut transfer(0, 0, 4, 0)).await;
        let mut never = control.clone();
        if let Some(program) = &mut never.copy {
            program.start.truncate(0);
        }
        (
            refused,
            copy(&host, &never, &mut transfer(0, 0, 4, 0)).await,
        )
    });
    let outcome = simulation.run(50_000, |_, _| {});
    assert!(matches!(outcome, Outcome::Finished { .. }), "{outcome:?}");
    let (refused, never) = task.take().expect("finished");
    assert_eq!(
        refused.expect_err("PSLVERR"),
        "control.copy.start[0]: write of register 0x40: write of 0x0 to register 0x40 on control port 0: expected \
         OKAY, found SLVERR"
    );
    let never = never.expect_err("nothing was started");
    assert!(
        never.starts_with("control.copy.done[0]: interrupt irq: waited 2000 cycles"),
        "{never}"
    );
}

#[test]
fn descriptors_and_status_go_over_channels_and_a_wrapper_file() {
    descriptors("desc_copy_flat.toml");
}

#[test]
fn signals_may_be_parts_of_struct_ports() {
    descriptors("desc_copy.toml");
}

fn descriptors(core_file: &str) {
    // The sink is slow, but the core's status has no ready: nothing may be lost.
    let options = Options {
        stream: StreamPolicy {
            sink_stall: Stall::Random { probability: 0.9 },
            source_stall: Stall::Random { probability: 0.5 },
        },
        ..Options::default()
    };
    let transfers = vec![
        transfer(SOURCE, TARGET, 24, 0xa5),
        transfer(SOURCE + 24, TARGET + 24, 8, 0xff),
        transfer(0x900_0000, TARGET, 4, 3),
    ];
    let run = run(core_file, &options, transfers);
    let error = "decode error".to_owned();
    assert_eq!(run.results[..2], [Ok(vec![]), Ok(vec![])]);
    assert_eq!(run.results[2], Ok(vec![error]));
    let inverted: Vec<u8> = pattern(24).iter().map(|byte| !byte).collect();
    assert_eq!(run.memory[4..], inverted[4..]);
}

#[test]
fn a_read_launches_and_the_count_of_ids_wraps() {
    let transfers = (0..4).map(|_| transfer(SOURCE, 0, 4, 0)).collect();
    let run = run("wishbone_regs.toml", &Options::default(), transfers);
    assert_eq!(
        run.results,
        [Ok(vec![]), Ok(vec![]), Ok(vec![]), Ok(vec![])]
    );
    assert_eq!(run.reads, [Some(255), Some(0), Some(1), Some(2)]);
}

#[test]
fn wishbone_lanes_words_and_errors_are_those_of_the_bus() {
    let manifest = Manifest::load(&core("wishbone_regs.toml")).expect("valid");
    let device = Device::load(&build(&CoreBuilder::new(manifest)), 1).expect("loads");
    let mut simulation = Simulation::new(device, HostMemory::new(), &Options::default()).unwrap();
    let host = simulation.host();
    let task = simulation.spawn("driver", async move {
        host.reset(2).await;
        let registers = host.registers_named("regs").expect("a port");
        registers.write(4, 0x1122_3344).await.unwrap();
        registers.write_bytes(6, 0xabcd, 2).await.unwrap();
        let word = registers.read(4).await;
        let byte = registers.read_bytes(5, 1).await;
        (word, byte, registers.read(0x10).await, registers.accesses())
    });
    let outcome = simulation.run(1000, |_, _| {});
    assert!(matches!(outcome, Outcome::Finished { .. }), "{outcome:?}");
    let (word, byte, error, accesses) = task.take().expect("finished");
    assert_eq!((word, byte), (Ok(0xabcd_3344), Ok(0x33)));
    assert_eq!(
        error.expect_err("the core says ERR").to_string(),
        "read of register 0x10 on control port 0: expected OKAY, found SLVERR"
    );
    assert_eq!(accesses, 5);
}

/// Message of a core that does not fit its manifest, one place of which was changed.
fn misfit(core_file: &str, from: &str, to: &str) -> String {
    let path = core(core_file);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "the manifest has no {from}");
    let manifest =
        Manifest::parse(&path, text.replacen(from, to, 1)).unwrap_or_else(|e| panic!("{e}"));
    let error = CoreBuilder::new(manifest)
        .build(&toolchain(), &cache())
        .expect_err("does not fit")
        .to_string();
    let at = error.find(core_file).expect("names the file");
    error[at..].to_owned()
}

#[test]
fn a_core_that_does_not_fit_is_told_with_line_expected_and_found() {
    assert_eq!(
        misfit("word_dma.toml", "write = 0x4,", "write = 0x6,"),
        "word_dma.toml:60: control.copy.start[1].write: expected an address that is a multiple of 4, got 0x6"
    );
    assert_eq!(
        misfit("word_dma.toml", "write = 0x4,", "write = 0x104,"),
        "word_dma.toml:60: control.copy.start[1].write: expected an address of 8 bits, as regs has it, got 0x104"
    );
    assert_eq!(
        misfit("word_dma.toml", "\"31\" = 1", "\"32\" = 1"),
        "word_dma.toml:61: control.copy.start[2].fields.32: expected bits of a register of 32 bits, got [32]"
    );
    assert_eq!(
        misfit("word_dma.toml", "\"TARGET_ADDRESS\"", "\"TARGET_ADRESS\""),
        "word_dma.toml:32: axi[1].ports.awaddr: expected port `TARGET_ADRESS` of module word_dma as `awaddr`, got no \
         such port (did you mean `TARGET_ADDRESS`?)"
    );
    assert_eq!(
        misfit("word_dma.toml", "address_width = 8", "address_width = 12"),
        "word_dma.toml:39: apb[0].address_width: expected port `PADDR` of 12 bits, got 8 bits"
    );
    assert_eq!(
        misfit("desc_copy.toml", "data[83:76]", "data[84:76]"),
        "desc_copy.toml:43: channel[0].fields.tag: expected bits within port `desc_data` of 84 bits, got [84:76]"
    );
    assert_eq!(
        misfit(
            "desc_copy.toml",
            "error = \"error\" }",
            "error = \"eror\" }"
        ),
        "desc_copy.toml:49: channel[1].fields.error: expected port `status_eror` of module desc_copy, got no such port \
         (did you mean `status_error`?)"
    );
    assert_eq!(
        misfit("desc_copy.toml", "axi_i[40]", "axi_i[39]"),
        "desc_copy.toml:29: axi[0].ports.wready: expected bits of port `axi_i` that nothing else drives, got [39]"
    );
    assert_eq!(
        misfit("desc_copy_flat.toml", "awcache = 3", "awlen = 3"),
        "desc_copy_flat.toml:16: axi[0].defaults.awlen: expected a signal that module desc_copy_flat lacks, got \
         `awlen`"
    );
}
