//! The machine to replay on: that of the trace, as far as it tells, or another one.

use swiotlb::{
    BootConfig, BootOptions, Device, Mode, NoBytes, PageSource, PhysAddr, Platform, Policy,
    PoolGeometry, RamRange, RegionSource, SLOT_BYTES, Swiotlb, bit_mask,
};

use crate::replay::survey::Survey;

/// A device as the bounce layer sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceConfig {
    /// Its name.
    pub name: String,
    /// Streaming mask.
    pub mask: u64,
    /// `min_align_mask`.
    pub min_align_mask: u32,
}

/// The pool and what surrounds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// Slots of the pool.
    pub slots: u32,
    /// Areas of the pool.
    pub areas: u32,
    /// Physical address of the pool.
    pub base: u64,
    /// `swiotlb=force`.
    pub is_forced: bool,
    /// What happens when the pool is full.
    pub policy: Policy,
    /// CPUs.
    pub cpus: u32,
    /// Bytes of RAM.
    pub ram_bytes: u64,
    /// Devices, by number.
    pub devices: Vec<DeviceConfig>,
}

/// Where a fact about the traced machine comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The user said so.
    Said,
    /// The trace says so.
    Told,
    /// It follows from the addresses.
    Derived,
    /// Nothing is known; this is the kernel's default.
    Assumed,
}

impl Source {
    /// Returns the word for reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Said => "given",
            Self::Told => "from the trace's markers",
            Self::Derived => "derived from the addresses",
            Self::Assumed => "assumed",
        }
    }
}

/// What the user knows of the traced machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Known {
    /// Slots of the pool.
    pub slots: Option<u32>,
    /// Areas of the pool.
    pub areas: Option<u32>,
    /// First byte of the pool.
    pub base: Option<u64>,
}

/// The traced machine with the sources of slots, areas and base.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// The machine.
    pub machine: Machine,
    /// Source of the slots.
    pub slots: Source,
    /// Source of the areas.
    pub areas: Source,
    /// Source of the base.
    pub base: Source,
}

/// Slots of the kernel's default pool.
const DEFAULT_SLOTS: u32 = 32768;
/// End of what 32 address bits reach.
const FOUR_GIB: u64 = 4 << 30;

impl Recorded {
    /// Finds out what machine was traced.
    #[must_use]
    pub fn of(survey: &Survey, known: Known) -> Self {
        let span = survey.lowest_dma.zip(survey.highest_end);
        let span_slots = span.map_or(0, |(low, end)| (end - low).div_ceil(SLOT_BYTES));
        let told = survey.slots.and_then(|slots| u32::try_from(slots).ok());
        let assumed = u32::try_from(span_slots.next_power_of_two()).unwrap_or(u32::MAX);
        let (slots, slots_source) = first_of(
            [
                (known.slots, Source::Said),
                (told.filter(|&slots| slots > 0), Source::Told),
            ],
            (assumed.max(DEFAULT_SLOTS), Source::Assumed),
        );
        let cpus = survey.cpus();
        let derived = areas_of(survey, slots, known.base, cpus);
        let (areas, areas_source) = first_of(
            [(known.areas, Source::Said), (derived, Source::Derived)],
            (
                cpus.next_power_of_two().min((slots / 128).max(1)),
                Source::Assumed,
            ),
        );
        let bytes = u64::from(slots) * SLOT_BYTES;
        let (base, base_source) = first_of(
            [
                (known.base, Source::Said),
                (base_of(survey, slots, areas), Source::Derived),
            ],
            (FOUR_GIB.saturating_sub(bytes), Source::Assumed),
        );
        let devices = survey.devices.iter().map(|device| DeviceConfig {
            name: device.name.clone(),
            mask: device.mask.unwrap_or(u64::MAX),
            min_align_mask: 0,
        });
        Self {
            machine: Machine {
                slots,
                areas,
                base,
                is_forced: survey.is_forced,
                policy: Policy::Static,
                cpus,
                ram_bytes: base.saturating_add(bytes).max(FOUR_GIB),
                devices: devices.collect(),
            },
            slots: slots_source,
            areas: areas_source,
            base: base_source,
        }
    }
}

fn first_of<T: Copy>(choices: [(Option<T>, Source); 2], last: (T, Source)) -> (T, Source) {
    let found = choices
        .into_iter()
        .find_map(|(value, source)| Some((value?, source)));
    found.unwrap_or(last)
}

/// A fresh pool is used from the beginning of each CPU's area: the first bounce buffer of a CPU lies
/// there, and all CPUs must agree on one base.
fn base_of(survey: &Survey, slots: u32, areas: u32) -> Option<u64> {
    let lowest = survey.lowest_dma?;
    let end = survey.highest_end?;
    let bytes = u64::from(slots) * SLOT_BYTES;
    let area_bytes = bytes / u64::from(areas);
    let mut bases: Vec<u64> = survey
        .first_of_cpu
        .iter()
        .filter_map(|(&cpu, &dma)| {
            let area = u64::from(u32::from(cpu) & (areas - 1));
            (dma & !0xfff).checked_sub(area * area_bytes)
        })
        .collect();
    bases.sort_unstable();
    // A slot behind the first one of an area would put the base too high.
    let base = bases.first().copied().unwrap_or(lowest & !0xfff);
    let fits = |base: &u64| *base <= lowest && base.saturating_add(bytes) >= end;
    Some(base)
        .filter(fits)
        .or_else(|| Some(lowest & !0xfff).filter(fits))
        .or_else(|| end.checked_next_multiple_of(4096)?.checked_sub(bytes))
}

/// A CPU keeps to its own area while that has room: the largest number of areas for which nearly all
/// bounce buffers lie in the area of their CPU.
fn areas_of(survey: &Survey, slots: u32, base: Option<u64>, cpus: u32) -> Option<u32> {
    if survey.first_of_cpu.len() < 2 {
        return None;
    }
    let most = cpus.next_power_of_two().min((slots / 128).max(1));
    let mut areas = most;
    while areas > 1 {
        let start = base.or_else(|| base_of(survey, slots, areas))?;
        let area_bytes = u64::from(slots / areas) * SLOT_BYTES;
        let (mut own, mut all) = (0_u64, 0_u64);
        for (&(cpu, granule), &count) in &survey.places {
            let dma = granule << crate::replay::survey::GRANULE_SHIFT;
            let area = dma.saturating_sub(start) / area_bytes;
            all += count;
            own += if area == u64::from(u32::from(cpu) & (areas - 1)) {
                count
            } else {
                0
            };
        }
        if own * 10 >= all * 9 {
            return Some(areas);
        }
        areas /= 2;
    }
    Some(1)
}

impl Machine {
    /// Memory that is never a pool's: the lowest 16 MiB, in bytes.
    pub const LOWEST: u64 = 16 << 20;

    /// Returns where the pool lies and how it is cut.
    #[must_use]
    pub const fn geometry(&self) -> PoolGeometry {
        PoolGeometry {
            base: PhysAddr::new(self.base),
            slots: self.slots,
            areas: self.areas,
        }
    }

    /// Takes another size: the pool keeps its end, as the boot allocator gives memory from the top, unless
    /// memory ends before it.
    pub fn resize(&mut self, slots: u32, areas: u32) {
        let end = (self.base + u64::from(self.slots) * SLOT_BYTES).min(self.ram_bytes);
        let bytes = u64::from(slots) * SLOT_BYTES;
        self.base = end
            .checked_sub(bytes)
            .filter(|&base| base >= Self::LOWEST)
            .unwrap_or(Self::LOWEST);
        (self.slots, self.areas) = (slots, areas);
    }

    /// Whether the pool lies in the memory.
    #[must_use]
    pub const fn fits(&self) -> bool {
        self.base + self.slots as u64 * SLOT_BYTES <= self.ram_bytes
    }

    /// Makes the bounce layer.
    ///
    /// # Errors
    /// If there can be no such pool.
    pub fn start(&self, mem: &mut NoBytes) -> Result<Swiotlb, swiotlb::InitError> {
        let options = BootOptions {
            policy: self.policy,
            ..BootOptions::default()
        };
        let mut boot = BootConfig::new(options);
        boot.force = self.is_forced;
        boot.track_hiwater = true;
        boot.dynamic = self.policy == Policy::PerBuffer;
        let platform = Platform {
            possible_cpus: self.cpus,
            ram: vec![RamRange {
                start: PhysAddr::new(0),
                bytes: self.ram_bytes,
            }],
            ..Platform::default()
        };
        let mut swiotlb = Swiotlb::with_pool(mem, platform, boot, Mode::Kernel, self.geometry())?;
        if self.policy != Policy::Static {
            swiotlb.set_page_source(self.pages());
        }
        Ok(swiotlb)
    }

    /// Free memory beside the pool for pools that are added: what lies below 4 GiB, the lowest 16 MiB
    /// left out.
    fn pages(&self) -> Box<dyn PageSource + Send> {
        let top = self.ram_bytes.min(bit_mask(32) + 1);
        let end = self.base + u64::from(self.slots) * SLOT_BYTES;
        let (below, above) = (
            self.base.saturating_sub(Self::LOWEST),
            top.saturating_sub(end),
        );
        if below >= above {
            Box::new(RegionSource::new(PhysAddr::new(Self::LOWEST), below))
        } else {
            Box::new(RegionSource::new(PhysAddr::new(end), above))
        }
    }

    /// Makes the devices.
    #[must_use]
    pub fn devices(&self) -> Vec<Device> {
        let device = |config: &DeviceConfig| {
            Device::pci(config.name.clone())
                .with_masks(config.mask)
                .with_min_align_mask(config.min_align_mask)
        };
        self.devices.iter().map(device).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::survey::DeviceSurvey;

    const BASE: u64 = 0x3960_0000;

    /// A survey of bounce buffers (CPU, slot) in a pool of 32768 slots.
    fn survey(buffers: &[(u16, u64)]) -> Survey {
        let mut survey = Survey::new();
        survey.slots = Some(32768);
        survey.devices.push(DeviceSurvey::new("nvme"));
        for &(cpu, slot) in buffers {
            survey.note_place(cpu, BASE + slot * SLOT_BYTES, 2048);
            survey.highest_cpu = survey.highest_cpu.max(cpu);
        }
        survey
    }

    #[test]
    fn areas_and_base_follow_from_where_each_cpu_begins() {
        let two = survey(&[(1, 16384), (0, 0), (1, 16386), (0, 2)]);
        let found = Recorded::of(&two, Known::default());
        assert_eq!((found.machine.areas, found.machine.base), (2, BASE));
        assert_eq!((found.slots, found.areas), (Source::Told, Source::Derived));
        let one = survey(&[(1, 0), (0, 1), (1, 2), (0, 3)]);
        let found = Recorded::of(&one, Known::default());
        assert_eq!((found.machine.areas, found.machine.base), (1, BASE));
        let upper = survey(&[(1, 16384)]);
        let found = Recorded::of(
            &upper,
            Known {
                areas: Some(2),
                ..Known::default()
            },
        );
        assert_eq!((found.machine.base, found.areas), (BASE, Source::Said));
    }

    #[test]
    fn another_size_keeps_the_end_of_the_pool() {
        let mut machine = Recorded::of(&survey(&[(0, 0)]), Known::default()).machine;
        let end = machine.base + u64::from(machine.slots) * SLOT_BYTES;
        machine.resize(1024, 1);
        assert_eq!(machine.base + 1024 * SLOT_BYTES, end);
        machine.resize(1 << 21, 1);
        assert_eq!(machine.base, 16 << 20);
    }
}
