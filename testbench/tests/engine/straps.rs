//! The address limit at run time: `ADDR_LIMIT` and `BOUNDARY`, for data and for rings.

use rebound::driver::dma_engine_descriptor::{DONE, ERROR};
use rebound::driver::dma_engine_regs as regs;
use rebound::driver::dma_engine_regs::channel as reg;
use rebound::scenario::plan::{AddrMode, EnginePlan, low_bits};
use rebound_sim::events::Direction;

use super::bench::{Bench, Channel, End, SOURCE, Setup, TARGET, run};
use super::failures::each_mode;
use super::ring::{PORT, Ring};

/// A place that 16 address bits reach.
const LOW: u64 = 0x8000;
/// Where a ring lies that 20 address bits reach.
const RING: u64 = 0x3_0000;
/// Powers of two at which there is RAM: a transfer can come to them. At 24 and 32 bits it also goes on behind them.
const ENDS_IN_RAM: [u32; 9] = [16, 17, 18, 19, 20, 21, 22, 24, 32];

/// An engine with all address bits, which is strapped to fewer.
fn full(addr_mode: AddrMode) -> EnginePlan {
    EnginePlan {
        addr_mode,
        ..EnginePlan::bits(64)
    }
}

/// Straps a channel, and returns what it then says.
async fn strap(channel: &Channel, bits: u32, ring_bits: u32) -> (u32, u32) {
    let value = bits | ring_bits << reg::ADDR_LIMIT_RING_BITS_SHIFT;
    channel.write(reg::ADDR_LIMIT, value).await;
    limit(channel).await
}

async fn limit(channel: &Channel) -> (u32, u32) {
    let found = channel.read(reg::ADDR_LIMIT).await;
    let ring_bits = (found & reg::ADDR_LIMIT_RING_BITS_MASK) >> reg::ADDR_LIMIT_RING_BITS_SHIFT;
    (found & reg::ADDR_LIMIT_BITS_MASK, ring_bits)
}

/// Straps both channels to as many address bits.
pub(super) async fn strap_both(bench: &Bench, bits: u32) {
    for channel in [bench.mm2s(), bench.s2mm()] {
        assert_eq!(strap(&channel, bits, bits).await, (bits, bits));
    }
}

async fn bound_both(bench: &Bench, bits: u32) {
    for channel in [bench.mm2s(), bench.s2mm()] {
        channel.write(reg::BOUNDARY, bits).await;
        assert_eq!(channel.read(reg::BOUNDARY).await, bits);
    }
}

/// 2 to the power of `bits`, as far as addresses go.
fn power(bits: u32) -> u64 {
    1_u64.checked_shl(bits).expect("fewer than 64 bits")
}

/// Sends the bytes of some pieces of memory as one transfer from `addr`, and writes others there.
async fn goes_through(bench: &Bench, addr: u64, pieces: &[(u64, usize)]) {
    let length = pieces.iter().map(|(_, bytes)| bytes).sum::<usize>();
    let bytes = u32::try_from(length).expect("small");
    let there: Vec<Vec<u8>> = pieces
        .iter()
        .map(|(at, bytes)| bench.fill(*at, *bytes))
        .collect();
    bench.mm2s().start(addr, bytes).await;
    assert_eq!(bench.mm2s().end().await, End::well(bytes), "{addr:#x}");
    assert_eq!(bench.packet().await, there.concat(), "{addr:#x}");

    let data = bench.push(length);
    bench.s2mm().start(addr, bytes).await;
    let end = End::well(bytes).with_packet_end();
    assert_eq!(bench.s2mm().end().await, end, "{addr:#x}");
    let found: Vec<Vec<u8>> = pieces
        .iter()
        .map(|(at, bytes)| bench.memory(*at, *bytes))
        .collect();
    assert_eq!(found.concat(), data, "{addr:#x}");
}

/// Both channels come to an address where nothing is.
async fn leads_nowhere(bench: &Bench, addr: u64) {
    let end = End::failed(regs::ERROR_KIND_DECERR, 0, addr);
    bench.mm2s().start(addr, 8).await;
    assert_eq!(bench.mm2s().end().await, end);
    assert_eq!(bench.packet().await, [0; 0]);
    bench.push(8);
    bench.s2mm().start(addr, 8).await;
    assert_eq!(bench.s2mm().end().await, end.with_packet_end());
}

#[test]
fn straps_take_what_the_engine_can_have_and_refuse_the_rest() {
    for engine in each_mode() {
        run(Setup::of(engine), async move |bench| {
            let built = engine.addr_bits;
            let boundary = match engine.addr_mode {
                AddrMode::Truncate | AddrMode::Error => 64,
                AddrMode::Wrap64K => 16,
                AddrMode::Boundary => engine.boundary_bits,
            };
            for (channel, other) in [(bench.mm2s(), bench.s2mm()), (bench.s2mm(), bench.mm2s())] {
                assert_eq!(limit(&channel).await, (built, built));
                assert_eq!(channel.read(reg::BOUNDARY).await, boundary);
                let mut there = (built, built);
                for value in 0..=255 {
                    let fits = (16..=built).contains(&value);
                    if fits {
                        there.0 = value;
                    }
                    assert_eq!(strap(&channel, value, 0).await, there, "{value}");
                    if fits {
                        there.1 = value;
                    }
                    assert_eq!(strap(&channel, 0, value).await, there, "{value}");
                }
                let mut there = boundary;
                for value in 0..=255 {
                    let may = engine.addr_mode == AddrMode::Boundary;
                    if may && (12..=64).contains(&value) {
                        there = value;
                    }
                    channel.write(reg::BOUNDARY, value).await;
                    assert_eq!(channel.read(reg::BOUNDARY).await, there, "{value}");
                }
                assert_eq!(strap(&channel, built, built).await, (built, built));
                channel.write(reg::BOUNDARY, boundary).await;
                assert_eq!(limit(&other).await, (built, built), "a channel's own");
            }
            bench.works().await;
        });
    }
}

#[test]
fn a_truncating_engine_drops_the_bits_from_each_strap_value_on() {
    for mode in [AddrMode::Truncate, AddrMode::Boundary] {
        run(Setup::of(full(mode)), async |bench| {
            for bits in 16..=64 {
                strap_both(&bench, bits).await;
                if bits < 64 {
                    let beyond = !low_bits(bits);
                    goes_through(&bench, beyond | LOW, &[(LOW, 50)]).await;
                    goes_through(&bench, power(bits) | LOW, &[(LOW, 50)]).await;
                }
                let highest = power(bits - 1) | LOW;
                // There is RAM up to 4 MiB, and behind 16 MiB and 4 GiB.
                if bits <= 22 || [25, 33].contains(&bits) {
                    goes_through(&bench, highest, &[(highest, 50)]).await;
                } else {
                    leads_nowhere(&bench, highest).await;
                }
                if ENDS_IN_RAM.contains(&bits) {
                    let end = power(bits);
                    goes_through(&bench, end - 20, &[(end - 20, 20), (0, 30)]).await;
                }
            }
            strap_both(&bench, 64).await;
            bench.works().await;
        });
    }
}

#[test]
fn a_refusing_engine_refuses_from_each_strap_value_on() {
    run(Setup::of(full(AddrMode::Error)), async |bench| {
        let (mm2s, s2mm) = (bench.mm2s(), bench.s2mm());
        for bits in 16..=64 {
            strap_both(&bench, bits).await;
            // Beyond 64 bits comes address 0 again.
            let end = 1_u64.checked_shl(bits).unwrap_or(0);
            let before = end.wrapping_sub(20);
            let bursts = bench.bursts().len();
            let mut beyond = vec![(before, 21, end)];
            if bits < 64 {
                beyond.extend([(end, 1, end), (u64::MAX, 1, u64::MAX), (0, u32::MAX, end)]);
            }
            for (addr, length, fails) in beyond {
                if u128::from(addr) + u128::from(length) <= 1 << bits {
                    continue;
                }
                let refused = End::failed(regs::ERROR_KIND_ADDR_LIMIT, 0, fails);
                for channel in [&mm2s, &s2mm] {
                    channel.start(addr, length).await;
                    assert_eq!(channel.end().await, refused, "{addr:#x} at {bits} bits");
                }
            }
            assert_eq!(bench.bursts().len(), bursts, "no access at {bits} bits");
            if ENDS_IN_RAM.contains(&bits) {
                goes_through(&bench, before, &[(before, 20)]).await;
            } else {
                leads_nowhere(&bench, end.wrapping_sub(8)).await;
            }
        }
        bench.works().await;
    });
}

#[test]
fn an_address_does_not_carry_over_any_boundary() {
    run(Setup::of(full(AddrMode::Boundary)), async |bench| {
        for bits in 12..=64 {
            bound_both(&bench, bits).await;
            // The second block where that is in RAM, to see that the bits above stay.
            let block = if bits <= 21 { power(bits) } else { 0 };
            if bits <= 22 || ENDS_IN_RAM.contains(&bits) {
                let end = block + power(bits);
                // RAM ends at 4 MiB.
                let has_next = ![21, 22].contains(&bits);
                let behind = if has_next {
                    bench.fill(end, 64)
                } else {
                    Vec::new()
                };
                goes_through(&bench, end - 20, &[(end - 20, 20), (block, 30)]).await;
                if has_next {
                    assert_eq!(bench.memory(end, 64), behind, "no carry at {bits} bits");
                }
            }
            // Boundaries are not where they are not: 64 KiB and 16 MiB and 4 GiB lie within larger ones.
            for inner in [16, 24, 32].into_iter().filter(|inner| *inner < bits) {
                let at = power(inner) - 20;
                goes_through(&bench, at, &[(at, 50)]).await;
            }
        }
        bench.works().await;
    });
}

#[test]
fn a_transfer_longer_than_its_boundary_goes_round() {
    run(Setup::of(full(AddrMode::Boundary)), async |bench| {
        bound_both(&bench, 12).await;
        let page = bench.fill(SOURCE, 4096);
        bench.mm2s().start(SOURCE + 96, 3 * 4096).await;
        let mut round = page[96..].to_vec();
        round.extend_from_slice(&page[..96]);
        assert_eq!(bench.packet().await, round.repeat(3));
        assert_eq!(bench.mm2s().end().await, End::well(3 * 4096));

        let data = bench.push(2 * 4096 + 7);
        bench.s2mm().start(TARGET + 1, 2 * 4096 + 7).await;
        let end = End::well(2 * 4096 + 7).with_packet_end();
        assert_eq!(bench.s2mm().end().await, end);
        // What came last lies on top.
        let mut last = data[4096..2 * 4096].to_vec();
        last[..7].copy_from_slice(&data[2 * 4096..]);
        last.rotate_right(1);
        assert_eq!(bench.memory(TARGET, 4096), last);
        bench.works().await;
    });
}

#[test]
fn boundary_and_limit_hold_together() {
    run(Setup::of(full(AddrMode::Boundary)), async |bench| {
        strap_both(&bench, 20).await;
        bound_both(&bench, 16).await;
        let (block, end) = (power(20) - power(16), power(20));
        let pieces = [(end - 20, 20), (block, 30)];
        goes_through(&bench, 5 << 20 | (end - 20), &pieces).await;
        // A boundary beyond the limit is none.
        bound_both(&bench, 30).await;
        goes_through(&bench, end - 20, &[(end - 20, 20), (0, 30)]).await;
    });
}

#[test]
fn a_strap_that_changes_during_a_transfer_takes_effect_at_the_next_start() {
    let setup = Setup {
        engine: full(AddrMode::Boundary),
        ..Setup::latency(100)
    };
    run(setup, async |bench| {
        let (mm2s, s2mm) = (bench.mm2s(), bench.s2mm());
        let length = 0x3000;
        // Nothing of either transfer is done before all its bursts but the first are still to come.
        bench.host.stream_sink(0).pause();
        let data = bench.fill(SOURCE + 0x10, length);
        let bytes = u32::try_from(length).expect("small");
        mm2s.start(SOURCE + 0x10, bytes).await;
        s2mm.start(TARGET + 0x10, bytes).await;
        strap_both(&bench, 16).await;
        bound_both(&bench, 12).await;
        for channel in [&mm2s, &s2mm] {
            assert_eq!(channel.status().await, reg::STATUS_BUSY);
        }
        bench.host.stream_sink(0).resume();
        let sent = bench.push(length);
        assert_eq!(bench.packet().await, data);
        assert_eq!(mm2s.end().await, End::well(bytes));
        assert_eq!(s2mm.end().await, End::well(bytes).with_packet_end());
        assert_eq!(bench.memory(TARGET + 0x10, length), sent);
        // SOURCE is LOW for 16 bits, and its page has no next one.
        let at = SOURCE | LOW | 0xff0;
        goes_through(&bench, at, &[(LOW | 0xff0, 16), (LOW, 30)]).await;
    });
}

/// Puts a ring of which the memory is known at another address.
pub(super) async fn enable_at(ring: &Ring, base: u64) {
    let channel = &ring.channel;
    channel.write(reg::CONTROL, 0).await;
    channel.write(reg::CONTROL, reg::CONTROL_RING_RESET).await;
    let [low, high] = [base & 0xffff_ffff, base >> 32].map(|half| u32::try_from(half).expect("32"));
    channel.write(reg::RING_BASE_LO, low).await;
    channel.write(reg::RING_BASE_HI, high).await;
    channel.write(reg::CONTROL, reg::CONTROL_RING_ENABLE).await;
}

/// Posts some sends of 40 bytes, each addressed with the bits `beyond` too many, and checks that they come.
async fn sends(bench: &Bench, ring: &Ring, count: u32, beyond: u64) {
    let mut sent = Vec::new();
    for part in 0..count {
        let addr = LOW + u64::from(part) * 0x41;
        let data = bench.fill(addr, 40);
        sent.push((ring.post(addr | beyond, 40, 0), data));
    }
    ring.doorbell().await;
    for (_, data) in &sent {
        assert_eq!(bench.packet().await, *data);
    }
    ring.settle().await;
    for (index, _) in sent {
        assert_eq!(ring.written(index), (40, DONE));
    }
}

#[test]
fn a_ring_and_its_buffers_have_limits_of_their_own() {
    for mode in [AddrMode::Truncate, AddrMode::Boundary] {
        run(Setup::of(full(mode)), async |bench| {
            for (bits, ring_bits) in [(17, 20), (20, 18), (31, 18), (64, 19)] {
                let beyond = if bits < 64 { !low_bits(bits) } else { 0 };
                let mm2s = bench.mm2s();
                assert_eq!(strap(&mm2s, bits, ring_bits).await, (bits, ring_bits));
                let ring = Ring::enable(&bench, mm2s, RING, 8).await;
                enable_at(&ring, !low_bits(ring_bits) | RING).await;
                sends(&bench, &ring, 7, beyond).await;
                sends(&bench, &ring, 7, beyond).await;
                let addresses = bench
                    .bursts()
                    .into_iter()
                    .filter(|burst| burst.port == PORT);
                for burst in addresses {
                    let at = burst.dma.raw();
                    assert!((RING..RING + 8 * 16).contains(&at), "{at:#x}");
                }
                ring.channel.write(reg::CONTROL, 0).await;
            }
        });
    }
}

#[test]
fn a_refusing_engine_knows_ring_and_buffers_apart() {
    run(Setup::of(full(AddrMode::Error)), async |bench| {
        let kind = regs::ERROR_KIND_ADDR_LIMIT;
        // The ring ends where 18 bits do; its buffers lie higher.
        let base = power(18) - 8 * 16;
        for channel in [bench.mm2s(), bench.s2mm()] {
            assert_eq!(strap(&channel, 20, 18).await, (20, 18));
        }
        let ring = Ring::enable(&bench, bench.mm2s(), base, 8).await;
        sends(&bench, &ring, 3, 0).await;
        let failing = ring.post(power(20) - 10, 11, 0);
        ring.doorbell().await;
        assert_eq!(ring.halt().await, failing + 1);
        let source = regs::ERROR_SOURCE_DATA;
        assert_eq!(ring.failure().await, (kind, source, power(20), failing));
        assert_eq!(ring.written(failing), (0, DONE | ERROR | kind << 8));
        ring.resume().await;
        sends(&bench, &ring, 2, 0).await;

        // One descriptor more is one too many.
        ring.channel.write(reg::CONTROL, 0).await;
        for channel in [bench.mm2s(), bench.s2mm()] {
            let ring = Ring::enable(&bench, channel, base, 9).await;
            ring.post(LOW, 8, 0);
            let fetches = bench.bursts().len();
            ring.doorbell().await;
            assert_eq!(ring.halt().await, 0);
            let source = regs::ERROR_SOURCE_FETCH;
            assert_eq!(ring.failure().await, (kind, source, base, 0));
            assert_eq!(bench.bursts().len(), fetches, "not even looked at");
            ring.channel.write(reg::STATUS, reg::STATUS_ERROR).await;
            ring.channel.write(reg::CONTROL, 0).await;
        }
    });
}

#[test]
fn a_ring_does_not_carry_over_the_boundary() {
    run(Setup::of(full(AddrMode::Boundary)), async |bench| {
        bound_both(&bench, 12).await;
        // Four places to the page's end, and four from its beginning on.
        let page = RING + 0x1000;
        let base = page + 0x1000 - 4 * 16;
        let ring = Ring::enable(&bench, bench.mm2s(), page, 8).await;
        let mut sent = Vec::new();
        for part in 0..7_u64 {
            let data = bench.fill(LOW + part * 0x41, 40);
            ring.post(LOW + part * 0x41, 40, 0);
            sent.push(data);
        }
        // As posted they lie in a row: the first four belong to the end of the page.
        let posted = bench.memory(page, 7 * 16);
        for (at, descriptor) in [(base, &posted[..4 * 16]), (page, &posted[4 * 16..])] {
            bench.put(at, descriptor);
        }
        let behind = bench.fill(page + 0x1000, 4 * 16);
        enable_at(&ring, base).await;
        ring.doorbell().await;
        for data in sent {
            assert_eq!(bench.packet().await, data);
        }
        ring.settle().await;
        let places = [
            base,
            base + 16,
            base + 32,
            base + 48,
            page,
            page + 16,
            page + 32,
        ];
        for at in places {
            let flags = bench.memory(at + 12, 4);
            assert_eq!(flags, DONE.to_le_bytes(), "{at:#x}");
        }
        assert_eq!(bench.memory(page + 0x1000, 4 * 16), behind);
        let mut starts: Vec<u64> = bench
            .bursts()
            .into_iter()
            .filter(|burst| burst.port == PORT && burst.direction == Direction::Read)
            .map(|burst| burst.dma.raw())
            .collect();
        starts.dedup();
        // One descriptor, one, two, up to the boundary; then the rest.
        assert_eq!(starts, [base, base + 16, base + 32, page]);
    });
}

#[test]
fn a_ring_keeps_the_limit_with_which_it_was_switched_on() {
    run(Setup::of(full(AddrMode::Boundary)), async |bench| {
        let mm2s = bench.mm2s();
        assert_eq!(strap(&mm2s, 64, 18).await, (64, 18));
        let ring = Ring::enable(&bench, mm2s, RING, 8).await;
        enable_at(&ring, power(20) | RING).await;
        sends(&bench, &ring, 3, 0).await;
        // The ring still reads RING; its buffers follow at once.
        assert_eq!(strap(&ring.channel, 16, 64).await, (16, 64));
        sends(&bench, &ring, 3, power(16)).await;
        // Switched on again it is where its base says.
        ring.channel.write(reg::CONTROL, 0).await;
        let ring = Ring::enable(&bench, bench.mm2s(), power(20) | RING, 8).await;
        sends(&bench, &ring, 3, power(16)).await;
    });
}
