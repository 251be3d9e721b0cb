"""What is proven: one task for each SymbiYosys run."""

from __future__ import annotations

import dataclasses

PDR = "abc pdr"
INDUCTION = "smtbmc bitwuzla"
BOUNDED = "smtbmc bitwuzla"


@dataclasses.dataclass
class Task:
    """A harness, how it is checked, and what a pass says."""

    name: str
    # Top module, in the file of the same name.
    top: str
    # `prove` is unbounded, `bmc` goes to `depth`, `cover` reaches each cover within `depth`.
    mode: str
    engine: str
    depth: int
    says: str
    parameters: dict[str, int] = dataclasses.field(default_factory=dict)
    # Seconds.
    limit: int = 120
    # Part of the smoke run.
    is_quick: bool = False

    @property
    def kind(self) -> str:
        """For the table: unbounded, or how deep."""
        if self.mode == "prove":
            return "unbounded, PDR" if self.engine == PDR else f"unbounded, k = {self.depth}"
        return f"{'cover' if self.mode == 'cover' else 'bounded'}, {self.depth} cycles"


TASKS = [
    Task("fifo", "fifo_proof", "prove", PDR, 20,
         "dma_fifo: order, data, no over- or underflow", is_quick=True),
    Task("fifo-covers", "fifo_proof", "cover", BOUNDED, 20, "dma_fifo: full, wrapped, passed through, cleared"),
    Task("queue", "queue_proof", "prove", PDR, 20,
         "dma_queue: order, data, full and empty, no over- or underflow", is_quick=True),
    Task("queue-covers", "queue_proof", "cover", BOUNDED, 16, "dma_queue: full, wrapped"),
    Task("skid", "skid_proof", "prove", PDR, 20,
         "dma_skid: nothing lost, doubled or changed; stable while waiting", is_quick=True),
    Task("skid-covers", "skid_proof", "cover", BOUNDED, 10, "dma_skid: held, streaming"),
]
