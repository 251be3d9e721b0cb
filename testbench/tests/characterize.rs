//! What is measured of the sample cores is what their README says, and each planted defect has a name.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rebound::characterize::sheet::{
    ErrorFate, Fate, Finding, Recovery, ResetFate, Role, Sheet, Side, Strobes,
};
use rebound::characterize::{Subject, characterize};
use rebound::seed::Seed;
use rebound_sim::cache::Cache;
use rebound_sim::manifest::{Direction, Manifest};
use rebound_sim::parameters::ParameterValue;
use rebound_sim::toolchain::Toolchain;
use rebound_sim::verilate::CoreBuilder;

fn manifest(core: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cores");
    folder.join(core).join(format!("{core}.toml"))
}

fn measure(core: &str, parameters: &[&str]) -> Sheet {
    let path = manifest(core);
    let manifest = Manifest::load(&path).expect("a sample core");
    let values = parameters.iter().map(|parameter| {
        let (name, value) = parameter.split_once('=').expect("NAME=VALUE");
        let value = value
            .parse::<i64>()
            .map_or_else(|_| ParameterValue::from(value), ParameterValue::from);
        (name.to_owned(), value)
    });
    let builder = CoreBuilder {
        parameters: values.collect(),
        ..CoreBuilder::new(manifest.clone())
    };
    let toolchain = Toolchain::discover().expect("the tools");
    let cache = Cache::discover().expect("the cache");
    let library = builder.build(&toolchain, &cache).expect("it builds");
    let parameters: Vec<String> = parameters.iter().map(|one| (*one).to_owned()).collect();
    let subject = Subject {
        program: Path::new(env!("CARGO_BIN_EXE_rebound")),
        path: &path,
        manifest: &manifest,
        library: &library,
        parameters: &parameters,
        seed: Seed::new(1),
        jobs: 2,
        timeout: Duration::from_secs(120),
    };
    characterize(&subject, &|_| ()).expect("it is measured")
}

fn value<T: Copy + std::fmt::Debug>(finding: &Finding<T>) -> T {
    match finding {
        Finding::Measured { value, evidence } => {
            assert!(!evidence.is_empty());
            *value
        }
        other => panic!("expected a measured value, found {other:?}"),
    }
}

fn names(sheet: &Sheet) -> Vec<&str> {
    let names = sheet.defects.iter().map(|defect| defect.name.as_str());
    names.collect()
}

fn side(sheet: &Sheet, role: Role) -> &Side {
    let mut sides = sheet.sides.iter();
    sides.find(|side| side.role == role).expect("it has one")
}

/// What the README of the cores says of one in its usual build.
struct Facts {
    core: &'static str,
    address_bits: u32,
    granule: u64,
    length_granule: u64,
    max_length: u64,
    longest_beats: u32,
    reads: u32,
    strobes: Strobes,
}

const FACTS: [Facts; 7] = [
    Facts {
        core: "axil_copy",
        address_bits: 40,
        granule: 1,
        length_granule: 1,
        max_length: (1 << 20) - 1,
        longest_beats: 16,
        reads: 1,
        strobes: Strobes::Exact,
    },
    Facts {
        core: "stream_copy",
        address_bits: 32,
        granule: 1,
        length_granule: 1,
        max_length: (1 << 20) - 1,
        longest_beats: 16,
        // Eight bursts, but no more than 64 beats.
        reads: 4,
        strobes: Strobes::Exact,
    },
    Facts {
        core: "launch_copy",
        address_bits: 64,
        granule: 1,
        length_granule: 1,
        max_length: (1 << 24) - 1,
        longest_beats: 16,
        reads: 2,
        strobes: Strobes::Exact,
    },
    Facts {
        core: "apb_copy",
        address_bits: 32,
        granule: 4,
        length_granule: 4,
        max_length: (1 << 20) - 4,
        longest_beats: 16,
        reads: 1,
        strobes: Strobes::WholeBeats,
    },
    Facts {
        core: "struct_copy",
        address_bits: 32,
        granule: 1,
        length_granule: 1,
        max_length: (1 << 20) - 1,
        longest_beats: 16,
        reads: 4,
        strobes: Strobes::Exact,
    },
    Facts {
        core: "words_copy",
        address_bits: 32,
        granule: 4,
        length_granule: 4,
        max_length: 4096,
        longest_beats: 8,
        reads: 1,
        strobes: Strobes::WholeBeats,
    },
    Facts {
        core: "two_clock_copy",
        address_bits: 32,
        granule: 1,
        length_granule: 1,
        max_length: (1 << 16) - 1,
        longest_beats: 8,
        reads: 1,
        strobes: Strobes::Exact,
    },
];

fn assert_facts(facts: &Facts) {
    let sheet = measure(facts.core, &[]);
    let core = facts.core;
    assert_eq!(
        names(&sheet),
        Vec::<&str>::new(),
        "{core}: {:?}",
        sheet.defects
    );
    for side in &sheet.sides {
        assert_eq!(
            value(&side.address_bits),
            facts.address_bits,
            "{core}: {side:?}"
        );
        assert_eq!(value(&side.granule), facts.granule, "{core}: {side:?}");
        let mut boundaries = side.boundaries.iter();
        assert!(
            boundaries.all(|one| one.fate == Fate::Reaches),
            "{core}: {side:?}"
        );
    }
    let [direction] = &sheet.directions[..] else {
        panic!("{core}: expected one direction");
    };
    assert_eq!(
        value(&direction.length_granule),
        facts.length_granule,
        "{core}"
    );
    assert_eq!(value(&direction.max_length), facts.max_length, "{core}");
    assert_eq!(direction.strobes, Some(facts.strobes), "{core}");
    assert_eq!(direction.reordered, Fate::Reaches, "{core}");
    assert_eq!(direction.reset, ResetFate::Clean, "{core}");
    assert_eq!(direction.early_done, None, "{core}");
    let reads = direction.reads.as_ref().expect("it reads");
    assert_eq!(value(&reads.outstanding), facts.reads, "{core}");
    assert_eq!(reads.longest_beats, facts.longest_beats, "{core}");
    assert_eq!(reads.crosses_4k, None, "{core}");
    assert_eq!(direction.errors.len(), 12, "{core}");
    for error in &direction.errors {
        let is_reported = matches!(error.fate, ErrorFate::Reported { .. });
        assert!(is_reported, "{core}: {error:?}");
        assert_eq!(error.after, Recovery::Usable, "{core}: {error:?}");
    }
    for silence in &direction.silence {
        assert!(
            matches!(silence.fate, ErrorFate::Hangs { .. }),
            "{core}: {silence:?}"
        );
        assert_eq!(silence.after, Recovery::Reset, "{core}: {silence:?}");
    }
    assert!(sheet.timings.len() >= 20, "{core}: {:?}", sheet.timings);
    assert_eq!(sheet.unmeasured, Vec::<String>::new(), "{core}");
}

#[test]
fn the_core_with_registers_measures_as_it_is_described() {
    assert_facts(&FACTS[0]);
}

#[test]
fn the_core_with_descriptors_measures_as_it_is_described() {
    assert_facts(&FACTS[1]);
}

#[test]
fn cores_of_other_styles_measure_as_they_are_described() {
    for facts in &FACTS[2..] {
        assert_facts(facts);
    }
}

#[test]
fn both_halves_of_a_split_core_are_measured() {
    let sheet = measure("split_dma", &[]);
    assert_eq!(names(&sheet), Vec::<&str>::new(), "{:?}", sheet.defects);
    assert_eq!(sheet.sides.len(), 2);
    for side in &sheet.sides {
        assert_eq!(value(&side.address_bits), 36, "{side:?}");
        assert_eq!(value(&side.granule), 8, "{side:?}");
        assert!(
            matches!(side.off_granule, Some(Fate::Refuses { .. })),
            "{side:?}"
        );
    }
    assert_eq!(sheet.directions[0].direction, Direction::Mm2s);
    for direction in &sheet.directions {
        assert_eq!(value(&direction.length_granule), 1);
        assert_eq!(value(&direction.max_length), (1 << 23) - 1);
        assert_eq!(direction.errors.len(), 6);
    }
}

#[test]
fn the_same_seed_measures_the_same() {
    assert_eq!(measure("words_copy", &[]), measure("words_copy", &[]));
}

/// Asserts that a planted defect has a name among those of its sheet.
fn assert_named(core: &str, defect: &str, name: &str) -> Sheet {
    let sheet = measure(core, &[&format!("Defect={defect}")]);
    assert!(
        names(&sheet).contains(&name),
        "{core} {defect}: expected {name}, found {:?}",
        sheet.defects
    );
    let mut defects = sheet.defects.iter();
    assert!(defects.all(|defect| !defect.evidence.is_empty()));
    sheet
}

#[test]
fn defects_of_the_core_with_registers_have_names() {
    let truncated = assert_named("axil_copy", "truncate_address", "truncates-address");
    for side in &truncated.sides {
        assert_eq!(value(&side.address_bits), 32);
    }
    assert_named("axil_copy", "ignore_write_error", "ignores-write-error");
    assert_named("axil_copy", "early_done", "early-done");
    assert_named("axil_copy", "late_high", "late-address");
    assert_named("axil_copy", "zero_length", "moves-on-zero-length");
    // A counter that is too short is one that is shorter: the manifest knows better.
    let short = measure("axil_copy", &["Defect=short_counter"]);
    assert_eq!(value(&short.directions[0].max_length), (1 << 19) - 1);
    let past = &short.directions[0].past_longest;
    assert!(matches!(past, Some(Fate::Corrupts { .. })), "{past:?}");
}

#[test]
fn defects_of_the_core_with_descriptors_have_names() {
    assert_named("stream_copy", "read_cross_4k", "reads-cross-4k");
    let wide = assert_named("stream_copy", "wide_tail", "writes-past-end");
    assert_eq!(wide.directions[0].strobes, Some(Strobes::TooWide));
    assert_named("stream_copy", "lost_read", "hangs-under-backpressure");
    assert_named("stream_copy", "early_done", "early-done");
    assert_named("stream_copy", "prefetch", "reads-past-end");
    let rounded = assert_named("stream_copy", "rounds_address", "rounds-address");
    let source = side(&rounded, Role::Source);
    assert_eq!(value(&source.granule), 8);
    assert!(
        matches!(source.off_granule, Some(Fate::Goes { .. })),
        "{source:?}"
    );
}

#[test]
fn defects_of_addresses_and_resets_have_names() {
    let wrapped = assert_named("apb_copy", "wrap_64k", "wraps-64k");
    let broken = side(&wrapped, Role::Source).boundaries.iter();
    let broken = broken
        .filter(|one| one.fate != Fate::Reaches)
        .map(|one| one.boundary);
    assert_eq!(broken.min(), Some(1 << 16));
    assert_named("launch_copy", "wrap_4g", "wraps-4g");
    assert_named("two_clock_copy", "stale_reset", "stale-after-reset");
    assert_named("launch_copy", "mixed_ids", "mixes-ids");
}

#[test]
fn defects_of_bursts_and_responses_have_names() {
    assert_named("apb_copy", "wlast_early", "breaks-wlast");
    assert_named("apb_copy", "wlast_missing", "breaks-wlast");
    assert_named("apb_copy", "aw_unstable", "breaks-aw-stable");
    assert_named("apb_copy", "ignore_read_error", "ignores-read-error");
    assert_named("struct_copy", "write_cross_4k", "writes-cross-4k");
    let lost = assert_named("struct_copy", "lost_head", "loses-bytes");
    assert_eq!(lost.directions[0].strobes, Some(Strobes::TooNarrow));
    assert_named("struct_copy", "lost_response", "hangs-under-backpressure");
    assert_named("struct_copy", "wedged_by_error", "wedged-by-error");
}

#[test]
fn defects_of_words_and_clocks_have_names() {
    assert_named("words_copy", "lost_read", "corrupts-under-backpressure");
    assert_named("words_copy", "wvalid_drops", "breaks-w-valid");
    let short = measure("words_copy", &["Defect=short_counter"]);
    assert_eq!(value(&short.directions[0].max_length), 2048);
    assert_named(
        "two_clock_copy",
        "hang_on_page",
        "hangs-on-multiples-of-4096",
    );
}
