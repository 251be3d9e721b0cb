//! The AXI4-Lite manager against a core that answers, fails and hangs.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on says so by a panic"
)]

mod support;

use rebound_sim::axil::{AxilAccess, AxilError, AxilPolicy, AxilStage, WriteOrder};
use rebound_sim::device_port::PinDevice;
use rebound_sim::host::Host;
use rebound_sim::memory::HostMemory;
use rebound_sim::pins::AxiLitePins;
use rebound_sim::simulation::{Options, Simulation};
use rebound_sim::stall::Stall;
use support::fake_dma::{BAD, DST, FakeDma, HOLE, SRC};
use support::{Block, FakeDevice, Stopped};

/// Runs a driver task on a device until it is done; returns its result and the cycle.
fn drive<D: PinDevice, T: 'static, F>(
    device: D,
    axil: AxilPolicy,
    driver: impl FnOnce(Host) -> F,
) -> (T, u64)
where
    F: Future<Output = T> + 'static,
{
    let options = Options {
        axil,
        ..Options::default()
    };
    let mut simulation = Simulation::new(device, HostMemory::new(), &options).unwrap();
    let task = simulation.spawn("driver", driver(simulation.host()));
    let outcome = simulation.run(1_000_000, |_, _| ());
    assert!(outcome.is_finished(), "{outcome:?}");
    (task.take().unwrap(), simulation.cycle())
}

#[test]
fn what_is_written_is_read_back_in_every_order_of_address_and_data() {
    for write_order in [
        WriteOrder::Together,
        WriteOrder::AddressFirst,
        WriteOrder::DataFirst,
    ] {
        for stall in [
            Stall::None,
            Stall::EveryN { period: 2 },
            Stall::Random { probability: 0.5 },
        ] {
            let policy = AxilPolicy {
                write_order,
                request_stall: stall,
                response_stall: stall,
                ..AxilPolicy::default()
            };
            let (read, _) = drive(FakeDma::new(), policy, |host| async move {
                let registers = host.registers(0);
                registers.write(SRC, 0x1234_5678).await.unwrap();
                registers.write(DST, 0x9abc_def0).await.unwrap();
                let read = (registers.read(SRC).await, registers.read(DST).await);
                assert_eq!(registers.accesses(), 4);
                read
            });
            assert_eq!(
                read,
                (Ok(0x1234_5678), Ok(0x9abc_def0)),
                "{write_order:?} {stall:?}"
            );
        }
    }
}

#[test]
fn several_accesses_can_be_queued_and_are_done_in_order() {
    let (read, _) = drive(FakeDma::new(), AxilPolicy::default(), |host| async move {
        let registers = host.registers(0);
        let value = |value| AxilAccess::Write { addr: SRC, value };
        let first = registers.submit(value(1));
        let before = registers.submit(AxilAccess::Read { addr: SRC });
        let second = registers.submit(value(2));
        let after = registers.submit(AxilAccess::Read { addr: SRC });
        // Awaited in another order than done.
        let after = after.await;
        (first.await, before.await, second.await, after)
    });
    assert_eq!(read, (Ok(0), Ok(1), Ok(0), Ok(2)));
}

#[test]
fn an_error_response_is_an_error() {
    let (results, _) = drive(FakeDma::new(), AxilPolicy::default(), |host| async move {
        let registers = host.registers(0);
        let results = (registers.read(BAD).await, registers.write(BAD, 7).await);
        // The port goes on.
        registers.write(SRC, 3).await.unwrap();
        results
    });
    assert_eq!(
        results.0.unwrap_err().to_string(),
        "read of register 0x44 on control port 0: expected OKAY, found SLVERR"
    );
    assert_eq!(
        results.1.unwrap_err().to_string(),
        "write of 0x7 to register 0x44 on control port 0: expected OKAY, found SLVERR"
    );
}

#[test]
fn a_timeout_names_the_channel_that_waited_and_those_behind_it() {
    let policy = AxilPolicy {
        timeout_cycles: 100,
        ..AxilPolicy::default()
    };
    let (results, cycle) = drive(FakeDma::new(), policy, |host| async move {
        let registers = host.registers(0);
        let read = registers.submit(AxilAccess::Read { addr: HOLE });
        let behind = registers.submit(AxilAccess::Read { addr: SRC });
        (read.await, behind.await)
    });
    assert_eq!(cycle, 100);
    assert_eq!(
        results.0.unwrap_err().to_string(),
        "read of register 0x40 on control port 0: no response within 100 cycles, at cycle 100: \
         ARADDR was taken, RVALID stays low"
    );
    assert!(matches!(
        results.1,
        Err(AxilError::Timeout {
            stage: AxilStage::Queued,
            ..
        })
    ));
}

/// A core that takes only some channels, never answers in time, then answers late.
#[derive(Debug)]
struct Sluggish {
    block: Block,
    takes: (bool, bool, bool),
    answers_at: u64,
    seen: AxiLitePins,
    cycle: u64,
}

pin_device!(Sluggish);

impl Sluggish {
    fn new(takes: (bool, bool, bool), answers_at: u64) -> Self {
        let mut core = Self {
            block: Block::default(),
            takes,
            answers_at,
            seen: AxiLitePins::default(),
            cycle: 0,
        };
        core.block = Block::new(&core.shapes());
        core
    }
}

impl FakeDevice for Sluggish {
    fn shapes(&self) -> rebound_sim::device_port::PortShapes {
        let mut shapes = FakeDma::new().shapes();
        shapes.managers.clear();
        shapes.lites[0].data_bytes = 8;
        shapes
    }

    fn block(&self) -> &Block {
        &self.block
    }

    fn block_mut(&mut self) -> &mut Block {
        &mut self.block
    }

    fn cycle(&mut self) -> Result<(), Stopped> {
        let pins = &mut self.block.lites[0];
        let (aw, w, ar) = self.takes;
        pins.awready = u8::from(aw);
        pins.wready = u8::from(w);
        pins.arready = u8::from(ar);
        if pins.awvalid != 0 && aw {
            self.seen.awvalid = 1;
        }
        if pins.wvalid != 0 && w {
            (self.seen.wvalid, self.seen.wdata, self.seen.wstrb) = (1, pins.wdata, pins.wstrb);
        }
        if pins.arvalid != 0 && ar {
            self.seen.arvalid = 1;
        }
        let answers = self.cycle >= self.answers_at;
        pins.bvalid = u8::from(answers && self.seen.awvalid != 0 && self.seen.wvalid != 0);
        pins.rvalid = u8::from(answers && self.seen.arvalid != 0);
        pins.rdata = 0x1111_2222_3333_4444;
        if pins.bvalid != 0 && pins.bready != 0 {
            (self.seen.awvalid, self.seen.wvalid) = (0, 0);
        }
        if pins.rvalid != 0 && pins.rready != 0 {
            self.seen.arvalid = 0;
        }
        self.cycle += 1;
        Ok(())
    }
}

#[test]
fn every_stage_of_a_stuck_access_has_its_name() {
    let policy = AxilPolicy {
        timeout_cycles: 50,
        ..AxilPolicy::default()
    };
    let stage = |takes, is_write: bool| {
        let (result, _) = drive(
            Sluggish::new(takes, u64::MAX),
            policy.clone(),
            move |host| async move {
                if is_write {
                    host.registers(0).write(0, 1).await.map(|()| 0)
                } else {
                    host.registers(0).read(0).await
                }
            },
        );
        match result {
            Err(AxilError::Timeout {
                stage, cycles: 50, ..
            }) => stage,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(stage((false, false, false), true), AxilStage::WriteBoth);
    assert_eq!(stage((true, false, false), true), AxilStage::WriteData);
    assert_eq!(stage((false, true, false), true), AxilStage::WriteAddress);
    assert_eq!(stage((true, true, false), true), AxilStage::WriteResponse);
    assert_eq!(stage((true, true, false), false), AxilStage::ReadAddress);
    assert_eq!(stage((true, true, true), false), AxilStage::ReadData);
}

#[test]
fn a_late_answer_is_not_taken_for_the_next_access() {
    let policy = AxilPolicy {
        timeout_cycles: 50,
        ..AxilPolicy::default()
    };
    let ((first, second), cycle) = drive(
        Sluggish::new((true, true, true), 80),
        policy,
        |host| async move {
            let registers = host.registers(0);
            let first = registers.read(0).await;
            (first, registers.read(4).await)
        },
    );
    assert!(matches!(first, Err(AxilError::Timeout { .. })));
    // The second waits for the first's answer in cycle 80, then gets its own: the high half of the bus.
    assert_eq!(second, Ok(0x1111_2222));
    assert!(cycle > 81, "{cycle}");
}

#[test]
fn a_timeout_stays_one_even_if_it_is_looked_at_after_the_late_answer() {
    let policy = AxilPolicy {
        timeout_cycles: 50,
        ..AxilPolicy::default()
    };
    let (result, _) = drive(
        Sluggish::new((true, true, true), 80),
        policy,
        |host| async move {
            let read = host.registers(0).submit(AxilAccess::Read { addr: 0 });
            host.sleep(200).await;
            read.await
        },
    );
    assert!(matches!(result, Err(AxilError::Timeout { at: 50, .. })));
}

#[test]
fn a_wide_control_port_gets_each_register_on_its_lanes() {
    let mut simulation = Simulation::new(
        Sluggish::new((true, true, true), 0),
        HostMemory::new(),
        &Options::default(),
    )
    .unwrap();
    let host = simulation.host();
    simulation.spawn("driver", async move {
        host.registers(0).write(0x14, 0xaabb_ccdd).await
    });
    assert!(simulation.run(100, |_, _| ()).is_finished());
    let seen = simulation.device().seen;
    assert_eq!((seen.wdata, seen.wstrb), (0xaabb_ccdd_0000_0000, 0xf0));
}
