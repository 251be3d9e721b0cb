//! Every bit of a length counts, from bytes to gigabytes.

use rebound::driver::dma_engine_descriptor::{DONE, ERROR, PACKET_END};
use rebound::driver::dma_engine_regs as regs;
use rebound_sim::axi::FaultResponse;

use super::bench::{Bench, End, SOURCE, Setup, TARGET, run};
use super::ring::Ring;

/// A packet that every length below has room for.
const PACKET: usize = 400;
/// What lengths have beside their highest bit: less than a burst, one burst, two.
const TAILS: [u32; 3] = [24, 128, 256];
/// Where the descriptors lie.
const RING: u64 = 0x30_0000;
/// Cycles in which much more than the tails is moved.
const A_WHILE: u64 = 300;
/// Cycles that megabytes may take.
const LONG: u64 = 600_000;

/// Lengths that differ from a short one by a single bit.
fn each_length() -> impl Iterator<Item = u32> {
    (10..32).flat_map(|bit| TAILS.map(|tail| (1 << bit) + tail))
}

/// The bytes of an aborted packet of mm2s, checked against memory.
async fn check_beginning(bench: &Bench, done: u32, length: u32) {
    let packet = bench.packet().await;
    assert_eq!(packet.len(), done as usize, "{length:#x}");
    assert!((TAILS[2]..length).contains(&done), "{done} of {length:#x}");
    assert_eq!(packet, bench.memory(SOURCE, packet.len()), "{length:#x}");
}

#[test]
fn a_send_goes_on_for_all_the_bits_of_its_length() {
    run(Setup::latency(2), async |bench| {
        bench.fill(SOURCE, 0x2000);
        let mm2s = bench.mm2s();
        for length in each_length() {
            mm2s.start(SOURCE, length).await;
            bench.host.sleep(A_WHILE.min(u64::from(length / 16))).await;
            mm2s.stop().await;
            let end = mm2s.end().await;
            let aborted = End::failed(regs::ERROR_KIND_ABORTED, end.bytes_done, 0);
            assert_eq!(end, aborted, "{length:#x}");
            check_beginning(&bench, end.bytes_done, length).await;
        }
    });
}

#[test]
fn a_receive_has_room_for_all_the_bits_of_its_length() {
    run(Setup::latency(2), async |bench| {
        let s2mm = bench.s2mm();
        for length in each_length() {
            s2mm.start(TARGET, length).await;
            let data = bench.push(PACKET);
            let end = s2mm.end().await;
            assert_eq!(end, End::well(400).with_packet_end(), "{length:#x}");
            assert_eq!(bench.memory(TARGET, PACKET), data, "{length:#x}");
        }
    });
}

#[test]
fn a_descriptor_counts_with_all_the_bits_of_its_length() {
    run(Setup::latency(2), async |bench| {
        bench.fill(SOURCE, 0x2000);
        let s2mm = Ring::enable(&bench, bench.s2mm(), RING, 128).await;
        let mm2s = Ring::enable(&bench, bench.mm2s(), RING + 0x1000, 128).await;
        for length in each_length() {
            let index = s2mm.post(TARGET, length, 0);
            s2mm.doorbell().await;
            let data = bench.push(PACKET);
            s2mm.settle().await;
            assert_eq!(s2mm.written(index), (400, DONE | PACKET_END), "{length:#x}");
            assert_eq!(bench.memory(TARGET, PACKET), data, "{length:#x}");

            let index = mm2s.post(SOURCE, length, 0);
            mm2s.doorbell().await;
            bench.host.sleep(A_WHILE.min(u64::from(length / 16))).await;
            mm2s.stop().await;
            mm2s.halt().await;
            let (done, status) = mm2s.written(index);
            let kind = regs::ERROR_KIND_ABORTED << 8;
            assert_eq!(status & !PACKET_END, DONE | ERROR | kind, "{length:#x}");
            check_beginning(&bench, done, length).await;
            mm2s.resume().await;
        }
    });
}

#[test]
fn what_is_written_back_counts_every_byte() {
    run(Setup::latency(2), async |bench| {
        bench.fill(SOURCE, 0x1_0000);
        let s2mm = Ring::enable(&bench, bench.s2mm(), RING, 64).await;
        let mm2s = Ring::enable(&bench, bench.mm2s(), RING + 0x1000, 64).await;
        for length in (0..17).flat_map(|bit| [1_u32 << bit, (1 << bit) + (1 << (bit / 2)) - 1]) {
            let index = s2mm.post(TARGET, length, 0);
            s2mm.doorbell().await;
            let data = bench.push(length as usize);
            s2mm.settle().await;
            assert_eq!(s2mm.written(index), (length, DONE | PACKET_END));
            assert!(bench.memory(TARGET, length as usize) == data, "{length}");

            let index = mm2s.post(SOURCE, length, 0);
            mm2s.doorbell().await;
            mm2s.settle().await;
            assert_eq!(mm2s.written(index), (length, DONE));
            let data = bench.memory(SOURCE, length as usize);
            assert!(bench.packet().await == data, "{length}");
        }
    });
}

#[test]
fn a_failure_tells_its_bytes_at_any_length() {
    const GOOD: u32 = 256;
    run(Setup::latency(2), async |bench| {
        let kind = regs::ERROR_KIND_SLVERR;
        for length in (10..32).map(|bit| 1 << bit) {
            let fails = SOURCE + u64::from(GOOD);
            bench.fault(fails, FaultResponse::Slverr);
            bench.mm2s().start(SOURCE, length).await;
            let end = bench.mm2s().end().await;
            assert_eq!(end, End::failed(kind, GOOD, fails), "{length:#x}");
            let sent = bench.memory(SOURCE, GOOD as usize);
            assert_eq!(bench.packet().await, sent, "{length:#x}");

            let fails = TARGET + u64::from(GOOD);
            bench.fault(fails, FaultResponse::Slverr);
            bench.push(600);
            bench.s2mm().start(TARGET, length).await;
            let end = bench.s2mm().end().await;
            let failed = End::failed(kind, GOOD, fails);
            assert_eq!(end, failed.with_packet_end(), "{length:#x}");
        }
    });
}

#[test]
fn megabytes_are_sent_and_received_to_the_last_byte() {
    const LENGTH: u32 = 0x2a_aaab;
    run(Setup::latency(2), async |bench| {
        let (mm2s, s2mm) = (bench.mm2s(), bench.s2mm());
        let sent = bench.fill(0x1_0003, LENGTH as usize);
        mm2s.start(0x1_0003, LENGTH).await;
        let sink = bench.host.stream_sink(0);
        let packet = sink.recv(LONG).await.expect("a packet");
        assert!(packet.data == sent, "what was sent differs from memory");
        assert_eq!(mm2s.end().await, End::well(LENGTH));

        s2mm.start(0x1_0005, LENGTH).await;
        let came = bench.push(LENGTH as usize);
        bench.host.sleep(u64::from(LENGTH / 8)).await;
        assert_eq!(s2mm.end().await, End::well(LENGTH).with_packet_end());
        let memory = bench.memory(0x1_0005, LENGTH as usize);
        assert!(memory == came, "memory differs from what came");
    });
}
