//! Tasks on the simulated clock: timers, order, wires, limits, CPUs.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on says so by a panic"
)]

mod support;

use std::cell::RefCell;
use std::rc::Rc;

use rebound_sim::cpu::{CostModel, CpuState};
use rebound_sim::host::Host;
use rebound_sim::memory::HostMemory;
use rebound_sim::simulation::{Options, Simulation};
use support::FakeDevice as _;
use support::fake_dma::{DST, FakeDma, LEN, SRC};
use swiotlb::PhysAddr;

fn simulation(cpus: usize) -> Simulation<FakeDma> {
    let memory = HostMemory::with_range(PhysAddr::new(0), 0x10_0000).unwrap();
    let options = Options {
        cpus,
        ..Options::default()
    };
    Simulation::new(FakeDma::new(), memory, &options).unwrap()
}

type Diary = Rc<RefCell<Vec<(u64, &'static str)>>>;

fn note(diary: &Diary, host: &Host, what: &'static str) {
    diary.borrow_mut().push((host.cycle(), what));
}

#[test]
fn sleepers_wake_in_their_cycle_and_in_the_order_of_asking() {
    let mut simulation = simulation(1);
    let diary = Diary::default();
    for (name, cycles) in [("late", 30), ("a", 10), ("b", 10), ("now", 0)] {
        let (host, diary) = (simulation.host(), Rc::clone(&diary));
        simulation.spawn(name, async move {
            host.sleep(cycles).await;
            note(&diary, &host, name);
            host.sleep_until(12).await;
            note(&diary, &host, name);
        });
    }
    assert!(simulation.run(100, |_, _| ()).is_finished());
    assert_eq!(
        *diary.borrow(),
        [
            (0, "now"),
            (10, "a"),
            (10, "b"),
            (12, "now"),
            (12, "a"),
            (12, "b"),
            (30, "late"),
            (30, "late")
        ]
    );
    assert_eq!(simulation.cycle(), 30);
}

#[test]
fn a_limit_of_a_wait_is_exact_and_what_comes_in_its_last_cycle_is_in_time() {
    let mut simulation = simulation(1);
    let host = simulation.host();
    let task = simulation.spawn("driver", async move {
        let late = host.timeout(10, host.sleep(11)).await;
        let at_late = host.cycle();
        let just = host.timeout(10, host.sleep(10)).await;
        (late.is_err(), at_late, just.is_ok(), host.cycle())
    });
    assert!(simulation.run(100, |_, _| ()).is_finished());
    assert_eq!(task.take(), Some((true, 10, true, 20)));
}

#[test]
fn tasks_spawn_tasks_and_await_them() {
    let mut simulation = simulation(1);
    let host = simulation.host();
    let task = simulation.spawn("parent", async move {
        let children: Vec<_> = (0..3u64)
            .map(|child| {
                let own = host.clone();
                host.spawn("child", async move {
                    own.sleep(10 * (3 - child)).await;
                    child
                })
            })
            .collect();
        let mut results = Vec::new();
        for child in children {
            results.push((child.await, host.cycle()));
        }
        results
    });
    assert!(simulation.run(100, |_, _| ()).is_finished());
    assert_eq!(task.take(), Some(vec![(0, 30), (1, 30), (2, 30)]));
}

#[test]
fn a_background_task_does_not_keep_the_run_alive() {
    let mut simulation = simulation(1);
    let host = simulation.host();
    let diary = Diary::default();
    let worker = host.spawn_background("worker", {
        let (host, diary) = (host.clone(), Rc::clone(&diary));
        async move {
            loop {
                host.sleep(10).await;
                note(&diary, &host, "works");
            }
        }
    });
    simulation.spawn("driver", async move { host.sleep(35).await });
    assert!(simulation.run(1000, |_, _| ()).is_finished());
    assert_eq!(simulation.cycle(), 35);
    assert_eq!(
        *diary.borrow(),
        [(10, "works"), (20, "works"), (30, "works")]
    );
    assert!(!worker.is_finished());
}

#[test]
fn tasks_wake_each_other_by_other_means_too() {
    let mut simulation = simulation(1);
    let (sender, receiver) = futures::channel::oneshot::channel();
    let host = simulation.host();
    simulation.spawn("sender", async move {
        host.sleep(7).await;
        sender.send(host.cycle()).unwrap();
    });
    let host = simulation.host();
    let task = simulation.spawn("receiver", async move { (receiver.await, host.cycle()) });
    assert!(simulation.run(100, |_, _| ()).is_finished());
    assert_eq!(task.take(), Some((Ok(7), 7)));
}

#[test]
fn a_named_wait_is_told_by_its_name_and_its_means() {
    let mut simulation = simulation(1);
    let host = simulation.host();
    let task = simulation.spawn("impatient", {
        let host = host.clone();
        async move {
            let (_sender, receiver) = futures::channel::oneshot::channel::<()>();
            let done = host.limit("the interrupt of channel 1", 5, receiver).await;
            done.unwrap_err().to_string()
        }
    });
    let (_sender, receiver) = futures::channel::oneshot::channel::<()>();
    simulation.spawn("plain", {
        let host = host.clone();
        async move { host.limit("channel 0 to be done", 1000, receiver).await }
    });
    simulation.spawn("nested", {
        let irq = host.wire(0);
        let host = host.clone();
        async move { host.named("the engine", irq.wait_high(1000)).await }
    });
    let (_other, nobody) = futures::channel::oneshot::channel::<()>();
    simulation.spawn("nameless", async move { host.timeout(1000, nobody).await });
    assert!(!simulation.run(100, |_, _| ()).is_finished());
    assert_eq!(
        task.take().unwrap(),
        "waited 5 cycles, up to cycle 5, for the interrupt of channel 1: nothing came"
    );
    let waits: Vec<_> = simulation
        .stuck_report()
        .tasks
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        waits,
        [
            "task 1 `plain` waits for channel 0 to be done",
            "task 2 `nested` waits for the engine: wire 0 & 0x1 to become 0x1",
            "task 3 `nameless` waits for something outside the simulation",
        ]
    );
}

#[test]
fn an_interrupt_wakes_all_who_wait_for_it_and_a_missing_one_is_an_error() {
    let mut simulation = simulation(1);
    let host = simulation.host();
    let waiters: Vec<_> = (0..2)
        .map(|_| {
            let irq = host.wire_named("irq").unwrap();
            let own = host.clone();
            host.spawn("waiter", async move {
                irq.wait_high(10_000).await.unwrap();
                assert!(irq.is_high());
                own.cycle()
            })
        })
        .collect();
    let task = simulation.spawn("driver", async move {
        let irq = host.wire(0);
        let missing = irq.wait_high(100).await.unwrap_err().to_string();
        let registers = host.registers(0);
        registers.write(SRC, 0).await.unwrap();
        registers.write(DST, 0x1000).await.unwrap();
        registers.write(LEN, 64).await.unwrap();
        irq.wait_for(0xff, 1, 1000).await.unwrap();
        (missing, host.cycle())
    });
    assert!(simulation.run(2000, |_, _| ()).is_finished());
    let (missing, at) = task.take().unwrap();
    assert_eq!(
        missing,
        "waited 100 cycles, up to cycle 100, for wire 0 & 0x1 to become 0x1: nothing came"
    );
    let woken: Vec<_> = waiters
        .iter()
        .map(|waiter| waiter.take().unwrap())
        .collect();
    assert_eq!(woken, [at, at]);
}

#[test]
fn wires_into_the_core_change_with_the_next_cycle() {
    let mut simulation = simulation(1);
    let host = simulation.host();
    simulation.spawn("driver", async move {
        assert!(host.wire_named("nothing").is_none());
        let enable = host.wire_in_named("enable").unwrap();
        host.sleep(3).await;
        enable.set(1);
        assert_eq!(enable.value(), 1);
        host.sleep(3).await;
    });
    let mut high = Vec::new();
    let mut is_finished = false;
    while !is_finished {
        is_finished = simulation
            .run(simulation.cycle() + 1, |_, _| ())
            .is_finished();
        high.push(simulation.device().block().wires_in[0]);
    }
    assert_eq!(high, [0, 0, 0, 1, 1, 1]);
}

#[test]
#[should_panic(expected = "CPU 1 was asked for, but there are 1")]
fn asking_for_what_is_not_there_says_so() {
    let _ = simulation(1).host().cpu(1);
}

#[test]
fn work_on_one_cpu_is_done_one_after_the_other_in_the_order_of_asking() {
    let mut simulation = simulation(2);
    let diary = Diary::default();
    for (name, cpu, start, cycles) in [
        ("first", 0, 0, 50),
        ("third", 0, 20, 5),
        ("second", 0, 10, 30),
        // Asks in the very cycle in which the CPU is released to the second.
        ("fourth", 0, 50, 3),
        ("elsewhere", 1, 0, 70),
    ] {
        let (host, diary) = (simulation.host(), Rc::clone(&diary));
        simulation.spawn(name, async move {
            host.sleep(start).await;
            host.cpu(cpu).run(cycles, CpuState::Working).await;
            note(&diary, &host, name);
        });
    }
    assert!(simulation.run(1000, |_, _| ()).is_finished());
    assert_eq!(
        *diary.borrow(),
        [
            (50, "first"),
            (70, "elsewhere"),
            (80, "second"),
            (85, "third"),
            (88, "fourth")
        ]
    );
    let spent = simulation.cpu_cycles();
    assert_eq!(spent[0].of(CpuState::Working), 88);
    assert_eq!(spent[1].of(CpuState::Working), 70);
    assert_eq!(spent[1].of(CpuState::Idle), 18);
}

#[test]
fn who_gives_up_in_the_queue_of_a_cpu_does_not_block_those_behind() {
    let mut simulation = simulation(1);
    let diary = Diary::default();
    for (name, start, limit) in [
        ("long", 0, 1000),
        ("impatient", 1, 10),
        ("patient", 2, 1000),
    ] {
        let (host, diary) = (simulation.host(), Rc::clone(&diary));
        simulation.spawn(name, async move {
            host.sleep(start).await;
            let cpu = host.cpu(0);
            let work = cpu.run(100, CpuState::Mapping);
            let done = host.timeout(limit, work).await.is_ok();
            note(&diary, &host, if done { name } else { "gave up" });
        });
    }
    assert!(simulation.run(1000, |_, _| ()).is_finished());
    assert_eq!(
        *diary.borrow(),
        [(11, "gave up"), (100, "long"), (200, "patient")]
    );
}

#[test]
fn a_cpu_that_waits_for_the_device_is_free_for_other_work() {
    let mut simulation = simulation(1);
    let host = simulation.host();
    simulation.spawn("waits", {
        let host = host.clone();
        async move {
            let cpu = host.cpu(0);
            cpu.run(10, CpuState::Mapping).await;
            cpu.wait(host.sleep(100)).await;
            assert_eq!(cpu.state(), CpuState::Idle);
            cpu.run(5, CpuState::Unmapping).await;
        }
    });
    simulation.spawn("works", async move {
        host.sleep(30).await;
        host.cpu(0).occupy(CpuState::Working, host.sleep(20)).await;
        assert_eq!(host.cpu(0).state(), CpuState::Waiting);
    });
    assert!(simulation.run(1000, |_, _| ()).is_finished());
    let spent = simulation.cpu_cycles()[0];
    assert_eq!(spent.of(CpuState::Mapping), 10);
    assert_eq!(spent.of(CpuState::Waiting), 80);
    assert_eq!(spent.of(CpuState::Working), 20);
    assert_eq!(spent.of(CpuState::Unmapping), 5);
    assert_eq!(spent.total(), 115);
}

#[test]
fn copies_cost_by_the_byte_and_free_software_costs_nothing() {
    let costs = CostModel {
        copy_bytes_per_cycle: 16,
        copy_setup_cycles: 3,
        ..CostModel::default()
    };
    assert_eq!(costs.copy_cycles(0), 0);
    assert_eq!(costs.copy_cycles(1), 4);
    assert_eq!(costs.copy_cycles(4096), 259);
    let memory = HostMemory::new();
    let options = Options {
        costs: CostModel::free(),
        ..Options::default()
    };
    let mut simulation = Simulation::new(FakeDma::new(), memory, &options).unwrap();
    let host = simulation.host();
    simulation.spawn("driver", async move {
        let cpu = host.cpu(0);
        cpu.map().await;
        cpu.copy_in(1 << 20).await;
        cpu.interrupt_entry().await;
        cpu.sync().await;
        cpu.copy_out(1 << 20).await;
        cpu.unmap().await;
    });
    assert!(simulation.run(10, |_, _| ()).is_finished());
    assert_eq!(simulation.cycle(), 0);
}
