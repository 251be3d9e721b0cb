//! Locks and atomics of the bounce layer, all from one place: built with `--cfg shuttle`, they are
//! those of a model checker, which then tries one interleaving of threads after the other. What lies
//! above the layer (coherent memory, dma pools, IOMMU domains, the debug layer) has plain locks of
//! `std`, which the model checker does not see.

#[cfg(shuttle)]
mod imp {
    use shuttle::sync::Mutex;
    pub(crate) use shuttle::sync::atomic;
    pub(crate) use shuttle::sync::{Arc, MutexGuard};
    use std::sync::PoisonError;

    /// A lock without poison: what it protects is consistent at every step that can panic.
    #[derive(Debug, Default)]
    pub(crate) struct Lock<T>(Mutex<T>);

    impl<T> Lock<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner)
        }

        pub(crate) fn get_mut(&mut self) -> &mut T {
            self.0.get_mut().unwrap_or_else(PoisonError::into_inner)
        }
    }

    /// A list that is read while it is replaced; a plain lock under the model checker.
    #[derive(Debug, Default)]
    pub(crate) struct Snapshot<T>(Mutex<Arc<T>>);

    /// What [`Snapshot::load`] holds on to.
    pub(crate) type View<T> = Arc<T>;

    impl<T> Snapshot<T> {
        pub(crate) fn load(&self) -> View<T> {
            match self.0.lock() {
                Ok(value) => Arc::clone(&value),
                Err(poisoned) => Arc::clone(&poisoned.into_inner()),
            }
        }

        pub(crate) fn store(&self, value: T) {
            match self.0.lock() {
                Ok(mut place) => *place = Arc::new(value),
                Err(poisoned) => *poisoned.into_inner() = Arc::new(value),
            }
        }
    }
}

#[cfg(not(shuttle))]
mod imp {
    use arc_swap::ArcSwap;
    pub(crate) use parking_lot::{Mutex as Lock, MutexGuard};
    pub(crate) use std::sync::Arc;
    pub(crate) use std::sync::atomic;

    /// A value that is replaced as a whole and read without a lock.
    #[derive(Debug, Default)]
    pub(crate) struct Snapshot<T>(ArcSwap<T>);

    /// What [`Snapshot::load`] holds on to: the value as it was, however often it is replaced.
    pub(crate) type View<T> = arc_swap::Guard<Arc<T>>;

    impl<T> Snapshot<T> {
        #[inline]
        pub(crate) fn load(&self) -> View<T> {
            self.0.load()
        }

        pub(crate) fn store(&self, value: T) {
            self.0.store(Arc::new(value));
        }
    }
}

pub(crate) use imp::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};
pub(crate) use imp::{Arc, Lock, MutexGuard, Snapshot, View};
