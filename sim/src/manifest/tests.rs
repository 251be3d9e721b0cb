//! Messages of bad manifests, word for word, and the reading of good ones.

use std::path::Path;

use super::*;

const GOOD: &str = r#"name = "core"
top = "core"
sources = ["core.sv"]
clocks = ["clk"]

[[reset]]
port = "rst_n"
active = "low"

[parameters]
Width = { default = 64, values = [32, 64], bind = "data_width" }

[[axi]]
name = "m_axi"
prefix = "m_axi_"
data_width = "Width"
max_reads = 4

[[stream]]
name = "out"
direction = "source"
prefix = "m_axis_"

[[wire]]
name = "irq"
direction = "output"
role = "interrupt"
"#;

fn parse(text: &str) -> Result<Manifest, ManifestError> {
    Manifest::parse(Path::new("core.toml"), text.to_owned())
}

fn message(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from), "the good manifest has no {from}");
    parse(&GOOD.replacen(from, to, 1))
        .expect_err("must be refused")
        .to_string()
}

#[test]
fn a_good_manifest_is_read() {
    let manifest = parse(GOOD).expect("good");
    assert_eq!(
        manifest.managers[0].data_width,
        Some(Size::Parameter("Width".into()))
    );
    assert_eq!(manifest.managers[0].max_reads, Some(Size::Value(4)));
    assert_eq!(
        manifest.managers[0].naming().port("aw", "addr", true),
        "m_axi_awaddr"
    );
    assert!(manifest.streams[0].direction.is_source());
    assert_eq!(manifest.wires[0].role, WireRole::Interrupt);
    assert_eq!(manifest.resets[0].active, ActiveLevel::Low);
}

#[test]
fn an_unknown_field_is_named_with_the_one_that_was_meant() {
    assert_eq!(
        message("prefix = \"m_axi_\"", "prefx = \"m_axi_\""),
        "core.toml:15: axi[0].prefx: expected one of the fields name, protocol, access, prefix, pattern, \
         case, ports, defaults, clock, address_width, data_width, id_width, max_reads, max_writes, got unknown field \
         `prefx` (did you mean `prefix`?)"
    );
}

#[test]
fn an_unknown_word_is_named_with_the_known_ones() {
    assert_eq!(
        message("active = \"low\"", "active = \"lo\""),
        "core.toml:8: reset[0].active: expected one of low, high, got `lo` (did you mean `low`?)"
    );
}

#[test]
fn a_wrong_type_is_placed() {
    assert_eq!(
        message("max_reads = 4", "max_reads = -4"),
        "core.toml:17: axi[0].max_reads: expected a number of at least 0, the name of a parameter, or \
         \"NAME / NUMBER\", got integer `-4`"
    );
    assert_eq!(
        message("clocks = [\"clk\"]", "clocks = \"clk\""),
        "core.toml:4: clocks: expected a sequence, got string \"clk\""
    );
}

#[test]
fn a_missing_field_is_named() {
    assert_eq!(
        message("top = \"core\"\n", ""),
        "core.toml:1: top: expected a value, got nothing"
    );
    assert_eq!(
        message("direction = \"source\"\n", ""),
        "core.toml:19: stream[0].direction: expected a value, got nothing"
    );
}

#[test]
fn broken_toml_is_placed() {
    let text = message("top = \"core\"", "top = ");
    assert!(text.starts_with("core.toml:2: "), "{text}");
    assert!(text.contains("expected valid TOML"), "{text}");
}

#[test]
fn a_reference_to_no_parameter_lists_the_parameters() {
    assert_eq!(
        message("data_width = \"Width\"", "data_width = \"width\""),
        "core.toml:16: axi[0].data_width: expected a number or a parameter: Width, got \"width\" \
         (did you mean `Width`?)"
    );
}

#[test]
fn a_misspelt_declaration_is_told_from_a_misspelt_reference_by_the_sources() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join("core.toml");
    let source = "module core #(parameter Width = 64) (input clk); endmodule";
    std::fs::write(folder.path().join("core.sv"), source).expect("written");
    let load = |from: &str, to: &str| {
        std::fs::write(&path, GOOD.replacen(from, to, 1)).expect("written");
        Manifest::load(&path).expect_err("misspelt").to_string()
    };
    let text = load("Width = {", "Widht = {");
    assert!(
        text.ends_with(
            "core.toml:11: parameters.Widht: expected a parameter of module core, got `Widht`, which no \
             source names (did you mean `Width`, as axi[0].data_width says?)"
        ),
        "{text}"
    );
    let text = load("data_width = \"Width\"", "data_width = \"Widht\"");
    assert!(
        text.ends_with(
            "core.toml:16: axi[0].data_width: expected a number or a parameter: Width, got \"Widht\" \
             (did you mean `Width`?)"
        ),
        "{text}"
    );
}

#[test]
fn a_driver_that_nobody_has_is_refused_with_the_known_ones() {
    let manifest = |driver| parse(&format!("driver = \"{driver}\"\n{GOOD}")).expect("good");
    let known = ["dma_engine", "copy"];
    assert_eq!(
        manifest("dma_engin")
            .check_driver(&known)
            .expect_err("unknown")
            .to_string(),
        "core.toml:1: driver: expected one of the drivers of the testbench: dma_engine, copy, got \
         \"dma_engin\" (did you mean `dma_engine`?)"
    );
    manifest("copy").check_driver(&known).expect("known");
    parse(GOOD)
        .expect("good")
        .check_driver(&known)
        .expect("none");
}

#[test]
fn a_number_that_is_too_long_is_refused_in_our_words() {
    for number in [
        "99999999999999999999",
        "0xFFFFFFFFFFFFFFFF",
        "-9223372036854775809",
    ] {
        let text = message("default = 64", &format!("default = {number}"));
        assert_eq!(
            text,
            format!(
                "core.toml:11: parameters.Width.default: expected a whole number from -9223372036854775808 to \
                 9223372036854775807, got {number}"
            )
        );
    }
}

#[test]
fn a_parameter_of_another_kind_is_refused_with_what_is_there() {
    for value in ["1.5", "true", "[]"] {
        assert_eq!(
            message("default = 64", &format!("default = {value}")),
            format!(
                "core.toml:11: parameters.Width.default: expected a whole number or a string, got {value}"
            )
        );
    }
}

#[test]
fn a_default_outside_its_own_values_is_refused() {
    assert_eq!(
        message("default = 64", "default = 48"),
        "core.toml:11: parameters.Width.default: expected one of 32, 64, got 48"
    );
}

#[test]
fn a_name_used_twice_is_refused() {
    assert_eq!(
        message("name = \"out\"", "name = \"m_axi\""),
        "core.toml:20: stream[0].name: expected a name used once, got \"m_axi\" again"
    );
}

#[test]
fn a_signal_that_the_protocol_lacks_is_refused() {
    assert_eq!(
        message(
            "prefix = \"m_axis_\"",
            "prefix = \"m_axis_\"\nports = { tdat = \"D\" }"
        ),
        "core.toml:23: stream[0].ports.tdat: expected one of tdata, tkeep, tstrb, tuser, tid, tdest, \
         tlast, tvalid, tready, got `tdat` (did you mean `tdata`?)"
    );
}

#[test]
fn a_pattern_without_places_is_refused() {
    assert_eq!(
        message("prefix = \"m_axi_\"", "pattern = \"m_axi_{signal}\""),
        "core.toml:15: axi[0].pattern: expected a pattern with {channel}, got \"m_axi_{signal}\""
    );
}

#[test]
fn a_missing_source_is_placed_and_a_missing_manifest_is_named() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join("core.toml");
    let error = Manifest::load(&path).expect_err("not written yet");
    assert!(
        error
            .to_string()
            .contains("core.toml: manifest: expected a readable text file")
            && error.to_string().ends_with("(check the path)"),
        "{error}"
    );
    let error = Manifest::load(Path::new("nowhere/core.toml")).expect_err("not there");
    let here = std::env::current_dir().expect("there");
    assert!(
        error.to_string().ends_with(&format!(
            "(looked for in {}: run in the project's folder, or give the file's whole path)",
            here.display()
        )),
        "{error}"
    );

    std::fs::write(&path, GOOD).expect("write");
    let error = Manifest::load(&path).expect_err("its source does not exist");
    assert_eq!(error.line(), Some(3));
    assert_eq!(error.field(), "sources[0]");
    assert_eq!(error.got(), "no such path");

    std::fs::write(folder.path().join("core.sv"), "").expect("write");
    Manifest::load(&path).expect("now it does");
}

#[test]
fn a_size_may_be_a_part_of_a_parameter() {
    let text = GOOD.replacen("max_reads = 4", "max_reads = \"Width / 16\"", 1);
    let manifest = parse(&text).expect("good");
    let size = manifest.managers[0].max_reads.as_ref().expect("given");
    assert_eq!(size.to_string(), "Width / 16");
    assert_eq!((size.of(64), size.of(65)), (Some(4), None));
    let text = message("max_reads = 4", "max_reads = \"Width / 0\"");
    assert!(text.contains("\"NAME / NUMBER\""), "{text}");
    let text = message("max_reads = 4", "max_reads = \"Widht / 16\"");
    assert!(text.contains("did you mean `Width`?"), "{text}");
}

#[test]
fn the_fancy_report_shows_the_line() {
    let error = parse(&GOOD.replacen("prefix", "prefx", 1)).expect_err("unknown field");
    let report = format!("{:?}", miette::Report::new(error));
    assert!(report.contains("prefx = \"m_axi_\""), "{report}");
}
