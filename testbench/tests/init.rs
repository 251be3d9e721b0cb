//! `rebound init` on the sample cores: what it writes says the same as the manifests written by hand, and builds.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use predicates::prelude::*;
use predicates::str::contains;
use rebound_sim::cache::Cache;
use rebound_sim::manifest::{Access, Manifest, Naming};
use rebound_sim::toolchain::Toolchain;
use rebound_sim::verilate::CoreBuilder;
use rebound_sim::verilate::ports::{CorePort, PortDirection};

/// The program; it finds the tools from this crate's folder.
fn rebound() -> Command {
    Command::new(env!("CARGO_BIN_EXE_rebound"))
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn by_hand(core: &str) -> Manifest {
    let path = format!("cores/{core}/{core}.toml");
    Manifest::load(Path::new(&path)).expect("a manifest written by hand")
}

/// What `rebound init` makes of a sample core, with the sources that the manifest written by hand has.
fn drafted(core: &str, into: &Path) -> Manifest {
    let by_hand = by_hand(core);
    let output = into.join("core.toml");
    rebound()
        .arg("init")
        .args(by_hand.source_set().expect("sources").files)
        .args(["--top", &by_hand.top, "--output"])
        .arg(&output)
        .assert()
        .success();
    Manifest::load(&output).expect("a manifest that loads")
}

fn ports(manifest: &Manifest) -> Vec<CorePort> {
    let toolchain = Toolchain::discover().expect("tools");
    let cache = Cache::discover().expect("a cache");
    CoreBuilder::new(manifest.clone())
        .ports(&toolchain, &cache)
        .expect("ports")
}

const AXI: &str = "aw:id addr len size burst lock cache prot qos valid ready,w:id data strb last valid ready,\
                   b:id resp valid ready,ar:id addr len size burst lock cache prot qos valid ready,\
                   r:id data resp last valid ready";
const STREAM: &str = ":tdata tkeep tstrb tuser tid tdest tlast tvalid tready";
const APB: &str = ":paddr pprot psel penable pwrite pwdata pstrb pready prdata pslverr";
const WISHBONE: &str = ":adr dat_w dat_r we sel cyc stb ack err rty stall";

/// The ports that a naming finds in the core, signal by signal.
fn signals(table: &str, naming: Naming<'_>, ports: &[CorePort], access: Access) -> String {
    let mut found = Vec::new();
    for (channel, names) in table.split(',').filter_map(|part| part.split_once(':')) {
        let is_used = match channel {
            "ar" | "r" => access.reads(),
            "" => true,
            _ => access.writes(),
        };
        for name in names.split(' ').filter(|_| is_used) {
            let port = ports.iter().find(|port| {
                let is_output = port.direction == PortDirection::Output;
                naming.port(channel, name, is_output) == port.name
            });
            found.extend(port.map(|port| format!("{channel}{name}={}", port.name)));
        }
    }
    found.join(" ")
}

/// A manifest without names of interfaces and without what ports do not tell.
fn meaning(manifest: &Manifest, ports: &[CorePort]) -> BTreeSet<String> {
    let first = manifest.clocks[0].port.as_str();
    let at = |clock: &Option<String>| clock.as_deref().unwrap_or(first).to_owned();
    let mut lines = BTreeSet::new();
    lines.extend(
        manifest
            .clocks
            .iter()
            .map(|clock| format!("clock {}", clock.port)),
    );
    for each in &manifest.resets {
        let clock = at(&each.clock);
        lines.insert(format!(
            "reset {} {:?} {:?} {clock}",
            each.port, each.active, each.kind
        ));
    }
    for each in &manifest.managers {
        let map = signals(AXI, each.naming(), ports, each.access);
        let clock = at(&each.clock);
        lines.insert(format!(
            "{:?} {:?} {clock}: {map}",
            each.protocol, each.access
        ));
    }
    let whole = Access::ReadWrite;
    for each in &manifest.lites {
        lines.insert(format!(
            "lite {}: {}",
            at(&each.clock),
            signals(AXI, each.naming(), ports, whole)
        ));
    }
    for each in &manifest.apbs {
        lines.insert(format!(
            "apb {}: {}",
            at(&each.clock),
            signals(APB, each.naming(), ports, whole)
        ));
    }
    for each in &manifest.wishbones {
        let map = signals(WISHBONE, each.naming(), ports, whole);
        lines.insert(format!("wishbone {}: {map}", at(&each.clock)));
    }
    for each in &manifest.streams {
        let map = signals(STREAM, each.naming(), ports, whole);
        lines.insert(format!(
            "stream {:?} {}: {map}",
            each.direction,
            at(&each.clock)
        ));
    }
    for each in &manifest.channels {
        let fields: BTreeSet<String> = each
            .fields
            .values()
            .map(|part| format!("{part:?}"))
            .collect();
        lines.insert(format!(
            "channel {:?} {} {fields:?}",
            each.direction, each.prefix
        ));
    }
    for each in &manifest.wires {
        let port = each.port.as_ref().unwrap_or(&each.name);
        lines.insert(format!(
            "wire {port} {:?} {:?} {}",
            each.direction, each.role, each.initial
        ));
    }
    lines.extend(
        manifest
            .tie_off
            .iter()
            .map(|(port, value)| format!("tie {port}={value}")),
    );
    lines
}

/// What the parameters decide, as far as names can tell.
fn bindings(manifest: &Manifest) -> BTreeMap<String, String> {
    let parameters = manifest.parameters.iter();
    parameters
        .filter_map(|(name, spec)| Some((name.clone(), format!("{:?}", spec.bind?))))
        .filter(|(_, bind)| !bind.starts_with("MaxReads") && !bind.starts_with("MaxWrites"))
        .collect()
}

fn says_what_was_written_by_hand(core: &str) {
    let here = folder();
    let drafted = drafted(core, here.path());
    let by_hand = by_hand(core);
    let ports = ports(&by_hand);
    assert_eq!(
        meaning(&drafted, &ports),
        meaning(&by_hand, &ports),
        "{core}"
    );
    assert_eq!(bindings(&drafted), bindings(&by_hand), "{core}");
    CoreBuilder::new(drafted)
        .build(
            &Toolchain::discover().expect("tools"),
            &Cache::discover().expect("a cache"),
        )
        .expect("a core that builds");
}

#[test]
fn lower_case_axi_with_lite_registers_is_recognised_and_builds() {
    says_what_was_written_by_hand("axil_copy");
}

#[test]
fn descriptor_and_status_channels_are_recognised_and_build() {
    says_what_was_written_by_hand("stream_copy");
}

#[test]
fn generated_bundles_with_unused_halves_are_recognised_and_build() {
    says_what_was_written_by_hand("launch_copy");
}

#[test]
fn axi3_and_apb_in_upper_case_are_recognised_and_build() {
    says_what_was_written_by_hand("apb_copy");
}

#[test]
fn split_ports_and_streams_are_recognised_and_build() {
    says_what_was_written_by_hand("split_dma");
}

#[test]
fn separated_names_and_wishbone_are_recognised_and_build() {
    says_what_was_written_by_hand("struct_copy");
}

#[test]
fn plain_wires_are_recognised_and_build() {
    says_what_was_written_by_hand("words_copy");
}

#[test]
fn two_clocks_and_index_suffixes_are_recognised_and_build() {
    says_what_was_written_by_hand("two_clock_copy");
}

#[test]
fn a_port_that_is_missing_in_a_manifest_is_a_difference() {
    let here = folder();
    let drafted = drafted("words_copy", here.path());
    let ports = ports(&drafted);
    let text = drafted
        .text()
        .replace("prefix = \"m_axi_s2mm_\"", "prefix = \"m_axi_mm2s_\"");
    let wrong = Manifest::parse(drafted.path(), text).expect("well-formed");
    assert_ne!(meaning(&wrong, &ports), meaning(&drafted, &ports));
}

/// A copy of the sources of a sample core in `folder`, so that no path says where it lies.
fn copied(core: &str, folder: &Path) -> Vec<PathBuf> {
    let files = by_hand(core).source_set().expect("sources").files;
    let copy = |file: PathBuf| {
        let to = folder.join(file.file_name().expect("a name"));
        fs::copy(file, &to).expect("a copy");
        to
    };
    files.into_iter().map(copy).collect()
}

#[test]
fn a_whole_manifest_is_as_it_was() {
    let here = folder();
    let output = here.path().join("axil_copy.toml");
    rebound()
        .arg("init")
        .args(copied("axil_copy", here.path()))
        .args(["--top", "axil_copy", "-o"])
        .arg(&output)
        .assert()
        .success()
        .stdout(contains("AXI4-Lite registers s_axi").and(contains("open: the control program")));
    let written = fs::read_to_string(output).expect("the manifest");
    let golden = "tests/init_golden/axil_copy.toml";
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(golden, &written).expect("written");
    }
    assert_eq!(
        written,
        fs::read_to_string(golden).expect("the golden manifest")
    );
}

#[test]
fn an_open_place_of_the_template_is_reported_as_such() {
    let here = folder();
    let drafted = drafted("axil_copy", here.path());
    let at = drafted.text().find("# [control]").expect("a template");
    let (head, program) = drafted.text().split_at(at);
    let program: Vec<&str> = program
        .lines()
        .map(|line| line.trim_start_matches("# "))
        .collect();
    let text = format!("{head}{}", program.join("\n"));
    let error = Manifest::parse(drafted.path(), text)
        .expect_err("open")
        .to_string();
    assert!(
        error.contains("control.init[0].write")
            && error.contains("open place: fill in offset of the control register"),
        "{error}"
    );
}

/// Runs `init` on a source of its own and returns the manifest, with what was printed.
fn init_of(source: &str, top: &str, options: &[&str]) -> (String, String) {
    let here = folder();
    let file = here.path().join("core.sv");
    fs::write(&file, source).expect("written");
    let output = here.path().join("core.toml");
    let run = rebound()
        .arg("init")
        .arg(&file)
        .args(["--top", top, "-o"])
        .arg(&output)
        .args(options)
        .assert()
        .success();
    let said = String::from_utf8_lossy(&run.get_output().stdout).into_owned();
    Manifest::load(&output).expect("a manifest that loads");
    (fs::read_to_string(output).expect("the manifest"), said)
}

const ODD: &str = "typedef struct packed { logic [31:0] addr; logic valid; } req_t;
    module odd #(parameter int Width = 8, parameter int Double = 2 * Width, parameter string Name = \"x\") (
        input logic clk, input logic [Width-1:0] mystery, output logic [Double-1:0] result,
        input logic go_valid, input logic go_data, output logic go_ready,
        output req_t req_o, input req_t rsp_i, inout wire pad);
        always_ff @(posedge clk) begin result <= Double'(mystery); go_ready <= go_valid ^ go_data; end
        assign req_o = rsp_i;
    endmodule";

#[test]
fn ports_that_fit_nothing_are_listed_with_what_to_do() {
    let (manifest, said) = init_of(ODD, "odd", &[]);
    for part in [
        "OPEN: port rsp_i is a struct",
        "OPEN: port pad goes both ways",
        "OPEN: no AXI manager port was recognised",
        "OPEN: input mystery",
        "\nmystery = 0\n",
        "\nrsp_i = 0\n",
        "# Ports that nothing looks at: result, req_o, pad.",
        "# Name is no number",
    ] {
        assert!(manifest.contains(part), "{part}: {manifest}");
    }
    assert!(
        said.contains("open: port rsp_i is a struct") && said.contains("wrapper"),
        "{said}"
    );
}

#[test]
fn parameters_include_folders_and_definitions_reach_the_core_and_the_manifest() {
    let here = folder();
    let include = here.path().join("inc");
    fs::create_dir(&include).expect("a folder");
    fs::write(include.join("a.svh"), "`define EXTRA 4\n").expect("written");
    let source = "`include \"a.svh\"\nmodule a #(parameter int W = 8) (input logic clk, input logic [W+`EXTRA+`MORE-1:0] x);
        always_ff @(posedge clk) assert (x != 0); endmodule";
    fs::write(here.path().join("a.sv"), source).expect("written");
    let list = here.path().join("files.f");
    fs::write(&list, "a.sv\n").expect("written");
    let output = here.path().join("a.toml");
    rebound()
        .args([
            "init", "--top", "a", "-D", "MORE=2", "--param", "W=0x10", "-f",
        ])
        .arg(&list)
        .arg("-I")
        .arg(&include)
        .arg("-o")
        .arg(&output)
        .assert()
        .success();
    let manifest = Manifest::load(&output).expect("a manifest that loads");
    let ports = ports(&manifest);
    assert_eq!(ports[1].width, Some(16 + 4 + 2));
    assert_eq!(manifest.defines["MORE"], "2");
}

#[test]
fn a_core_that_does_not_elaborate_is_told_in_the_words_of_verilator() {
    let here = folder();
    let file = here.path().join("bad.sv");
    fs::write(
        &file,
        "module bad (input logic clk);\nnothing_such u (.clk);\nendmodule",
    )
    .expect("written");
    rebound()
        .arg("init")
        .arg(&file)
        .args(["--top", "bad", "-o"])
        .arg(here.path().join("bad.toml"))
        .assert()
        .code(2)
        .stderr(contains("nothing_such").and(contains("command: cd")));
    assert!(!here.path().join("bad.toml").exists());
}

#[test]
fn a_top_that_is_not_there_is_told_with_the_modules_that_are() {
    let here = folder();
    rebound()
        .arg("init")
        .args(copied("words_copy", here.path()))
        .args(["--top", "word_copy", "-o"])
        .arg(here.path().join("x.toml"))
        .assert()
        .code(2)
        .stderr(contains("expected module word_copy").and(contains("did you mean words_copy?")));
}

#[test]
fn a_missing_file_and_a_missing_folder_are_named() {
    let here = folder();
    for options in [["no/core.sv", "-Irtl"], ["Cargo.toml", "-Ino/folder"]] {
        rebound()
            .arg("init")
            .args(options)
            .args(["--top", "a", "-o"])
            .arg(here.path().join("a.toml"))
            .assert()
            .code(2)
            .stderr(contains("no/").and(contains("expected a")));
    }
}

#[test]
fn a_manifest_that_exists_is_replaced_only_by_force() {
    let here = folder();
    let output = here.path().join("words_copy.toml");
    fs::write(&output, "mine").expect("written");
    let files = copied("words_copy", here.path());
    let init = |options: &[&str]| {
        let mut command = rebound();
        command
            .arg("init")
            .args(&files)
            .args(["--top", "words_copy", "-o"]);
        command.arg(&output).args(options).assert()
    };
    init(&[])
        .code(2)
        .stderr(contains("exists already").and(contains("--force")));
    assert_eq!(fs::read_to_string(&output).expect("there"), "mine");
    init(&["--force"]).success();
    assert!(
        fs::read_to_string(&output)
            .expect("there")
            .contains("words_copy")
    );
    let left = fs::read_dir(here.path())
        .expect("a folder")
        .filter_map(Result::ok);
    let strays = left.filter(|entry| entry.file_name().to_string_lossy().starts_with('.'));
    assert_eq!(strays.count(), 0);
}

#[test]
fn templates_are_listed_chosen_and_refused_by_name() {
    rebound()
        .args(["init", "--templates"])
        .assert()
        .success()
        .stdout(
            contains("descriptor-stream")
                .and(contains("read-launches"))
                .and(contains("wires")),
        );
    let (manifest, _) = init_of(ODD, "odd", &["--template", "read-launches"]);
    assert!(
        manifest.contains("template `read-launches`") && manifest.contains("at_least = \"id\"")
    );
    rebound()
        .args(["init", "a.sv", "--top", "a", "--template", "magic"])
        .assert()
        .code(2)
        .stderr(contains("expected one of descriptor-stream"));
    rebound()
        .args(["init", "a.sv", "--top", "a", "--param", "W=wide"])
        .assert()
        .code(2)
        .stderr(contains("whole number"));
}
