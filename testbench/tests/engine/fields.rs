//! The register map field by field: what each register keeps, byte by byte, and that it is nobody else's business.

use rebound::driver::dma_engine_regs as regs;
use rebound::driver::dma_engine_regs::channel as reg;
use rebound_sim::axi::FaultResponse;

use super::bench::{Bench, Channel, SOURCE, Setup, TARGET, run};
use super::ring::Ring;

/// A register of an engine of 32 address bits, mode Truncate, and what becomes of a write while nothing is in work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Register {
    addr: u32,
    reset: u32,
    /// Bits that read back as they were written.
    keeps: u32,
    /// Bits that these tests never write as 1, since they start something.
    acts: u32,
}

const fn register(addr: u32, reset: u32, keeps: u32) -> Register {
    Register {
        addr,
        reset,
        keeps,
        acts: 0,
    }
}

const ALL: u32 = u32::MAX;
const INTERRUPTS: u32 = regs::INT_ENABLE_MM2S_DONE
    | regs::INT_ENABLE_MM2S_ERROR
    | regs::INT_ENABLE_MM2S_RING
    | regs::INT_ENABLE_S2MM_DONE
    | regs::INT_ENABLE_S2MM_ERROR
    | regs::INT_ENABLE_S2MM_RING;
const SETTINGS: u32 =
    reg::CONTROL_KEEP_OPEN | reg::CONTROL_RING_ENABLE | reg::CONTROL_COUNTERS_ENABLE;
const VERSION: u32 = regs::VERSION_MAJOR_VALUE << regs::VERSION_MAJOR_SHIFT
    | regs::VERSION_MINOR_VALUE << regs::VERSION_MINOR_SHIFT;
const CAPS0: u32 = 3 << regs::CAPS0_BEAT_BYTES_LOG2_SHIFT
    | 32 << regs::CAPS0_ADDR_BITS_SHIFT
    | regs::ADDR_MODE_TRUNCATE << regs::CAPS0_ADDR_MODE_SHIFT
    | regs::CAPS0_CHANNELS_VALUE << regs::CAPS0_CHANNELS_SHIFT
    | regs::CAPS0_HAS_LOOPBACK
    | regs::CAPS0_HAS_RINGS
    | regs::CAPS0_HAS_COUNTERS
    | regs::CAPS0_HAS_ADDR_LIMIT;
const CAPS1: u32 = 16 << regs::CAPS1_MAX_BURST_BEATS_SHIFT
    | 16 << regs::CAPS1_MAX_READS_SHIFT
    | 16 << regs::CAPS1_MAX_WRITES_SHIFT;
const CAPS2: u32 = 512 << regs::CAPS2_FIFO_BEATS_SHIFT | 64 << regs::CAPS2_RING_DESCRIPTORS_SHIFT;

const GLOBALS: [Register; 8] = [
    register(regs::ID, regs::ID_MAGIC_VALUE, 0),
    register(regs::VERSION, VERSION, 0),
    register(regs::CAPS0, CAPS0, 0),
    register(regs::CAPS1, CAPS1, 0),
    register(regs::CAPS2, CAPS2, 0),
    register(regs::CONTROL, 0, regs::CONTROL_LOOPBACK),
    register(regs::INT_STATUS, 0, 0),
    register(regs::INT_ENABLE, 0, INTERRUPTS),
];

/// `ADDR_LIMIT` and `BOUNDARY` refuse each of the patterns here: `straps.rs` has the values that they take.
const CHANNEL: [Register; 25] = [
    Register {
        // A stop halts even a ring that is idle.
        acts: reg::CONTROL_START | reg::CONTROL_STOP,
        ..register(reg::CONTROL, 0, SETTINGS)
    },
    register(reg::STATUS, 0, 0),
    register(reg::ADDR_LO, 0, ALL),
    register(reg::ADDR_HI, 0, ALL),
    register(reg::LENGTH, 0, ALL),
    register(reg::BYTES_DONE, 0, 0),
    register(reg::FAIL_ADDR_LO, 0, 0),
    register(reg::FAIL_ADDR_HI, 0, 0),
    register(reg::TIMEOUT, 0, ALL),
    register(reg::BOUNDARY, 64, 0),
    register(reg::RING_BASE_LO, 0, reg::RING_BASE_LO_VALUE_MASK),
    register(reg::RING_BASE_HI, 0, ALL),
    register(reg::RING_SIZE, 0, reg::RING_SIZE_COUNT_MASK),
    register(reg::RING_HEAD, 0, 0),
    register(reg::RING_TAIL, 0, reg::RING_TAIL_INDEX_MASK),
    register(
        reg::RING_COALESCE,
        1 << reg::RING_COALESCE_COUNT_SHIFT,
        reg::RING_COALESCE_COUNT_MASK | reg::RING_COALESCE_DELAY_MASK,
    ),
    register(reg::RING_STATUS, 0, 0),
    register(reg::RING_FAIL, 0, 0),
    register(reg::COUNT_BUSY, 0, 0),
    register(reg::COUNT_BEATS, 0, 0),
    register(reg::COUNT_STALL_ADDRESS, 0, 0),
    register(reg::COUNT_STALL_DATA, 0, 0),
    register(reg::COUNT_STALL_STREAM, 0, 0),
    register(reg::COUNT_OUTSTANDING, 0, 0),
    register(reg::ADDR_LIMIT, LIMITS, 0),
];
const LIMITS: u32 = 32 << reg::ADDR_LIMIT_BITS_SHIFT | 32 << reg::ADDR_LIMIT_RING_BITS_SHIFT;
/// What `ADDR_LIMIT` takes of 8-bit patterns that are a power of two.
const STRAPS_TAKEN: [u32; 2] = [16, 32];

/// Bytes behind which nothing is.
const MAP_END: u32 = 0x300;
/// Bytes of the port's address space.
const SPACE: u32 = 0x1000;

/// All registers.
fn registers() -> Vec<Register> {
    let in_channel = |base| {
        CHANNEL.into_iter().map(move |register| Register {
            addr: base + register.addr,
            ..register
        })
    };
    let mut all = GLOBALS.to_vec();
    all.extend(in_channel(regs::MM2S_BASE));
    all.extend(in_channel(regs::S2MM_BASE));
    all
}

fn is_strap(register: &Register) -> bool {
    register.addr & 0xff == reg::ADDR_LIMIT && register.addr >= regs::MM2S_BASE
}

/// Reads words from the beginning of the map.
async fn map(bench: &Bench, bytes: u32) -> Vec<u32> {
    let mut words = Vec::new();
    for addr in (0..bytes).step_by(4) {
        words.push(bench.read(addr).await);
    }
    words
}

/// What the map should read when each register reads as `value` says, and what is between them 0.
fn expected(bytes: u32, value: impl Fn(&Register) -> u32) -> Vec<u32> {
    let mut words = vec![0; bytes as usize / 4];
    for register in registers() {
        words[register.addr as usize / 4] = value(&register);
    }
    words
}

/// Compares maps, and says where they differ.
fn assert_same(found: &[u32], expected: &[u32], when: &str) {
    let differs = |(_, (found, expected)): &(usize, (&u32, &u32))| found != expected;
    let pairs = found.iter().zip(expected).enumerate();
    let list: Vec<String> = pairs
        .filter(differs)
        .map(|(word, (found, expected))| {
            format!("{:#x}: {found:#x}, expected {expected:#x}", 4 * word)
        })
        .collect();
    assert!(list.is_empty(), "{when}: {}", list.join("; "));
}

/// Writes one byte of a register alone.
async fn write_byte(bench: &Bench, addr: u32, lane: u32, value: u32) {
    let registers = bench.host.registers(0);
    let at = u64::from(addr + lane);
    let written = registers.write_bytes(at, value.into(), 1).await;
    written.expect("registers answer");
}

#[test]
fn every_register_has_its_value_of_reset_and_everything_else_reads_0() {
    run(Setup::default(), async |bench| {
        let reset = expected(SPACE, |register| register.reset);
        assert_same(&map(&bench, SPACE).await, &reset, "after the reset");
        for register in registers() {
            bench.write(register.addr, !register.acts).await;
        }
        for register in registers() {
            bench.write(register.addr, register.keeps).await;
        }
        bench.host.reset(8).await;
        bench.host.sleep(1).await;
        assert_same(&map(&bench, SPACE).await, &reset, "after another reset");
        bench.works().await;
    });
}

#[test]
fn every_bit_that_can_be_written_is_kept_and_no_other_and_changes_no_other_register() {
    run(Setup::default(), async |bench| {
        let reset = expected(MAP_END, |register| register.reset);
        for register in registers() {
            let Register {
                addr,
                reset: fixed,
                keeps,
                acts,
            } = register;
            let straps = is_strap(&register);
            let alone = |value: u32| {
                let mut words = reset.clone();
                words[addr as usize / 4] = if keeps == 0 { fixed } else { value & keeps };
                words
            };
            for value in [!acts, 0, 0xaaaa_aaaa & !acts, 0x5555_5555 & !acts] {
                bench.write(addr, value).await;
                let when = format!("{value:#x} written to {addr:#x}");
                assert_same(&map(&bench, MAP_END).await, &alone(value), &when);
            }
            for bit in (0..32).filter(|bit| acts & 1 << bit == 0) {
                for value in [1 << bit, !(1 << bit) & !acts] {
                    bench.write(addr, value).await;
                    let bytes = [value & 0xff, value >> 8 & 0xff];
                    if straps && bytes.iter().any(|byte| STRAPS_TAKEN.contains(byte)) {
                        bench.write(addr, LIMITS).await;
                        continue;
                    }
                    let kept = alone(value)[addr as usize / 4];
                    assert_eq!(bench.read(addr).await, kept, "{value:#x} in {addr:#x}");
                }
            }
            bench.write(addr, fixed & !acts).await;
            let when = format!("walking through {addr:#x}");
            assert_same(&map(&bench, MAP_END).await, &reset, &when);
        }
        assert!(!bench.irq(), "nothing has happened");
        assert_eq!(bench.bursts(), []);
    });
}

#[test]
fn each_byte_is_written_alone() {
    run(Setup::default(), async |bench| {
        for Register {
            addr, keeps, acts, ..
        } in registers()
            .into_iter()
            .filter(|register| register.keeps != 0)
        {
            for lane in 0..4 {
                let byte = 0xff << (8 * lane);
                let value = |word: u32| (word >> (8 * lane)) & 0xff;
                bench.write(addr, 0).await;
                write_byte(&bench, addr, lane, value(!acts)).await;
                let found = bench.read(addr).await;
                assert_eq!(found, keeps & byte, "byte {lane} of {addr:#x} set");
                bench.write(addr, !acts).await;
                write_byte(&bench, addr, lane, 0).await;
                let found = bench.read(addr).await;
                assert_eq!(found, keeps & !byte, "byte {lane} of {addr:#x} cleared");
                bench.write(addr, 0).await;
            }
        }
        // Start lies in the byte that was not written.
        for channel in [bench.mm2s(), bench.s2mm()] {
            assert_eq!(channel.status().await, 0, "nothing was started");
        }
    });
}

#[test]
fn what_is_written_beside_the_registers_goes_nowhere() {
    run(Setup::default(), async |bench| {
        // Something to lose in each of them, and each its own.
        let value = |register: &Register| {
            let mixed = register.addr.wrapping_mul(0x9e37_79b9) | 0x10;
            let settings = mixed & register.keeps & !reg::CONTROL_RING_ENABLE;
            let is_control = register.acts != 0;
            if register.keeps == 0 {
                register.reset
            } else if is_control {
                settings | reg::CONTROL_KEEP_OPEN
            } else {
                mixed & register.keeps
            }
        };
        let all = registers();
        for register in all.iter().filter(|register| register.keeps != 0) {
            bench.write(register.addr, value(register)).await;
        }
        let full = expected(SPACE, value);
        assert_same(&map(&bench, SPACE).await, &full, "all written");
        for addr in (0..SPACE).step_by(4) {
            if all.iter().all(|register| register.addr != addr) {
                bench.write(addr, ALL).await;
            }
        }
        assert_same(&map(&bench, SPACE).await, &full, "written beside them");
        assert_eq!(bench.bursts(), []);
    });
}

/// Lets a transfer of the channel fail after 8 bytes, with a start that is ignored on the way.
async fn fail(bench: &Bench, channel: &Channel, addr: u64) {
    bench.fault(addr + 128, FaultResponse::Decerr);
    channel.start(addr, 256).await;
    let control = reg::CONTROL_START | reg::CONTROL_COUNTERS_ENABLE;
    channel.write(reg::CONTROL, control).await;
    bench.push(256);
    while channel.status().await & reg::STATUS_BUSY != 0 {}
    bench.no_faults();
}

#[test]
fn what_tells_of_a_transfer_is_not_written() {
    run(Setup::default(), async |bench| {
        for (channel, addr) in [(bench.mm2s(), SOURCE), (bench.s2mm(), TARGET)] {
            fail(&bench, &channel, addr).await;
            let count = reg::CONTROL_COUNTERS_ENABLE;
            channel.write(reg::CONTROL, count).await;
            let told = [
                reg::BYTES_DONE,
                reg::FAIL_ADDR_LO,
                reg::COUNT_BUSY,
                reg::COUNT_BEATS,
                reg::COUNT_OUTSTANDING,
            ];
            let before = map(&bench, MAP_END).await;
            for register in told {
                assert_ne!(channel.read(register).await, 0, "{register:#x} tells");
                for value in [0, ALL] {
                    channel.write(register, value).await;
                }
            }
            bench.write(regs::INT_STATUS, ALL).await;
            assert_same(&map(&bench, MAP_END).await, &before, "read only");
            channel.write(reg::CONTROL, 0).await;
            channel.write(reg::STATUS, ALL).await;
        }
    });
}

#[test]
fn each_bit_of_status_is_cleared_by_itself_alone() {
    run(Setup::default(), async |bench| {
        let bits = [
            reg::STATUS_DONE,
            reg::STATUS_ERROR,
            reg::STATUS_START_IGNORED,
        ];
        for (channel, addr) in [(bench.mm2s(), SOURCE), (bench.s2mm(), TARGET)] {
            for bit in bits {
                fail(&bench, &channel, addr).await;
                let all = channel.status().await;
                for set in bits {
                    assert_eq!(all & set, set, "{all:#x}");
                }
                let base = if addr == SOURCE {
                    regs::MM2S_BASE
                } else {
                    regs::S2MM_BASE
                };
                channel.write(reg::STATUS, 0).await;
                for lane in 1..4 {
                    write_byte(&bench, base + reg::STATUS, lane, 0xff).await;
                }
                assert_eq!(channel.status().await, all, "nothing is cleared");
                channel
                    .write(reg::STATUS, !(bits[0] | bits[1] | bits[2]))
                    .await;
                assert_eq!(channel.status().await, all, "nothing is cleared");
                channel.write(reg::STATUS, bit).await;
                assert_eq!(channel.status().await, all & !bit);
                channel.write(reg::STATUS, ALL).await;
            }
        }
    });
}

#[test]
fn each_bit_of_ring_status_is_cleared_by_itself_alone() {
    run(Setup::default(), async |bench| {
        let (halted, irq) = (reg::RING_STATUS_HALTED, reg::RING_STATUS_IRQ);
        for channel in [bench.mm2s(), bench.s2mm()] {
            for (bit, other) in [(halted, irq), (irq, halted)] {
                let ring = Ring::enable(&bench, channel.clone(), 0x30_0000, 4).await;
                ring.post(0, 0, 0);
                ring.doorbell().await;
                ring.settle().await;
                ring.stop().await;
                ring.halt().await;
                assert_eq!(ring.state().await, halted | irq);
                channel.write(reg::RING_STATUS, !(halted | irq)).await;
                assert_eq!(ring.state().await, halted | irq, "nothing is cleared");
                channel.write(reg::RING_STATUS, bit).await;
                assert_eq!(ring.state().await, other);
                channel.write(reg::RING_STATUS, other).await;
                assert_eq!(ring.state().await, 0);
            }
        }
    });
}
