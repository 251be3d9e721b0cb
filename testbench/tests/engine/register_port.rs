//! The register port on a bus that sends the halves of a write apart, and that takes responses late.

use rebound::driver::dma_engine_regs::channel as reg;
use rebound_sim::axil::{AxilPolicy, WriteOrder};
use rebound_sim::stall::Stall;

use super::bench::{Setup, run};

const ORDERS: [WriteOrder; 3] = [
    WriteOrder::Together,
    WriteOrder::AddressFirst,
    WriteOrder::DataFirst,
];

/// Runs with each order of AW and W, with and without stalls.
fn policies() -> impl Iterator<Item = AxilPolicy> {
    let stalls = [
        Stall::None,
        Stall::Random { probability: 0.5 },
        Stall::LongHold { run: 1, hold: 7 },
    ];
    ORDERS.into_iter().flat_map(move |write_order| {
        stalls.into_iter().map(move |stall| AxilPolicy {
            request_stall: stall,
            response_stall: stall,
            write_order,
            ..AxilPolicy::default()
        })
    })
}

#[test]
fn registers_are_written_and_read_in_whatever_order_their_accesses_come() {
    for axil in policies() {
        let setup = Setup {
            axil,
            ..Setup::default()
        };
        run(setup, async |bench| {
            // Two drivers at once: writes and reads meet at the port.
            let writer = bench.clone();
            let written = bench.host.spawn("writer", async move {
                for value in 0..40 {
                    writer.s2mm().write(reg::LENGTH, value * 0x0101_0101).await;
                }
            });
            for value in 0_u32..40 {
                let pattern = value.wrapping_mul(0x9e37_79b9);
                bench.mm2s().write(reg::LENGTH, pattern).await;
                bench.mm2s().write(reg::TIMEOUT, !pattern).await;
                assert_eq!(bench.mm2s().read(reg::LENGTH).await, pattern);
                assert_eq!(bench.mm2s().read(reg::TIMEOUT).await, !pattern);
            }
            written.await;
            assert_eq!(bench.s2mm().read(reg::LENGTH).await, 39 * 0x0101_0101);
            bench.mm2s().write(reg::TIMEOUT, 0).await;
            bench.works().await;
        });
    }
}
