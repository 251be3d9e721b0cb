//! Why no slots were found: the kernel says only that the buffer is full.

use crate::allocator::Allocator;
use crate::device::Device;
use crate::domain::Domain;
use crate::error::FullReason;
use crate::pool::Pool;
use crate::search::{FindRun, Search, Suit, Wanted};
use crate::swiotlb::Shared;

/// The best run that was free, over all pools.
#[derive(Debug, Default)]
struct Best {
    longest_run: u32,
    /// How far the best run of the wanted length suits, and whether its area counts enough free
    /// slots.
    run: Option<(Suit, bool)>,
}

impl Allocator {
    /// Finds out what was missing, by what would have been the last step to success.
    pub(crate) fn explain_full(
        &self,
        shared: &Shared,
        dev: &Device,
        wanted: &Wanted,
    ) -> FullReason {
        let mut best = Best::default();
        let mut prepared = None;
        self.pools.for_each(|pool| {
            if let Ok(search) = self.prepare(shared, dev, wanted, pool) {
                best.look_at(pool, &search);
                prepared = Some(search);
            }
        });
        let free = self.total_slots().saturating_sub(self.used());
        let Some(search) = prepared else {
            return FullReason::FewFree { free };
        };
        if search.is_above_boundary() {
            return FullReason::AboveBoundary;
        }
        let (zero_mask, keep_mask, stride) = search.masks();
        match best.run {
            None if free < u64::from(search.slots()) => FullReason::FewFree { free },
            None => FullReason::Fragmented {
                longest_run: best.longest_run,
            },
            Some((Suit::Misaligned, _)) => FullReason::Misaligned { mask: zero_mask },
            Some((Suit::WrongSide, _)) => FullReason::WrongSide { mask: keep_mask },
            Some((Suit::CrossesBoundary, _)) => FullReason::CrossesBoundary {
                mask: dev.seg_boundary_mask(),
            },
            Some((Suit::Suitable, true)) if shared.search_areas > 0 => {
                FullReason::SteppedOver { stride }
            }
            Some((Suit::Suitable, _)) => FullReason::AreasExhausted {
                searched_areas: shared.search_areas.min(self.most_areas()),
            },
        }
    }

    fn most_areas(&self) -> u32 {
        let mut most = 0;
        self.pools
            .for_each(|pool| most = most.max(pool.geometry.areas));
        most
    }
}

impl Best {
    fn look_at(&mut self, pool: &Pool, search: &Search) {
        for domain in pool.domains() {
            let mut domain = domain.lock();
            let longest_run = domain.table.longest_free_run();
            self.longest_run = self.longest_run.max(longest_run);
            if longest_run >= search.slots() {
                self.look_in(&mut domain, search);
            }
        }
    }

    /// Looks at every place at which a run of the wanted length is free.
    fn look_in(&mut self, domain: &mut Domain, search: &Search) {
        let mut from = 0;
        while let Some(set) = domain.table.next_set(search.slots(), from) {
            from = set + 1;
            let mut runs = domain.table.fitting(set, search.slots());
            while runs != 0 {
                if self.run == Some((Suit::Suitable, true)) {
                    return;
                }
                let first = u32::try_from(set).unwrap_or(u32::MAX) * crate::SLOT_SET_SLOTS;
                let slot = first + runs.trailing_zeros();
                runs &= runs - 1;
                let has_room = domain.has_room(slot, search.slots());
                let run = (search.suit(domain.first_slot + slot), has_room);
                self.run = self.run.max(Some(run));
            }
        }
    }
}
