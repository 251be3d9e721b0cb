//! Ranges that were unmapped, but not yet forgotten by the IOMMU (`struct iova_fq`).

use std::collections::BTreeMap;
use std::time::Duration;

use crate::area::CpuId;
use crate::iommu::config::{FlushMode, FlushQueues};
use crate::iommu::iova_space::Grant;

/// The flush queues of a domain. In strict mode they stay empty.
#[derive(Debug, Clone)]
pub(crate) struct FlushQueue {
    mode: FlushMode,
    waiting: BTreeMap<u32, Vec<(u64, Grant)>>,
    /// When the timer fires, if it runs.
    deadline: Option<Duration>,
}

impl FlushQueue {
    pub(crate) const fn new(mode: FlushMode) -> Self {
        Self {
            mode,
            waiting: BTreeMap::new(),
            deadline: None,
        }
    }

    pub(crate) const fn is_lazy(&self) -> bool {
        matches!(self.mode, FlushMode::Lazy { .. })
    }

    /// Returns whether the queue of a CPU has no room, so that a flush is due before the next range.
    pub(crate) fn is_full(&self, cpu: CpuId) -> bool {
        let FlushMode::Lazy { entries, .. } = self.mode else {
            return false;
        };
        let waiting = self.waiting.get(&self.key(cpu));
        waiting.is_some_and(|waiting| waiting.len() >= entries)
    }

    /// Returns whether the timer has fired at `now`.
    pub(crate) fn is_due(&self, now: Duration) -> bool {
        self.deadline.is_some_and(|deadline| now >= deadline)
    }

    /// Lets a range wait, and starts the timer if it does not run.
    pub(crate) fn push(&mut self, page: u64, grant: Grant, now: Duration) {
        if let FlushMode::Lazy { timeout, .. } = self.mode {
            self.deadline.get_or_insert(now.saturating_add(timeout));
        }
        let key = self.key(grant.cpu);
        self.waiting.entry(key).or_default().push((page, grant));
    }

    /// Takes all ranges, in the order of CPUs and then of unmaps.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = (u64, Grant)> + use<> {
        self.deadline = None;
        std::mem::take(&mut self.waiting).into_values().flatten()
    }

    /// Returns the number of ranges that wait.
    pub(crate) fn len(&self) -> usize {
        self.waiting.values().map(Vec::len).sum()
    }

    const fn key(&self, cpu: CpuId) -> u32 {
        match self.mode {
            FlushMode::Lazy {
                queues: FlushQueues::PerCpu,
                ..
            } => cpu.0,
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(cpu: u32) -> Grant {
        Grant {
            asked: 1,
            taken: 1,
            cpu: CpuId(cpu),
        }
    }

    fn lazy(queues: FlushQueues) -> FlushQueue {
        FlushQueue::new(FlushMode::Lazy {
            queues,
            entries: 2,
            timeout: Duration::from_millis(10),
        })
    }

    #[test]
    fn each_cpu_fills_its_own_queue_or_all_fill_one() {
        for (queues, is_full) in [(FlushQueues::PerCpu, false), (FlushQueues::Single, true)] {
            let mut queue = lazy(queues);
            queue.push(5, grant(0), Duration::ZERO);
            queue.push(6, grant(1), Duration::ZERO);
            assert_eq!(queue.is_full(CpuId(0)), is_full);
            queue.push(7, grant(0), Duration::ZERO);
            assert!(queue.is_full(CpuId(0)));
            assert_eq!(queue.len(), 3);
            assert_eq!(queue.drain().count(), 3);
            assert_eq!(queue.len(), 0);
        }
    }

    #[test]
    fn the_timer_runs_from_the_first_range_on() {
        let at = Duration::from_millis;
        let mut queue = lazy(FlushQueues::PerCpu);
        assert!(!queue.is_due(at(1000)));
        queue.push(5, grant(0), at(100));
        queue.push(6, grant(0), at(105));
        assert!(!queue.is_due(at(109)) && queue.is_due(at(110)));
        let _ = queue.drain();
        assert!(!queue.is_due(at(1000)));
    }
}
