//! Tests of pairing.

use std::io::Cursor;
use std::path::Path;

use super::*;
use crate::trace::Lines;

fn load(text: &str) -> Result<Load, TraceError> {
    let lines = Lines::new(Cursor::new(text.to_owned()), Path::new("a.txt")).expect("text");
    Load::read(Reader::new(lines))
}

fn ops(load: &mut Load) -> Vec<Op> {
    let mut cursor = load.ops.cursor(0);
    std::iter::from_fn(|| cursor.next_op().expect("in memory")).collect()
}

/// Bounced lines of three buffers, the second of which is mapped on another CPU in between.
const MIXED: &str = "\
a-1 [000] 1.000001: swiotlb_bounced: dev_name: nic dma_mask=ffffffff dev_addr=100000000 size=100 NORMAL
b-2 [001] 1.000002: swiotlb_bounced: dev_name: nic dma_mask=ffffffff dev_addr=100001000 size=200 NORMAL
b-2 [001] 1.000003: dma_map_phys: nic dir=TO_DEVICE dma_addr=7000000 size=200 phys_addr=100001000 attrs=
a-1 [000] 1.000004: dma_map_phys: nic dir=FROM_DEVICE dma_addr=7000800 size=100 phys_addr=100000000 attrs=SKIP_CPU_SYNC
a-1 [000] 1.000005: dma_sync_single_for_cpu: nic dir=FROM_DEVICE dma_addr=7000810 size=8
a-1 [000] 1.000006: dma_unmap_phys: nic dir=TO_DEVICE dma_addr=7000000 size=200 attrs=
";

#[test]
fn mappings_stand_where_their_first_line_stood() {
    let mut load = load(MIXED).expect("a trace");
    let ops = ops(&mut load);
    let maps: Vec<(u64, u64, Seen)> = ops
        .iter()
        .filter_map(|op| match op.kind {
            OpKind::Map(map) => Some((op.line, map.closed_line, map.seen)),
            _ => None,
        })
        .collect();
    let expected = [
        (1, 4, Seen::Bounced(0x700_0800)),
        (2, 3, Seen::Bounced(0x700_0000)),
    ];
    assert_eq!(maps, expected);
    assert!(matches!(
        ops[2].kind,
        OpKind::Sync {
            id: 1,
            bytes: 8,
            for_cpu: true,
            ..
        }
    ));
    assert!(matches!(
        ops[3].kind,
        OpKind::Unmap {
            id: 2,
            is_early: false,
            ..
        }
    ));
    assert_eq!(load.survey.misfits.live_at_end, 1);
    assert_eq!(load.survey.devices[0].mask, Some(0xffff_ffff));
    assert!(!load.survey.is_forced);
}

#[test]
fn an_entry_of_a_scatterlist_is_done_when_the_next_begins() {
    let mut load = load(
        "a-1 [000] 1.000001: swiotlb_bounced: dev_name: d dma_mask=ff dev_addr=1000 size=512 FORCE\n\
         a-1 [000] 1.000002: swiotlb_bounced: dev_name: d dma_mask=ff dev_addr=2000 size=512 FORCE\n\
         a-1 [000] 1.000003: dma_map_sg: d dir=TO_DEVICE nents=2/2 ents=2/2 dma_addrs={0x9000,0x9800} \
         sizes={0x200,0x200} phys_addrs={0x1000,0x2000} attrs=\n\
         a-1 [000] 1.000004: dma_unmap_sg: d dir=TO_DEVICE phys_addrs={0x1000,0x2000} attrs=\n",
    )
    .expect("a trace");
    let ops = ops(&mut load);
    let closed = |index: usize| match ops[index].kind {
        OpKind::Map(map) => map.closed_line,
        _ => 0,
    };
    assert_eq!((closed(0), closed(1), ops.len()), (2, 3, 4));
    assert!(matches!(
        ops[3].kind,
        OpKind::Unmap {
            id: 2,
            is_early: true,
            ..
        }
    ));
    assert!(load.survey.is_forced);
}

#[test]
fn entries_that_a_shortened_list_hides_live_as_long_as_its_first() {
    let mut load = load(
        "a-1 [000] 1.000001: swiotlb_bounced: dev_name: d dma_mask=ff dev_addr=1000 size=512 FORCE\n\
         a-1 [000] 1.000002: swiotlb_bounced: dev_name: d dma_mask=ff dev_addr=2000 size=512 FORCE\n\
         a-1 [000] 1.000003: dma_map_sg: d dir=TO_DEVICE nents=1/2 ents=1/2 [TRUNCATED] \
         dma_addrs={0x9000} sizes={0x200} phys_addrs={0x1000} attrs=\n\
         a-1 [000] 1.000004: dma_unmap_sg: d dir=TO_DEVICE phys_addrs={0x1000} attrs=\n",
    )
    .expect("a trace");
    let ops = ops(&mut load);
    let OpKind::Map(hidden) = ops[1].kind else {
        panic!("a map");
    };
    assert_eq!(hidden.seen, Seen::BouncedSomewhere);
    assert!(matches!(ops[3].kind, OpKind::Unmap { id, .. } if id == hidden.id));
}

#[test]
fn a_scatterlist_without_a_mapping_frees_what_it_had() {
    let mut load = load(
        "a-1 [000] 1.000001: swiotlb_bounced: dev_name: d dma_mask=ff dev_addr=1000 size=512 FORCE\n\
         a-1 [000] 1.000002: swiotlb_bounced: dev_name: d dma_mask=ff dev_addr=2000 size=512 FORCE\n\
         a-1 [000] 2.000003: dma_map_phys: d dir=TO_DEVICE dma_addr=5000 size=1 phys_addr=5000 attrs=\n",
    )
    .expect("a trace");
    let kinds: Vec<&str> = ops(&mut load)
        .iter()
        .map(|op| match op.kind {
            OpKind::Map(map) if map.seen == Seen::Unpaired => "tried",
            OpKind::Map(_) => "mapped",
            OpKind::Unmap { .. } => "freed",
            _ => "other",
        })
        .collect();
    assert_eq!(kinds, ["tried", "tried", "freed", "freed", "mapped"]);
    let misfit = load.survey.misfits.bounces_without_map;
    assert_eq!((misfit.count, misfit.first_line), (2, 1));
}

#[test]
fn what_does_not_fit_is_counted_with_its_first_line() {
    let unmap = "dma_unmap_phys: nic dir=TO_DEVICE dma_addr=7000000";
    let text = format!(
        "c-3 [000] 0.5: {unmap} size=5000 attrs=\n{MIXED}\
         a-1 [000] 2.0: swiotlb_bounced: dev_name: nic dma_mask=ffffffff dev_addr=100003000 size=9 NORMAL\n\
         a-1 [000] 2.1: dma_map_phys: nic dir=TO_DEVICE dma_addr=7000800 size=9 phys_addr=100003000 attrs=\n\
         a-1 [000] 2.2: dma_unmap_phys: nic dir=FROM_DEVICE dma_addr=7000800 size=9 attrs=\n"
    );
    let load = load(&text).expect("a trace");
    let misfits = &load.survey.misfits;
    assert_eq!(
        (misfits.unmaps_without_map.count, misfits.orphan_slots),
        (1, 3)
    );
    assert_eq!(
        (misfits.lost_unmaps.count, misfits.lost_unmaps.first_line),
        (1, 9)
    );
    assert_eq!(
        (misfits.changed_ends.count, misfits.changed_ends.first_line),
        (1, 10)
    );
    assert_eq!(misfits.live_at_end, 0);
}

#[test]
fn a_file_without_mappings_is_refused_with_what_it_holds() {
    let refused = |text: &str| load(text).expect_err("refused").to_string();
    let error = refused("hello\nworld\n");
    assert!(error.contains("no mapping in 2 lines"), "{error}");
    assert!(error.contains("line 1: expected `TASK-PID"), "{error}");
    let error = refused(
        "a-1 [000] 2.1: dma_map_phys: nic dir=TO_DEVICE dma_addr=fff000 size=9 phys_addr=100003000 attrs=\n",
    );
    assert!(error.contains("an IOMMU translates"), "{error}");
}
