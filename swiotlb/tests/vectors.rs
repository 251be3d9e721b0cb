//! The golden traces in `tests/vectors/`: every answer must be that of the reference.
#![cfg(feature = "vectors")]
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::io::Write;
use std::path::{Path, PathBuf};

use swiotlb::vectors::{Summary, VectorError, replay_file};

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|end| end == "csv" || end == "gz")
        })
        .collect();
    files.sort();
    files
}

#[test]
fn every_scenario_gives_the_answers_of_the_reference() {
    let mut total = Summary::default();
    for file in files() {
        let summary = replay_file(&file).unwrap();
        assert!(
            summary.is_pass(),
            "{} rows failed, first: {}",
            summary.rows_failed,
            summary.first_failure.unwrap()
        );
        total.add(summary);
    }
    assert_eq!(files().len(), 62);
    assert_eq!((total.scenarios_run, total.rows_checked), (218, 242_524));
}

fn replay_text(text: &str) -> Result<Summary, VectorError> {
    let folder = std::env::temp_dir();
    let name = format!(
        "swiotlb-vectors-{}-{:x}.csv",
        std::process::id(),
        hash(text)
    );
    let path = folder.join(name);
    std::fs::File::create(&path)
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    let result = replay_file(&path);
    std::fs::remove_file(&path).unwrap();
    result
}

fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    })
}

const START: &str = "\
@scenario id=1 build=static nslabs_req=512 nareas_req=1 ncpus=1 adjust_size=0 force=0 track=0 any=0 cc=none mem_end=0x100400000
@mem base=0x1000000 size=0x100000
@mem base=0x100000000 size=0x400000
@init kind=early late_size=0 late_zone=normal requests=1048576=0x1000000 result=OK base=0x1000000 nslabs=512 nareas=1 grow_nslabs=512 search_nareas=1 can_grow=0 phys_limit=0x0
@dev id=0 dma_mask=0xffffffff min_align_mask=0x0 seg_boundary_mask=0x0 bus_limit=0x0 dma_offset=0x0 unenc=0 alloc=default
n,op,cpu,dev,addr,size,align,dir,attrs,ref,seed,pages,result,used,crc_orig,crc_tlb
";

#[test]
fn a_wrong_answer_is_explained() {
    let row = "1,map,0,0,0x100000000,100,0x0,TO,,,0x1,,0x1000800,1,,\n";
    let summary = replay_text(&format!("{START}{row}")).unwrap();
    assert_eq!((summary.rows_checked, summary.rows_failed), (1, 1));
    let failure = summary.first_failure.unwrap();
    assert_eq!((failure.line, failure.row), (7, Some(1)));
    assert_eq!(
        (failure.op.as_str(), failure.cell.as_str()),
        ("map", "result")
    );
    assert_eq!(failure.expected, "0x1000800");
    assert_eq!(failure.got, "0x1000000");
    assert_eq!(
        failure.explanation,
        "1 slots from slot 0 on were taken here; the reference took slot 1 (area 0) of the pool \
         at 0x1000000"
    );
}

#[test]
fn every_checked_cell_can_fail() {
    let rows = [
        (
            "1,map,0,0,0x100000000,100,0x0,TO,,,0x1,,0x1000000,2,,",
            "used",
        ),
        (
            "1,map,0,0,0x100000000,100,0x0,TO,,,0x1,,0x1000000,1,00000000,",
            "crc_orig",
        ),
        (
            "1,map,0,0,0x100000000,100,0x0,TO,,,0x1,,0x1000000,1,,00000000",
            "crc_tlb",
        ),
        (
            "1,map,0,0,0x100000000,100,0x0,TO,,,,P:4096=FAIL,0x1000000,1,,",
            "pages",
        ),
        ("1,q_areas,,0,,,,,,,,,0x1000000:0@1,,,", "result"),
        ("1,q_freemap,,0,,,,,,,,,00000000,,,", "result"),
        ("1,q_maxmap,,0,,,,,,,,,4096,,,", "result"),
        ("1,find,,0,0x1000000,,,,,,,,NONE,,,", "result"),
    ];
    for (row, cell) in rows {
        let summary = replay_text(&format!("{START}{row}\n")).unwrap();
        assert_eq!(summary.rows_failed, 1, "{row}");
        assert_eq!(summary.first_failure.unwrap().cell, cell, "{row}");
    }
}

#[test]
fn a_start_that_comes_out_otherwise_is_explained() {
    let start = START.replace("nslabs=512 nareas=1 grow", "nslabs=512 nareas=2 grow");
    let summary = replay_text(&start).unwrap();
    assert_eq!((summary.starts_failed, summary.is_pass()), (1, false));
    let text = summary.first_failure.unwrap().to_string();
    assert!(
        text.contains(":4: @init: nareas expected 2, got 1"),
        "{text}"
    );
}

#[test]
fn malformed_files_are_refused_with_line_and_column() {
    let message = |text: String| replay_text(&text).unwrap_err().to_string();
    let cases = [
        (
            format!("{START}1,map,0,0,oops,100,0x0,TO,,,,,FAIL,0,,\n"),
            ":7: addr: expected a 64-bit number, got `oops`",
        ),
        (
            format!("{START}1,leap,0,0,,,,,,,,,,,,\n"),
            ":7: op: expected a known operation, got `leap`",
        ),
        (
            format!("{START}1,map,0,0\n"),
            ":7: row: expected 16 cells, got 4 in",
        ),
        (
            format!("{START}1,map,0,7,0x100000000,100,0x0,TO,,,,,FAIL,0,,\n"),
            ":7: dev: expected the number of a @dev line, got 7",
        ),
        (
            format!("{START}1,map,0,0,0x900000000,100,0x0,TO,,,,,FAIL,0,,\n"),
            ":7: addr: expected bytes within the ranges of @mem",
        ),
        (
            format!("{START}1,map,0,0,,100,0x0,TO,,,,,FAIL,0,,\n"),
            ":7: addr: expected a value for map, got an empty cell",
        ),
        (
            START.replace("cc=none", "cc=maybe"),
            ":1: cc: expected none, guest or host, got maybe",
        ),
        (
            START.replace("unenc=0", "unenc=0 colour=red"),
            ":5: @dev: expected no further key, got colour=red",
        ),
        (
            "1,worker,,,,,,,,,,,NONE,,,\n".to_owned(),
            ":1: row: expected after @scenario and @init, got elsewhere",
        ),
        (
            START
                .lines()
                .take(3)
                .map(|line| format!("{line}\n"))
                .collect(),
            ":3: end of scenario: expected after its @init, got elsewhere",
        ),
        (
            START
                .lines()
                .take(2)
                .map(|line| format!("{line}\n"))
                .collect::<String>()
                + START,
            ":3: end of scenario: expected after its @init, got elsewhere",
        ),
        (
            START.replace("size=0x400000", "size=0xffffffffffffffff"),
            ":4: @mem: expected possible memory",
        ),
    ];
    for (text, expected) in cases {
        let message = message(text);
        assert!(message.contains(expected), "{message} lacks {expected}");
    }
}

#[test]
fn unreadable_and_damaged_files_are_errors() {
    let missing = replay_file(Path::new("no/such/file.csv")).unwrap_err();
    assert!(missing.to_string().starts_with("no/such/file.csv: "));

    let path = std::env::temp_dir().join(format!("swiotlb-bad-{}.csv.gz", std::process::id()));
    std::fs::write(&path, b"this is no gzip").unwrap();
    let result = replay_file(&path);
    std::fs::remove_file(&path).unwrap();
    assert!(matches!(result, Err(VectorError::Unreadable { .. })));
}
