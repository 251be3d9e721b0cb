//! The fewest address bits: no Linux device has a mask of 16 bits, so this engine is driven here, not by the suite.

use rebound::driver::dma_engine_regs as regs;
use rebound::scenario::plan::{AddrMode, EnginePlan};

use super::bench::{End, Setup, run};

/// First address beyond 16 bits.
const LIMIT: u64 = 1 << 16;

/// 16 address bits, a 256-bit bus, bursts of 5 beats: none of them usual.
fn engine(addr_mode: AddrMode) -> EnginePlan {
    EnginePlan {
        data_width: 256,
        addr_mode,
        max_burst_beats: 5,
        max_reads: 3,
        max_writes: 1,
        fifo_depth: 8,
        ..EnginePlan::bits(16)
    }
}

#[test]
fn an_engine_of_16_address_bits_reaches_its_64_kib_and_wraps() {
    run(Setup::of(engine(AddrMode::Truncate)), async |bench| {
        let (mm2s, s2mm) = (bench.mm2s(), bench.s2mm());
        let all = bench.fill(0, 0x1_0000);
        mm2s.start(0, 0x1_0000).await;
        assert_eq!(bench.packet().await, all);
        assert_eq!(mm2s.end().await, End::well(0x1_0000));
        let data = bench.push(1000);
        s2mm.start(0xabc0 << 16 | (LIMIT - 333), 1000).await;
        assert_eq!(s2mm.end().await, End::well(1000).with_packet_end());
        assert_eq!(bench.memory(LIMIT - 333, 333), data[..333]);
        assert_eq!(bench.memory(0, 667), data[333..]);
        assert_eq!(bench.memory(LIMIT, 64), [0; 64], "nothing beyond");
    });
}

#[test]
fn an_engine_of_16_address_bits_refuses_the_17th() {
    run(Setup::of(engine(AddrMode::Error)), async |bench| {
        let (mm2s, s2mm) = (bench.mm2s(), bench.s2mm());
        let refused = |addr| End::failed(regs::ERROR_KIND_ADDR_LIMIT, 0, addr);
        for (addr, length, beyond) in [(LIMIT, 1, LIMIT), (LIMIT - 9, 10, LIMIT)] {
            mm2s.start(addr, length).await;
            assert_eq!(mm2s.end().await, refused(beyond));
            s2mm.start(addr, length).await;
            assert_eq!(s2mm.end().await, refused(beyond));
        }
        assert_eq!(bench.bursts(), []);
        let data = bench.fill(LIMIT - 9, 9);
        bench.loopback(true).await;
        s2mm.start(1, 9).await;
        mm2s.start(LIMIT - 9, 9).await;
        assert_eq!(s2mm.end().await, End::well(9).with_packet_end());
        assert_eq!(mm2s.end().await, End::well(9));
        assert_eq!(bench.memory(1, 9), data);
    });
}
