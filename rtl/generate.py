#!/usr/bin/env python3
"""Generates everything that follows from the register map `dma_engine.rdl`:

- `rtl/generated/dma_engine_regs.sv`: the register block (PeakRDL-regblock, see `regblock.py`),
- `rtl/REGISTERS.md`: the programmer's reference,
- `testbench/src/driver/dma_engine_regs.rs`: the driver's constants.

`generate.py` writes them; `generate.py --check` writes nothing, names stale files and exits 1 if any.
"""

import argparse
import sys
from pathlib import Path

try:
    from peakrdl_regblock.udps import ALL_UDPS
    from regblock import module_text
    from systemrdl import RDLCompileError, RDLCompiler
    from systemrdl.node import AddrmapNode, FieldNode, RegfileNode, RegNode
    from systemrdl.rdltypes import OnWriteType
except ImportError as missing:
    sys.exit(
        f"generate.py: Python package `{missing.name}` is missing: run it with the project's .venv, "
        "that is `make registers`"
    )

RTL = Path(__file__).resolve().parent
SOURCE = RTL / "dma_engine.rdl"
MARKDOWN = RTL / "REGISTERS.md"
RUST = RTL.parent / "testbench/src/driver/dma_engine_regs.rs"
GENERATED = RTL / "generated"
ADDRESS_BITS = 12
RUST_WIDTH = 100


def compile_map() -> AddrmapNode:
    """Reads and checks the register map."""
    compiler = RDLCompiler()
    for udp in ALL_UDPS:
        compiler.register_udp(udp)
    try:
        compiler.compile_file(str(SOURCE))
        return compiler.elaborate().top
    except RDLCompileError:
        sys.exit(f"generate.py: {SOURCE.name} does not compile, see above")


def one_line(node) -> str:
    """The description of a node on one line."""
    return " ".join((node.get_property("desc") or "").split())


def blocks(top: AddrmapNode):
    """The global registers and then one entry per channel: (name, offset, registers)."""
    yield "", 0, [node for node in top.children() if isinstance(node, RegNode)]
    for node in top.children():
        if isinstance(node, RegfileNode):
            yield node.inst_name, node.address_offset, list(node.registers())


def field_access(field: FieldNode) -> str:
    """How software sees a field, in a word."""
    if field.get_property("onwrite") == OnWriteType.woclr:
        return "w1c"
    if field.get_property("onwrite") == OnWriteType.woset:
        return "w1s"
    if field.get_property("singlepulse"):
        return "w1"
    return field.get_property("sw").name


# ---------------------------------------------------------------------------------------------- RTL


def ring_only(top: AddrmapNode) -> set[str]:
    """The fields that an engine without rings does not have, by their path below the map."""
    return {
        field.get_path().split(".", 1)[1]
        for field in top.descendants()
        if isinstance(field, FieldNode)
        and (field.get_property("ring_only") or field.parent.get_property("ring_only"))
    }


def rtl_file(top: AddrmapNode) -> str:
    """The register block, with the project's header in front."""
    return (
        "// SPDX-License-Identifier: MIT OR Apache-2.0\n"
        "// The register block. Generated from dma_engine.rdl by generate.py: do not edit.\n"
        + module_text(top, ADDRESS_BITS, ring_only(top)).rstrip("\n")
        + "\n"
    )


# ----------------------------------------------------------------------------------------- Markdown


def bits(field: FieldNode) -> str:
    """The bit range of a field."""
    return str(field.low) if field.width == 1 else f"{field.high}:{field.low}"


def markdown_register(reg: RegNode, base: int) -> list[str]:
    """One register with its fields."""
    lines = [
        "",
        f"### 0x{base + reg.address_offset:03X} {reg.inst_name}",
        "",
        one_line(reg),
        "",
        "| Bits | Field | Access | Reset | Meaning |",
        "|---|---|---|---|---|",
    ]
    for field in reg.fields():
        reset = field.get_property("reset")
        # A reset value that follows from parameters is a signal: the description says which.
        is_number = isinstance(reset, int)
        reset_text = (f"0x{reset:X}" if reset > 9 else str(reset)) if is_number else ""
        meaning = one_line(field)
        encoding = field.get_property("encode")
        if encoding is not None:
            values = "; ".join(
                f"{member.value} = {member.name} ({' '.join(member.rdl_desc.split()).rstrip('.')})"
                for member in encoding
            )
            meaning += f" Values: {values}."
        lines.append(
            f"| {bits(field)} | {field.inst_name} | {field_access(field)} | {reset_text} | {meaning} |"
        )
    return lines


def markdown_file(top: AddrmapNode) -> str:
    """The programmer's reference."""
    description = "\n".join(line.strip() for line in top.get_property("desc").strip().splitlines())
    lines = [
        "# Registers of dma_engine",
        "",
        "Generated from `dma_engine.rdl` by `generate.py`: do not edit. How to use them: `README.md`.",
        "",
        "All registers are 32 bits wide, little-endian, on the AXI4-Lite port `s_axil`.",
        "Access: `r` read only, `rw` read and write, `w1` write 1 for an action (reads 0), `w1c` write 1 to clear,",
        "`w1s` write 1 to set. A field without a reset value shows the state of the engine or its parameters.",
        "",
        description,
    ]
    seen: list[tuple[list[str], str]] = []
    for name, base, registers in blocks(top):
        title = f"Channel {name.lower()}, at 0x{base:03X}" if name else "Global registers"
        lines += ["", f"## {title}"]
        layout = [reg.inst_name for reg in registers]
        twin = next((other for names, other in seen if name and names == layout), None)
        if twin is None:
            for reg in registers:
                lines += markdown_register(reg, base)
        else:
            lines += ["", f"The layout is that of channel {twin.lower()}:", "", "| Address | Register |", "|---|---|"]
            lines += [f"| 0x{base + reg.address_offset:03X} | {reg.inst_name} |" for reg in registers]
        seen.append((layout, name))
    return "\n".join(lines) + "\n"


# --------------------------------------------------------------------------------------------- Rust


def rust_doc(text: str, indent: str) -> list[str]:
    """A doc comment, wrapped, with the names of registers and fields as code."""
    words = []
    for word in text.split():
        core = word.strip(".,;:()")
        is_code = "_" in core or ("." in core and core.replace(".", "").isalnum())
        words.append(word.replace(core, f"`{core}`") if core and is_code else word)
    lines, line = [], indent + "///"
    for word in words:
        if len(line) + 1 + len(word) > RUST_WIDTH:
            lines.append(line)
            line = indent + "///"
        line += " " + word
    return [*lines, line]


def rust_hex(value: int) -> str:
    """A 32-bit literal with the digit groups that clippy asks for."""
    digits = f"{value:x}"
    if len(digits) <= 4:
        return f"0x{digits}"
    digits = digits.rjust(8, "0")
    return f"0x{digits[:4]}_{digits[4:]}"


def rust_register(reg: RegNode, indent: str, seen_enums: dict[str, list[str]]) -> list[str]:
    """Offset and fields of one register."""
    name = reg.inst_name
    lines = rust_doc(one_line(reg), indent)
    lines.append(f"{indent}pub const {name}: u32 = {rust_hex(reg.address_offset)};")
    for field in reg.fields():
        constant = f"{name}_{field.inst_name.upper()}"
        mask = ((1 << field.width) - 1) << field.low
        lines += rust_doc(f"{one_line(field)} ({field_access(field)})", indent)
        if field.width == 1:
            lines.append(f"{indent}pub const {constant}: u32 = {rust_hex(mask)};")
        elif field.width < 32:
            lines.append(f"{indent}pub const {constant}_MASK: u32 = {rust_hex(mask)};")
            lines += rust_doc(f"Lowest bit of {constant}_MASK.", indent)
            lines.append(f"{indent}pub const {constant}_SHIFT: u32 = {field.low};")
        else:
            lines[-len(rust_doc(f"{one_line(field)} ({field_access(field)})", indent)) :] = []
        if field.get_property("hw").name == "na" and field.get_property("sw").name == "r" and not (
            field.inst_name.startswith("has_") or field.inst_name == "ring_reset"
        ):
            lines += rust_doc(f"What {name}.{field.inst_name} always reads.", indent)
            lines.append(
                f"{indent}pub const {constant}_VALUE: u32 = {rust_hex(field.get_property('reset'))};"
            )
        encoding = field.get_property("encode")
        if encoding is not None:
            prefix = field.inst_name.upper()
            for member in encoding:
                text = " ".join(member.rdl_desc.split())
                entry = rust_doc(text, "")
                entry.append(f"pub const {prefix}_{member.name.upper()}: u32 = {member.value};")
                seen_enums.setdefault(prefix, [])
                if entry[-1] not in seen_enums[prefix]:
                    seen_enums[prefix] += entry
    return lines


def rust_file(top: AddrmapNode) -> str:
    """Offsets, masks and values as plain constants."""
    enums: dict[str, list[str]] = {}
    global_lines: list[str] = []
    channel_lines: list[str] = []
    bases: list[str] = []
    for name, base, registers in blocks(top):
        if not name:
            for reg in registers:
                global_lines += rust_register(reg, "", enums)
            continue
        bases += rust_doc(f"Where the registers of channel {name.lower()} begin.", "")
        bases.append(f"pub const {name}_BASE: u32 = {rust_hex(base)};")
        if not channel_lines:
            for reg in registers:
                channel_lines += rust_register(reg, "    ", enums)
    lines = [
        "//! Registers of the reference engine: offsets, field masks and values.",
        "//!",
        "//! Generated from `rtl/dma_engine.rdl` by `rtl/generate.py`: do not edit. The meaning in prose is in",
        "//! `rtl/REGISTERS.md`. A constant named like a register is its byte offset, one named like a field is",
        "//! its mask; fields wider than a bit have a `_MASK` and a `_SHIFT`.",
        "",
        *global_lines,
        *bases,
        *[line for group in enums.values() for line in group],
        "",
        "/// Registers of one channel: offsets from `MM2S_BASE` or `S2MM_BASE`.",
        "pub mod channel {",
        *channel_lines,
        "}",
    ]
    return "\n".join(lines) + "\n"


# --------------------------------------------------------------------------------------------- main


def main() -> int:
    """Writes or checks all generated files."""
    parser = argparse.ArgumentParser(description="generate what follows from rtl/dma_engine.rdl")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a file is stale")
    check = parser.parse_args().check
    top = compile_map()
    files = {GENERATED / "dma_engine_regs.sv": rtl_file(top)}
    files[MARKDOWN] = markdown_file(top)
    files[RUST] = rust_file(top)

    stale = [
        path
        for path, text in files.items()
        if not path.is_file() or path.read_text(encoding="utf-8") != text
    ]
    if check:
        for path in stale:
            print(f"stale: {path.relative_to(RTL.parent)} (run `make registers`)", file=sys.stderr)
        return 1 if stale else 0
    for path in stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(files[path], encoding="utf-8")
        print(f"wrote {path.relative_to(RTL.parent)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
