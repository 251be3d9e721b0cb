//! What must hold after each call, for the newest mapping, for all of them, and at the end.

use swiotlb::{AllocatorId, DataDirection, Full, FullReason, MapError, PhysAddr, ShrinkPressure};

use crate::world::{self, Masks, PAGES, PAGES_BYTES, POOL, REGION, SHRINKER, Setting, World};

impl World {
    /// The mapping just made lies where it may, as its masks want it.
    pub(crate) fn check_newest(&mut self) {
        let lent = self.live.last().unwrap();
        self.events
            .insert(match (lent.has_own_buffer, lent.is_transient) {
                (true, _) => "own buffer",
                (_, true) => "pool of one mapping",
                _ if lent.bounce.pad_slots > 0 => "padding",
                _ => "slots",
            });
        let (start, end) = lent.extent;
        let pool_bytes = 256 * 2048;
        let is_in = |base: u64, bytes: u64| base <= start && end <= base + bytes;
        let is_allowed = match self.setting {
            Setting::Static => is_in(POOL, pool_bytes),
            Setting::Restricted => is_in(REGION, pool_bytes),
            _ => is_in(POOL, pool_bytes) || is_in(PAGES, PAGES_BYTES),
        };
        assert!(is_allowed, "{start:#x}..{end:#x} lies in no pool");
        let Masks {
            min_align,
            boundary,
        } = self.devices[lent.device].1;
        let differing = lent.bounce.tlb_addr.raw() ^ lent.request.orig.raw();
        assert_eq!(differing & u64::from(min_align), 0);
        assert_eq!(start & u64::from(lent.request.alloc_align_mask), 0);
        if min_align == 0 && lent.request.alloc_align_mask == 0 && lent.request.bytes >= 4096 {
            assert_eq!(start & 0xfff, 0, "a page does not begin on a page");
        }
        assert!(end - start >= lent.request.bytes);
        if lent.has_own_buffer {
            assert_eq!(self.setting, Setting::PerBuffer);
        } else {
            assert_eq!(
                start & !boundary,
                (end - 1) & !boundary,
                "crosses a boundary"
            );
        }
    }

    /// Everything in the ledger is still so, and everything there is in the ledger.
    pub(crate) fn check_all(&mut self) {
        let mut extents: Vec<(u64, u64)> = self.live.iter().map(|lent| lent.extent).collect();
        extents.extend(
            self.pages
                .iter()
                .map(|&(start, slots)| (start, start + slots * 2048)),
        );
        extents.sort_unstable();
        assert!(
            extents.windows(2).all(|pair| pair[0].1 <= pair[1].0),
            "overlap: {extents:x?}"
        );
        for lent in &self.live {
            let seen = self.bytes_at(lent.bounce.tlb_addr, lent.seen.len());
            assert!(
                seen == lent.seen,
                "a bounce buffer was changed by another call"
            );
        }
        let sum = |is_counted: &dyn Fn(&world::Lent) -> bool| -> u64 {
            let counted = self.live.iter().filter(|lent| is_counted(lent));
            counted.map(|lent| u64::from(lent.bounce.slots)).sum()
        };
        let pages: u64 = self.pages.iter().map(|&(_, slots)| slots).sum();
        let stats = self.swiotlb.stats(self.allocator()).unwrap();
        let in_pools = pages + sum(&|lent| !lent.has_own_buffer && !lent.is_transient);
        assert_eq!(stats.counted_slots, in_pools);
        assert_eq!(stats.transient_slots, sum(&|lent| lent.is_transient));
        assert_eq!(stats.used_slots, in_pools + stats.transient_slots);
        self.peak_used = self.peak_used.max(stats.used_slots);
        assert_eq!(stats.used_hiwater, self.peak_used);
        let mut total = 0;
        for pool in self.swiotlb.pools(self.allocator()) {
            assert_eq!(self.swiotlb.check_invariants(pool), Ok(()));
            total += u64::from(self.swiotlb.pool_geometry(pool).unwrap().slots);
        }
        assert_eq!(stats.total_slots, total);
        if self.setting == Setting::Restricted {
            let default = self.swiotlb.stats(AllocatorId::DEFAULT).unwrap();
            assert_eq!(
                default.used_slots, 0,
                "a restricted device took slots of others"
            );
        }
    }

    /// The shrinker takes empty pools only, as few as it may, and leaves the reserve.
    pub(crate) fn scan(&mut self, target: u64, is_high: bool) {
        let before = self.swiotlb.stats(AllocatorId::DEFAULT).unwrap();
        let offered = self.swiotlb.shrinker_count();
        let pressure = if is_high {
            ShrinkPressure::High
        } else {
            ShrinkPressure::Normal
        };
        let removed = self.swiotlb.shrinker_scan(target, pressure);
        let after = self.swiotlb.stats(AllocatorId::DEFAULT).unwrap();
        assert_eq!(before.total_slots - after.total_slots, removed);
        assert_eq!(before.counted_slots, after.counted_slots);
        let pools = after.shrinker.pools_removed - before.shrinker.pools_removed;
        assert!(pools <= u64::from(SHRINKER.batch));
        if !is_high {
            assert_eq!(
                removed > 0,
                offered > 0 && target > 0,
                "{offered} slots were offered"
            );
        }
        if removed > 0 {
            self.events.insert("pool removed");
            assert_eq!(self.setting, Setting::Shrinker);
            let free = after.total_slots - after.counted_slots;
            let reserve = (after.counted_slots * u64::from(SHRINKER.reserve_percent)).div_ceil(100);
            assert!(
                free >= SHRINKER.min_free_slots.max(reserve),
                "only {free} slots are left"
            );
        }
        let pools = self.swiotlb.pools(AllocatorId::DEFAULT);
        let bases = pools.map(|pool| self.swiotlb.pool_geometry(pool).unwrap().base);
        assert_eq!(
            bases.last(),
            Some(PhysAddr::new(POOL)),
            "the default pool went"
        );
    }

    /// What the reason says would have helped does help.
    pub(crate) fn check_help(&mut self, device: usize, buffer: (u64, u64, u32), full: Full) {
        let (why, help) = (full.why, full.help());
        let masks: Vec<Masks> = self.devices.iter().map(|(_, masks)| *masks).collect();
        // Larger in the way that this allocator can be: its region, or the pool of the start.
        let setting = match self.setting {
            Setting::Restricted => Setting::Restricted,
            _ => Setting::Static,
        };
        let mut larger = World::sized(setting, 4096, 1, &masks);
        if matches!(why, FullReason::AboveSlotSet | FullReason::AboveBoundary) {
            assert!(help.contains("pieces"), "{why:?}");
            let (place, _, align) = buffer;
            let size = larger.swiotlb.max_mapping_size(&larger.devices[device].0);
            let bytes = size.min(masks[device].boundary).min(0x1_0000 - 0x4000);
            let request = larger.request((place, bytes, align), DataDirection::ToDevice, 0, 1);
            assert_eq!(larger.map(device, &request, 1), Ok(()));
            return;
        }
        let request = larger.request(buffer, DataDirection::ToDevice, 0, 1);
        if let Err(cause) = larger.map(device, &request, 1) {
            // With the low bits that it must keep, the buffer crosses a boundary wherever it lies.
            let mask = masks[device].boundary;
            let is_told = |full: Full| full.why == FullReason::CrossesBoundary { mask };
            assert!(matches!(cause, MapError::Full(full) if is_told(full)));
            let request = larger.request((buffer.0, 1, buffer.2), request.dir, 0, 1);
            assert_eq!(larger.map(device, &request, 1), Ok(()));
            return;
        }
        assert!(help.contains("pool"), "{why:?}");
        let way = match self.setting {
            Setting::Static | Setting::PerBuffer => "swiotlb=<slots>",
            Setting::Restricted => "restricted region",
            Setting::DynamicPools | Setting::Shrinker => "run_pending_work",
        };
        assert!(help.contains(way), "{:?}: {help}", self.setting);
        let has_parameter = help.contains("swiotlb=<slots>");
        assert!(self.setting != Setting::Restricted || !has_parameter);
        larger.unmap(0);
        // The same live mappings and this one, in a larger pool.
        for index in 0..self.live.len() {
            let (request, device) = (self.live[index].request, self.live[index].device);
            let buffer = (
                request.orig.raw() - 64,
                request.bytes,
                request.alloc_align_mask,
            );
            let request = larger.request(buffer, request.dir, 0, 1);
            assert_eq!(larger.map(device, &request, 1), Ok(()));
        }
        let request = larger.request(buffer, DataDirection::ToDevice, 0, 1);
        assert_eq!(
            larger.map(device, &request, 1),
            Ok(()),
            "a larger pool does not help: {why:?}"
        );
        if help.contains("smaller mappings") {
            let request = self.request((0, 1, 0), DataDirection::ToDevice, 0, 1);
            assert_eq!(self.map(device, &request, 1), Ok(()), "{why:?}");
            self.check_all();
            self.unmap(self.live.len() - 1);
        }
    }

    /// Gives everything back; nothing is in use then, and no page is lost.
    pub(crate) fn finish(mut self) {
        while !self.live.is_empty() {
            self.unmap(0);
        }
        for (addr, _) in std::mem::take(&mut self.pages) {
            self.swiotlb
                .free(&self.devices[0].0, PhysAddr::new(addr))
                .unwrap();
        }
        self.swiotlb.run_pending_work(&mut self.mem);
        self.check_all();
        let stats = self.swiotlb.stats(self.allocator()).unwrap();
        assert_eq!((stats.used_slots, stats.counted_slots), (0, 0));
        let mut grown = Vec::new();
        for pool in self.swiotlb.pools(AllocatorId::DEFAULT) {
            let geometry = self.swiotlb.pool_geometry(pool).unwrap();
            if geometry.base != PhysAddr::new(POOL) {
                grown.push((geometry.base.raw(), geometry.bytes()));
            }
        }
        let mut out = self.out.lock().unwrap().clone();
        out.sort_unstable();
        grown.sort_unstable();
        assert_eq!(out, grown, "pages were lost");
        if self.setting != Setting::Restricted {
            let counters = stats.shrinker;
            let pools = counters.pools_added - counters.pools_removed;
            assert_eq!(pools, grown.len() as u64);
        }
    }
}
