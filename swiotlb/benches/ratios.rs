//! Times that only make sense side by side: two threads against one, and bounced copies against bare
//! ones. Both sides of a ratio are timed in turn, in short batches, and the fastest batch of each
//! counts, so that other work on the machine spoils little.

use std::hint::black_box;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use swiotlb::{
    BootConfig, Device, Mode, PhysAddr, PhysMemory, Platform, PoolGeometry, RamRange, Released,
    SparseMemory, Swiotlb, UnmapError,
};

mod support;
use support::{Bench, ORIGINAL, POOL_BASE, TwoPieces, request};

/// Batches of each side.
const BATCHES: usize = 400;
/// Pairs of a thread in a batch: about a millisecond, less than a time slice.
const PAIRS: u32 = 20_000;
/// Slots of the pool that is copied to: it stays in the cache, so that the memory's speed hides nothing.
const COPY_SLOTS: u32 = 1024;
/// Bytes copied in a batch.
const BATCH_BYTES: u64 = 2 << 20;

/// Runs a batch on each thread, thread `t` with device `t` (modulo their number) as CPU `t`. Returns
/// how long it took from the first thread's begin to the last one's end.
fn run_threads(bench: &Bench, devices: &[Device], threads: u32) -> Duration {
    let barrier = Barrier::new(threads as usize);
    let run = |thread: u32| {
        let wanted = request(bench.bytes, thread);
        let dev = &devices[thread as usize % devices.len()];
        barrier.wait();
        let begin = Instant::now();
        for _ in 0..PAIRS {
            let addr = bench.take_for(dev, black_box(&wanted));
            bench.give_back_for(dev, addr, bench.bytes);
        }
        (begin, Instant::now())
    };
    std::thread::scope(|scope| {
        let run = &run;
        let started: Vec<_> = (0..threads)
            .map(|thread| scope.spawn(move || run(thread)))
            .collect();
        let times: Vec<_> = started
            .into_iter()
            .map(|thread| thread.join().expect("a thread does not fail"))
            .collect();
        let begin = times.iter().map(|&(begin, _)| begin).min();
        let end = times.iter().map(|&(_, end)| end).max();
        end.zip(begin)
            .map_or(Duration::MAX, |(end, begin)| end - begin)
    })
}

fn threads() {
    println!(
        "Two threads on two areas, against one: pairs per second (1 is no gain, 2 is all there is)"
    );
    println!("  bytes  occupied  devices  ns/pair, one thread  two threads, each    gain");
    let devices = [Device::new("first"), Device::new("second")];
    for bytes in [64, 4096, 65536] {
        for occupancy in [0, 50] {
            let block = u32::try_from(bytes / 2048).unwrap_or(1).max(1);
            let bench = Bench::new(bytes, occupancy, block, 2);
            for count in [1, 2] {
                let devices = &devices[..count];
                let mut best = [Duration::MAX; 2];
                for _ in 0..BATCHES {
                    best[0] = best[0].min(run_threads(&bench, devices, 1));
                    best[1] = best[1].min(run_threads(&bench, devices, 2));
                }
                let [one, two] = best.map(|time| time.as_secs_f64() * 1e9 / f64::from(PAIRS));
                let gain = 2.0 * one / two;
                println!("{bytes:7} {occupancy:7} % {count:8} {one:21.1} {two:18.1} {gain:7.2}");
            }
        }
    }
}

/// A layer whose copies are real.
struct Copies<M> {
    mem: M,
    swiotlb: Swiotlb,
    dev: Device,
}

impl<M: PhysMemory> Copies<M> {
    fn new(mut mem: M) -> Self {
        let geometry = PoolGeometry {
            base: PhysAddr::new(POOL_BASE),
            slots: COPY_SLOTS,
            areas: 1,
        };
        let (platform, boot) = (Platform::default(), BootConfig::default());
        let swiotlb = Swiotlb::with_pool(&mut mem, platform, boot, Mode::Kernel, geometry)
            .expect("a pool of 2 MiB");
        let dev = Device::new("bench");
        Self { mem, swiotlb, dev }
    }

    /// Copies as a map does, to `at` bytes behind the begin of the pool.
    fn bare(&mut self, at: u64, bytes: u64) {
        let (from, to) = (PhysAddr::new(ORIGINAL), PhysAddr::new(POOL_BASE + at));
        let copied = self.mem.copy(from, to, bytes);
        copied.expect("both sides are memory");
    }

    fn bounce(&mut self, bytes: u64) -> Result<Option<Released>, UnmapError> {
        let wanted = request(bytes, 0);
        let bounce = self
            .swiotlb
            .tbl_map_single(&mut self.mem, &self.dev, black_box(&wanted));
        let addr = bounce.expect("slots are free").tlb_addr;
        self.swiotlb.tbl_unmap_single(
            &mut self.mem,
            &self.dev,
            addr,
            bytes,
            wanted.dir,
            wanted.attrs,
        )
    }
}

fn time(rounds: u64, mut work: impl FnMut()) -> Duration {
    let begin = Instant::now();
    for _ in 0..rounds {
        work();
    }
    begin.elapsed()
}

fn copies(name: &str, mem: impl PhysMemory) {
    println!("Copies to the device in {name}: bare ones, and with map and unmap around each");
    println!("  bytes  ns, bare  ns, bounced  share of the bare speed");
    let mut copies = Copies::new(mem);
    for bytes in [2048, 4096, 65536, 262_144] {
        let rounds = BATCH_BYTES / bytes;
        let mut at = 0;
        let mut best = [Duration::MAX; 2];
        for _ in 0..BATCHES {
            let bare = time(rounds, || {
                copies.bare(at, black_box(bytes));
                at = (at + bytes) % (u64::from(COPY_SLOTS) * 2048);
            });
            let bounced = time(rounds, || {
                black_box(copies.bounce(bytes)).expect("the buffer is mapped");
            });
            best = [best[0].min(bare), best[1].min(bounced)];
        }
        let rounds = u32::try_from(rounds).expect("small");
        let [bare, bounced] = best.map(|time| time.as_secs_f64() * 1e9 / f64::from(rounds));
        let share = 100.0 * bare / bounced;
        println!("{bytes:7} {bare:9.1} {bounced:12.1} {share:22.1} %");
    }
}

/// The memory that tests and simulations use.
fn sparse_memory() -> SparseMemory {
    let range = |start, bytes| RamRange {
        start: PhysAddr::new(start),
        bytes,
    };
    let pool_bytes = u64::from(COPY_SLOTS) * 2048;
    let mut mem = SparseMemory::new(&[range(POOL_BASE, pool_bytes), range(ORIGINAL, 262_144)])
        .expect("ranges apart");
    mem.write(PhysAddr::new(ORIGINAL), &vec![1; 262_144])
        .expect("the original is memory");
    mem
}

/// The memory of a virtual machine.
#[cfg(feature = "vm-memory")]
fn guest_copies() {
    use vm_memory::{GuestAddress, GuestMemoryMmap};

    let ranges = [
        (GuestAddress(POOL_BASE), COPY_SLOTS as usize * 2048),
        (GuestAddress(ORIGINAL), 262_144),
    ];
    let guest = GuestMemoryMmap::<()>::from_ranges(&ranges).expect("ranges apart");
    copies("GuestRam", swiotlb::GuestRam::new(&guest));
}

fn main() {
    // `cargo test --benches` only wants to know whether this runs.
    if std::env::args().any(|arg| arg == "--bench") {
        threads();
        copies("two pieces of memory", TwoPieces::new());
        copies("SparseMemory", sparse_memory());
        #[cfg(feature = "vm-memory")]
        guest_copies();
    }
}
