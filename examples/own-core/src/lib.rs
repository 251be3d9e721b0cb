//! A driver for the core `word_copy`, as one would write it for Linux: map, program registers, wait, unmap.

use rebound::harness::Machine;
use rebound_sim::axil::AxilError;

/// Cycles that a copy may take.
const LIMIT_CYCLES: u64 = 1_000_000;

/// Programs the core with DMA addresses and waits for its interrupt; `Ok(false)` if the core tells an error.
///
/// # Errors
/// If the core does not answer on its registers.
///
/// # Panics
/// If the core has no such ports, or no interrupt comes.
pub async fn run_core(
    machine: &Machine,
    from: u64,
    to: u64,
    words: u64,
) -> Result<bool, AxilError> {
    let host = machine.host();
    let registers = host.registers_named("regs").expect("the manifest has it");
    let irq = host.wire_named("irq").expect("the manifest has it");
    registers.write(0x0, low(from)).await?;
    registers.write(0x4, low(to)).await?;
    registers.write(0x8, low(words)).await?;
    irq.wait_high(LIMIT_CYCLES).await.expect("the copy ends");
    let status = registers.read(0xc).await?;
    registers.write(0xc, 0).await?;
    Ok(status & 2 == 0)
}

/// Copies buffer 0 to buffer 1 through Linux's DMA API, which bounces what the core cannot reach.
///
/// # Errors
/// If the core does not answer on its registers.
///
/// # Panics
/// If a buffer cannot be mapped.
pub async fn copy(machine: &Machine) -> Result<bool, AxilError> {
    let data = machine.content(0);
    let words = data.len() as u64 / 4;
    let source = machine.map_source(0).await.expect("mapped");
    let destination = machine.map_destination(1, data).await.expect("mapped");
    let done = run_core(machine, source.dma.raw(), destination.dma.raw(), words).await;
    machine.unmap(destination).await.expect("unmapped");
    machine.unmap(source).await.expect("unmapped");
    done
}

/// The register is as wide as this.
fn low(value: u64) -> u32 {
    u32::try_from(value).expect("the device's DMA mask and lengths have fewer bits")
}
