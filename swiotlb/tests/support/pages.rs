//! A page source that can be told to fail, and that remembers what is shared.

use swiotlb::{PageRequest, PageSource, PhysAddr, RegionSource, Zone};

/// Pages of one region, or of one region for each zone.
pub(crate) struct Pages {
    /// Regions by the zone that they serve, `None` for all; the first that serves the request's zone
    /// is asked.
    pub(crate) regions: Vec<(Option<Zone>, RegionSource)>,
    /// Requests so far: zone and length.
    pub(crate) asked: Vec<(Zone, u64)>,
    /// Ranges given back.
    pub(crate) freed: Vec<(u64, u64)>,
    /// Ranges that are shared now.
    pub(crate) shared: Vec<(u64, u64)>,
    /// Whether sharing fails.
    pub(crate) refuses_sharing: bool,
    /// Whether making private fails.
    pub(crate) refuses_privacy: bool,
}

impl Pages {
    /// Serves every zone from one region.
    pub(crate) fn new(base: u64, bytes: u64) -> Self {
        Self::zoned(vec![(None, RegionSource::new(PhysAddr::new(base), bytes))])
    }

    pub(crate) fn zoned(regions: Vec<(Option<Zone>, RegionSource)>) -> Self {
        Self {
            regions,
            asked: Vec::new(),
            freed: Vec::new(),
            shared: Vec::new(),
            refuses_sharing: false,
            refuses_privacy: false,
        }
    }
}

impl PageSource for Pages {
    fn alloc(&mut self, request: &PageRequest) -> Option<PhysAddr> {
        self.asked.push((request.zone, request.bytes));
        let mut regions = self.regions.iter_mut();
        let (_, region) = regions.find(|(zone, _)| zone.is_none_or(|zone| zone == request.zone))?;
        region.alloc(request)
    }

    fn free(&mut self, base: PhysAddr, bytes: u64) {
        self.freed.push((base.raw(), bytes));
    }

    fn make_shared(&mut self, base: PhysAddr, bytes: u64) -> Result<(), i32> {
        if self.refuses_sharing {
            return Err(-5);
        }
        self.shared.push((base.raw(), bytes));
        Ok(())
    }

    fn make_private(&mut self, base: PhysAddr, bytes: u64) -> Result<(), i32> {
        if self.refuses_privacy {
            return Err(-5);
        }
        self.shared.retain(|&range| range != (base.raw(), bytes));
        Ok(())
    }
}
