//! An engine without rings: `RingDepth` 0, as `rtl/README.md` tells of it.

use rebound::driver::dma_engine_regs as regs;
use rebound::driver::dma_engine_regs::channel as reg;
use rebound::scenario::plan::EnginePlan;

use super::bench::{End, SOURCE, Setup, TARGET, run};
use super::ring::PORT;

fn ringless() -> Setup {
    Setup::of(EnginePlan {
        ring_depth: 0,
        ..EnginePlan::bits(32)
    })
}

#[test]
fn registers_of_rings_that_are_left_out_read_0() {
    run(ringless(), async |bench| {
        let caps = bench.read(regs::CAPS0).await;
        assert_eq!(caps & regs::CAPS0_HAS_RINGS, 0);
        assert_eq!(bench.read(regs::CAPS2).await, 512);
        let kept = regs::INT_STATUS_MM2S_DONE
            | regs::INT_STATUS_MM2S_ERROR
            | regs::INT_STATUS_S2MM_DONE
            | regs::INT_STATUS_S2MM_ERROR;
        bench.write(regs::INT_ENABLE, u32::MAX).await;
        assert_eq!(bench.read(regs::INT_ENABLE).await, kept);
        for channel in [bench.mm2s(), bench.s2mm()] {
            for register in [
                reg::RING_BASE_LO,
                reg::RING_BASE_HI,
                reg::RING_SIZE,
                reg::RING_HEAD,
                reg::RING_TAIL,
                reg::RING_COALESCE,
                reg::RING_STATUS,
                reg::RING_FAIL,
            ] {
                channel.write(register, u32::MAX).await;
                assert_eq!(channel.read(register).await, 0, "{register:#x}");
            }
            let control = reg::CONTROL_RING_ENABLE | reg::CONTROL_RING_RESET;
            channel.write(reg::CONTROL, control).await;
            assert_eq!(channel.read(reg::CONTROL).await, 0);
            assert_eq!(channel.status().await, 0);
        }
    });
}

#[test]
fn an_engine_without_rings_moves_data_and_leaves_the_port_of_the_rings_alone() {
    run(ringless(), async |bench| {
        let (mm2s, s2mm) = (bench.mm2s(), bench.s2mm());
        let data = bench.fill(SOURCE + 3, 0x2345);
        // The bit that would switch the ring on is not there: the start counts.
        mm2s.set(SOURCE + 3, 0x2345).await;
        let control = reg::CONTROL_START | reg::CONTROL_RING_ENABLE;
        mm2s.write(reg::CONTROL, control).await;
        assert_eq!(bench.packet().await, data);
        assert_eq!(mm2s.end().await, End::well(0x2345));
        let data = bench.push(5000);
        s2mm.start(TARGET + 1, 5000).await;
        assert_eq!(s2mm.end().await, End::well(5000).with_packet_end());
        assert_eq!(bench.memory(TARGET + 1, 5000), data);
        bench.works().await;
        assert!(bench.bursts().iter().all(|burst| burst.port != PORT));
    });
}
