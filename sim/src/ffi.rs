//! The border to the Verilated model: the only `unsafe` code of the crate.
//!
//! C++ owns the pins; Rust sees them as slices between two steps. A model is reached through `&mut self`
//! only, so C++ never writes while a slice is alive.
#![expect(
    unsafe_code,
    reason = "calls into the Verilated model and views its pins"
)]
#![expect(
    unreachable_pub,
    reason = "cxx makes every function public inside the private module"
)]

use std::fmt;
use std::ptr::NonNull;

use cxx::UniquePtr;

use crate::pins::{AxiLitePins, AxiManagerPins, AxiStreamPins, HostViewPins, RegisterPins};

#[cxx::bridge(namespace = "rebound")]
mod bridge {
    /// One array of the pin block.
    #[derive(Debug)]
    #[repr(u8)]
    enum PinKind {
        Manager,
        Lite,
        Register,
        StreamOut,
        StreamIn,
        WireOut,
        WireIn,
        HostView,
    }

    /// A breach as the model reports it.
    #[derive(Debug)]
    struct ViolationRecord {
        port: i32,
        rule: String,
        section: String,
        text: String,
        expected: u64,
        found: u64,
        cycle: u64,
    }

    unsafe extern "C++" {
        include!("loader.h");

        type Model;

        fn load_model(path: &str, seed: u64) -> Result<UniquePtr<Model>>;
        fn pin_base(model: Pin<&mut Model>, kind: PinKind) -> *mut u8;
        fn pin_count(model: Pin<&mut Model>, kind: PinKind) -> usize;
        fn step(self: Pin<&mut Model>) -> u32;
        fn set_reset(self: Pin<&mut Model>, is_reset: bool);
        fn cycle(self: &Model) -> u64;
        fn open_trace(model: Pin<&mut Model>, path: &str, from: u64, to: u64) -> Result<bool>;
        fn flush_trace(self: Pin<&mut Model>) -> Result<()>;
        fn close_trace(self: Pin<&mut Model>) -> Result<()>;
        fn stop_kind(model: &Model) -> u32;
        fn stop_text(model: &Model) -> String;
        fn violation_total(self: &Model) -> u64;
        fn take_violations(model: Pin<&mut Model>) -> Vec<ViolationRecord>;
        fn message_total(self: &Model) -> u64;
        fn take_messages(model: Pin<&mut Model>) -> Vec<String>;
    }
}

pub(crate) use bridge::ViolationRecord;
use bridge::{Model as CxxModel, PinKind};

/// The model can do no further cycle; [`Model::stop_kind`] says why.
pub(crate) const STOPPED: u32 = 1;
/// Violations wait to be taken.
pub(crate) const HAS_VIOLATIONS: u32 = 2;

/// `rebound::StopKind::kFinish`.
pub(crate) const STOP_FINISH: u32 = 1;
/// `rebound::StopKind::kStop`.
pub(crate) const STOP_STOP: u32 = 2;

/// A model and its pins.
pub(crate) struct Model {
    managers: PinArray<AxiManagerPins>,
    lites: PinArray<AxiLitePins>,
    registers: PinArray<RegisterPins>,
    streams_out: PinArray<AxiStreamPins>,
    streams_in: PinArray<AxiStreamPins>,
    wires_out: PinArray<u64>,
    wires_in: PinArray<u64>,
    host_view: PinArray<HostViewPins>,
    inner: UniquePtr<CxxModel>,
}

impl fmt::Debug for Model {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Model")
            .field("cycle", &self.inner.cycle())
            .finish_non_exhaustive()
    }
}

/// One array of the pin block, in memory of the C++ model.
struct PinArray<T> {
    base: NonNull<T>,
    count: usize,
}

impl<T> PinArray<T> {
    fn of(model: &mut UniquePtr<CxxModel>, kind: PinKind) -> Self {
        let count = bridge::pin_count(model.pin_mut(), kind);
        let base = NonNull::new(bridge::pin_base(model.pin_mut(), kind).cast::<T>());
        match base {
            Some(base) if base.is_aligned() => Self { base, count },
            // A core without such interfaces.
            _ => Self {
                base: NonNull::dangling(),
                count: 0,
            },
        }
    }

    fn get(&self) -> &[T] {
        // SAFETY: the array belongs to the model that owns self, stays in place as long as it, is aligned
        // (checked above), initialised with plain integers, and written by C++ only inside `&mut` calls.
        unsafe { std::slice::from_raw_parts(self.base.as_ptr(), self.count) }
    }

    fn get_mut(&mut self) -> &mut [T] {
        // SAFETY: as in `get`; `&mut self` excludes any other view of this array.
        unsafe { std::slice::from_raw_parts_mut(self.base.as_ptr(), self.count) }
    }
}

macro_rules! pins {
    ($($name:ident, $name_mut:ident: $type:ty;)*) => {$(
        #[inline]
        pub(crate) fn $name(&self) -> &[$type] {
            self.$name.get()
        }

        #[inline]
        pub(crate) fn $name_mut(&mut self) -> &mut [$type] {
            self.$name.get_mut()
        }
    )*};
}

impl Model {
    /// Opens the library at `path` and makes a model of it; the error is a sentence.
    pub(crate) fn load(path: &str, seed: u64) -> Result<Self, String> {
        let mut inner = bridge::load_model(path, seed).map_err(|error| error.what().to_owned())?;
        Ok(Self {
            managers: PinArray::of(&mut inner, PinKind::Manager),
            lites: PinArray::of(&mut inner, PinKind::Lite),
            registers: PinArray::of(&mut inner, PinKind::Register),
            streams_out: PinArray::of(&mut inner, PinKind::StreamOut),
            streams_in: PinArray::of(&mut inner, PinKind::StreamIn),
            wires_out: PinArray::of(&mut inner, PinKind::WireOut),
            wires_in: PinArray::of(&mut inner, PinKind::WireIn),
            host_view: PinArray::of(&mut inner, PinKind::HostView),
            inner,
        })
    }

    pins! {
        managers, managers_mut: AxiManagerPins;
        lites, lites_mut: AxiLitePins;
        registers, registers_mut: RegisterPins;
        streams_out, streams_out_mut: AxiStreamPins;
        streams_in, streams_in_mut: AxiStreamPins;
        wires_in, wires_in_mut: u64;
        host_view, host_view_mut: HostViewPins;
    }

    #[inline]
    pub(crate) fn wires_out(&self) -> &[u64] {
        self.wires_out.get()
    }

    /// One clock cycle; the result is a set of the bits above.
    #[inline]
    pub(crate) fn step(&mut self) -> u32 {
        self.inner.pin_mut().step()
    }

    pub(crate) fn set_reset(&mut self, is_reset: bool) {
        self.inner.pin_mut().set_reset(is_reset);
    }

    pub(crate) fn cycle(&self) -> u64 {
        self.inner.cycle()
    }

    /// Starts a dump; false if the library was built without tracing.
    pub(crate) fn open_trace(&mut self, path: &str, from: u64, to: u64) -> Result<bool, String> {
        bridge::open_trace(self.inner.pin_mut(), path, from, to)
            .map_err(|error| error.what().to_owned())
    }

    pub(crate) fn flush_trace(&mut self) -> Result<(), String> {
        self.inner
            .pin_mut()
            .flush_trace()
            .map_err(|error| error.what().to_owned())
    }

    pub(crate) fn close_trace(&mut self) -> Result<(), String> {
        self.inner
            .pin_mut()
            .close_trace()
            .map_err(|error| error.what().to_owned())
    }

    pub(crate) fn stop_kind(&self) -> u32 {
        bridge::stop_kind(&self.inner)
    }

    pub(crate) fn stop_text(&self) -> String {
        bridge::stop_text(&self.inner)
    }

    pub(crate) fn violation_total(&self) -> u64 {
        self.inner.violation_total()
    }

    pub(crate) fn take_violations(&mut self) -> Vec<ViolationRecord> {
        bridge::take_violations(self.inner.pin_mut())
    }

    pub(crate) fn message_total(&self) -> u64 {
        self.inner.message_total()
    }

    pub(crate) fn take_messages(&mut self) -> Vec<String> {
        bridge::take_messages(self.inner.pin_mut())
    }
}
