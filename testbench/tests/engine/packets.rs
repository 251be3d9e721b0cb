//! Packets and lengths: the table "Packets" of `rtl/README.md`, row by row, and length 0.

use rebound::driver::dma_engine_regs as regs;
use rebound::driver::dma_engine_regs::channel as reg;

use super::bench::{Bench, End, SOURCE, Setup, TARGET, run};

/// Receives into `length` bytes and checks that exactly the first `bytes_done` of them have changed.
async fn receive(bench: &Bench, length: u32, keeps_open: bool, expected: &[u8]) -> End {
    let room = length as usize + 64;
    let before = bench.fill(TARGET, room);
    let s2mm = bench.s2mm();
    if keeps_open {
        s2mm.start_open(TARGET + 5, length).await;
    } else {
        s2mm.start(TARGET + 5, length).await;
    }
    let end = s2mm.end().await;
    let after = bench.memory(TARGET, room);
    let used = 5 + expected.len();
    assert_eq!(after[5..used], *expected, "the packet's bytes");
    assert_eq!(
        (&after[..5], &after[used..]),
        (&before[..5], &before[used..])
    );
    end
}

#[test]
fn a_shorter_packet_ends_a_transfer_at_its_end() {
    for keeps_open in [false, true] {
        run(Setup::default(), async move |bench| {
            for bytes in [0, 1, 8, 150, 299] {
                let data = bench.push(bytes);
                let end = receive(&bench, 300, keeps_open, &data).await;
                let bytes = u32::try_from(bytes).expect("small");
                assert_eq!(end, End::well(bytes).with_packet_end());
            }
            bench.works().await;
        });
    }
}

#[test]
fn a_packet_of_exactly_the_length_is_taken_with_its_end() {
    for keeps_open in [false, true] {
        run(Setup::default(), async move |bench| {
            for bytes in [1, 8, 300] {
                let data = bench.push(bytes);
                let bytes = u32::try_from(bytes).expect("small");
                let end = receive(&bench, bytes, keeps_open, &data).await;
                assert_eq!(end, End::well(bytes).with_packet_end());
            }
            bench.works().await;
        });
    }
}

#[test]
fn a_longer_packet_is_an_overrun_and_the_next_transfer_begins_with_the_next_packet() {
    run(Setup::default(), async |bench| {
        for (length, bytes) in [(300, 301), (296, 304), (296, 2000), (1, 2)] {
            let long = bench.push(bytes);
            let next = bench.push(40);
            let end = receive(&bench, length, false, &long[..length as usize]).await;
            let expected = End::failed(regs::ERROR_KIND_OVERRUN, length, 0);
            assert_eq!(end, expected.with_packet_end(), "{bytes} in {length}");
            let end = receive(&bench, 40, false, &next).await;
            assert_eq!(end, End::well(40).with_packet_end());
        }
        bench.works().await;
    });
}

#[test]
fn with_keep_open_a_longer_packet_goes_on_in_the_next_transfer() {
    run(Setup::default(), async |bench| {
        let data = bench.push(1000);
        let (mut at, parts) = (0, [64, 256, 8, 672]);
        for part in parts {
            let end = receive(&bench, part, true, &data[at..at + part as usize]).await;
            at += part as usize;
            let expected = End::well(part);
            let is_last = at == data.len();
            let expected = if is_last {
                expected.with_packet_end()
            } else {
                expected
            };
            assert_eq!(end, expected, "up to {at}");
        }
        bench.works().await;
    });
}

#[test]
fn with_keep_open_only_bytes_of_the_same_beat_are_lost() {
    run(Setup::default(), async |bench| {
        let data = bench.push(64);
        let end = receive(&bench, 13, true, &data[..13]).await;
        assert_eq!(end, End::failed(regs::ERROR_KIND_OVERRUN, 13, 0));
        let end = receive(&bench, 100, true, &data[16..]).await;
        assert_eq!(end, End::well(48).with_packet_end());
        // The end of the packet comes with the bytes that do not fit.
        let data = bench.push(16);
        let end = receive(&bench, 11, true, &data[..11]).await;
        let expected = End::failed(regs::ERROR_KIND_OVERRUN, 11, 0);
        assert_eq!(end, expected.with_packet_end());
        bench.works().await;
    });
}

#[test]
fn beats_in_a_packet_may_be_partial_or_empty() {
    let setup = Setup {
        keeps: vec![Some(0x07), None, Some(0), Some(0x01), None, Some(0x7f)],
        ..Setup::default()
    };
    run(setup, async |bench| {
        let data = bench.push(56);
        let kept = [
            &data[0..3],
            &data[8..16],
            &data[24..25],
            &data[32..47],
            &data[48..56],
        ]
        .concat();
        let end = receive(&bench, 100, false, &kept).await;
        assert_eq!(end, End::well(35).with_packet_end());
        bench.works().await;
    });
}

#[test]
fn the_end_of_a_packet_may_come_in_an_empty_beat() {
    for keeps_open in [false, true] {
        let mut keeps = vec![None; 8];
        keeps.push(Some(0));
        let setup = Setup {
            keeps,
            ..Setup::default()
        };
        run(setup, async move |bench| {
            let data = bench.push(72);
            let end = receive(&bench, 64, keeps_open, &data[..64]).await;
            if keeps_open {
                assert_eq!(end, End::well(64), "its end is still to come");
                let end = receive(&bench, 64, true, &[]).await;
                assert_eq!(end, End::well(0).with_packet_end());
            } else {
                assert_eq!(end, End::well(64).with_packet_end());
            }
            bench.works().await;
        });
    }
}

#[test]
fn with_keep_open_several_sends_make_one_packet() {
    run(Setup::default(), async |bench| {
        let mm2s = bench.mm2s();
        let mut all = Vec::new();
        for (addr, bytes) in [(SOURCE + 3, 100), (SOURCE + 0x200, 13)] {
            all.extend(bench.fill(addr, bytes as usize));
            mm2s.start_open(addr, bytes).await;
            assert_eq!(mm2s.end().await, End::well(bytes));
            assert_eq!(bench.host.stream_sink(0).try_recv(), None);
        }
        all.extend(bench.fill(SOURCE + 0x300, 50));
        mm2s.start(SOURCE + 0x300, 50).await;
        assert_eq!(mm2s.end().await, End::well(50));
        assert_eq!(bench.packet().await, all);
        bench.works().await;
    });
}

#[test]
fn in_loopback_a_send_is_a_packet_like_any_other() {
    run(Setup::default(), async |bench| {
        let (mm2s, s2mm) = (bench.mm2s(), bench.s2mm());
        bench.loopback(true).await;
        let data = bench.fill(SOURCE, 300);

        s2mm.start(TARGET, 300).await;
        mm2s.start(SOURCE, 100).await;
        assert_eq!(s2mm.end().await, End::well(100).with_packet_end());
        assert_eq!(mm2s.end().await, End::well(100));
        assert_eq!(bench.memory(TARGET, 100), data[..100]);

        s2mm.start(TARGET, 200).await;
        mm2s.start(SOURCE, 300).await;
        let overrun = End::failed(regs::ERROR_KIND_OVERRUN, 200, 0);
        assert_eq!(s2mm.end().await, overrun.with_packet_end());
        assert_eq!(mm2s.end().await, End::well(300));
        assert_eq!(bench.memory(TARGET, 200), data[..200]);

        s2mm.start(TARGET, 300).await;
        mm2s.start_open(SOURCE, 120).await;
        assert_eq!(mm2s.end().await, End::well(120));
        assert_eq!(s2mm.status().await, reg::STATUS_BUSY);
        mm2s.start(SOURCE + 120, 180).await;
        assert_eq!(mm2s.end().await, End::well(180));
        assert_eq!(s2mm.end().await, End::well(300).with_packet_end());
        assert_eq!(bench.memory(TARGET, 300), data);
        mm2s.write(reg::CONTROL, 0).await;
        bench.works().await;
    });
}

#[test]
fn length_0_ends_at_once_and_touches_nothing() {
    run(Setup::default(), async |bench| {
        let (mm2s, s2mm) = (bench.mm2s(), bench.s2mm());
        let data = bench.push(24);
        for channel in [&mm2s, &s2mm] {
            channel.start(SOURCE, 0).await;
            assert_eq!(channel.end().await, End::well(0).with_zero_length());
        }
        assert_eq!(bench.host.stream_sink(0).counters().beats, 0);
        assert_eq!(bench.bursts(), []);
        let end = receive(&bench, 24, false, &data).await;
        assert_eq!(end, End::well(24).with_packet_end(), "the packet is whole");

        bench.loopback(true).await;
        s2mm.start(TARGET, 24).await;
        mm2s.start(SOURCE, 0).await;
        assert_eq!(mm2s.end().await, End::well(0).with_zero_length());
        bench.host.sleep(100).await;
        assert_eq!(
            s2mm.status().await,
            reg::STATUS_BUSY,
            "the partner waits on"
        );
        mm2s.start(SOURCE, 24).await;
        assert_eq!(mm2s.end().await, End::well(24));
        assert_eq!(s2mm.end().await, End::well(24).with_packet_end());
        bench.works().await;
    });
}

#[test]
fn an_end_without_bytes_writes_no_burst() {
    // After a whole burst, a beat that has only TLAST.
    let mut keeps = vec![None; 16];
    keeps.push(Some(0));
    let setup = Setup {
        keeps,
        ..Setup::default()
    };
    run(setup, async |bench| {
        let data = bench.push(17 * 8);
        bench.s2mm().start(TARGET, 300).await;
        let end = bench.s2mm().end().await;
        assert_eq!(end, End::well(128).with_packet_end());
        assert_eq!(bench.memory(TARGET, 128), data[..128]);
        let bursts: Vec<_> = bench.bursts().iter().map(|burst| burst.beats).collect();
        assert_eq!(bursts, [16], "one burst, and none for nothing");
    });
}
