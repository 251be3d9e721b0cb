//! Contiguous areas (CMA): large blocks of memory that devices can have.

use crate::addr::PhysAddr;
use crate::coherent::page_region::PageRegion;
use crate::device::{Device, DeviceId};
use crate::dma::{Dma, DmaError, parse_size};
use crate::page_source::{PageOrigin, PageRequest, PageSource, Zone};

/// Blocks are aligned to at most this order of pages (`CONFIG_CMA_ALIGNMENT`).
const MAX_ALIGN_ORDER: u32 = 8;

/// Names a contiguous area.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CmaId(usize);

/// The contiguous areas, and who uses which.
#[derive(Debug)]
pub(crate) struct CmaAreas {
    areas: Vec<PageRegion>,
    default: Option<CmaId>,
    of_device: Vec<(DeviceId, CmaId)>,
    of_node: Vec<(DeviceId, CmaId)>,
}

/// Returns what a device is given, if anything.
fn lookup(list: &[(DeviceId, CmaId)], dev: &Device) -> Option<CmaId> {
    let found = list.iter().find(|(id, _)| *id == dev.id());
    found.map(|&(_, area)| area)
}

impl CmaAreas {
    pub(crate) const NONE: Self = Self {
        areas: Vec::new(),
        default: None,
        of_device: Vec::new(),
        of_node: Vec::new(),
    };

    /// Takes pages for a device: from its own area; else, for more than one page, from that of its
    /// node, if no zone is wished, and then from the default one.
    pub(crate) fn alloc(
        &mut self,
        dev: &Device,
        pages: u64,
        order: u32,
        zone: Zone,
    ) -> Option<PhysAddr> {
        let align = 1 << order.min(MAX_ALIGN_ORDER);
        if let Some(own) = lookup(&self.of_device, dev) {
            return self.areas.get_mut(own.0)?.alloc(pages, align);
        }
        if pages <= 1 {
            return None;
        }
        let node = lookup(&self.of_node, dev).filter(|_| zone == Zone::Normal);
        [node, self.default]
            .into_iter()
            .flatten()
            .find_map(|id| self.areas.get_mut(id.0)?.alloc(pages, align))
    }

    /// Returns whether an area holds the address.
    pub(crate) fn contains(&self, addr: PhysAddr) -> bool {
        self.areas.iter().any(|area| area.contains(addr))
    }

    /// Gives pages back; false if no area gave them.
    pub(crate) fn free(&mut self, addr: PhysAddr, pages: u64) -> bool {
        let area = self.areas.iter_mut().find(|area| area.contains(addr));
        area.is_some_and(|area| area.free(addr, pages))
    }
}

/// The parameter `cma=size[@base[-limit]]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CmaParam {
    /// Length in bytes.
    pub bytes: u64,
    /// Where the area shall begin, if that is asked for.
    pub base: Option<PhysAddr>,
    /// Address that the area shall end at or below, if that is asked for.
    pub limit: Option<PhysAddr>,
}

impl CmaParam {
    /// Reads the parameter.
    ///
    /// # Errors
    /// If the text is none.
    pub fn parse(text: &str) -> Result<Self, DmaError> {
        let what = "cma= takes size[@base[-limit]], such as 64M@0x10000000-0x20000000";
        let invalid = DmaError::Invalid { what };
        let (bytes, rest) = parse_size(text).ok_or(invalid)?;
        let mut param = Self {
            bytes,
            base: None,
            limit: None,
        };
        if rest.is_empty() {
            return Ok(param);
        }
        let base = rest.strip_prefix('@').and_then(parse_size);
        let (base, rest) = base.ok_or(invalid)?;
        param.base = Some(PhysAddr::new(base));
        if rest.is_empty() {
            return Ok(param);
        }
        let limit = rest.strip_prefix('-').and_then(parse_size);
        match limit {
            Some((limit, "")) => {
                param.limit = Some(PhysAddr::new(limit));
                Ok(param)
            }
            _ => Err(invalid),
        }
    }
}

impl Dma {
    /// Makes a contiguous area of memory that the caller has set aside.
    ///
    /// # Errors
    /// If it has no whole page, does not begin on one, or wraps.
    pub fn add_cma_area(&self, base: PhysAddr, bytes: u64) -> Result<CmaId, DmaError> {
        let page_bytes = self.swiotlb().platform().page_size.bytes();
        let what = "a contiguous area has whole pages within the 64-bit address space";
        let region = PageRegion::new(base, bytes, page_bytes)
            .filter(|region| region.bytes() > 0 && base.raw().is_multiple_of(page_bytes));
        let region = region.ok_or(DmaError::Invalid { what })?;
        let mut state = self.coherent();
        state.cma.areas.push(region.aligned_absolutely());
        Ok(CmaId(state.cma.areas.len() - 1))
    }

    /// Makes the default area as `cma=` asks (`dma_contiguous_reserve`); `None` if it asks for none.
    ///
    /// # Errors
    /// If boot memory has no such place; as [`Dma::add_cma_area`].
    pub fn reserve_default_cma(
        &self,
        pages: &mut dyn PageSource,
        param: &CmaParam,
    ) -> Result<Option<CmaId>, DmaError> {
        let page_bytes = self.swiotlb().platform().page_size.bytes();
        let align = page_bytes << MAX_ALIGN_ORDER;
        let why = "boot memory has no such place for the contiguous area";
        let no_memory = DmaError::NoMemory {
            bytes: param.bytes,
            why,
        };
        if param.bytes == 0 {
            return Ok(None);
        }
        let bytes = param.bytes.checked_next_multiple_of(align);
        let bytes = bytes.ok_or(no_memory)?;
        let fixed_end = param.base.filter(|_| param.limit.is_none());
        let fixed_end = fixed_end.map(|base| base.wrapping_add(bytes));
        let limit = fixed_end.or(param.limit).map(|end| end.wrapping_sub(1));
        let base = pages.alloc(&PageRequest {
            origin: PageOrigin::Boot,
            bytes,
            align,
            zone: Zone::Normal,
            limit: limit.unwrap_or(PhysAddr::INVALID),
            is_blocking: true,
        });
        let base = base.ok_or(no_memory)?;
        if param.base.is_some_and(|wanted| base < wanted) {
            pages.free(base, bytes);
            return Err(no_memory);
        }
        let id = self.add_cma_area(base, bytes)?;
        self.set_default_cma(id);
        Ok(Some(id))
    }

    /// Sets the area for devices that have none (`linux,cma-default`).
    pub fn set_default_cma(&self, area: CmaId) {
        self.coherent().cma.default = Some(area);
    }

    /// Gives a device an area of its own (`cma_area`).
    pub fn set_device_cma(&self, dev: &Device, area: CmaId) {
        let mut state = self.coherent();
        state.cma.of_device.retain(|(id, _)| *id != dev.id());
        state.cma.of_device.push((dev.id(), area));
    }

    /// Names the area of the NUMA node that a device belongs to.
    pub fn set_node_cma(&self, dev: &Device, area: CmaId) {
        let mut state = self.coherent();
        state.cma.of_node.retain(|(id, _)| *id != dev.id());
        state.cma.of_node.push((dev.id(), area));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parameter_has_a_size_a_base_and_a_limit() {
        let param = |base: Option<u64>, limit: Option<u64>| CmaParam {
            bytes: 64 << 20,
            base: base.map(PhysAddr::new),
            limit: limit.map(PhysAddr::new),
        };
        assert_eq!(CmaParam::parse("64M"), Ok(param(None, None)));
        assert_eq!(CmaParam::parse("64M@16M"), Ok(param(Some(16 << 20), None)));
        assert_eq!(
            CmaParam::parse("0x4000000@16M-4G"),
            Ok(param(Some(16 << 20), Some(4 << 30)))
        );
        for text in ["", "M", "64M@", "64M-4G", "64M@1-", "64M@1-2x"] {
            assert!(CmaParam::parse(text).is_err(), "{text}");
        }
    }
}
