//! Ranges of I/O virtual pages that were freed lately, for each CPU (`struct iova_rcache`).

use std::collections::BTreeMap;

use crate::area::CpuId;

/// Orders that are cached: 1 to 32 pages.
const ORDERS: usize = 6;
/// Ranges in a magazine (`IOVA_MAG_SIZE`).
const MAGAZINE_ENTRIES: usize = 127;

/// A stack of ranges of one order, each by its first page.
#[derive(Debug, Clone, Default)]
struct Magazine {
    pages: Vec<u64>,
}

impl Magazine {
    fn is_full(&self) -> bool {
        self.pages.len() >= MAGAZINE_ENTRIES
    }

    /// Takes the range that came last of those that end at or below `last`.
    fn pop(&mut self, size: u64, last: u64) -> Option<u64> {
        let fits = |&page: &u64| page + (size - 1) <= last;
        let index = self.pages.iter().rposition(fits)?;
        Some(self.pages.swap_remove(index))
    }
}

/// The two magazines of a CPU for one order.
#[derive(Debug, Clone, Default)]
struct CpuCache {
    loaded: Magazine,
    previous: Magazine,
}

impl CpuCache {
    fn pop(&mut self, size: u64, last: u64) -> Option<u64> {
        if self.loaded.pages.is_empty() {
            std::mem::swap(&mut self.loaded, &mut self.previous);
        }
        let found = self.loaded.pop(size, last);
        found.or_else(|| self.previous.pop(size, last))
    }

    /// Returns whether there was room.
    fn push(&mut self, page: u64) -> bool {
        if self.loaded.is_full() {
            if self.previous.is_full() {
                return false;
            }
            std::mem::swap(&mut self.loaded, &mut self.previous);
        }
        self.loaded.pages.push(page);
        true
    }
}

/// The magazines of all CPUs that have freed something.
#[derive(Debug, Clone, Default)]
pub(crate) struct IovaCaches {
    cpus: BTreeMap<u32, [CpuCache; ORDERS]>,
}

/// Returns the order of a size that is cached.
fn order_of(size: u64) -> Option<usize> {
    let order = usize::try_from(size.trailing_zeros()).ok()?;
    (size.is_power_of_two() && order < ORDERS).then_some(order)
}

impl IovaCaches {
    /// Takes the range of `size` pages that the CPU freed last, of those that end at or below
    /// `last`.
    pub(crate) fn pop(&mut self, cpu: CpuId, size: u64, last: u64) -> Option<u64> {
        let order = order_of(size)?;
        self.cpus.get_mut(&cpu.0)?[order].pop(size, last)
    }

    /// Keeps a range. Returns whether there was room.
    pub(crate) fn push(&mut self, cpu: CpuId, page: u64, size: u64) -> bool {
        order_of(size).is_some_and(|order| self.cpus.entry(cpu.0).or_default()[order].push(page))
    }

    /// Gives up all ranges, each as first page and size.
    pub(crate) fn drain(&mut self) -> Vec<(u64, u64)> {
        let cpus = std::mem::take(&mut self.cpus);
        let caches = cpus.into_values().flat_map(|orders| {
            let orders = orders.into_iter().enumerate();
            orders.map(|(order, cache)| (1 << order, cache))
        });
        let ranges = caches.flat_map(|(size, cache)| {
            let pages = cache.loaded.pages.into_iter().chain(cache.previous.pages);
            pages.map(move |page| (page, size))
        });
        ranges.collect()
    }

    /// Returns the number of ranges kept.
    pub(crate) fn len(&self) -> usize {
        let caches = self.cpus.values().flatten();
        caches
            .map(|cache| cache.loaded.pages.len() + cache.previous.pages.len())
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CPU: CpuId = CpuId(0);

    #[test]
    fn what_came_last_goes_first_and_each_cpu_has_its_own() {
        let mut caches = IovaCaches::default();
        assert!(caches.push(CPU, 10, 4) && caches.push(CPU, 20, 4) && caches.push(CPU, 30, 1));
        assert_eq!(caches.pop(CpuId(1), 4, 1000), None);
        assert_eq!(caches.pop(CPU, 4, 1000), Some(20));
        assert_eq!(caches.pop(CPU, 4, 1000), Some(10));
        assert_eq!(caches.pop(CPU, 4, 1000), None);
        assert_eq!(caches.pop(CPU, 1, 1000), Some(30));
    }

    #[test]
    fn a_range_above_the_limit_stays() {
        let mut caches = IovaCaches::default();
        caches.push(CPU, 10, 4);
        caches.push(CPU, 20, 4);
        assert_eq!(caches.pop(CPU, 4, 22), Some(10));
        assert_eq!(caches.pop(CPU, 4, 22), None);
        assert_eq!(caches.pop(CPU, 4, 23), Some(20));
    }

    #[test]
    fn two_magazines_of_127_are_kept_for_orders_0_to_5_only() {
        let mut caches = IovaCaches::default();
        for page in 0..254 {
            assert!(caches.push(CPU, page, 1), "range {page}");
        }
        assert!(!caches.push(CPU, 254, 1));
        assert!(caches.push(CPU, 1000, 32));
        assert!(!caches.push(CPU, 1000, 64) && !caches.push(CPU, 1000, 3));
        assert_eq!(caches.len(), 255);
        let drained = caches.drain();
        assert_eq!(drained.len(), 255);
        assert!(drained.contains(&(1000, 32)));
        assert_eq!(caches.len(), 0);
    }
}
