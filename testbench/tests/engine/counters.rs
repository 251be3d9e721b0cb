//! The performance counters, compared with what the pins show cycle by cycle.

use rebound::driver::dma_engine_descriptor::DONE;
use rebound::driver::dma_engine_regs as regs;
use rebound::driver::dma_engine_regs::channel as reg;
use rebound_sim::axi::{BusPolicy, ChannelStalls};
use rebound_sim::device_port::PinDevice;
use rebound_sim::pins::{AddressPins, AxiManagerPins, AxiStreamPins};
use rebound_sim::stall::Stall;
use rebound_sim::stream::StreamPolicy;

use super::bench::{Bench, Channel, SOURCE, Setup, TARGET, begin};
use super::ring::Ring;

/// Cycles that any of these drivers may take.
const LIMIT: u64 = 1_000_000;

/// What one channel of the data port does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Tally {
    beats: u32,
    stall_address: u32,
    stall_data: u32,
    outstanding: u32,
}

/// Bursts that have been presented and not been answered, as far as the pins tell.
#[derive(Debug, Default)]
struct InFlight {
    now: u32,
    is_waiting: bool,
}

impl InFlight {
    /// A burst is outstanding from the first cycle of its address on.
    fn present(&mut self, address: &AddressPins, is_ready: bool) {
        let is_valid = address.valid != 0;
        if is_valid && !self.is_waiting {
            self.now += 1;
        }
        self.is_waiting = is_valid && !is_ready;
    }
}

/// Counts of both channels.
#[derive(Debug, Default)]
struct Counts {
    read: Tally,
    write: Tally,
    reads: InFlight,
    writes: InFlight,
    /// Beats that wait for a place in the stream's output, and cycles in which one did.
    buffered: u32,
    stall_stream: u32,
}

impl Counts {
    fn sample(&mut self, pins: &AxiManagerPins, sink: &AxiStreamPins) {
        self.sample_read(pins);
        self.sample_write(pins);
        // A beat passes the FIFO at once if nothing is in front of it.
        self.buffered += u32::from(pins.rvalid & pins.rready != 0);
        let is_free = sink.valid == 0 || sink.ready != 0;
        if self.buffered > 0 && is_free {
            self.buffered -= 1;
        } else {
            self.stall_stream += u32::from(self.buffered > 0);
        }
    }

    fn sample_read(&mut self, pins: &AxiManagerPins) {
        let (tally, flight) = (&mut self.read, &mut self.reads);
        flight.present(&pins.ar, pins.arready != 0);
        tally.outstanding = tally.outstanding.max(flight.now);
        let is_beat = pins.rvalid & pins.rready != 0;
        tally.beats += u32::from(is_beat);
        tally.stall_address += u32::from(pins.ar.valid != 0 && pins.arready == 0);
        tally.stall_data += u32::from(flight.now > 0 && pins.rvalid == 0);
        flight.now -= u32::from(is_beat && pins.rlast != 0);
    }

    fn sample_write(&mut self, pins: &AxiManagerPins) {
        let (tally, flight) = (&mut self.write, &mut self.writes);
        flight.present(&pins.aw, pins.awready != 0);
        tally.outstanding = tally.outstanding.max(flight.now);
        tally.beats += u32::from(pins.wvalid & pins.wready != 0);
        tally.stall_address += u32::from(pins.aw.valid != 0 && pins.awready == 0);
        tally.stall_data += u32::from(pins.wvalid != 0 && pins.wready == 0);
        flight.now -= u32::from(pins.bvalid & pins.bready != 0);
    }
}

/// Runs a driver, and returns its result and what the pins showed meanwhile.
fn watch<T: 'static>(setup: Setup, driver: impl AsyncFnOnce(Bench) -> T + 'static) -> (T, Counts) {
    let (mut simulation, bench, task) = begin(setup, driver);
    let mut counts = Counts::default();
    let begun = simulation.run(1, |_, _| ());
    assert!(!begun.is_finished());
    loop {
        assert!(simulation.cycle() < LIMIT, "the driver never ends");
        simulation
            .tick(&mut |events, _| bench.note(events))
            .expect("nothing fails");
        let pins = simulation.device();
        counts.sample(&pins.managers()[0], &pins.streams_out()[0]);
        if let Some(result) = task.take() {
            assert_eq!(simulation.device_mut().take_violations(), []);
            return (result, counts);
        }
    }
}

/// What the registers of a channel say that the pins of the bus show too.
async fn tally(channel: &Channel) -> Tally {
    Tally {
        beats: channel.read(reg::COUNT_BEATS).await,
        stall_address: channel.read(reg::COUNT_STALL_ADDRESS).await,
        stall_data: channel.read(reg::COUNT_STALL_DATA).await,
        outstanding: channel.read(reg::COUNT_OUTSTANDING).await,
    }
}

const START: u32 = reg::CONTROL_START | reg::CONTROL_COUNTERS_ENABLE;

/// Starts a transfer that is counted.
async fn start(channel: &Channel, addr: u64, length: u32) {
    channel.set(addr, length).await;
    channel.write(reg::CONTROL, START).await;
}

/// Waits until a channel is done.
async fn done(channel: &Channel) {
    while channel.status().await & reg::STATUS_DONE == 0 {}
    channel.write(reg::STATUS, reg::STATUS_DONE).await;
}

/// Buses on which each channel waits, alone and with others.
fn buses() -> Vec<BusPolicy> {
    let stall = Stall::Random { probability: 0.6 };
    let hold = Stall::LongHold { run: 5, hold: 90 };
    let of = |latency, stalls| BusPolicy {
        stalls,
        ..BusPolicy::with_latency(latency)
    };
    let none = ChannelStalls::default();
    vec![
        of(1, none),
        of(200, none),
        of(20, ChannelStalls { ar: hold, ..none }),
        of(20, ChannelStalls { r: stall, ..none }),
        of(20, ChannelStalls { aw: hold, ..none }),
        of(20, ChannelStalls { w: stall, ..none }),
        of(20, ChannelStalls { b: hold, ..none }),
        of(7, ChannelStalls::uniform(stall)),
    ]
}

/// Streams that keep up, and that do not.
fn streams() -> Vec<StreamPolicy> {
    let stall = Stall::Random { probability: 0.5 };
    vec![
        StreamPolicy::default(),
        StreamPolicy {
            source_stall: stall,
            sink_stall: stall,
        },
    ]
}

/// Every bus with every stream.
fn surroundings() -> impl Iterator<Item = Setup> {
    buses().into_iter().flat_map(|bus| {
        streams().into_iter().map(move |stream| Setup {
            bus: bus.clone(),
            stream,
            ..Setup::default()
        })
    })
}

#[test]
fn both_channels_count_what_the_pins_of_the_bus_show() {
    for setup in surroundings() {
        let name = format!("{:?}, {:?}", setup.bus.stalls, setup.stream);
        let (found, counts) = watch(setup, async |bench| {
            let (mm2s, s2mm) = (bench.mm2s(), bench.s2mm());
            for length in [4096, 24, 1000] {
                start(&mm2s, SOURCE, length).await;
                start(&s2mm, TARGET, length).await;
                bench.push(length as usize);
                done(&mm2s).await;
                done(&s2mm).await;
            }
            let waited = mm2s.read(reg::COUNT_STALL_STREAM).await;
            (tally(&mm2s).await, tally(&s2mm).await, waited)
        });
        assert_eq!(found.0, counts.read, "mm2s: {name}");
        assert_eq!(found.1, counts.write, "s2mm: {name}");
        assert_eq!(found.2, counts.stall_stream, "mm2s: {name}");
    }
}

#[test]
fn rings_count_what_the_pins_of_the_bus_show() {
    for setup in surroundings() {
        let name = format!("{:?}, {:?}", setup.bus.stalls, setup.stream);
        let (found, counts) = watch(setup, async |bench| {
            let reads = Ring::enable(&bench, bench.mm2s(), 0x30_0000, 32).await;
            let writes = Ring::enable(&bench, bench.s2mm(), 0x31_0000, 32).await;
            let control = reg::CONTROL_RING_ENABLE | reg::CONTROL_COUNTERS_ENABLE;
            reads.channel.write(reg::CONTROL, control).await;
            writes.channel.write(reg::CONTROL, control).await;
            for at in 0..20 {
                reads.post(SOURCE + at * 0x200, 0x180, 0);
                writes.post(TARGET + at * 0x200, 0x180, 0);
                bench.push(0x180);
            }
            writes.doorbell().await;
            reads.doorbell().await;
            reads.settle().await;
            writes.settle().await;
            assert_eq!(reads.written(19), (0x180, DONE));
            (tally(&reads.channel).await, tally(&writes.channel).await)
        });
        assert_eq!(found.0, counts.read, "mm2s: {name}");
        assert_eq!(found.1, counts.write, "s2mm: {name}");
    }
}

#[test]
fn counters_stand_still_when_they_are_off_and_their_reset_is_their_own() {
    let counters = [
        reg::COUNT_BUSY,
        reg::COUNT_BEATS,
        reg::COUNT_STALL_DATA,
        reg::COUNT_STALL_STREAM,
        reg::COUNT_OUTSTANDING,
    ];
    let stall = Stall::Random { probability: 0.6 };
    let mut setup = Setup::latency(20);
    setup.bus.stalls = ChannelStalls::uniform(stall);
    setup.stream = streams()[1];
    watch(setup, async move |bench| {
        let read = async |channel: &Channel| {
            let mut values = Vec::new();
            for counter in counters {
                values.push(channel.read(counter).await);
            }
            values
        };
        let go = async |control: u32| {
            for (channel, addr) in [(bench.mm2s(), SOURCE), (bench.s2mm(), TARGET)] {
                channel.set(addr, 512).await;
                channel.write(reg::CONTROL, control).await;
            }
            bench.push(512);
            done(&bench.mm2s()).await;
            done(&bench.s2mm()).await;
        };
        go(START).await;
        let counted = [read(&bench.mm2s()).await, read(&bench.s2mm()).await];
        assert!(
            counted.concat().iter().all(|count| *count != 0),
            "{counted:?}"
        );
        go(reg::CONTROL_START).await;
        assert_eq!(read(&bench.mm2s()).await, counted[0]);
        assert_eq!(read(&bench.s2mm()).await, counted[1]);
        let reset = reg::CONTROL_COUNTERS_RESET;
        bench.mm2s().write(reg::CONTROL, reset).await;
        assert_eq!(read(&bench.mm2s()).await, [0; 5]);
        assert_eq!(read(&bench.s2mm()).await, counted[1], "the other's");
        bench.s2mm().write(reg::CONTROL, reset).await;
        assert_eq!(read(&bench.s2mm()).await, [0; 5]);
    });
}

/// Counts the cycles of one channel from its start to its interrupt.
async fn count_busy(bench: &Bench, channel: &Channel, addr: u64, pause: u64) -> (u64, u64) {
    let (enable, is_write) = if addr == SOURCE {
        (regs::INT_ENABLE_MM2S_DONE, false)
    } else {
        (regs::INT_ENABLE_S2MM_DONE, true)
    };
    bench.write(regs::INT_ENABLE, enable).await;
    channel
        .write(reg::CONTROL, reg::CONTROL_COUNTERS_RESET)
        .await;
    channel.set(addr, 512).await;
    let begun = bench.host.cycle();
    channel.write(reg::CONTROL, START).await;
    bench.host.sleep(pause).await;
    if is_write {
        bench.push(512);
    }
    bench.interrupt().await;
    let ended = bench.host.cycle();
    channel.write(reg::STATUS, reg::STATUS_DONE).await;
    let busy = channel.read(reg::COUNT_BUSY).await;
    (ended - begun, u64::from(busy))
}

#[test]
fn busy_cycles_grow_with_the_transfer_cycle_by_cycle() {
    watch(Setup::latency(20), async |bench| {
        // The write on its way to the port, and the interrupt on its way to the driver.
        let around = 2;
        for pause in [0, 1, 2, 300, 70_000] {
            let mm2s = bench.mm2s();
            let s2mm = bench.s2mm();
            let (cycles, busy) = count_busy(&bench, &s2mm, TARGET, pause).await;
            assert_eq!(busy + around, cycles, "s2mm, {pause}");
            // All those in which no beat came.
            let waited = s2mm.read(reg::COUNT_STALL_STREAM).await;
            let busy = s2mm.read(reg::COUNT_BUSY).await;
            let possible = pause..=u64::from(busy);
            assert!(possible.contains(&u64::from(waited)), "{waited} of {busy}");
            let (cycles, busy) = count_busy(&bench, &mm2s, SOURCE, 0).await;
            assert_eq!(busy + around, cycles, "mm2s");
        }
    });
}

#[test]
fn counts_go_on_beyond_16_bits() {
    let hold = Stall::LongHold {
        run: 1,
        hold: 70_000,
    };
    let stalls = ChannelStalls {
        ar: hold,
        w: hold,
        ..ChannelStalls::default()
    };
    let mut setup = Setup::latency(5);
    setup.bus.stalls = stalls;
    let (found, counts) = watch(setup, async |bench| {
        let (mm2s, s2mm) = (bench.mm2s(), bench.s2mm());
        start(&mm2s, SOURCE, 8).await;
        start(&s2mm, TARGET, 8).await;
        bench.push(8);
        done(&mm2s).await;
        done(&s2mm).await;
        (tally(&mm2s).await, tally(&s2mm).await)
    });
    assert_eq!((found.0, found.1), (counts.read, counts.write));
    assert!(found.0.stall_address > 0xffff && found.1.stall_data > 0xffff);

    let (found, counts) = watch(Setup::latency(5), async |bench| {
        let (mm2s, s2mm) = (bench.mm2s(), bench.s2mm());
        bench.loopback(true).await;
        let length = 0x9_0000;
        start(&s2mm, 0x20_0000, length).await;
        start(&mm2s, 0x10_0000, length).await;
        done(&mm2s).await;
        done(&s2mm).await;
        (tally(&mm2s).await, tally(&s2mm).await)
    });
    assert_eq!((found.0, found.1), (counts.read, counts.write));
    assert!(found.0.beats > 0xffff && found.1.beats > 0xffff);
}
