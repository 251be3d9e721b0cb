//! Tests of the judgement of command lines.

use super::*;

const PC: Target = Target {
    cpus: 6,
    ram_bytes: 8 << 30,
    is_confidential: false,
    is_dynamic: false,
    has_debugfs: true,
};

fn lint_of(value: &str, target: Target) -> Lint {
    lint(&[value.to_owned()], target)
}

fn made(value: &str) -> (u64, u32) {
    match lint_of(value, PC).pool {
        PoolFate::Made { slots, areas, .. } => (slots, areas),
        other => panic!("{value}: a pool, found {other:?}"),
    }
}

/// Whether any warning holds the words.
fn warns(value: &str, target: Target, words: &str) -> bool {
    let lint = lint_of(value, target);
    lint.warnings.iter().any(|warning| warning.contains(words))
}

#[test]
fn sizes_are_those_of_the_kernel() {
    assert_eq!(made("swiotlb=65536"), (65536, 8));
    assert_eq!(made("1000,3"), (1024, 4));
    assert_eq!(made("swiotlb=384,8"), (1024, 8));
    assert_eq!(made("quiet swiotlb=0x1000 panic=1"), (4096, 8));
    assert_eq!(made("swiotlb=,3,force"), (32768, 4));
    assert_eq!(lint_of("1000,3,force", PC).plain, "swiotlb=1024,4,force");
}

#[test]
fn every_gotcha_of_the_parser_is_told() {
    let rows = [
        ("force,65536", "the number in it is lost"),
        ("track_hiwater,force", "bouncing is not forced by it"),
        ("forcexyz", "is taken for it"),
        ("08,force", "read as octal"),
        ("1,2,3,force", "`3,force` is ignored"),
        ("-1,force", "nothing behind the sign is read"),
        ("1000,1", "1000 slots become 1024"),
        ("1100", "1100 slots become 2048 (4 MiB)"),
        ("0x3e8", "1000 slots become 1024 (2 MiB)"),
        ("0", "0 slots become 1024 (2 MiB): each area"),
        ("384,8", "each area needs at least 128"),
        ("4096,3", "3 areas become 4"),
        ("99999999999999999999", "does not fit into 64 bits"),
        ("1024,4294967295", "more than 2^31"),
        ("65536,1,noforce", "there is no pool"),
        ("1024,8", "fills one"),
        ("65536,64", "64 areas for 6 CPUs"),
        ("512,1", "such a size always fails"),
        ("2097152,1", "the kernel halves the size"),
    ];
    for (value, words) in rows {
        assert!(
            warns(value, PC, words),
            "{value}: {:?}",
            lint_of(value, PC).warnings
        );
    }
    for value in ["65536,4", "65536", "0x1000,4", "force"] {
        assert!(!warns(value, PC, "become"), "{value}");
    }
    assert!(lint_of("65536,4", PC).warnings.is_empty());
}

#[test]
fn occurrences_accumulate_and_noforce_wins() {
    let words = [
        "swiotlb=force".to_owned(),
        "swiotlb=4096,2 swiotlb=noforce".to_owned(),
    ];
    let found = lint(&words, PC);
    assert_eq!((found.pool, found.values.len()), (PoolFate::Off, 3));
    assert!(
        found
            .warnings
            .iter()
            .any(|text| text.contains("noforce wins"))
    );
    assert!(
        found
            .warnings
            .iter()
            .any(|text| text.contains("stands 3 times"))
    );
}

#[test]
fn the_machine_decides_too() {
    let small = Target {
        ram_bytes: 1 << 30,
        ..PC
    };
    assert_eq!(lint_of("65536", small).pool, PoolFate::NotNeeded);
    assert!(warns("65536", small, "the size has no effect"));
    let guest = Target {
        is_confidential: true,
        ..PC
    };
    assert!(warns("32768", guest, "cannot be told from no size at all"));
    assert!(matches!(
        lint_of("32768", guest).pool,
        PoolFate::Made { slots: 262_144, .. }
    ));
    assert!(warns(",512", guest, "switches the 6 % off"));
    assert!(warns("65536,1,force", guest, "bounces anyway"));
    let plain = Target {
        has_debugfs: false,
        is_dynamic: true,
        ..PC
    };
    assert!(warns(
        "65536,4,force,track_hiwater",
        plain,
        "CONFIG_DEBUG_FS"
    ));
    assert!(warns("noforce", plain, "no area is ever searched"));
}
