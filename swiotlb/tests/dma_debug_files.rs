//! dma-debug's counters, filter and files.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod debug_support;

use debug_support::{Bench, FROM, TO, pages, range};
use swiotlb::{DmaDebugFile, DmaDebugOptions};

/// Makes one error and returns whether it was shown.
fn make_error(bench: &mut Bench) -> bool {
    bench.unmap(range(0xdead_0000, 64, TO));
    let reports = bench.debug.take_reports();
    assert_eq!(reports.len(), 1);
    reports[0].is_shown
}

#[test]
fn the_first_error_is_shown_and_all_are_counted() {
    let mut bench = Bench::new();
    assert_eq!(bench.file(DmaDebugFile::NumErrors), "1");
    assert!(make_error(&mut bench));
    assert!(!make_error(&mut bench));
    assert_eq!(bench.file(DmaDebugFile::ErrorCount), "2");
    assert_eq!(bench.file(DmaDebugFile::NumErrors), "0");
    bench
        .debug
        .write_file(DmaDebugFile::NumErrors, "2")
        .unwrap();
    assert_eq!(
        [(); 3].map(|()| make_error(&mut bench)),
        [true, true, false]
    );
}

#[test]
fn all_errors_shows_every_error_and_uses_nothing_up() {
    let mut bench = Bench::new();
    bench
        .debug
        .write_file(DmaDebugFile::AllErrors, "0x1\n")
        .unwrap();
    assert!(make_error(&mut bench) && make_error(&mut bench));
    assert_eq!(bench.file(DmaDebugFile::NumErrors), "1");
    assert_eq!(bench.file(DmaDebugFile::AllErrors), "1");
}

#[test]
fn an_error_that_the_filter_hides_uses_up_what_would_be_shown() {
    let mut bench = Bench::with(|options| options.driver = Some("nvme".into()));
    assert!(!make_error(&mut bench));
    assert_eq!(bench.file(DmaDebugFile::NumErrors), "0");
    bench
        .debug
        .write_file(DmaDebugFile::DriverFilter, "e1000 trailing\n")
        .unwrap();
    assert_eq!(bench.file(DmaDebugFile::DriverFilter), "e1000");
    assert!(!make_error(&mut bench), "nothing is left to show");
    bench
        .debug
        .write_file(DmaDebugFile::NumErrors, "1")
        .unwrap();
    assert!(make_error(&mut bench));
    assert_eq!(bench.file(DmaDebugFile::ErrorCount), "3");
}

#[test]
fn a_filter_that_is_no_name_shows_all_drivers() {
    let mut bench = Bench::with(|options| options.driver = Some("nvme".into()));
    bench.debug.set_filter("\n");
    assert_eq!(bench.file(DmaDebugFile::DriverFilter), "");
    assert!(make_error(&mut bench));
}

#[test]
fn the_files_have_their_names_and_modes() {
    let names: Vec<_> = DmaDebugFile::ALL
        .map(|file| (file.name(), file.is_writable()))
        .into();
    assert_eq!(
        names,
        [
            ("disabled", false),
            ("error_count", false),
            ("all_errors", true),
            ("num_errors", true),
            ("num_free_entries", false),
            ("min_free_entries", false),
            ("nr_total_entries", false),
            ("driver_filter", true),
            ("dump", false),
        ]
    );
    assert_eq!(DmaDebugFile::DIRECTORY, "dma-api");
    let mut bench = Bench::new();
    for file in DmaDebugFile::ALL {
        let is_refused = bench.debug.write_file(file, "1").is_err();
        assert_eq!(is_refused, !file.is_writable(), "{}", file.name());
    }
    let refused = bench.debug.write_file(DmaDebugFile::NumErrors, "few");
    assert_eq!(
        refused.unwrap_err().to_string(),
        "num_errors: expected a number below 2^32, found `few`"
    );
}

#[test]
fn the_store_starts_with_what_was_asked_for_in_whole_pages() {
    let mut bench = Bench::new();
    assert_eq!(bench.file(DmaDebugFile::NrTotalEntries), "65536");
    bench.map(range(0x1000, 64, TO));
    bench.map(range(0x2000, 64, TO));
    bench.unmap(range(0x1000, 64, TO));
    assert_eq!(bench.file(DmaDebugFile::NumFreeEntries), "65535");
    assert_eq!(bench.file(DmaDebugFile::MinFreeEntries), "65534");
    let rounded = Bench::with(|options| options.entries = 33);
    assert_eq!(rounded.file(DmaDebugFile::NrTotalEntries), "64");
}

#[test]
fn the_dump_has_a_line_for_each_mapping() {
    let mut bench = Bench::new();
    bench.map(range(0x1_0000, 100, FROM));
    bench.map_sg(&pages(&[0x3000]), TO);
    bench.map_checked(range(0x800_0040, 64, TO));
    assert_eq!(
        bench.debug.dump(),
        "e1000 0000:01:00.0 phy idx 0 P=0x8000040 D=8000040 L=40 cln=0x200001 TO_DEVICE checked \
         attrs=0x0\n\
         e1000 0000:01:00.0 scatter-gather idx 1 P=0x3000 D=3000 L=1000 cln=0xc0 TO_DEVICE \
         check not applicable attrs=0x0\n\
         e1000 0000:01:00.0 phy idx 8 P=0x10000 D=10000 L=64 cln=0x400 FROM_DEVICE not checked \
         attrs=0x0\n"
    );
}

#[test]
fn a_layer_that_is_off_sees_nothing() {
    let mut options = DmaDebugOptions::default();
    options.parse("dma_debug=off");
    let mut bench = Bench::with(|target| *target = options);
    assert_eq!(bench.file(DmaDebugFile::Disabled), "Y");
    bench.map(range(0x1000, 64, FROM));
    bench.unmap(range(0xdead_0000, 64, TO));
    bench.sync_for_cpu(0x1000, 64, FROM);
    bench.unmap_sg(&pages(&[0x1000]), TO);
    bench.debug.driver_unbound(&bench.dev);
    assert_eq!(bench.ids(), [""; 0]);
    assert_eq!(bench.file(DmaDebugFile::ErrorCount), "0");
}
