//! What is measured of the sample cores is what their README says, and each planted defect has a name.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use assert_cmd::Command;
use rebound::characterize::compare::Severity;
use rebound::characterize::cost::Machine;
use rebound::characterize::derived::Derived;
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

/// What the sheet of a sound core with a planted defect must name: just this, in this order. A fault that shows in
/// several ways has all their names.
const MATRIX: [(&str, &str, &[&str]); 37] = [
    ("axil_copy", "truncate_address", &["truncates-address"]),
    ("axil_copy", "ignore_write_error", &["ignores-write-error"]),
    (
        "axil_copy",
        "early_done",
        // A start before the last B is lost.
        &["corrupts-under-backpressure", "early-done"],
    ),
    // A counter that is too short is one that is shorter: only the manifest knows better.
    ("axil_copy", "short_counter", &[]),
    ("axil_copy", "late_high", &["late-address"]),
    ("axil_copy", "zero_length", &["moves-on-zero-length"]),
    ("stream_copy", "read_cross_4k", &["reads-cross-4k"]),
    ("stream_copy", "wide_tail", &["writes-past-end"]),
    ("stream_copy", "lost_read", &["hangs-under-backpressure"]),
    (
        "stream_copy",
        "early_done",
        &["early-done", "ignores-write-error"],
    ),
    ("stream_copy", "prefetch", &["reads-past-end"]),
    ("stream_copy", "rounds_address", &["rounds-address"]),
    ("launch_copy", "wrap_4g", &["wraps-4g"]),
    (
        "launch_copy",
        "ignore_write_error",
        &["ignores-write-error"],
    ),
    ("launch_copy", "stale_reset", &["stale-after-reset"]),
    ("launch_copy", "mixed_ids", &["mixes-ids"]),
    ("apb_copy", "wrap_64k", &["wraps-64k"]),
    ("apb_copy", "ignore_read_error", &["ignores-read-error"]),
    ("apb_copy", "wlast_early", &["breaks-wlast"]),
    ("apb_copy", "wlast_missing", &["breaks-wlast"]),
    (
        "apb_copy",
        "aw_unstable",
        // A burst that is taken while AWADDR is astray lands elsewhere.
        &["corrupts-under-backpressure", "breaks-aw-stable"],
    ),
    ("split_dma", "truncate_address", &["truncates-address"]),
    ("split_dma", "wide_tail", &["writes-past-end"]),
    (
        "split_dma",
        "early_done",
        &["early-done", "ignores-write-error"],
    ),
    ("split_dma", "hang_on_page", &["hangs-on-multiples-of-4096"]),
    ("struct_copy", "write_cross_4k", &["writes-cross-4k"]),
    ("struct_copy", "lost_head", &["loses-bytes"]),
    (
        "struct_copy",
        "lost_response",
        &["hangs-under-backpressure"],
    ),
    ("struct_copy", "wedged_by_error", &["wedged-by-error"]),
    ("words_copy", "lost_read", &["corrupts-under-backpressure"]),
    ("words_copy", "wvalid_drops", &["breaks-w-valid"]),
    ("words_copy", "short_counter", &[]),
    ("two_clock_copy", "read_cross_4k", &["reads-cross-4k"]),
    (
        "two_clock_copy",
        "ignore_read_error",
        &["ignores-read-error"],
    ),
    (
        "two_clock_copy",
        "early_done",
        &[
            "corrupts-under-backpressure",
            "early-done",
            "ignores-write-error",
        ],
    ),
    ("two_clock_copy", "stale_reset", &["stale-after-reset"]),
    (
        "two_clock_copy",
        "hang_on_page",
        &["hangs-on-multiples-of-4096"],
    ),
];

#[test]
fn the_matrix_has_every_defect_that_a_core_documents() {
    let tested = MATRIX
        .iter()
        .map(|(core, defect, _)| ((*core).to_owned(), (*defect).to_owned()));
    assert_eq!(
        tested.collect::<BTreeSet<_>>(),
        common::documented_defects()
    );
}

/// Measures a core with each of its defects, asserts that just these have names, and hands the sheets over.
fn assert_defects_of(core: &str) -> BTreeMap<&'static str, Sheet> {
    let mut sheets = BTreeMap::new();
    for (_, defect, expected) in MATRIX.iter().filter(|row| row.0 == core) {
        let sheet = measure(core, &[&format!("Defect={defect}")]);
        assert_eq!(
            names(&sheet),
            *expected,
            "{core} {defect}: {:?}",
            sheet.defects
        );
        let mut defects = sheet.defects.iter();
        assert!(
            defects.all(|defect| !defect.evidence.is_empty()),
            "{core} {defect}"
        );
        sheets.insert(*defect, sheet);
    }
    sheets
}

/// Asserts that the comparison with the manifest says that longer transfers corrupt.
fn assert_short(sheet: &Sheet, longest: u64) {
    assert_eq!(value(&sheet.directions[0].max_length), longest);
    let past = &sheet.directions[0].past_longest;
    assert!(matches!(past, Some(Fate::Corrupts { .. })), "{past:?}");
    let derived = Derived::of(sheet, Machine::default());
    let mut found = derived.disagreements.iter();
    assert!(
        found.any(|one| one.field == "limits.max_length" && one.severity == Severity::Corrupts),
        "{:?}",
        derived.disagreements
    );
}

#[test]
fn defects_of_the_core_with_registers_have_names() {
    let sheets = assert_defects_of("axil_copy");
    for side in &sheets["truncate_address"].sides {
        assert_eq!(value(&side.address_bits), 32);
    }
    assert_short(&sheets["short_counter"], (1 << 19) - 1);
}

#[test]
fn defects_of_the_core_with_descriptors_have_names() {
    let sheets = assert_defects_of("stream_copy");
    assert_eq!(
        sheets["wide_tail"].directions[0].strobes,
        Some(Strobes::TooWide)
    );
    let source = side(&sheets["rounds_address"], Role::Source);
    assert_eq!(value(&source.granule), 8);
    assert!(
        matches!(source.off_granule, Some(Fate::Goes { .. })),
        "{source:?}"
    );
}

#[test]
fn defects_of_the_core_that_launches_by_a_read_have_names() {
    assert_defects_of("launch_copy");
}

#[test]
fn defects_of_the_core_on_apb_have_names() {
    let sheets = assert_defects_of("apb_copy");
    let broken = side(&sheets["wrap_64k"], Role::Source).boundaries.iter();
    let broken = broken
        .filter(|one| one.fate != Fate::Reaches)
        .map(|one| one.boundary);
    assert_eq!(broken.min(), Some(1 << 16));
}

#[test]
fn defects_of_the_core_in_halves_have_names() {
    assert_defects_of("split_dma");
}

#[test]
fn defects_of_the_core_with_struct_ports_have_names() {
    let sheets = assert_defects_of("struct_copy");
    assert_eq!(
        sheets["lost_head"].directions[0].strobes,
        Some(Strobes::TooNarrow)
    );
}

#[test]
fn defects_of_the_core_of_words_have_names() {
    let sheets = assert_defects_of("words_copy");
    assert_short(&sheets["short_counter"], 2048);
}

#[test]
fn defects_of_the_core_with_two_clocks_have_names() {
    assert_defects_of("two_clock_copy");
}

/// The words of `rebound characterize` on a core that does this harm (numbered as in `cores/hostile.sv`) amid a transfer.
fn words_on_harm(harm: u32) -> String {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let output = Command::new(env!("CARGO_BIN_EXE_rebound"))
        .env("REBOUND_TEST_HARM", harm.to_string())
        .arg("characterize")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cores/hostile_control.toml"))
        .args(["--timeout", "2", "--results"])
        .arg(folder.path())
        .output()
        .expect("it starts");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1), "{text}");
    // Lines are wrapped.
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn a_core_that_dies_or_never_ends_a_cycle_is_told_with_no_line_for_a_driver() {
    for (harm, words) in [
        (1, "ends the simulation: "),
        (5, "hangs: no answer, and the process was stopped after 2 s"),
    ] {
        let text = words_on_harm(harm);
        assert!(text.contains("DEFECT fails-every-transfer"), "{text}");
        assert!(text.contains(words), "{text}");
        assert!(text.contains("UNKNOWN no settings and no limits"), "{text}");
        for absent in ["A Linux driver sets", "return 0;", "The limits as measured"] {
            assert!(!text.contains(absent), "{absent}: {text}");
        }
    }
}
