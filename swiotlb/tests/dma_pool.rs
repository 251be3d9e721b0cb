//! Dma pools: how blocks lie, in which order they are given, and what the debug build finds.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod support;

use support::{LOW, Machine, Pages};
use swiotlb::{
    CpuAddr, Device, DmaAddr, DmaConfig, DmaError, DmaMessage, DmaPool, Event, Gfp, Message, Mode,
    PhysAddr, Platform, PoolBlock,
};

const PAGES: u64 = 0x40_0000;

struct Bench {
    machine: Machine,
    pages: Pages,
    dev: Device,
}

impl Bench {
    fn new(mode: Mode, config: DmaConfig) -> Self {
        Self {
            machine: Machine::configured(Platform::default(), mode, config),
            pages: Pages::new(PAGES, 0x10_0000),
            dev: Device::new("d"),
        }
    }

    fn plain() -> Self {
        Self::new(Mode::Kernel, DmaConfig::PC)
    }

    fn debugging() -> Self {
        Self::new(Mode::Kernel, DmaConfig::PC.with_pool_debug(true))
    }

    fn pool(&self, bytes: u64, align: u64, boundary: u64) -> DmaPool {
        DmaPool::create(&self.machine.dma, &self.dev, "ring", bytes, align, boundary).unwrap()
    }

    fn alloc(&mut self, pool: &DmaPool) -> PoolBlock {
        let Machine { mem, dma } = &mut self.machine;
        pool.alloc(dma, mem, &mut self.pages, &self.dev, Gfp::KERNEL)
            .unwrap()
    }

    fn free(&mut self, pool: &DmaPool, block: PoolBlock) {
        let Machine { mem, dma } = &mut self.machine;
        pool.free(dma, mem, &self.dev, block).unwrap();
    }

    fn free_at(&mut self, pool: &DmaPool, addr: u64) -> Result<(), DmaError> {
        let Machine { mem, dma } = &mut self.machine;
        let cpu = CpuAddr::Linear(PhysAddr::new(addr));
        pool.free_at(dma, mem, &self.dev, cpu, DmaAddr::new(addr))
    }

    fn destroy(&mut self, pool: DmaPool) -> Result<(), DmaError> {
        let Machine { mem, dma } = &mut self.machine;
        pool.destroy(dma, mem, &mut self.pages, &self.dev)
    }

    fn messages(&mut self) -> Vec<DmaMessage> {
        let events = self.machine.dma.swiotlb_mut().drain_events();
        let message = |event| match event {
            Event::Message {
                message: Message::Dma(message),
                ..
            } => Some(message),
            _ => None,
        };
        events.into_iter().filter_map(message).collect()
    }
}

#[test]
fn blocks_ascend_in_a_new_chunk_and_the_last_freed_comes_first() {
    let mut bench = Bench::plain();
    let pool = bench.pool(2000, 1024, 0);
    let offset = |bench: &mut Bench| {
        let block = bench.alloc(&pool);
        (block.dma_addr().raw() - PAGES, block)
    };
    let (first, a) = offset(&mut bench);
    let (second, b) = offset(&mut bench);
    assert_eq!((first, second, a.bytes()), (0, 2048, 2048));
    assert_eq!(a.cpu(), PhysAddr::new(PAGES));
    let (third, c) = offset(&mut bench);
    assert_eq!(third, 4096);
    bench.free(&pool, a);
    bench.free(&pool, c);
    bench.free(&pool, b);
    let again = [0; 4].map(|_| bench.alloc(&pool).dma_addr().raw() - PAGES);
    assert_eq!(again, [2048, 4096, 0, 6144]);
}

#[test]
fn zalloc_zeroes_what_the_last_user_left() {
    let mut bench = Bench::plain();
    let pool = bench.pool(4096, 0, 0);
    let block = bench.alloc(&pool);
    bench.machine.fill(PAGES, 4096, 0xee);
    bench.free(&pool, block);
    let Machine { mem, dma } = &mut bench.machine;
    let block = pool.zalloc(dma, mem, &mut bench.pages, &bench.dev, Gfp::KERNEL);
    assert_eq!(block.unwrap().dma_addr(), DmaAddr::new(PAGES));
    assert_eq!(bench.machine.read(PAGES, 4096), [0; 4096]);
}

#[test]
fn the_list_of_pools_has_the_text_of_sysfs() {
    let mut bench = Bench::plain();
    let ring = bench.pool(100, 64, 256);
    let _block = bench.alloc(&ring);
    let other = DmaPool::create(&bench.machine.dma, &Device::new("o"), "other", 16, 0, 0);
    let gaps = DmaPool::create(&bench.machine.dma, &bench.dev, "gaps", 96, 32, 256).unwrap();
    let info = ring.info();
    let facts = (info.active_blocks, info.total_blocks, info.block_bytes);
    assert_eq!((facts, info.chunks), ((1, 32, 128), 1));
    let text = |bench: &Bench| bench.machine.dma.pools_text(&bench.dev);
    assert_eq!(
        text(&bench),
        "poolinfo - 0.1\n\
         ring                1   32  128  1\n\
         gaps                0    0   96  0\n"
    );
    bench.destroy(gaps).unwrap();
    assert!(!text(&bench).contains("gaps"));
    assert!(other.is_ok());
}

#[test]
fn a_busy_pool_leaks_and_an_idle_one_gives_its_chunks_back() {
    let mut bench = Bench::plain();
    let pool = bench.pool(16, 0, 0);
    let _block = bench.alloc(&pool);
    let error = bench.destroy(pool).unwrap_err();
    assert_eq!(error.errno(), -16);
    assert!(bench.pages.freed.is_empty());
    assert_eq!(
        bench.messages(),
        [DmaMessage::PoolBusy {
            pool: "ring".to_owned(),
            active_blocks: 1
        }]
    );
    let pool = bench.pool(4096, 0, 0);
    let blocks = [(); 2].map(|()| bench.alloc(&pool));
    for block in blocks {
        bench.free(&pool, block);
    }
    assert_eq!(bench.destroy(pool), Ok(()));
    assert_eq!(
        bench.pages.freed,
        [(PAGES + 0x1000, 4096), (PAGES + 0x2000, 4096)]
    );
}

#[test]
fn impossible_pools_are_refused() {
    let bench = Bench::plain();
    for (bytes, align, boundary) in [(0, 0, 0), (1 << 31, 0, 0), (8, 3, 0), (32, 0, 16)] {
        let pool = DmaPool::create(&bench.machine.dma, &bench.dev, "p", bytes, align, boundary);
        assert_eq!(pool.unwrap_err().errno(), -22, "{bytes} {align} {boundary}");
    }
}

#[test]
fn the_debug_build_finds_foreign_double_and_late_uses() {
    let mut bench = Bench::debugging();
    let pool = bench.pool(64, 0, 0);
    let block = bench.alloc(&pool);
    let addr = block.dma_addr();
    assert_eq!(bench.messages(), []);
    assert!(bench.free_at(&pool, LOW).is_err());
    assert!(bench.free_at(&pool, PAGES + 1).is_err());
    bench.free(&pool, block);
    assert!(bench.free_at(&pool, PAGES).is_err());
    // Free memory has a pattern; the block is given out all the same.
    bench.machine.fill(PAGES + 5, 1, 0);
    let late = bench.alloc(&pool);
    assert_eq!(late.dma_addr(), addr);
    let pool_name = || "ring".to_owned();
    let bad = |addr| DmaMessage::PoolBadDma {
        pool: pool_name(),
        addr: DmaAddr::new(addr),
    };
    let already = DmaMessage::PoolAlreadyFree {
        pool: pool_name(),
        addr,
    };
    let corrupted = DmaMessage::PoolCorrupted {
        pool: pool_name(),
        addr,
        offset: 5,
    };
    assert_eq!(
        bench.messages(),
        [bad(LOW), bad(PAGES + 1), already, corrupted]
    );
    // Written while it was out: silent.
    bench.machine.fill(PAGES, 64, 0);
    bench.free(&pool, late);
    let _ = bench.alloc(&pool);
    assert_eq!(bench.messages(), []);
    assert_eq!(pool.info().active_blocks, 1);
}

#[test]
fn without_checks_a_foreign_block_becomes_the_pools_and_strict_mode_refuses() {
    let mut bench = Bench::plain();
    let pool = bench.pool(64, 0, 0);
    let block = bench.alloc(&pool);
    bench.free_at(&pool, LOW).unwrap();
    assert_eq!(bench.alloc(&pool).dma_addr(), DmaAddr::new(LOW));
    bench.free(&pool, block);
    bench.free_at(&pool, PAGES).unwrap();
    let twice = [(); 2].map(|()| bench.alloc(&pool).dma_addr().raw());
    assert_eq!(twice, [PAGES, PAGES]);

    let mut strict = Bench::new(Mode::Strict, DmaConfig::PC);
    let pool = strict.pool(64, 0, 0);
    let block = strict.alloc(&pool);
    assert_eq!(strict.free_at(&pool, LOW).unwrap_err().errno(), -22);
    strict.free(&pool, block);
    assert_eq!(strict.free_at(&pool, PAGES).unwrap_err().errno(), -22);
    assert_eq!(strict.messages(), []);
}

#[test]
fn a_block_of_another_pool_or_device_comes_back() {
    let mut bench = Bench::plain();
    let (one, two) = (bench.pool(64, 0, 0), bench.pool(64, 0, 0));
    let block = bench.alloc(&one);
    let _own = bench.alloc(&two);
    let Machine { mem, dma } = &mut bench.machine;
    let refused = two.free(dma, mem, &bench.dev, block).unwrap_err();
    assert_eq!(refused.error().errno(), -22);
    let other = Device::new("other");
    let refused = one.free(dma, mem, &other, refused.into_value());
    let refused = refused.unwrap_err();
    assert_eq!(refused.error(), DmaError::WrongDevice);
    let wrong = one.alloc(dma, mem, &mut bench.pages, &other, Gfp::KERNEL);
    assert_eq!(wrong, Err(DmaError::WrongDevice));
    one.free(dma, mem, &bench.dev, refused.into_value())
        .unwrap();
}

#[test]
fn a_pool_without_memory_says_so() {
    let mut bench = Bench::plain();
    bench.pages = Pages::new(0, 0);
    let pool = bench.pool(64, 0, 0);
    let Machine { mem, dma } = &mut bench.machine;
    let result = pool.alloc(dma, mem, &mut bench.pages, &bench.dev, Gfp::KERNEL);
    assert_eq!(result.unwrap_err().errno(), -12);
    assert_eq!(pool.info().active_blocks, 0);
}

#[test]
fn a_managed_pool_ends_with_its_driver() {
    let mut bench = Bench::plain();
    let (dma, dev) = (&bench.machine.dma, &bench.dev);
    let pool = DmaPool::create_managed(dma, dev, "managed", 64, 0, 0).unwrap();
    let block = bench.alloc(&pool);
    bench.free(&pool, block);
    let Machine { mem, dma } = &mut bench.machine;
    let detached = dma.detach_driver(mem, &mut bench.pages, &bench.dev);
    assert_eq!((detached.pools, detached.failures), (1, 0));
    assert_eq!(bench.pages.freed, [(PAGES, 4096)]);
    let late = pool.alloc(dma, mem, &mut bench.pages, &bench.dev, Gfp::KERNEL);
    assert_eq!(late.unwrap_err().errno(), -22);
    assert_eq!(dma.pools_text(&bench.dev), "poolinfo - 0.1\n");
}
