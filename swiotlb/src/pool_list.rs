//! The pools of an allocator: the first one at hand, the others in a list that is read without a
//! lock and replaced as a whole.

use std::ops::Deref;

use crate::addr::PhysAddr;
use crate::pool::{Pool, PoolId};
use crate::sync_primitives::{Arc, AtomicUsize, Lock, Ordering, Snapshot, View};

/// Further pools, newest first.
type Further = Vec<Arc<Pool>>;

/// All pools but transient ones. Newest first, so the first one comes last.
#[derive(Debug, Default)]
pub(crate) struct PoolList {
    first: Option<Arc<Pool>>,
    further: Snapshot<Further>,
    /// Length of `further`. While it is zero, nobody looks there.
    further_len: AtomicUsize,
    /// Held by who changes `further`.
    changes: Lock<()>,
}

/// A pool that stays alive while it is held.
#[derive(Debug)]
pub(crate) enum PoolRef<'a> {
    First(&'a Pool),
    Further(View<Further>, usize),
    /// A pool of one mapping.
    Transient(Arc<Pool>),
}

impl Deref for PoolRef<'_> {
    type Target = Pool;

    #[inline]
    fn deref(&self) -> &Pool {
        match self {
            Self::First(pool) => pool,
            Self::Further(list, index) => &list[*index],
            Self::Transient(pool) => pool,
        }
    }
}

impl PoolList {
    /// Returns the first pool.
    #[inline]
    pub(crate) fn first(&self) -> Option<&Pool> {
        self.first.as_deref()
    }

    /// Returns whether there are others than the first pool.
    #[inline(always)]
    pub(crate) fn has_further(&self) -> bool {
        self.further_len.load(Ordering::Acquire) > 0
    }

    /// Makes a pool the first one.
    pub(crate) fn set_first(&mut self, pool: Arc<Pool>) {
        self.first = Some(pool);
    }

    /// Returns the further pools, newest first; `None` if there are none.
    #[inline]
    pub(crate) fn further(&self) -> Option<View<Further>> {
        self.has_further().then(|| self.further.load())
    }

    /// Puts a pool at the head of the list.
    pub(crate) fn add(&self, pool: Pool) {
        let _changes = self.changes.lock();
        let old = self.further.load();
        let mut list = Vec::with_capacity(old.len() + 1);
        list.push(Arc::new(pool));
        list.extend(old.iter().cloned());
        self.replace(list);
    }

    /// Takes a pool out of the list if it is empty and every run has its initial length. No slot can
    /// be taken in it from then on: a search that has it in hand finds it retired.
    pub(crate) fn remove_if_pristine(&self, id: PoolId) -> Option<Arc<Pool>> {
        let _changes = self.changes.lock();
        let old = self.further.load();
        let index = old.iter().position(|pool| pool.id == id)?;
        let pool = Arc::clone(&old[index]);
        let mut domains = pool.lock_if_pristine()?;
        for domain in &mut domains {
            domain.is_retired = true;
        }
        let list = old.iter().filter(|listed| listed.id != id).cloned();
        self.replace(list.collect());
        drop(domains);
        Some(pool)
    }

    fn replace(&self, list: Further) {
        let len = list.len();
        self.further.store(list);
        self.further_len.store(len, Ordering::Release);
    }

    /// Takes all pools out, newest first.
    pub(crate) fn take_all(&mut self) -> Vec<Arc<Pool>> {
        let mut pools: Vec<Arc<Pool>> = self.further.load().iter().cloned().collect();
        self.replace(Vec::new());
        pools.extend(self.first.take());
        pools
    }

    /// Returns the pool that holds `addr`. Pools do not overlap, so the order does not matter.
    #[inline]
    pub(crate) fn find(&self, addr: PhysAddr) -> Option<PoolRef<'_>> {
        if let Some(first) = self.first()
            && first.contains(addr)
        {
            return Some(PoolRef::First(first));
        }
        let further = self.further()?;
        let index = further.iter().position(|pool| pool.contains(addr))?;
        Some(PoolRef::Further(further, index))
    }

    /// Calls `see` with each pool, newest first.
    pub(crate) fn for_each(&self, mut see: impl FnMut(&Pool)) {
        if let Some(further) = self.further() {
            for pool in further.iter() {
                see(pool);
            }
        }
        if let Some(first) = self.first() {
            see(first);
        }
    }

    /// Returns the pool with an id.
    pub(crate) fn get(&self, id: PoolId) -> Option<PoolRef<'_>> {
        if let Some(first) = self.first()
            && first.id == id
        {
            return Some(PoolRef::First(first));
        }
        let further = self.further()?;
        let index = further.iter().position(|pool| pool.id == id)?;
        Some(PoolRef::Further(further, index))
    }
}
