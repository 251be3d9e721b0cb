//! Translation: what the bus asks of a domain for each beat.

use crate::addr::{DmaAddr, PhysAddr};
use crate::iommu::domain::{IommuDomain, State};
use crate::iommu::fault::{Access, Fault, FaultReason, Translation};
use crate::iommu::page_table::{Entry, Prot};

impl IommuDomain {
    /// Returns the physical address that an unprivileged access to `iova` reaches.
    ///
    /// # Errors
    /// If nothing is mapped there, or the mapping does not allow the access.
    pub fn translate(&self, iova: DmaAddr, is_write: bool) -> Result<PhysAddr, Fault> {
        let access = Access {
            iova,
            is_write,
            is_privileged: false,
        };
        Ok(self.translate_access(access)?.phys)
    }

    /// Returns where an access goes. It allocates nothing, so that it can be asked for each beat.
    ///
    /// # Errors
    /// As [`IommuDomain::translate`].
    pub fn translate_access(&self, access: Access) -> Result<Translation, Fault> {
        let mut state = self.state();
        let result = self.look_up(&state, access);
        match &result {
            Ok(translation) if translation.is_stale => state.stale_accesses += 1,
            Ok(_) => {}
            Err(_) => state.faults += 1,
        }
        result
    }

    fn look_up(&self, state: &State, access: Access) -> Result<Translation, Fault> {
        let fault = |reason, prot| Fault {
            access,
            reason,
            prot,
        };
        let iova = access.iova.raw();
        let page = self.granule().page_of(iova);
        let live = state.table.get(page);
        let is_stale = live.is_none();
        let found = live.or_else(|| state.stale.get(page));
        let (range, entry) = found.ok_or(fault(FaultReason::NotMapped, None))?;
        let prot = entry.prot;
        if let Some(reason) = refusal(prot, access) {
            return Err(fault(reason, Some(prot)));
        }
        if !state.unsynced.is_empty() && state.unsynced.get(page).is_some() {
            return Err(fault(FaultReason::NotSynced, Some(prot)));
        }
        Ok(Translation {
            phys: self.phys_of(entry, iova),
            contiguous_bytes: self.granule().addr_of(range.end).wrapping_sub(iova),
            is_stale,
        })
    }

    pub(super) fn phys_of(&self, entry: Entry, iova: u64) -> PhysAddr {
        let granule = self.granule();
        let page = entry.phys_page(granule.page_of(iova));
        PhysAddr::new(granule.addr_of(page) | granule.offset(iova))
    }

    /// Returns the physical address behind `iova`, whatever the rights (`iommu_iova_to_phys`).
    #[doc(alias = "iommu_iova_to_phys")]
    #[must_use]
    pub fn iova_to_phys(&self, iova: DmaAddr) -> Option<PhysAddr> {
        let state = self.state();
        let (_, entry) = state.table.get(self.granule().page_of(iova.raw()))?;
        Some(self.phys_of(entry, iova.raw()))
    }
}

/// Returns why a mapping stops an access, if it does.
const fn refusal(prot: Prot, access: Access) -> Option<FaultReason> {
    if prot.is_privileged && !access.is_privileged {
        return Some(FaultReason::NotPrivileged);
    }
    match access.is_write {
        true if !prot.is_writable => Some(FaultReason::NotWritable),
        false if !prot.is_readable => Some(FaultReason::NotReadable),
        _ => None,
    }
}
