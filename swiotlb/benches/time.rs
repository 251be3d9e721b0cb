//! Times of map and unmap by size and occupancy.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};

mod support;
use support::{Bench, request};

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

fn quick() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(700))
        .sample_size(20)
}

criterion_group! {
    name = all;
    config = quick();
    targets = pairs
}
criterion_main!(all);
