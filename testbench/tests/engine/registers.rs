//! The register map: what is there, what it keeps, starts that are ignored, interrupts.

use rebound::driver::dma_engine_regs as regs;
use rebound::driver::dma_engine_regs::channel as reg;
use rebound_sim::axi::FaultResponse;

use super::bench::{End, SOURCE, Setup, TARGET, run};
use super::failures::each_mode;

#[test]
fn the_engine_says_what_it_is_and_how_it_was_built() {
    let names = [
        regs::ADDR_MODE_TRUNCATE,
        regs::ADDR_MODE_LIMIT_ERROR,
        regs::ADDR_MODE_WRAP_64K,
        regs::ADDR_MODE_BOUNDARY,
    ];
    for (engine, name) in each_mode().into_iter().zip(names) {
        let bits = engine.addr_bits;
        run(Setup::of(engine), async move |bench| {
            assert_eq!(bench.read(regs::ID).await, regs::ID_MAGIC_VALUE);
            let version = bench.read(regs::VERSION).await;
            assert_eq!(
                version >> regs::VERSION_MAJOR_SHIFT,
                regs::VERSION_MAJOR_VALUE
            );
            let expected = 3
                | bits << regs::CAPS0_ADDR_BITS_SHIFT
                | name << 16
                | regs::CAPS0_CHANNELS_VALUE << 20
                | regs::CAPS0_HAS_LOOPBACK
                | regs::CAPS0_HAS_RINGS
                | regs::CAPS0_HAS_COUNTERS
                | regs::CAPS0_HAS_ADDR_LIMIT;
            assert_eq!(bench.read(regs::CAPS0).await, expected);
            assert_eq!(bench.read(regs::CAPS1).await, 16 | 16 << 16 | 16 << 24);
            assert_eq!(bench.read(regs::CAPS2).await, 512 | 64 << 16);
        });
    }
}

#[test]
fn registers_keep_what_may_be_written_and_reserved_bits_read_0() {
    run(Setup::default(), async |bench| {
        let interrupts = regs::INT_STATUS_MM2S_DONE
            | regs::INT_STATUS_MM2S_ERROR
            | regs::INT_STATUS_MM2S_RING
            | regs::INT_STATUS_S2MM_DONE
            | regs::INT_STATUS_S2MM_ERROR
            | regs::INT_STATUS_S2MM_RING;
        let mut table = vec![
            (regs::ID, regs::ID_MAGIC_VALUE),
            (0x24, 0),
            (regs::INT_STATUS, 0),
            (regs::INT_ENABLE, interrupts),
            (0x80, 0),
            (0xffc, 0),
        ];
        for base in [regs::MM2S_BASE, regs::S2MM_BASE] {
            table.extend([
                (base + reg::STATUS, 0),
                (base + reg::ADDR_LO, u32::MAX),
                (base + reg::ADDR_HI, u32::MAX),
                (base + reg::LENGTH, u32::MAX),
                (base + reg::BYTES_DONE, 0),
                (base + reg::FAIL_ADDR_LO, 0),
                (base + reg::FAIL_ADDR_HI, 0),
                (base + reg::TIMEOUT, u32::MAX),
                // An engine of 32 address bits without boundary: refused, so as they were.
                (base + reg::ADDR_LIMIT, 32 | 32 << 8),
                (base + reg::BOUNDARY, 64),
                (base + 0x2c, 0),
                (base + reg::RING_BASE_LO, 0xffff_fff0),
                (base + reg::RING_BASE_HI, u32::MAX),
                (base + reg::RING_SIZE, 0xffff),
                (base + reg::RING_HEAD, 0),
                (base + reg::RING_COALESCE, 0xffff_00ff),
                (base + reg::RING_STATUS, 0),
                (base + 0x5c, 0),
                (base + reg::RING_FAIL, 0),
                (base + reg::COUNT_BUSY, 0),
                (base + 0xa0, 0),
            ]);
        }
        for (addr, _) in &table {
            bench.write(*addr, u32::MAX).await;
        }
        for (addr, kept) in &table {
            assert_eq!(bench.read(*addr).await, *kept, "{addr:#x}");
        }
        for channel in [bench.mm2s(), bench.s2mm()] {
            // All bits but start.
            channel.write(reg::CONTROL, !reg::CONTROL_START).await;
            let kept = channel.read(reg::CONTROL).await;
            let settings =
                reg::CONTROL_KEEP_OPEN | reg::CONTROL_RING_ENABLE | reg::CONTROL_COUNTERS_ENABLE;
            assert_eq!(kept, settings, "start, stop and the rest read 0");
            channel.write(reg::CONTROL, 0).await;
            assert_eq!(channel.read(reg::CONTROL).await, 0);
        }
        assert_eq!(bench.read(regs::CONTROL).await, 0);
        assert!(!bench.irq(), "nothing has happened");
    });
}

#[test]
fn a_start_while_busy_is_ignored_and_said_so() {
    run(Setup::latency(100), async |bench| {
        let (mm2s, s2mm) = (bench.mm2s(), bench.s2mm());
        let data = bench.fill(SOURCE, 64);
        for (channel, addr) in [(&mm2s, SOURCE), (&s2mm, TARGET)] {
            channel.start(addr, 64).await;
            assert_eq!(channel.status().await, reg::STATUS_BUSY);
            // The next transfer's registers may be written; starting it now does nothing.
            channel.start(SOURCE + 0x100, 5).await;
            let status = channel.status().await;
            assert_eq!(status, reg::STATUS_BUSY | reg::STATUS_START_IGNORED);
            assert_eq!(channel.read(reg::LENGTH).await, 5);
            channel.write(reg::STATUS, reg::STATUS_START_IGNORED).await;
            assert_eq!(channel.status().await, reg::STATUS_BUSY);
            channel.write(reg::CONTROL, reg::CONTROL_START).await;
        }
        let sent = bench.push(64);
        assert_eq!(mm2s.end().await, End::well(64).with_start_ignored());
        let end = End::well(64).with_packet_end().with_start_ignored();
        assert_eq!(s2mm.end().await, end);
        assert_eq!(bench.packet().await, data);
        assert_eq!(bench.memory(TARGET, 64), sent);
        bench.works().await;
        // One each here, and what `works` takes: 3 and 3, and a copy of 7 and 7.
        assert_eq!(bench.bursts().len(), 1 + 1 + 3 + 3 + 7 + 7);
    });
}

#[test]
fn the_next_start_clears_what_the_last_transfer_said() {
    run(Setup::default(), async |bench| {
        let mm2s = bench.mm2s();
        bench.fault(SOURCE, FaultResponse::Decerr);
        bench
            .write(regs::INT_ENABLE, regs::INT_STATUS_MM2S_DONE)
            .await;
        mm2s.start(SOURCE, 8).await;
        mm2s.write(reg::CONTROL, reg::CONTROL_START).await;
        bench.host.wire(0).wait_high(1000).await.expect("it ends");
        let kind = regs::ERROR_KIND_DECERR << reg::STATUS_ERROR_KIND_SHIFT;
        let all = reg::STATUS_DONE | reg::STATUS_ERROR | reg::STATUS_START_IGNORED | kind;
        assert_eq!(mm2s.status().await, all);
        bench.no_faults();
        bench.host.stream_sink(0).pause();
        mm2s.start(SOURCE, 8).await;
        assert_eq!(mm2s.status().await, reg::STATUS_BUSY, "all cleared");
        assert!(!bench.irq());
        bench.host.stream_sink(0).resume();
        assert_eq!(mm2s.end().await, End::well(8));
    });
}

#[test]
fn a_transfer_that_has_begun_tells_of_no_failure() {
    run(Setup::default(), async |bench| {
        for (channel, addr) in [(bench.mm2s(), SOURCE), (bench.s2mm(), TARGET)] {
            // s2mm waits for its packet; mm2s has thousands of bytes to read.
            channel.start(addr, 20_000).await;
            assert_eq!(channel.status().await, reg::STATUS_BUSY);
            assert_eq!(channel.read(reg::FAIL_ADDR_LO).await, 0);
            assert_eq!(channel.read(reg::FAIL_ADDR_HI).await, 0);
            assert_eq!(channel.status().await, reg::STATUS_BUSY);
            channel.stop().await;
            channel.end().await;
        }
    });
}

#[test]
fn loopback_cannot_change_while_a_channel_is_busy() {
    run(Setup::default(), async |bench| {
        let s2mm = bench.s2mm();
        s2mm.start(TARGET, 64).await;
        bench.loopback(true).await;
        assert_eq!(bench.read(regs::CONTROL).await, 0);
        let data = bench.push(64);
        assert_eq!(s2mm.end().await, End::well(64).with_packet_end());
        assert_eq!(bench.memory(TARGET, 64), data);
        bench.loopback(true).await;
        assert_eq!(bench.read(regs::CONTROL).await, regs::CONTROL_LOOPBACK);
        s2mm.start(TARGET, 64).await;
        bench.loopback(false).await;
        assert_eq!(bench.read(regs::CONTROL).await, regs::CONTROL_LOOPBACK);
        let data = bench.fill(SOURCE, 64);
        bench.mm2s().start(SOURCE, 64).await;
        assert_eq!(s2mm.end().await, End::well(64).with_packet_end());
        assert_eq!(bench.mm2s().end().await, End::well(64));
        assert_eq!(bench.memory(TARGET, 64), data);
        bench.works().await;
    });
}

#[test]
fn each_interrupt_follows_its_bit_of_status_and_enable() {
    // Channel, bit of done, bit of error.
    let channels = [
        (
            regs::MM2S_BASE,
            regs::INT_STATUS_MM2S_DONE,
            regs::INT_STATUS_MM2S_ERROR,
        ),
        (
            regs::S2MM_BASE,
            regs::INT_STATUS_S2MM_DONE,
            regs::INT_STATUS_S2MM_ERROR,
        ),
    ];
    for (base, done, error) in channels {
        run(Setup::default(), async move |bench| {
            let (channel, addr) = if base == regs::MM2S_BASE {
                (bench.mm2s(), SOURCE)
            } else {
                (bench.s2mm(), TARGET)
            };
            let others = !(done | error);
            let go = async || {
                channel.start(addr, 8).await;
                if base == regs::S2MM_BASE {
                    bench.push(8);
                }
                while channel.status().await & reg::STATUS_BUSY != 0 {}
            };
            bench.write(regs::INT_ENABLE, others | error).await;
            go().await;
            assert_eq!(bench.read(regs::INT_STATUS).await, done);
            assert!(!bench.irq(), "done is not enabled");
            bench.write(regs::INT_ENABLE, done).await;
            bench.host.sleep(2).await;
            assert!(bench.irq(), "a level: what has happened counts");
            channel.write(reg::STATUS, reg::STATUS_ERROR).await;
            bench.host.sleep(2).await;
            assert!(bench.irq(), "another bit was cleared");
            channel.write(reg::STATUS, reg::STATUS_DONE).await;
            bench.host.sleep(2).await;
            assert!(!bench.irq());
            assert_eq!(bench.read(regs::INT_STATUS).await, 0);

            bench.fault(addr, FaultResponse::Slverr);
            bench.write(regs::INT_ENABLE, others).await;
            go().await;
            assert_eq!(bench.read(regs::INT_STATUS).await, done | error);
            assert!(!bench.irq(), "neither is enabled");
            bench.write(regs::INT_ENABLE, error).await;
            bench.host.sleep(2).await;
            assert!(bench.irq());
            channel.write(reg::STATUS, reg::STATUS_ERROR).await;
            bench.host.sleep(2).await;
            assert!(!bench.irq());
            assert_eq!(bench.read(regs::INT_STATUS).await, done);
            let slverr = regs::ERROR_KIND_SLVERR << reg::STATUS_ERROR_KIND_SHIFT;
            let kind = channel.status().await & reg::STATUS_ERROR_KIND_MASK;
            assert_eq!(kind, slverr, "the cause outlives the interrupt");
        });
    }
}
