//! Device presets: real devices with limited DMA addressing, each with the masks, the boundary, the alignment and the
//! bus window that its Linux driver and its machine set, and with what its hardware does beyond.

use std::fmt;

use crate::scenario::plan::{DeviceLimits, Straps, Window, low_bits};

/// What a device does with an address that it cannot have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beyond {
    /// It drops the upper bits.
    Truncates,
    /// It drops the upper bits, and so many low bits do not carry: it wraps.
    Wraps(u32),
}

/// A device as its driver declares it, and as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DevicePreset {
    /// Name, `aacraid` for instance.
    pub name: &'static str,
    /// The device, and the driver of Linux that sets its masks.
    pub source: &'static str,
    /// Address bits of the streaming mask.
    pub streaming_bits: u32,
    /// Address bits of the coherent mask.
    pub coherent_bits: u32,
    /// Window of its bus on memory; none where the bus sees memory as the CPU does.
    pub window: Option<Window>,
    /// Low address bits that a bounce buffer must keep (`min_align_mask`).
    pub min_align_mask: u32,
    /// Segment boundary, as a power of two; none if it is 64.
    pub boundary_bits: u32,
    /// Longest segment in bytes, if less than what a length register of 32 bits holds.
    pub max_segment_bytes: Option<u32>,
    /// Bytes of which addresses and lengths must be multiples.
    pub granule_bytes: u32,
    /// What the hardware does beyond its address bits.
    pub beyond: Beyond,
}

/// A device of so many address bits that truncates, and asks for nothing else.
const fn truncating(name: &'static str, source: &'static str, bits: u32) -> DevicePreset {
    DevicePreset {
        name,
        source,
        streaming_bits: bits,
        coherent_bits: bits,
        window: None,
        min_align_mask: 0,
        boundary_bits: 64,
        max_segment_bytes: None,
        granule_bytes: 1,
        beyond: Beyond::Truncates,
    }
}

/// A device whose address counter does not carry out of `boundary_bits`, and that moves no more than that at once.
const fn wrapping(
    name: &'static str,
    source: &'static str,
    bits: u32,
    boundary_bits: u32,
) -> DevicePreset {
    DevicePreset {
        boundary_bits,
        max_segment_bytes: Some(1 << boundary_bits),
        beyond: Beyond::Wraps(boundary_bits),
        ..truncating(name, source, bits)
    }
}

/// All presets, by address bits.
pub const PRESETS: [DevicePreset; 16] = [
    wrapping(
        "isa-8237",
        "8-bit channels of the ISA DMA controller 8237 (aha1542, es1938)",
        24,
        16,
    ),
    DevicePreset {
        granule_bytes: 2,
        ..wrapping(
            "isa-8237-16bit",
            "16-bit channels of the ISA DMA controller 8237",
            24,
            17,
        )
    },
    truncating("ice1712", "ICE1712 sound (snd_ice1712)", 28),
    truncating("b44", "Broadcom 4400 Ethernet (b44)", 30),
    DevicePreset {
        window: Some(Window {
            bus_base: 0xc000_0000,
            cpu_base: 0,
            bytes: 1 << 30,
        }),
        ..truncating(
            "bcm2711",
            "devices on the SoC bus of the BCM2711, Raspberry Pi 4 (dma-ranges)",
            32,
        )
    },
    DevicePreset {
        coherent_bits: 31,
        ..truncating("aacraid", "Adaptec RAID (aacraid)", 32)
    },
    DevicePreset {
        boundary_bits: 32,
        ..truncating(
            "ath10k-pci",
            "QCA988x wireless, 32-bit PCI (ath10k_pci)",
            32,
        )
    },
    wrapping("ata-bmdma", "PCI IDE bus master (libata)", 32, 16),
    DevicePreset {
        max_segment_bytes: Some((1 << 23) - 1),
        granule_bytes: 8,
        ..truncating(
            "xilinx-dma",
            "AXI DMA as its driver takes it (xilinx_dma)",
            32,
        )
    },
    DevicePreset {
        max_segment_bytes: Some((1 << 14) - 1),
        granule_bytes: 8,
        ..truncating(
            "xilinx-dma-14bit",
            "AXI DMA with `xlnx,sg-length-width` 14 (xilinx_dma)",
            32,
        )
    },
    DevicePreset {
        window: Some(Window {
            bus_base: 0,
            cpu_base: 0,
            bytes: 3 << 30,
        }),
        ..truncating(
            "vl805",
            "VL805 USB behind the PCIe window of the BCM2711 (xhci_pci)",
            36,
        )
    },
    DevicePreset {
        coherent_bits: 32,
        boundary_bits: 32,
        ..truncating("ath11k-pci", "QCA6390 wireless (ath11k_pci)", 36)
    },
    truncating("bnx2", "NetXtreme II Ethernet (bnx2)", 40),
    truncating("zynqmp-dma", "Zynq UltraScale+ DMA (zynqmp_dma)", 44),
    truncating("k3-udma", "TI K3 UDMA (k3-udma)", 48),
    DevicePreset {
        min_align_mask: 4095,
        granule_bytes: 4,
        ..truncating("nvme", "NVMe, whose pages are 4 KiB (nvme)", 64)
    },
];

impl DevicePreset {
    /// Finds a preset by its name.
    #[must_use]
    pub fn find(name: &str) -> Option<Self> {
        PRESETS.into_iter().find(|preset| preset.name == name)
    }

    /// Returns what the driver declares, with the bus as the machine describes it.
    #[must_use]
    pub fn limits(&self) -> DeviceLimits {
        let differs = self.coherent_bits != self.streaming_bits;
        DeviceLimits {
            dma_mask: low_bits(self.streaming_bits),
            coherent_dma_mask: differs.then(|| low_bits(self.coherent_bits)),
            bus_dma_limit: self
                .window
                .map(|window| window.bus_base + (window.bytes - 1)),
            window: self.window,
            min_align_mask: self.min_align_mask,
            segment_boundary_mask: low_bits(self.boundary_bits),
            max_segment_bytes: self.max_segment_bytes,
            granule_bytes: (self.granule_bytes > 1).then_some(self.granule_bytes),
        }
    }

    /// Returns the straps with which an engine of 64 address bits in mode Boundary does what the device does.
    #[must_use]
    pub const fn straps(&self) -> Straps {
        Straps {
            addr_bits: self.streaming_bits,
            ring_bits: self.coherent_bits,
            boundary_bits: match self.beyond {
                Beyond::Truncates => 64,
                Beyond::Wraps(bits) => bits,
            },
        }
    }
}

impl fmt::Display for DevicePreset {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{}: streaming mask {} bits",
            self.source, self.streaming_bits
        )?;
        write!(formatter, ", coherent mask {} bits", self.coherent_bits)?;
        if let Some(window) = self.window {
            let Window {
                bus_base,
                cpu_base,
                bytes,
            } = window;
            write!(
                formatter,
                ", window bus {bus_base:#x} to cpu {cpu_base:#x} of {bytes:#x} bytes"
            )?;
        }
        if self.min_align_mask != 0 {
            write!(formatter, ", min_align_mask {:#x}", self.min_align_mask)?;
        }
        if self.boundary_bits < 64 {
            write!(
                formatter,
                ", seg_boundary {:#x}",
                low_bits(self.boundary_bits)
            )?;
        }
        if let Some(bytes) = self.max_segment_bytes {
            write!(formatter, ", max_seg_size {bytes:#x}")?;
        }
        if self.granule_bytes > 1 {
            write!(formatter, ", granule {} bytes", self.granule_bytes)?;
        }
        match self.beyond {
            Beyond::Truncates => formatter.write_str("; truncates beyond"),
            Beyond::Wraps(bits) => write!(formatter, "; wraps in 2^{bits} bytes"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn presets_are_found_by_name_and_strapped_within_the_engine() {
        let mut names = BTreeSet::new();
        for preset in PRESETS {
            assert!(names.insert(preset.name), "{} twice", preset.name);
            assert_eq!(DevicePreset::find(preset.name), Some(preset));
            let straps = preset.straps();
            assert!((16..=64).contains(&straps.addr_bits), "{}", preset.name);
            assert!((16..=64).contains(&straps.ring_bits), "{}", preset.name);
            assert!((12..=64).contains(&straps.boundary_bits), "{}", preset.name);
        }
        assert_eq!(DevicePreset::find("abacus"), None);
    }

    #[test]
    fn a_preset_says_all_that_is_special_about_it() {
        let text = |name| DevicePreset::find(name).expect("a preset").to_string();
        assert_eq!(
            text("isa-8237-16bit"),
            "16-bit channels of the ISA DMA controller 8237: streaming mask 24 bits, coherent mask 24 bits, \
             seg_boundary 0x1ffff, max_seg_size 0x20000, granule 2 bytes; wraps in 2^17 bytes"
        );
        assert!(text("bcm2711").contains("window bus 0xc0000000 to cpu 0x0 of 0x40000000 bytes"));
        assert!(text("nvme").contains("min_align_mask 0xfff"));
        assert!(text("aacraid").contains("streaming mask 32 bits, coherent mask 31 bits"));
    }
}
