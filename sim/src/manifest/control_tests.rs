//! Control programs: good ones are read, bad ones are told with line, what was expected and what is there.

use std::path::Path;

use super::*;

const GOOD: &str = r#"name = "core"
top = "core"
sources = ["core.sv"]
clocks = ["clk", { port = "slow", period = 3, phase = 1 }]

[[reset]]
port = "rst"
active = "high"
kind = "async"
clock = "slow"
cycles = 8

[[axil]]
name = "regs"

[[channel]]
name = "desc"
direction = "sink"
prefix = "s_axis_desc_"
fields = { addr = "addr", len = "data[22:0]", tag = "data[31:24]" }

[[channel]]
name = "status"
direction = "source"
prefix = "m_axis_desc_status_"
fields = { tag = "tag", error = "error" }

[[stream]]
name = "out"
direction = "source"

[[wire]]
name = "irq"
direction = "output"
role = "interrupt"
active = "low"

[[wire]]
name = "enable"
direction = "input"

[control]
timeout_cycles = 5000
init = [{ set = "enable", value = 1 }]

[control.copy]
start = [
    { write = 0x08, value = "src.lo" },
    { write = 0x10, fields = { "22:0" = "len.words - 1", "31" = 1 } },
    { read = 0x14, into = "id" },
]
done = [
    { wait_irq = "irq" },
    { poll = 0x04, mask = 0x1000, equals = 0x1000, into = "status" },
    { poll = 0x18, at_least = "id", timeout_cycles = 99 },
    { write = 0x04, value = 0x1000 },
]
errors = [{ name = "decode error", from = "status", mask = 0x40 }]
recover = [{ write = 0x00, value = 4 }, { delay = 10 }]

[control.mm2s]
start = [{ push = "desc", fields = { addr = "src", len = "len", tag = "tag" } }]
done = [{ pop = "status", match = { tag = "tag" }, into = { status = "error" } }]
errors = [{ name = "bus error", from = "status" }]
"#;

fn parse(text: &str) -> Result<Manifest, ManifestError> {
    Manifest::parse(Path::new("core.toml"), text.to_owned())
}

/// Message without the file's name, with one place of the good manifest changed.
fn message(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from), "the good manifest has no {from}");
    let text = GOOD.replacen(from, to, 1);
    let error = parse(&text).expect_err("must be refused").to_string();
    let line = text[..text.find(to).expect("is there")].lines().count();
    let message = error.strip_prefix("core.toml:").expect("names the file");
    let (found, message) = message.split_once(": ").expect("names the line");
    let found: usize = found.parse().expect("a line");
    let last = line + to.lines().count();
    assert!(
        (line.saturating_sub(1)..=last).contains(&found),
        "line {found} for {to} in line {line}"
    );
    message.to_owned()
}

#[test]
fn a_good_program_is_read() {
    let manifest = parse(GOOD).unwrap_or_else(|error| panic!("{error}"));
    let control = manifest.control.as_ref().expect("a program");
    let directions: Vec<_> = control.directions().collect();
    assert_eq!(directions, [Direction::Copy, Direction::Mm2s]);
    let copy = control.program(Direction::Copy).expect("copy");
    let Step::Write { fields, .. } = &copy.start[1] else {
        panic!("a write, got {}", copy.start[1]);
    };
    let low = BitRange { high: 22, low: 0 };
    assert_eq!(fields[&low].to_string(), "len.words - 1");
    assert_eq!(
        copy.done[1].to_string(),
        "register 0x4 & 0x1000 to be 0x1000"
    );
    assert_eq!(copy.done[2].timeout_cycles(), Some(99));
    assert!(copy.errors[0].holds(0x40) && !copy.errors[0].holds(0x3f));
    let mm2s = control.program(Direction::Mm2s).expect("mm2s");
    assert_eq!(
        mm2s.done[0].to_string(),
        "a beat of channel status with tag = tag"
    );
    let slow = &manifest.clocks[1];
    assert_eq!(
        (slow.port.as_str(), slow.period, slow.phase),
        ("slow", 3, 1)
    );
    let reset = &manifest.resets[0];
    assert_eq!((reset.kind, reset.cycles), (ResetKind::Async, 8));
    assert_eq!(manifest.register_ports(), ["regs"]);
}

#[test]
fn a_step_that_is_none_or_two_is_refused() {
    let verbs = "write, read, poll, push, pop, set, pulse, wait, wait_irq, delay";
    assert_eq!(
        message("{ delay = 10 }", "{ timeout_cycles = 10 }"),
        format!("control.copy.recover[1]: expected a step with one of {verbs}, got none of them")
    );
    assert_eq!(
        message("{ delay = 10 }", "{ delay = 10, wait_irq = \"irq\" }"),
        format!("control.copy.recover[1]: expected a step with one of {verbs}, got more than one")
    );
    let text = message("{ delay = 10 }", "{ dealy = 10 }");
    assert!(
        text.starts_with("control.copy.recover[1].dealy: ")
            && text.ends_with("(did you mean `delay`?)"),
        "{text}"
    );
}

#[test]
fn only_a_transfer_from_a_stream_can_lose_data_that_comes_too_early() {
    assert_eq!(
        message("[control.mm2s]", "[control.mm2s]\ndrops_idle_data = true"),
        "control.mm2s.drops_idle_data: expected no such field but in s2mm, got true"
    );
}

#[test]
fn a_step_with_the_wrong_company_is_refused() {
    assert_eq!(
        message("{ wait_irq = \"irq\" }", "{ wait_irq = \"irq\", mask = 1 }"),
        "control.copy.done[0]: expected only fields of a step `wait_irq`, got `mask`"
    );
    assert_eq!(
        message("{ write = 0x08, value = \"src.lo\" }", "{ write = 0x08 }"),
        "control.copy.start[0]: expected a write with value or fields (modify goes with fields), got neither"
    );
    assert_eq!(
        message("at_least = \"id\", ", "bytes = 4, "),
        "control.copy.done[2]: expected a poll with equals or at_least, got neither"
    );
    assert_eq!(
        message("mask = 0x1000", "mask = 0"),
        "control.copy.done[1]: expected a mask with a bit set, got 0"
    );
    assert_eq!(
        message("\"31\" = 1", "\"31:20\" = 1"),
        "control.copy.start[1]: expected fields that do not overlap, got \"22:0\" and \"31:20\""
    );
    assert_eq!(
        message("write = 0x08, ", "write = 0x08, bytes = 3, "),
        "control.copy.start[0]: expected bytes as 1, 2, 4 or 8, got 3"
    );
}

#[test]
fn a_name_that_nobody_has_is_refused_with_the_known_ones() {
    assert_eq!(
        message("wait_irq = \"irq\"", "wait_irq = \"int\""),
        "control.copy.done[0].wait_irq: expected a wire of direction output: irq, got \"int\""
    );
    assert_eq!(
        message("set = \"enable\"", "set = \"enabel\""),
        "control.init[0].set: expected a wire of direction input: enable, got \"enabel\" (did you mean `enable`?)"
    );
    assert_eq!(
        message("push = \"desc\"", "push = \"status\""),
        "control.mm2s.start[0].push: expected a channel of direction sink: desc, got \"status\""
    );
    assert_eq!(
        message("addr = \"src\"", "adr = \"src\""),
        "control.mm2s.start[0].fields.adr: expected a field of channel desc: addr, len, tag, got `adr` \
         (did you mean `addr`?)"
    );
    assert_eq!(
        message("at_least = \"id\"", "at_least = \"idd\""),
        "control.copy.done[2].at_least: expected src, dst, len, tag or a name that an earlier step reads into: \
         id, status, got `idd` (did you mean `id`?)"
    );
    assert_eq!(
        message("from = \"status\", mask", "from = \"stat\", mask"),
        "control.copy.errors[0].from: expected src, dst, len, tag or a name that an earlier step reads into: \
         id, status, got `stat`"
    );
    assert_eq!(
        message("[control]", "[control]\ninterface = \"reg\""),
        "control.interface: expected a register port: regs, got \"reg\" (did you mean `regs`?)"
    );
    assert_eq!(
        message("[control.mm2s]", "[control.mm2s]\nstream = \"in\""),
        "control.mm2s.stream: expected a stream of direction source: out, got \"in\""
    );
}

#[test]
fn a_value_that_means_nothing_here_is_refused() {
    assert_eq!(
        message("addr = \"src\"", "addr = \"dst\""),
        "control.mm2s.start[0].fields.addr: expected a symbol that a transfer mm2s has, got `dst`"
    );
    assert_eq!(
        message("value = 1 }", "value = \"len\" }"),
        "control.init[0].value: expected a number: before the first transfer nothing else is known, got `len`"
    );
    let text = message("value = \"src.lo\"", "value = \"src.low\"");
    assert!(
        text.starts_with(
            "control.copy.start[0].value: expected a number, or one of src, dst, len, tag"
        ) && text.ends_with("got string \"src.low\""),
        "{text}"
    );
}

#[test]
fn a_program_without_its_parts_is_refused() {
    assert_eq!(
        message("[control.copy]", "[control.copy]\nstream = \"out\""),
        "control.copy.stream: expected no stream in a copy, got \"out\""
    );
    assert_eq!(
        message("timeout_cycles = 5000", "timeout_cycles = 0"),
        "control.timeout_cycles: expected at least 1, got 0"
    );
    let text = format!(
        "{}[control]\n",
        &GOOD[..GOOD.find("[control]").expect("is there")]
    );
    let error = parse(&text).expect_err("no program").to_string();
    assert!(
        error.ends_with(
            "control: expected a program copy, mm2s or s2mm, got none of them (write [control.copy] with start \
             and done)"
        ),
        "{error}"
    );
}

#[test]
fn a_register_step_needs_a_register_port() {
    let text = GOOD.replace("[[axil]]\nname = \"regs\"\n", "");
    let error = parse(&text).expect_err("no registers").to_string();
    assert!(
        error.contains("control.copy.start[0].write: expected a register port: [[axil]], [[apb]] or [[wishbone]]"),
        "{error}"
    );
}

#[test]
fn clocks_and_resets_that_cannot_be_are_refused() {
    assert_eq!(
        message("period = 3", "period = 0"),
        "clocks[1].period: expected 1 to 1024 ticks of the base clock, got 0"
    );
    assert_eq!(
        message("phase = 1", "phase = 3"),
        "clocks[1].phase: expected less than the period, 3, got 3"
    );
    assert_eq!(
        message("port = \"slow\", ", "port = \"clk\", "),
        "clocks[1]: expected a port named once, got \"clk\" again"
    );
    assert_eq!(
        message("clock = \"slow\"", "clock = \"slwo\""),
        "reset[0].clock: expected one of the clocks: clk, slow, got \"slwo\" (did you mean `slow`?)"
    );
    let text = message("period = 3", "perod = 3");
    assert!(
        text.starts_with("clocks[1].perod: expected one of the fields port, period, phase"),
        "{text}"
    );
}

#[test]
fn a_part_of_a_port_that_is_none_is_refused() {
    assert_eq!(
        message("len = \"data[22:0]\"", "len = \"data[0:22]\""),
        "channel[0].fields.len: expected a port or a part of one, such as `len` or `tdata[22:0]`, got string \
         \"data[0:22]\""
    );
}
