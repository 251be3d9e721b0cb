//! A whole copy through the simulation: driver, registers, bus, memory, interrupt, observer.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on says so by a panic"
)]

mod support;

use std::cell::RefCell;
use std::rc::Rc;

use rebound_sim::axi::{
    BusPolicy, ChannelStalls, FaultAccess, FaultResponse, FaultWindow, ResponseOrder,
};
use rebound_sim::cpu::{CostModel, CpuState};
use rebound_sim::device_port::PinDevice;
use rebound_sim::events::{BusEvent, Direction};
use rebound_sim::host::Host;
use rebound_sim::memory::HostMemory;
use rebound_sim::seed::Seed;
use rebound_sim::simulation::{Options, Outcome, Simulation};
use rebound_sim::stall::Stall;
use support::fake_dma::{DST, FATAL, FakeDma, HOLE, LEN, SRC, STATUS};
use swiotlb::{DmaAddr, PhysAddr, PhysMemory};

const BASE: u64 = 0x10_0000;
const SOURCE: u64 = BASE + 0x800;
const TARGET: u64 = BASE + 0x8_0000;

fn memory() -> HostMemory {
    HostMemory::with_range(PhysAddr::new(BASE), 0x10_0000).unwrap()
}

fn pattern(bytes: usize) -> Vec<u8> {
    let mut random = Seed::new(77).stream("pattern");
    let mut data = vec![0; bytes];
    random.fill(&mut data);
    data
}

/// The driver: writes the registers, waits for the interrupt, reads the status.
async fn copy(host: Host, bytes: u32) -> u32 {
    let registers = host.registers(0);
    let irq = host.wire(0);
    registers
        .write(SRC, u32::try_from(SOURCE).unwrap())
        .await
        .unwrap();
    registers
        .write(DST, u32::try_from(TARGET).unwrap())
        .await
        .unwrap();
    registers.write(LEN, bytes).await.unwrap();
    irq.wait_high(1_000_000).await.unwrap();
    let status = registers.read(STATUS).await.unwrap();
    registers.write(STATUS, 1).await.unwrap();
    irq.wait_low(100).await.unwrap();
    status
}

struct Run {
    cycle: u64,
    status: u32,
    events: Vec<BusEvent>,
    target: Vec<u8>,
    simulation: Simulation<FakeDma>,
}

fn run(options: &Options, data: &[u8]) -> Run {
    let mut memory = memory();
    memory.write(PhysAddr::new(SOURCE), data).unwrap();
    let mut simulation = Simulation::new(FakeDma::new(), memory, options).unwrap();
    let bytes = u32::try_from(data.len()).unwrap();
    let task = simulation.spawn("driver", copy(simulation.host(), bytes));
    let mut events = Vec::new();
    let outcome = simulation.run(2_000_000, |seen, _| events.extend_from_slice(seen));
    let Outcome::Finished { cycle } = outcome else {
        panic!("{outcome:?}");
    };
    let target = simulation
        .host()
        .memory()
        .read_vec(PhysAddr::new(TARGET), data.len() + 8)
        .unwrap();
    Run {
        cycle,
        status: task.take().unwrap(),
        events,
        target,
        simulation,
    }
}

#[test]
fn a_copy_arrives_and_its_events_tell_every_byte() {
    let data = pattern(0x5008);
    let run = run(&Options::default(), &data);
    assert_eq!(run.status, 1, "done, no error");
    assert_eq!(run.target[..data.len()], data);
    assert_eq!(run.target[data.len()..], [0; 8], "nothing behind the end");
    let mut read = vec![None; data.len()];
    let mut written = vec![None; data.len()];
    for event in &run.events {
        let BusEvent::Beat(beat) = event else {
            continue;
        };
        let (base, side) = match beat.direction {
            Direction::Read => (SOURCE, &mut read),
            Direction::Write => (TARGET, &mut written),
        };
        for (dma, phys, byte) in beat.bytes() {
            assert_eq!(phys.unwrap().raw(), dma.raw());
            let place = &mut side[usize::try_from(dma.raw() - base).unwrap()];
            assert_eq!(place.replace(byte), None, "a byte moved twice at {dma}");
        }
    }
    let all: Vec<Option<u8>> = data.iter().copied().map(Some).collect();
    assert_eq!(read, all);
    assert_eq!(written, all);
    let counters = run.simulation.bus_counters(0).unwrap();
    assert_eq!(counters.read.bytes, data.len() as u64);
    assert_eq!(counters.write.bytes, data.len() as u64);
    assert_eq!(run.simulation.recent_events().count(), 20);
}

#[test]
fn the_same_seed_gives_the_same_cycles_and_events() {
    let data = pattern(0x2000);
    let options = |seed| Options {
        seed: Seed::new(seed),
        bus: BusPolicy {
            stalls: ChannelStalls::uniform(Stall::Random { probability: 0.3 }),
            read_jitter_cycles: 5,
            ..BusPolicy::with_latency(7)
        },
        ..Options::default()
    };
    let first = run(&options(1), &data);
    let again = run(&options(1), &data);
    let other = run(&options(2), &data);
    assert_eq!((first.cycle, &first.events), (again.cycle, &again.events));
    assert_ne!((first.cycle, &first.events), (other.cycle, &other.events));
    assert_eq!(other.target[..data.len()], data);
}

#[test]
fn without_events_the_cycles_are_the_same() {
    let data = pattern(0x2000);
    let with = run(&Options::default(), &data);
    let without = run(
        &Options {
            events: false,
            ..Options::default()
        },
        &data,
    );
    assert_eq!(with.cycle, without.cycle);
    assert_eq!(
        with.simulation.bus_counters(0),
        without.simulation.bus_counters(0)
    );
    assert!(without.events.is_empty());
}

#[test]
fn a_fault_set_by_the_driver_reaches_the_status_register() {
    let data = pattern(0x100);
    let mut memory = memory();
    memory.write(PhysAddr::new(SOURCE), &data).unwrap();
    let mut simulation = Simulation::new(FakeDma::new(), memory, &Options::default()).unwrap();
    let host = simulation.host();
    let task = simulation.spawn("driver", async move {
        let fault = FaultWindow {
            dma_base: DmaAddr::new(TARGET + 0x40),
            bytes: 8,
            access: FaultAccess::Write,
            response: FaultResponse::Slverr,
        };
        host.set_faults(0, vec![fault]).unwrap();
        let first = copy(host.clone(), 0x100).await;
        host.set_faults(0, Vec::new()).unwrap();
        (first, copy(host, 0x100).await)
    });
    assert!(simulation.run(100_000, |_, _| ()).is_finished());
    assert_eq!(task.take(), Some((3, 1)));
}

#[test]
fn the_observer_comes_before_the_tasks_and_sees_memory() {
    // The driver overwrites the target as soon as the copy is done: the observer has seen each beat's
    // bytes in memory before.
    let data = pattern(0x400);
    let mut memory = memory();
    memory.write(PhysAddr::new(SOURCE), &data).unwrap();
    let mut simulation = Simulation::new(FakeDma::new(), memory, &Options::default()).unwrap();
    let host = simulation.host();
    simulation.spawn("driver", async move {
        copy(host.clone(), 0x400).await;
        host.memory().fill(PhysAddr::new(TARGET), 0x400, 0).unwrap();
    });
    let mut judged = 0;
    let outcome = simulation.run(100_000, |events, memory| {
        for event in events {
            let BusEvent::Beat(beat) = event else {
                continue;
            };
            if beat.direction == Direction::Write {
                for (_, phys, byte) in beat.bytes() {
                    assert_eq!(memory.byte(phys.unwrap()), Some(byte));
                    judged += 1;
                }
            }
        }
    });
    assert!(outcome.is_finished());
    assert_eq!(judged, data.len());
}

#[test]
fn reordered_writes_still_copy() {
    // This engine takes read data in order, so only what has one ID may be asked for: all bursts of a
    // 512-byte copy from a 512-byte boundary have different IDs and would be mixed up.
    let options = Options {
        bus: BusPolicy {
            order: ResponseOrder::ReorderById {
                interleave_reads: false,
            },
            ..BusPolicy::with_latency(60)
        },
        ..Options::default()
    };
    let data = pattern(0x400);
    let run = run(&options, &data);
    assert_eq!(run.status, 1);
    assert_ne!(
        run.target[..data.len()],
        data,
        "an engine that ignores IDs is found out"
    );
}

#[test]
fn the_limit_says_who_waits_for_what() {
    let mut simulation = Simulation::new(FakeDma::new(), memory(), &Options::default()).unwrap();
    let host = simulation.host();
    simulation.spawn("driver", async move {
        host.spawn("reader", {
            let host = host.clone();
            async move { host.registers(0).read(HOLE).await }
        });
        host.spawn_background("worker", {
            let host = host.clone();
            async move { host.sleep(1_000_000).await }
        });
        let _ = host.wire(0).wait_high(1_000_000).await;
    });
    let Outcome::CycleLimit(report) = simulation.run(500, |_, _| ()) else {
        panic!("the limit must come first");
    };
    assert_eq!(report.cycle, 500);
    let text = report.to_string();
    assert!(
        text.contains("task 0 `driver` waits for wire 0 & 0x1 to become 0x1"),
        "{text}"
    );
    assert!(
        text.contains("task 1 `reader` waits for register read at 0x40 on control port 0"),
        "{text}"
    );
    assert!(
        text.contains("task 2 `worker` waits for cycle 1000000"),
        "{text}"
    );
    assert!(
        text.contains("manager port 0 has 0 reads and 0 writes"),
        "{text}"
    );
    // The run can go on.
    let again = simulation.run(600, |_, _| ());
    assert!(matches!(again, Outcome::CycleLimit(report) if report.cycle == 600));
}

#[test]
fn a_device_that_stops_ends_the_run_with_its_error() {
    let mut simulation = Simulation::new(FakeDma::new(), memory(), &Options::default()).unwrap();
    let host = simulation.host();
    simulation.spawn(
        "driver",
        async move { host.registers(0).write(FATAL, 1).await },
    );
    let outcome = simulation.run(1000, |_, _| ());
    let Outcome::DeviceError { cycle, error } = outcome else {
        panic!("{outcome:?}");
    };
    assert!(cycle < 20);
    assert_eq!(error.to_string(), "the fatal register was written");
}

#[test]
fn a_reset_forgets_what_was_under_way_and_the_core_works_again() {
    let data = pattern(0x800);
    let mut memory = memory();
    memory.write(PhysAddr::new(SOURCE), &data).unwrap();
    let options = Options {
        bus: BusPolicy::with_latency(100),
        ..Options::default()
    };
    let mut simulation = Simulation::new(FakeDma::new(), memory, &options).unwrap();
    let host = simulation.host();
    let task = simulation.spawn("driver", async move {
        let registers = host.registers(0);
        registers
            .write(SRC, u32::try_from(SOURCE).unwrap())
            .await
            .unwrap();
        registers
            .write(DST, u32::try_from(TARGET).unwrap())
            .await
            .unwrap();
        registers.write(LEN, 0x800).await.unwrap();
        let stuck = host.spawn("stuck", {
            let registers = registers.clone();
            async move { registers.read(HOLE).await }
        });
        host.sleep(20).await;
        assert_ne!(host.bus_in_flight(0), (0, 0));
        let before = host.cycle();
        host.reset(10).await;
        assert_eq!(host.cycle(), before + 10);
        assert_eq!(host.bus_in_flight(0), (0, 0));
        let error = stuck.await.unwrap_err();
        (error.to_string(), copy(host, 0x800).await)
    });
    assert!(simulation.run(100_000, |_, _| ()).is_finished());
    let (error, status) = task.take().unwrap();
    assert_eq!(
        error,
        "read of register 0x40 on control port 0: the core was reset"
    );
    assert_eq!(status, 1);
    assert_eq!(simulation.device().reset_cycles, 10);
    let host = simulation.host();
    let copied = host
        .memory()
        .read_vec(PhysAddr::new(TARGET), 0x800)
        .unwrap();
    assert_eq!(copied, data);
}

#[test]
fn software_time_and_hardware_time_are_one_timeline_shown_in_the_view() {
    let options = Options {
        costs: CostModel {
            copy_bytes_per_cycle: 4,
            copy_setup_cycles: 0,
            interrupt_entry_cycles: 30,
            ..CostModel::default()
        },
        ..Options::default()
    };
    let mut simulation = Simulation::new(FakeDma::new(), memory(), &options).unwrap();
    let host = simulation.host();
    let states = Rc::new(RefCell::new(Vec::new()));
    simulation.spawn("driver", async move {
        let cpu = host.cpu(0);
        cpu.map().await;
        cpu.copy_in(0x200).await;
        host.view().set_mapping(
            PhysAddr::new(0x1_0000_0000),
            Some(PhysAddr::new(SOURCE)),
            DmaAddr::new(SOURCE),
        );
        cpu.wait(copy(host.clone(), 0x200)).await;
        cpu.interrupt_entry().await;
        cpu.copy_out(0x200).await;
    });
    let mut cycles = 0;
    while simulation.cycle() == 0 || !simulation.stuck_report().tasks.is_empty() {
        let outcome = simulation.run(simulation.cycle() + 1, |_, _| ());
        let view = simulation.device_mut().host_view_mut();
        let text: String = view.cpu_state[0]
            .iter()
            .take_while(|byte| **byte != 0)
            .map(|byte| char::from(*byte))
            .collect();
        if states.borrow().last() != Some(&text) {
            states.borrow_mut().push(text);
        }
        cycles += 1;
        assert!(cycles < 10_000, "{outcome:?}");
    }
    assert_eq!(
        *states.borrow(),
        [
            "mapping",
            "copying in",
            "waiting",
            "interrupt",
            "copying out"
        ]
    );
    let view = *simulation.device_mut().host_view_mut();
    assert_eq!((view.bounce_addr, view.orig_addr), (SOURCE, 0x1_0000_0000));
    let spent = simulation.cpu_cycles()[0];
    assert_eq!(spent.of(CpuState::Mapping), 50);
    assert_eq!(spent.of(CpuState::CopyingIn), 128);
    assert_eq!(spent.of(CpuState::CopyingOut), 128);
    assert_eq!(spent.of(CpuState::Interrupt), 30);
    assert_eq!(spent.total(), simulation.cycle());
    assert_eq!(spent.busy(), 50 + 128 + 128 + 30);
}

#[test]
fn options_that_mean_nothing_are_refused() {
    let refuse = |change: fn(&mut Options)| {
        let mut options = Options::default();
        change(&mut options);
        Simulation::new(FakeDma::new(), memory(), &options)
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        refuse(|options| options.cpus = 0),
        "cpus: expected at least 1, found 0"
    );
    assert_eq!(
        refuse(|options| options.bus.max_reads = 0),
        "manager port 0: bus policy max_reads: expected 1 to 65536 bursts, found 0"
    );
    assert!(
        refuse(|options| options.bus_by_port = vec![BusPolicy::default(); 2])
            .contains("at most 1 entries")
    );
    assert!(refuse(|options| options.costs.copy_bytes_per_cycle = 0).contains("copy_bytes"));
    assert!(
        refuse(|options| options.axil.request_stall = Stall::EveryN { period: 0 })
            .starts_with("axil: stall every_n")
    );
    let text = toml::to_string(&Options::default()).unwrap();
    assert_eq!(
        toml::from_str::<Options>(&text).unwrap(),
        Options::default()
    );
}
