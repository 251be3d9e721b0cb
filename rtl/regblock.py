"""RTL of the register block: what PeakRDL-regblock makes of the map, in a form that costs little.

The generator's structs and its pair of processes for each field are legible, but a simulator keeps a copy of every
member and goes through all of them in each cycle. Here each member becomes a signal of its own, fields that only
software writes are looked at in cycles with a write, and fields marked `ring_only` are left out without rings.
"""

import re
import sys
import tempfile
from pathlib import Path

from peakrdl_regblock import RegblockExporter
from peakrdl_regblock.cpuif.passthrough import PassthroughCpuif
from systemrdl.node import AddrmapNode, FieldNode

MODULE = "dma_engine_regs"
FIELD = re.compile(r"    // Field: [\w.]+\n    always_comb begin.*?(?=\n    // Field: |\n\n)", re.DOTALL)
# What a field is, what is written, and the bits of the register it lies in.
WRITE = re.compile(r"\((?P<field>[\w.]+) & ~decoded_wr_biten\[(?P<high>\d+):(?P<low>\d+)\]\) \| .*")
BRANCH = re.compile(r"(?P<head>(?:end else )?(?:if\(.*\) )?begin) // (?P<what>.*)\n\s+next_c = (?P<value>.*);\n")


def adapt(what: str):
    """Ends the program: the generator's text is not what is expected here."""
    sys.exit(f"generate.py: the {what} of this version of PeakRDL-regblock looks different: adapt regblock.py")


def exported(top: AddrmapNode, address_bits: int) -> tuple[str, str]:
    """Module and package as the generator writes them."""
    with tempfile.TemporaryDirectory() as folder:
        RegblockExporter().export(
            top,
            folder,
            cpuif_cls=PassthroughCpuif,
            module_name=MODULE,
            package_name=f"{MODULE}_pkg",
            address_width=address_bits,
            default_reset_activelow=True,
        )
        return tuple(
            "\n".join(line.rstrip() for line in (Path(folder) / f"{name}.sv").read_text(encoding="utf-8").splitlines())
            for name in (MODULE, f"{MODULE}_pkg")
        )


# ------------------------------------------------------------------------------------------ Signals


def flat(path: str) -> str:
    """`MM2S.STATUS.busy.next` as a name."""
    return path.strip(".").replace(".", "_").lower()


def widths(top: AddrmapNode) -> dict[str, int]:
    """The width of each field, by its path below the map."""
    return {
        field.get_path().split(".", 1)[1]: field.width
        for field in top.descendants()
        if isinstance(field, FieldNode)
    }


def declared(path: str, field_widths: dict[str, int]) -> str:
    """`logic` with the range of a member of a field: next and value are as wide as the field, the rest are bits."""
    field, member = path.strip(".").rsplit(".", 1)
    width = field_widths[field] if member in ("next", "value") else 1
    return "logic" if width == 1 else f"logic [{width - 1}:0]"


def members(text: str, struct: str) -> list[str]:
    """The paths that are used of a struct, in the order of their first use."""
    return list(dict.fromkeys(re.findall(rf"\b{struct}((?:\.\w+)+)", text)))


def without_structs(text: str, field_widths: dict[str, int]) -> str:
    """Makes a port or a signal of each member that is used."""
    ports = [
        f"        {way} {declared(path, field_widths)} {flat(path)}_{way[0]}"
        for way, struct in (("input ", "hwif_in"), ("output", "hwif_out"))
        for path in members(text, struct)
    ]
    signals = [
        f"    {declared(path, field_widths)} field_{flat(path)};" for path in members(text, "field_storage")
    ] + [f"    logic strobe_{flat(path)};" for path in members(text, "decoded_reg_strb")]
    text, ports_found = re.subn(
        r"        input \w+::\w+ hwif_in,\n        output \w+::\w+ hwif_out\n", lambda _: ",\n".join(ports) + "\n", text
    )
    text, types_found = re.subn(r"    typedef struct \{.*?\n    \} \w+;\n(?:    \w+_t \w+;\n)?", "", text, flags=re.DOTALL)
    text, decode_found = re.subn(r"(    // Address Decode\n    //-+\n)", lambda m: m[1] + "\n".join(signals) + "\n", text)
    if (ports_found, types_found, decode_found) != (1, 3, 1):
        adapt("use of structs")
    for struct, prefix, suffix in (
        ("hwif_in", "", "_i"),
        ("hwif_out", "", "_o"),
        ("field_storage", "field_", ""),
        ("decoded_reg_strb", "strobe_", ""),
    ):
        text = re.sub(rf"\b{struct}((?:\.\w+)+)", lambda m: prefix + flat(m[1]) + suffix, text)
    return text


# ------------------------------------------------------------------------------------------- Fields


class Field:
    """The process of one field, and its outputs."""

    def __init__(self, text: str):
        self.name = re.search(r"// Field: \w+\.([\w.]+)", text)[1]
        storage = re.search(r"(field_storage\.[\w.]+) <= (.*);", text)
        branches = list(BRANCH.finditer(text))
        if storage is None or not branches:
            adapt(f"field {self.name}")
        self.storage, self.reset = storage.groups()
        self.outputs = re.findall(r"^    assign hwif_out.*$", text, re.MULTILINE)
        # `if(...) begin`, `end else if(...) begin` or `end else begin`, why, and what is loaded.
        self.branches = [(branch["head"], branch["what"], branch["value"]) for branch in branches]
        # What is not written stays.
        self.is_kept = not self.branches[-1][0].endswith("else begin")
        self.is_software_only = [what for _, what, _ in self.branches] == ["SW write"] and "hwif_in" not in self.branches[0][0]

    def bytes(self, high: int, low: int) -> list[str]:
        """Writes of the bytes that are strobed: flip-flops have an enable, which costs no logic."""
        lines = []
        for lane in range(low // 8, high // 8 + 1):
            top, bottom = min(high, 8 * lane + 7), max(low, 8 * lane)
            part = "" if low == high else f"[{top - low}:{bottom - low}]"
            lines.append(f"if(decoded_wr_biten[{bottom}]) {self.storage}{part} <= decoded_wr_data[{top}:{bottom}];")
        return lines

    def update(self, indent: str) -> list[str]:
        """The choice of what is loaded."""
        lines = []
        for head, what, value in self.branches:
            lines.append(f"{indent}{head} // {what}")
            write = WRITE.fullmatch(value)
            parts = self.bytes(int(write["high"]), int(write["low"])) if write and self.is_kept else []
            lines += [f"{indent}    {part}" for part in parts or [f"{self.storage} <= {value};"]]
        return [*lines, f"{indent}end"]


def process(fields: list[Field], guard: str) -> list[str]:
    """One process for all these fields."""
    lines = ["    always_ff @(posedge clk) begin", "        if(~rst_n) begin"]
    lines += [f"            {field.storage} <= {field.reset};" for field in fields]
    lines.append(f"        end else {guard}begin")
    for field in fields:
        lines += field.update("            ")
    return [*lines, "        end", "    end"]


def field_logic(fields: list[Field]) -> list[str]:
    """The processes of fields with the same conditions."""
    written = [field for field in fields if field.is_software_only]
    lines = process(written, "if(decoded_req && decoded_req_is_wr) ") if written else []
    others = [field for field in fields if not field.is_software_only]
    return lines + (process(others, "") if others else [])


def folded_fields(text: str, ring_only: set[str]) -> str:
    """Puts the fields into few processes, those of the rings apart."""
    found = list(FIELD.finditer(text))
    if len(found) < 2:
        adapt("fields")
    fields = [Field(match[0]) for match in found]
    rings = [field for field in fields if field.name in ring_only]
    others = [field for field in fields if field.name not in ring_only]
    lines = field_logic(others)
    lines += ["    if (HasRings) begin : gen_ring_fields", *field_logic(rings), "    end else begin : gen_no_ring_fields"]
    lines += [f"        assign {field.storage} = '0;" for field in rings]
    lines += ["    end", *[output for field in fields for output in field.outputs]]
    return text[: found[0].start()] + "\n".join(lines) + text[found[-1].end() :]


# ----------------------------------------------------------------------------------------- Readback


def guarded_readback(text: str) -> str:
    """Chooses what is read in cycles with a read only: one choice by address instead of one question for each."""
    begin, end = "        readback_data_var = '0;\n", "        readback_data = readback_data_var;\n"
    if text.count(begin) != 1 or text.count(end) != 1:
        adapt("readback")
    head, rest = text.split(begin)
    registers, tail = rest.split(end)
    choices, found = re.subn(r"^ {8}if\(rd_mux_addr == (.*)\) begin$", r"            \1: begin", registers, flags=re.MULTILINE)
    choices = re.sub(r"^ {8}(end|  .*;)$", r"            \1", choices, flags=re.MULTILINE)
    if not found or "if(" in choices:
        adapt("readback")
    choose = f"        if (decoded_req && !decoded_req_is_wr) begin\n            case (rd_mux_addr)\n{choices}"
    return f"{head}{begin}{choose}                default: ;\n            endcase\n        end\n{end}{tail}"


def used_strobes(text: str) -> str:
    """Drops the strobes of registers that are only read."""
    return re.sub(
        r"^ +(decoded_reg_strb[\w.]+) = .*\n", lambda m: m[0] if text.count(m[1] + " ") > 1 else "", text, flags=re.MULTILINE
    )


def module_text(top: AddrmapNode, address_bits: int, ring_only: set[str]) -> str:
    """The whole module."""
    text, _ = exported(top, address_bits)
    text = folded_fields(text, ring_only)
    text = used_strobes(guarded_readback(text))
    text = without_structs(text, widths(top))
    head = f"module {MODULE} (\n"
    if text.count(head) != 1:
        adapt("module")
    return text.replace(
        head,
        f"module {MODULE} #(\n"
        "        // Without rings, their fields are 0.\n"
        "        parameter bit HasRings = 1'b1\n"
        "    ) (\n",
    )
