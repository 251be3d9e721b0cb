"""Bugs that are planted to see that a proof finds them: parameters of the engine, or patches of its text."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass
class Patch:
    """Replaces a text that a file has exactly once."""

    file: str
    old: str
    new: str


@dataclasses.dataclass
class Bug:
    """A bug and the task that finds it."""

    name: str
    task: str
    says: str
    parameters: dict[str, int] = dataclasses.field(default_factory=dict)
    patches: list[Patch] = dataclasses.field(default_factory=list)


BUGS = [
    Bug("fifo-passes-full", "fifo", "dma_fifo takes the passed entry for the head while the memory has older ones",
        patches=[Patch("dma_fifo.sv", "used_q == (IndexBits + 1)'(1) && pop_i)", "used_q == (IndexBits + 1)'(2) && pop_i)")]),
]
