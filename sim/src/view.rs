//! The driver's side in the waveform: CPU states and what was mapped last.

use std::cell::{Cell, RefCell};

use swiotlb::{DmaAddr, PhysAddr};

use crate::cpu::CpuState;
use crate::pins::{HostViewPins, VIEW_CPUS};

/// The signals beside the core, changed by the driver and shown from the next cycle on.
#[derive(Debug, Default)]
pub struct HostView {
    pins: RefCell<HostViewPins>,
    is_changed: Cell<bool>,
}

impl HostView {
    /// Starts with all CPUs idle.
    pub(crate) fn new(cpus: usize) -> Self {
        let view = Self::default();
        for cpu in 0..cpus {
            view.set_cpu(cpu, CpuState::Idle);
        }
        view
    }

    /// Shows the state of a CPU; CPUs beyond the fourth are not shown.
    pub(crate) fn set_cpu(&self, cpu: usize, state: CpuState) {
        if cpu < VIEW_CPUS {
            self.change(|pins| pins.cpu_state[cpu] = state.pin_text());
        }
    }

    /// Shows the slots of the pool in use.
    pub fn set_slots_used(&self, slots: u64) {
        self.change(|pins| pins.slots_used = slots);
    }

    /// Shows a mapping: the original buffer, its bounce buffer if it has one, and the DMA address that
    /// the device gets.
    pub fn set_mapping(&self, orig: PhysAddr, bounce: Option<PhysAddr>, dma: DmaAddr) {
        self.change(|pins| {
            pins.orig_addr = orig.raw();
            pins.bounce_addr = bounce.map_or(0, PhysAddr::raw);
            pins.dma_addr = dma.raw();
        });
    }

    /// Returns what is shown.
    #[must_use]
    pub fn pins(&self) -> HostViewPins {
        *self.pins.borrow()
    }

    /// Takes the change, if there was one since the last call.
    #[inline]
    pub(crate) fn take_change(&self) -> Option<HostViewPins> {
        self.is_changed.replace(false).then(|| self.pins())
    }

    fn change(&self, change: impl FnOnce(&mut HostViewPins)) {
        change(&mut self.pins.borrow_mut());
        self.is_changed.set(true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_taken_once() {
        let view = HostView::new(2);
        assert_eq!(&view.take_change().unwrap().cpu_state[1][..5], b"idle\0");
        assert_eq!(view.take_change(), None);
        view.set_mapping(PhysAddr::new(1), None, DmaAddr::new(3));
        view.set_slots_used(7);
        view.set_cpu(99, CpuState::Working);
        let pins = view.take_change().unwrap();
        assert_eq!(
            (
                pins.orig_addr,
                pins.bounce_addr,
                pins.dma_addr,
                pins.slots_used
            ),
            (1, 0, 3, 7)
        );
    }
}
