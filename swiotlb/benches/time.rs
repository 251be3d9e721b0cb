//! Times of map and unmap: by size and occupancy, on one and two threads, and with copies against
//! bare copies.

use std::hint::black_box;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use swiotlb::{
    BootConfig, DataDirection, Device, MemoryError, Mode, PhysAddr, PhysMemory, Platform,
    PoolGeometry, Swiotlb,
};

mod support;
use support::{Bench, ORIGINAL, POOL_BASE, POOL_SLOTS, request};

const SIZES: [u64; 5] = [64, 2048, 4096, 65536, 262_144];

fn slots_of(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(2048)).expect("at most 128")
}

fn pairs(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("pair without copy");
    for bytes in SIZES {
        for occupancy in [0, 50, 90, 99] {
            let bench = Bench::new(bytes, occupancy, slots_of(bytes), 1);
            let wanted = request(bytes, 0);
            let id = BenchmarkId::new(bytes.to_string(), occupancy);
            group.bench_function(id, |bencher| {
                bencher.iter(|| bench.give_back(bench.take(black_box(&wanted)), bytes));
            });
        }
    }
}

/// Runs `pairs` pairs on each thread and returns how long all took.
fn run_threads(bench: &Bench, threads: u32, pairs: u64) -> Duration {
    let barrier = Barrier::new(threads as usize + 1);
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let barrier = &barrier;
            scope.spawn(move || {
                let wanted = request(bench.bytes, thread);
                barrier.wait();
                for _ in 0..pairs {
                    bench.give_back(bench.take(black_box(&wanted)), bench.bytes);
                }
                barrier.wait();
            });
        }
        barrier.wait();
        let begin = Instant::now();
        barrier.wait();
        begin.elapsed()
    })
}

fn threads(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("4 KiB pair per thread");
    for (threads, areas) in [(1, 1), (1, 2), (2, 1), (2, 2)] {
        for occupancy in [0, 50] {
            let bench = Bench::new(4096, occupancy, 2, areas);
            group.throughput(Throughput::Elements(u64::from(threads)));
            let id = BenchmarkId::new(format!("{threads} threads, {areas} areas"), occupancy);
            group.bench_function(id, |bencher| {
                bencher.iter_custom(|pairs| run_threads(&bench, threads, pairs));
            });
        }
    }
}

/// The original and the pool, each one piece of memory.
struct TwoPieces {
    original: Vec<u8>,
    pool: Vec<u8>,
}

impl TwoPieces {
    fn new() -> Self {
        Self {
            original: vec![1; 262_144],
            pool: vec![2; POOL_SLOTS as usize * 2048],
        }
    }

    fn bounce(&mut self, at: usize, bytes: usize) {
        self.pool[at..at + bytes].copy_from_slice(&self.original[..bytes]);
    }
}

impl PhysMemory for TwoPieces {
    fn read(&self, addr: PhysAddr, buf: &mut [u8]) -> Result<(), MemoryError> {
        let bytes = buf.len() as u64;
        Err(MemoryError { addr, bytes })
    }

    fn write(&mut self, addr: PhysAddr, buf: &[u8]) -> Result<(), MemoryError> {
        let bytes = buf.len() as u64;
        Err(MemoryError { addr, bytes })
    }

    fn copy(&mut self, from: PhysAddr, to: PhysAddr, bytes: u64) -> Result<(), MemoryError> {
        let error = MemoryError { addr: from, bytes };
        if from.raw() != ORIGINAL {
            return Err(error);
        }
        let at = usize::try_from(to.raw() - POOL_BASE).map_err(|_| error)?;
        self.bounce(at, usize::try_from(bytes).map_err(|_| error)?);
        Ok(())
    }

    fn zero(&mut self, _: PhysAddr, _: u64) -> Result<(), MemoryError> {
        self.pool.fill(0);
        Ok(())
    }
}

fn copies(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("copy to the device");
    for bytes in SIZES {
        group.throughput(Throughput::Bytes(bytes));
        let mut mem = TwoPieces::new();
        let len = usize::try_from(bytes).expect("small");
        let step = slots_of(bytes) as usize * 2048;
        let mut at = 0;
        group.bench_function(BenchmarkId::new("bare", bytes), |bencher| {
            bencher.iter(|| {
                mem.bounce(at, black_box(len));
                at = (at + step) % mem.pool.len();
            });
        });
        let geometry = PoolGeometry {
            base: PhysAddr::new(POOL_BASE),
            slots: POOL_SLOTS,
            areas: 1,
        };
        let (platform, boot) = (Platform::default(), BootConfig::default());
        let swiotlb = Swiotlb::with_pool(&mut mem, platform, boot, Mode::Kernel, geometry)
            .expect("a pool of 64 MiB");
        let dev = Device::new("bench");
        let wanted = request(bytes, 0);
        group.bench_function(BenchmarkId::new("bounced", bytes), |bencher| {
            bencher.iter(|| {
                let bounce = swiotlb.tbl_map_single(&mut mem, &dev, black_box(&wanted));
                let addr = bounce.expect("slots are free").tlb_addr;
                let dir = DataDirection::ToDevice;
                swiotlb.tbl_unmap_single(&mut mem, &dev, addr, bytes, dir, wanted.attrs)
            });
        });
    }
}

fn quick() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(700))
        .sample_size(20)
}

criterion_group! {
    name = all;
    config = quick();
    targets = pairs, threads, copies
}
criterion_main!(all);
