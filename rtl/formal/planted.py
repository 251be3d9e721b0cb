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


def fault(number: int, task: str, says: str) -> Bug:
    """One of the faults that the engine has as `PlantedFault`."""
    return Bug(f"fault-{number}", task, says, {"PlantedFault": number})


BUGS = [
    fault(1, "splitter", "bursts ignore the 4 KiB boundary"),
    fault(2, "write", "the last write beat has no strobes"),
    fault(3, "write", "s2mm is done before the last response"),
    fault(4, "engine-s2mm", "AWADDR changes while waiting"),
    fault(5, "engine-s2mm", "WLAST is never set"),
    fault(6, "write-rules", "WLAST is set one beat early as well"),
    fault(7, "engine-s2mm", "AWVALID falls while waiting"),
    fault(8, "engine-mm2s", "ARADDR changes while waiting"),
    fault(9, "engine-s2mm", "WDATA changes while waiting"),
    fault(10, "write-rules", "the first write beat strobes all lanes"),
    fault(11, "read-rules", "more reads outstanding than MaxReads"),
    fault(12, "engine-mm2s", "ARBURST is the reserved value"),
    fault(13, "engine-s2mm", "AWSIZE is wider than the bus"),
    fault(15, "write-ends", "s2mm never ends"),
    fault(16, "write-rules", "the last write burst begins one beat too far"),
    fault(17, "engine-mm2s", "TDATA changes while waiting"),
    fault(18, "engine-mm2s", "TVALID falls while waiting"),
    fault(19, "engine-mm2s", "ARVALID is high during reset"),
    fault(21, "read", "the last read burst reads the neighbouring page"),
    Bug("fifo-order", "fifo", "the FIFO lets an entry pass one that is in its memory",
        patches=[Patch("dma_fifo.sv", "(used_q == (IndexBits + 1)'(1) && pop_i)", "(used_q == (IndexBits + 1)'(2) && pop_i)")]),
    Bug("queue-full", "queue", "the queue is full one entry too late",
        patches=[Patch("dma_queue.sv", "assign full_o  = used_q == (IndexBits + 1)'(Depth);",
                       "assign full_o  = used_q == (IndexBits + 1)'(Depth + 1);")]),
    Bug("skid-overwrites", "skid", "the skid buffer takes a new beat over the one that it holds",
        patches=[Patch("dma_skid.sv", "if (!holds_q) held_q <= data_i;", "held_q <= data_i;")]),
    Bug("limit-off-by-one", "limit", "the limit lets one byte pass",
        patches=[Patch("dma_limit.sv", "+ 65'(length_i) - 65'd1;", "+ 65'(length_i) - 65'd2;")]),
    Bug("limit-forgets-end", "limit", "the limit judges the first byte only",
        patches=[Patch("dma_limit.sv", "= |(last & ~{1'b0, reach});", "= starts_beyond;")]),
    Bug("splitter-lane", "splitter", "an unaligned burst is a beat too long",
        patches=[Patch("dma_splitter.sv", "BurstBits'(MaxBytes) - lane;", "BurstBits'(MaxBytes);")]),
    Bug("align-flush", "align", "the packer loses what is left over at the end",
        patches=[Patch("dma_align.sv", "(taken && end_i && !end_o);", "(taken && end_i && !end_o && total[0]);")]),
    Bug("irq-forgets", "irq", "coalescing forgets completions that come while it counts",
        patches=[Patch("dma_irq_coalesce.sv", "pending_q <= pending[8] ? 9'd256 : pending;",
                       "pending_q <= (pending_q == '0) ? pending : pending_q;")]),
    Bug("watchdog-early", "watchdog", "the watchdog counts cycles in which something moved",
        patches=[Patch("dma_watchdog.sv", "waited_q <= (moves_i || is_due) ?", "waited_q <= is_due ?")]),
    Bug("ring-port-mixes", "ring-port", "the rings' port gives W to the other ring in the middle of a burst",
        patches=[Patch("dma_ring_port.sv", "w_turn         = w_owned_q ? w_owner_q :",
                       "w_turn         = (w_owned_q && !aw_done_q) ? w_owner_q :")]),
    Bug("fetch-passes-tail", "fetch", "a ring reads one descriptor more than was given",
        patches=[Patch("dma_ring_fetch.sv", "((tail_i > index_q) ? tail_i : size_i) - index_q;",
                       "((tail_i > index_q) ? tail_i + 1'b1 : size_i) - index_q;")]),
    Bug("read-too-much", "read-rules", "a read is issued without room in the FIFO",
        patches=[Patch("dma_read.sv", "assign has_room  = room_q >= RoomBits'(burst_beats);", "assign has_room  = room_q != '0;")]),
    # The two below were in the engine once, and were found here.
    Bug("write-after-done", "write", "a stop in the cycle of the last beat leaves a rest that is written after done",
        patches=[Patch("dma_write.sv", "(start_i || stopped_q || stops),", "(start_i || stopped_q),")]),
    Bug("drop-unstable", "writeback", "a completion that is dropped changes a write-back that waits on the bus",
        patches=[Patch("dma_ring_writeback.sv", "if (pops && !drops && !in_burst_q) begin", "if (pops && !in_burst_q) begin")]),
]
