//! Building cores: the cache, what does not fit, tools that fail, builds at the same time.

mod common;

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::{build, cache, core, probe, toolchain};
use rebound_sim::cache::Cache;
use rebound_sim::device::Device;
use rebound_sim::manifest::Manifest;
use rebound_sim::parameters::ParameterValue;
use rebound_sim::toolchain::{ToolSearch, Toolchain};
use rebound_sim::trace::TraceKind;
use rebound_sim::verilate::ports::PortDirection;
use rebound_sim::verilate::{BuildError, BuildStep, CoreBuilder};

/// A copy of the probe's files that a test may spoil.
struct Copy {
    folder: tempfile::TempDir,
}

impl Copy {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("temporary folder");
        for name in ["probe.toml", "probe.sv", "probe_commands.svh"] {
            fs::copy(core(name), folder.path().join(name)).expect("copied");
        }
        Self { folder }
    }

    fn replace(&self, name: &str, from: &str, to: &str) {
        let path = self.folder.path().join(name);
        let text = fs::read_to_string(&path).expect("readable");
        assert!(text.contains(from), "{name} has no {from}");
        fs::write(&path, text.replacen(from, to, 1)).expect("writable");
    }

    fn builder(&self) -> CoreBuilder {
        let path = self.folder.path().join("probe.toml");
        CoreBuilder::new(Manifest::load(&path).unwrap_or_else(|error| panic!("{error}")))
    }

    fn error(&self) -> String {
        match self.builder().build(&toolchain(), &cache()) {
            Ok(_) => panic!("expected a refusal"),
            Err(error) => error.to_string(),
        }
    }
}

fn refused(name: &str, from: &str, to: &str, message: &str) {
    let copy = Copy::new();
    copy.replace(name, from, to);
    let error = copy.error();
    assert!(error.contains(message), "expected\n{message}\nin\n{error}");
}

#[test]
fn a_port_that_the_core_lacks_is_named_with_line_and_field() {
    refused(
        "probe.toml",
        "prefix = \"m_axi_\"",
        "prefix = \"m_ax_\"",
        "probe.toml:17: axi[0].prefix: expected port `m_ax_awaddr` of module probe as `awaddr`, got no such port \
         (did you mean `m_axi_awaddr`?)",
    );
    refused(
        "probe.toml",
        "prefix = \"m_axi_\"",
        "prefix = \"m_axi_\"\nports = { awid = \"AWID\" }",
        "probe.toml:18: axi[0].ports.awid: expected port `AWID` of module probe as `awid`, got no such port",
    );
    refused(
        "probe.toml",
        "name = \"irq\"",
        "name = \"interrupt\"",
        "wire[2].name: expected port `interrupt` of module probe, got no such port",
    );
    refused(
        "probe.toml",
        "clocks = [\"aclk\"]",
        "clocks = [\"clk\"]",
        "probe.toml:5: clocks[0]: expected port `clk`",
    );
}

#[test]
fn a_width_that_differs_is_named_with_both_widths() {
    refused(
        "probe.toml",
        "data_width = \"DataWidth\"\nid_width",
        "data_width = 32\nid_width",
        "probe.toml:19: axi[0].data_width: expected port `m_axi_wdata` of 32 bits, got 64 bits",
    );
    refused(
        "probe.toml",
        "id_width = \"IdWidth\"",
        "id_width = \"DataWidth\"",
        "axi[0].id_width: expected port `m_axi_awid` of 64 bits (DataWidth = 64), got 4 bits",
    );
    refused(
        "probe.sv",
        "output logic [7:0]             m_axi_awlen",
        "output logic [3:0]             m_axi_awlen",
        "probe.toml:17: axi[0].prefix: expected port `m_axi_awlen` of 8 bits, got 4 bits",
    );
    refused(
        "probe.sv",
        "output logic [63:0]            m_axi_araddr",
        "output logic [31:0]            m_axi_araddr",
        "axi[0].address_width: expected port `m_axi_araddr` of 64 bits, got 32 bits",
    );
}

#[test]
fn a_port_that_points_the_other_way_is_refused() {
    refused(
        "probe.toml",
        "name = \"count\"\ndirection = \"output\"",
        "name = \"count\"\ndirection = \"input\"",
        "wire[1].name: expected port `count` to be an input of the core, got an output",
    );
}

#[test]
fn an_input_that_nothing_drives_is_refused() {
    refused(
        "probe.toml",
        "[tie_off]\nstrap = 0",
        "",
        "tie_off: expected every input of module probe to be named, got none for strap",
    );
    refused(
        "probe.toml",
        "strap = 0",
        "strap = 2",
        "tie_off.strap: expected a value of 1 bit, got 2",
    );
}

#[test]
fn a_port_of_a_type_that_is_no_vector_is_refused() {
    refused(
        "probe.sv",
        "input  logic                   strap,",
        "input  logic                   strap [2],",
        "tie_off.strap: expected port `strap` to be a packed vector, got another type (write a wrapper module",
    );
}

#[test]
fn an_impossible_parameter_is_refused() {
    let with = |name: &str, value: ParameterValue| {
        let builder = CoreBuilder {
            parameters: [(name.to_owned(), value)].into(),
            ..probe()
        };
        builder
            .build(&toolchain(), &cache())
            .expect_err("not allowed")
            .to_string()
    };
    assert_eq!(
        with("DataWidth", 48.into()),
        "parameter DataWidth of core probe: expected one of 8, 64, 512, got 48"
    );
    assert!(with("Datawidth", 64.into()).ends_with("(did you mean `DataWidth`?)"));
}

#[test]
fn a_parameter_that_the_module_lacks_is_named_with_line_and_those_it_has() {
    refused(
        "probe.toml",
        "IdWidth = { default = 4, min = 1, max = 32 }",
        "IdWidth = { default = 4, min = 1, max = 32 }\nIdWitdh = { default = 4 }",
        "probe.toml:14: parameters.IdWitdh: expected a parameter of module probe: DataWidth, IdWidth, got `IdWitdh` \
         (did you mean `IdWidth`?)",
    );
}

#[test]
fn a_value_that_the_module_would_cut_is_refused() {
    refused(
        "probe.toml",
        "IdWidth = { default = 4, min = 1, max = 32 }",
        "IdWidth = { default = 1099511627780 }",
        "probe.toml:13: parameters.IdWidth: expected a value of 32 bits, as module probe has it, got 1099511627780, of \
         which 4 is left (choose a smaller value",
    );
}

#[test]
fn a_syntax_error_shows_verilators_words_and_the_command() {
    let copy = Copy::new();
    copy.replace(
        "probe.sv",
        "assign m_axi_awid    = '0;",
        "assign m_axi_awid    = ;",
    );
    let error = copy.error();
    assert!(
        error.starts_with("elaborate probe failed (exit status: 1):\n%Error: "),
        "{error}"
    );
    assert!(
        error.contains("probe.sv:") && error.contains("syntax error"),
        "{error}"
    );
    assert!(
        error.contains("\ncommand: cd ") && error.contains("--top-module probe"),
        "{error}"
    );
}

#[test]
fn a_failed_build_leaves_nothing_behind() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let cache = Cache::at(folder.path());
    let copy = Copy::new();
    copy.replace("probe.sv", "endmodule", "");
    copy.builder()
        .build(&toolchain(), &cache)
        .expect_err("no endmodule");
    let left = |name: &str| fs::read_dir(folder.path().join(name)).map_or(0, Iterator::count);
    assert_eq!((left("work"), left("cores"), left("requests")), (0, 0, 0));
}

/// The error of building the probe with a compiler that does this, and a limit of 20 seconds, which is ample for Verilator.
fn error_with_compiler(script: &str) -> String {
    let folder = tempfile::tempdir().expect("temporary folder");
    let compiler = folder.path().join("g++");
    common::compiler(&compiler, script);
    let search = ToolSearch {
        compiler: Some(compiler),
        limit: Some("20".into()),
        ..ToolSearch::from_environment()
    };
    let toolchain = Toolchain::find(&search).expect("found");
    let result = probe().build(&toolchain, &Cache::at(folder.path()));
    let work = fs::read_dir(folder.path().join("work")).expect("work was begun");
    assert_eq!(work.count(), 0, "no work is left");
    result.expect_err("it does not compile").to_string()
}

#[test]
fn a_compiler_that_fails_is_shown_with_its_words() {
    let error = error_with_compiler("echo out of ink >&2; exit 4");
    assert!(
        error.contains("exit status: 4") && error.contains("out of ink"),
        "{error}"
    );
}

#[test]
fn a_compiler_that_hangs_is_stopped_and_shown_with_its_command() {
    let error = error_with_compiler("sleep 600");
    for part in [
        "compile ",
        ".cpp: expected an end within 20 s, got none: it was killed",
        "REBOUND_TOOL_SECONDS=SECONDS (now 20)",
        "command: cd ",
    ] {
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn a_damaged_runtime_is_mended() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let cache = Cache::at(folder.path());
    let build = |random_reset| {
        let builder = CoreBuilder {
            trace: TraceKind::Fst,
            random_reset,
            ..probe()
        };
        builder
            .build(&toolchain(), &cache)
            .unwrap_or_else(|error| panic!("{error}"))
    };
    build(false);
    let runtime = fs::read_dir(folder.path().join("runtime"))
        .expect("there")
        .next()
        .expect("one")
        .expect("readable")
        .path();
    let whole: Vec<_> = ["verilated.o", "libz.a", "rebound_shim.h"]
        .map(|name| runtime.join(name))
        .map(|path| (fs::read(&path).expect("readable"), path))
        .into();
    for (content, path) in &whole {
        fs::write(path, &content[..content.len() / 2]).expect("writable");
    }
    // Another core with the same runtime.
    let library = build(true);
    assert!(!library.is_cached());
    Device::load(&library, 1).expect("loads");
    for (content, path) in &whole {
        let again = fs::read(path).expect("readable");
        assert_eq!(again.len(), content.len(), "{}", path.display());
    }
}

#[test]
fn a_built_core_is_found_again_until_something_changes() {
    build(&probe());
    let warm = build(&probe());
    assert!(warm.is_cached());
    assert_eq!(warm.interfaces().managers[0].data_width, 64);
    assert_eq!(warm.parameters().get("IdWidth"), Some(4));

    let copy = Copy::new();
    let first = build(&copy.builder());
    assert!(!first.is_cached());
    assert!(build(&copy.builder()).is_cached());
    // Only Verilator knows of this file.
    copy.replace(
        "probe_commands.svh",
        "COMMAND_IRQ 8'd10",
        "COMMAND_IRQ 8'd20",
    );
    let second = build(&copy.builder());
    assert!(!second.is_cached());
    let mut device = Device::load(&second, 1).expect("loads");
    device.reset(2).expect("resets");
    common::run_command(&mut device, 20).expect("runs");
    assert_eq!(device.wires_out()[1], 1);
}

#[test]
fn a_damaged_library_is_built_anew() {
    let copy = Copy::new();
    let library = build(&copy.builder());
    let whole = fs::read(library.path()).expect("readable");
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    for damaged in ["short".as_bytes(), &flipped] {
        // A new file: the old one may still be mapped.
        fs::remove_file(library.path()).expect("there");
        fs::write(library.path(), damaged).expect("writable");
        let again = build(&copy.builder());
        assert!(!again.is_cached());
        Device::load(&again, 1).expect("loads");
    }
}

#[test]
fn what_is_too_long_for_a_manifest_is_not_read_to_the_end() {
    let error = Manifest::load(Path::new("/dev/zero")).expect_err("endless");
    assert!(error.to_string().contains("more than 1 MiB"), "{error}");
}

#[test]
fn builds_of_the_same_core_at_the_same_time_build_it_once() {
    let copy = Copy::new();
    let compiled = AtomicUsize::new(0);
    let waited = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let on_step = |step: BuildStep| match step {
                    BuildStep::Linking => drop(compiled.fetch_add(1, Ordering::Relaxed)),
                    BuildStep::Waiting => drop(waited.fetch_add(1, Ordering::Relaxed)),
                    _ => {}
                };
                let library = copy
                    .builder()
                    .build_with(&toolchain(), &cache(), &on_step)
                    .expect("builds");
                Device::load(&library, 1).expect("loads");
            });
        }
    });
    assert_eq!(compiled.load(Ordering::Relaxed), 1);
    assert!(waited.load(Ordering::Relaxed) <= 3);
}

#[test]
fn the_ports_of_a_core_can_be_listed() {
    let ports = probe().ports(&toolchain(), &cache()).expect("elaborates");
    assert_eq!(ports[0].name, "aclk");
    let data = ports
        .iter()
        .find(|port| port.name == "m_axi_rdata")
        .expect("a port");
    assert_eq!(
        (data.direction, data.width),
        (PortDirection::Input, Some(64))
    );
}

#[test]
fn a_core_in_a_folder_with_spaces_is_built() {
    let outer = Copy::new();
    let inner = outer.folder.path().join("my core's files");
    fs::create_dir(&inner).expect("folder");
    for name in ["probe.toml", "probe.sv", "probe_commands.svh"] {
        fs::rename(outer.folder.path().join(name), inner.join(name)).expect("moved");
    }
    let builder = CoreBuilder::new(Manifest::load(&inner.join("probe.toml")).expect("valid"));
    build(&builder);
    assert!(build(&builder).is_cached(), "its includes are found again");
}

#[test]
fn an_error_of_the_manifest_keeps_its_place_through_the_build() {
    let copy = Copy::new();
    copy.replace("probe.toml", "name = \"irq\"", "name = \"interrupt\"");
    let error = copy
        .builder()
        .build(&toolchain(), &cache())
        .expect_err("no such port");
    let BuildError::Manifest(error) = error else {
        panic!("expected a manifest error, got {error}")
    };
    assert_eq!(
        error.path(),
        Path::new(&copy.folder.path().join("probe.toml"))
    );
    assert_eq!(error.line(), Some(37));
}
