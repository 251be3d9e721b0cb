//! Stream source and sink, through a register stage, on all widths.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on says so by a panic"
)]

mod support;

use futures::future::join;
use proptest::prelude::*;
use rebound_sim::memory::HostMemory;
use rebound_sim::seed::Seed;
use rebound_sim::simulation::{Options, Outcome, Simulation};
use rebound_sim::stall::Stall;
use rebound_sim::stream::{Packet, StreamPolicy};
use support::stream_echo::StreamEcho;

fn simulation(bytes: u32, stream: StreamPolicy) -> Simulation<StreamEcho> {
    let options = Options {
        stream,
        ..Options::default()
    };
    Simulation::new(StreamEcho::new(bytes), HostMemory::new(), &options).unwrap()
}

fn any_stall() -> impl Strategy<Value = Stall> {
    prop_oneof![
        Just(Stall::None),
        (2u32..6).prop_map(|period| Stall::EveryN { period }),
        (0.0..0.8).prop_map(|probability| Stall::Random { probability }),
        (1u32..8, 1u32..20).prop_map(|(run, hold)| Stall::LongHold { run, hold }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn packets_of_any_length_come_out_as_they_went_in(
        width in 0u32..=7,
        lengths in prop::collection::vec(0usize..700, 1..8),
        source_stall in any_stall(),
        sink_stall in any_stall(),
        seed in any::<u64>(),
    ) {
        let mut random = Seed::new(seed).stream("packets");
        let packets: Vec<Packet> = (0..).zip(lengths)
            .map(|(number, length)| {
                let mut data = vec![0; length];
                random.fill(&mut data);
                Packet { data, id: number, dest: number + 7, user: u64::from(number) << 40 }
            })
            .collect();
        let mut simulation = simulation(1 << width, StreamPolicy { source_stall, sink_stall });
        let host = simulation.host();
        let sent = packets.clone();
        let count = packets.len();
        let task = simulation.spawn("driver", async move {
            let (source, sink) = (host.stream_source(0), host.stream_sink(0));
            let send = async {
                for packet in sent {
                    source.send(packet, 100_000).await.unwrap();
                }
            };
            let receive = async {
                let mut received = Vec::new();
                for _ in 0..count {
                    received.push(sink.recv(200_000).await.unwrap());
                }
                received
            };
            let received = join(send, receive).await.1;
            assert_eq!(source.counters().bytes, sink.counters().bytes);
            assert_eq!(sink.counters().packets, count as u64);
            received
        });
        let outcome = simulation.run(1_000_000, |_, _| ());
        prop_assert!(outcome.is_finished(), "{:?}", outcome);
        prop_assert_eq!(task.take().unwrap(), packets);
        prop_assert_eq!(&simulation.device().faults, &Vec::<String>::new());
    }
}

#[test]
fn without_stalls_a_beat_goes_each_cycle() {
    let mut simulation = simulation(8, StreamPolicy::default());
    let host = simulation.host();
    let task = simulation.spawn("driver", async move {
        let (source, sink) = (host.stream_source(0), host.stream_sink(0));
        let first = source.push(Packet::new(vec![1; 64]));
        let second = source.push(Packet::new(vec![2; 60]));
        assert_eq!(source.queued(), 2);
        first.await;
        assert_eq!(host.cycle(), 8, "the last of 8 beats is taken in cycle 7");
        second.await;
        assert_eq!(host.cycle(), 16);
        sink.recv(10).await.unwrap();
        sink.recv(10).await.unwrap();
        sink.counters()
    });
    assert!(simulation.run(100, |_, _| ()).is_finished());
    let counters = task.take().unwrap();
    assert_eq!(
        (counters.beats, counters.bytes, counters.packets),
        (16, 124, 2)
    );
    assert_eq!(
        (counters.first_beat_cycle, counters.last_beat_cycle),
        (Some(1), Some(16))
    );
}

#[test]
fn waits_on_a_stream_have_a_limit_and_the_stream_goes_on() {
    let mut simulation = simulation(4, StreamPolicy::default());
    let host = simulation.host();
    let task = simulation.spawn("driver", async move {
        let (source, sink) = (host.stream_source(0), host.stream_sink(0));
        let nothing = sink.recv(30).await.unwrap_err().to_string();
        sink.pause();
        // The echo holds one beat; the second cannot leave while the sink pauses.
        let blocked = source.send(Packet::new(vec![5; 12]), 40).await;
        let blocked = blocked.unwrap_err().to_string();
        assert_eq!(sink.try_recv(), None);
        sink.resume();
        let packet = sink.recv(30).await.unwrap();
        assert!(sink.counters().waiting_cycles > 30);
        assert_eq!(sink.partial_bytes(), 0);
        (nothing, blocked, packet.data)
    });
    assert!(simulation.run(1000, |_, _| ()).is_finished());
    let (nothing, blocked, data) = task.take().unwrap();
    assert_eq!(
        nothing,
        "waited 30 cycles, up to cycle 30, for a packet on output stream 0: nothing came"
    );
    assert_eq!(
        blocked,
        "waited 40 cycles, up to cycle 70, for input stream 0 to take a packet: nothing came"
    );
    assert_eq!(data, [5; 12]);
}

#[test]
fn two_receivers_get_their_packets_in_the_order_of_asking() {
    let mut simulation = simulation(1, StreamPolicy::default());
    let host = simulation.host();
    let receive = |name: &str, limit| {
        let sink = host.stream_sink(0);
        host.spawn(name, async move {
            sink.recv(limit).await.map(|packet| packet.data)
        })
    };
    let impatient = receive("impatient", 5);
    let first = receive("first", 1000);
    let second = receive("second", 1000);
    let source = host.stream_source(0);
    let sender = host.clone();
    host.spawn("sender", async move {
        sender.sleep(50).await;
        source.send(Packet::new(vec![1]), 100).await.unwrap();
        source.send(Packet::new(vec![2]), 100).await.unwrap();
    });
    let outcome = simulation.run(2000, |_, _| ());
    assert!(matches!(outcome, Outcome::Finished { .. }), "{outcome:?}");
    assert!(impatient.take().unwrap().is_err());
    assert_eq!(first.take().unwrap(), Ok(vec![1]));
    assert_eq!(second.take().unwrap(), Ok(vec![2]));
}
