//! The memory of a virtual machine, as crate `vm-memory` holds it.

use vm_memory::bitmap::BS;
use vm_memory::{
    Bytes, GuestAddress, GuestAddressSpace, GuestMemory, GuestMemoryError, Permissions,
    VolatileSlice,
};

use crate::addr::PhysAddr;
use crate::memory::{MemoryError, PhysMemory};

/// Bytes that are set to zero at once.
static ZEROS: [u8; 4096] = [0; 4096];

/// Guest memory as [`PhysMemory`]: any [`GuestAddressSpace`], such as a `&GuestMemoryMmap`, an
/// `Arc<GuestMemoryMmap>`, or a `GuestMemoryAtomic` whose regions come and go.
///
/// A guest address is a physical address. The trait is also implemented for `&GuestRam`, so threads
/// share one without a lock: as on hardware, only accesses to the same bytes at the same time have to
/// be kept apart by whoever makes them. Each access sees the regions as they are when it begins, and
/// checks its whole range before the first byte moves; pages that are written are marked in the
/// regions' bitmaps.
///
/// Copies between overlapping ranges within one region leave what `memmove` would; where the
/// ranges reach over several regions, what the overlap then holds is not defined. Regions that Xen
/// grants are not supported: `vm-memory` copies between them without mapping them.
///
/// ```
/// use swiotlb::{GuestRam, PhysAddr, PhysMemory};
/// use vm_memory::{Bytes, GuestAddress, GuestMemoryMmap};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let guest = GuestMemoryMmap::<()>::from_ranges(&[(GuestAddress(0x1000), 0x1000)])?;
/// let mut mem = GuestRam::new(&guest);
/// mem.write(PhysAddr::new(0x1ffc), b"last")?;
/// assert!(mem.write(PhysAddr::new(0x1ffd), b"last").is_err());
///
/// let mut seen = [0; 4];
/// guest.read_slice(&mut seen, GuestAddress(0x1ffc))?;
/// assert_eq!(&seen, b"last");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct GuestRam<S>(S);

impl<S: GuestAddressSpace> GuestRam<S> {
    /// Wraps guest memory.
    #[must_use]
    pub const fn new(space: S) -> Self {
        Self(space)
    }

    /// Returns the guest memory.
    #[must_use]
    pub const fn space(&self) -> &S {
        &self.0
    }

    /// Gives the guest memory back.
    #[must_use]
    pub fn into_space(self) -> S {
        self.0
    }
}

/// A stretch of guest memory that lies in one piece in ours.
type Stretch<'a, M> = VolatileSlice<'a, BS<'a, <M as GuestMemory>::Bitmap>>;

/// Calls `see` with each stretch of a range, in order.
fn walk<'a, M: GuestMemory + ?Sized>(
    mem: &'a M,
    addr: PhysAddr,
    bytes: u64,
    access: Permissions,
    mut see: impl FnMut(&Stretch<'a, M>) -> Result<(), GuestMemoryError>,
) -> Result<(), MemoryError> {
    let missing = |addr| MemoryError { addr, bytes };
    if bytes == 0 {
        return Ok(());
    }
    // Behind the highest address `vm-memory` would go on at the lowest.
    let (Some(_), Ok(count)) = (addr.checked_add(bytes - 1), usize::try_from(bytes)) else {
        return Err(missing(addr));
    };
    let stretches = mem.get_slices(GuestAddress(addr.raw()), count, access);
    let mut at = addr;
    for stretch in stretches.map_err(|_| missing(addr))? {
        stretch
            .and_then(|stretch| {
                see(&stretch)?;
                at = at.wrapping_add(stretch.len() as u64);
                Ok(())
            })
            .map_err(|_| missing(at))?;
    }
    Ok(())
}

/// Checks that all of a range is memory.
fn check<M: GuestMemory + ?Sized>(
    mem: &M,
    addr: PhysAddr,
    bytes: u64,
    access: Permissions,
) -> Result<(), MemoryError> {
    walk(mem, addr, bytes, access, |_| Ok(()))
}

impl<S: GuestAddressSpace> PhysMemory for &GuestRam<S> {
    fn read(&self, addr: PhysAddr, buf: &mut [u8]) -> Result<(), MemoryError> {
        let mem = &*self.0.memory();
        let (bytes, access) = (buf.len() as u64, Permissions::Read);
        check(mem, addr, bytes, access)?;
        let mut rest = buf;
        walk(mem, addr, bytes, access, |stretch| {
            let copied = stretch.copy_to(rest);
            rest = &mut std::mem::take(&mut rest)[copied..];
            Ok(())
        })
    }

    fn write(&mut self, addr: PhysAddr, buf: &[u8]) -> Result<(), MemoryError> {
        let mem = &*self.0.memory();
        let (bytes, access) = (buf.len() as u64, Permissions::Write);
        check(mem, addr, bytes, access)?;
        let mut rest = buf;
        walk(mem, addr, bytes, access, |stretch| {
            let (now, later) = rest.split_at(stretch.len());
            stretch.copy_from(now);
            rest = later;
            Ok(())
        })
    }

    fn copy(&mut self, from: PhysAddr, to: PhysAddr, bytes: u64) -> Result<(), MemoryError> {
        let mem = &*self.0.memory();
        check(mem, from, bytes, Permissions::Read)?;
        check(mem, to, bytes, Permissions::Write)?;
        let mut to = to;
        walk(mem, from, bytes, Permissions::Read, |source| {
            let mut source = source.offset(0)?;
            let len = source.len() as u64;
            walk(mem, to, len, Permissions::Write, |target| {
                source.copy_to_volatile_slice(target.offset(0)?);
                source = source.offset(target.len())?;
                Ok(())
            })
            .map_err(|_| GuestMemoryError::InvalidBackendAddress)?;
            to = to.wrapping_add(len);
            Ok(())
        })
    }

    fn zero(&mut self, addr: PhysAddr, bytes: u64) -> Result<(), MemoryError> {
        let mem = &*self.0.memory();
        check(mem, addr, bytes, Permissions::Write)?;
        walk(mem, addr, bytes, Permissions::Write, |stretch| {
            let mut at = 0;
            while at < stretch.len() {
                at += stretch.write(&ZEROS, at)?;
            }
            Ok(())
        })
    }
}

impl<S: GuestAddressSpace> PhysMemory for GuestRam<S> {
    fn read(&self, addr: PhysAddr, buf: &mut [u8]) -> Result<(), MemoryError> {
        PhysMemory::read(&self, addr, buf)
    }

    fn write(&mut self, addr: PhysAddr, buf: &[u8]) -> Result<(), MemoryError> {
        PhysMemory::write(&mut &*self, addr, buf)
    }

    fn copy(&mut self, from: PhysAddr, to: PhysAddr, bytes: u64) -> Result<(), MemoryError> {
        PhysMemory::copy(&mut &*self, from, to, bytes)
    }

    fn zero(&mut self, addr: PhysAddr, bytes: u64) -> Result<(), MemoryError> {
        PhysMemory::zero(&mut &*self, addr, bytes)
    }
}
