//! What a copy costs: the table "Cycles" of `rtl/README.md`.

use rebound_sim::events::{BusEvent, Direction};

use super::bench::{SOURCE, Setup, TARGET, run};

#[test]
fn a_copy_of_n_beats_takes_n_cycles_and_twice_the_latency() {
    for latency in [1, 50, 200] {
        for (bytes, offsets, beats) in [
            (64, [0, 0], 8),
            (4096, [0, 0], 512),
            // One beat more, as on the bus, and nothing for each burst.
            (4096, [1, 3], 513),
        ] {
            let events = run(Setup::latency(latency), async move |bench| {
                bench.loopback(true).await;
                bench.s2mm().start(TARGET + offsets[1], bytes).await;
                bench.mm2s().start(SOURCE + offsets[0], bytes).await;
                bench.s2mm().end().await;
                bench.events()
            });
            // The first address is there in the cycle after the start.
            let first = events.iter().find_map(|event| match event {
                BusEvent::Address(address) if address.direction == Direction::Read => {
                    Some(address.cycle)
                }
                _ => None,
            });
            let last = events.iter().rev().find_map(|event| match event {
                BusEvent::Response(response) => Some(response.cycle),
                _ => None,
            });
            let taken = last.expect("a response") - first.expect("an address");
            let expected = beats + 2 * u64::from(latency);
            assert_eq!(taken, expected, "{bytes} bytes, latency {latency}");
        }
    }
}
