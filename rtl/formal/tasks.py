"""What is proven: one task for each SymbiYosys run."""

from __future__ import annotations

import dataclasses

PDR = "abc pdr"
INDUCTION = "smtbmc bitwuzla"
REACHED = "smtbmc bitwuzla"
# What is equal in all cycles is joined first; of the whole engine, that would take too long.
BOUNDED = "abc scorr; dc2; bmc3"
PLAIN = "abc bmc3"


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
    # Names of assertions that another task proves.
    without: tuple[str, ...] = ()
    # Seconds.
    limit: int = 600
    # Part of the smoke run.
    is_quick: bool = False

    @property
    def kind(self) -> str:
        """For the table: unbounded, or how deep."""
        if self.mode == "prove":
            return "unbounded, PDR" if self.engine == PDR else "unbounded, induction"
        return f"{'cover' if self.mode == 'cover' else 'bounded'}, {self.depth} cycles"


# What is said of data, which costs more than all the rest.
READ_DATA = ("ByteOfMemory_A",)
WRITE_DATA = ("OnlyWhatCame_A", "DoneHasWritten_A", "DoneIsAnswered_A")

TASKS = [
    Task("fifo", "fifo_proof", "prove", PDR, 20,
         "dma_fifo: order, data, no over- or underflow", is_quick=True),
    Task("fifo-covers", "fifo_proof", "cover", REACHED, 20, "dma_fifo: full, wrapped, passed through, cleared"),
    Task("queue", "queue_proof", "prove", PDR, 20,
         "dma_queue: order, data, full and empty, no over- or underflow", is_quick=True),
    Task("queue-covers", "queue_proof", "cover", REACHED, 16, "dma_queue: full, wrapped"),
    Task("skid", "skid_proof", "prove", PDR, 20,
         "dma_skid: nothing lost, doubled or changed; stable while waiting", is_quick=True),
    Task("skid-covers", "skid_proof", "cover", REACHED, 10, "dma_skid: held, streaming"),
    Task("limit", "limit_proof", "prove", INDUCTION, 8,
         "dma_limit: refuses exactly what has a byte beyond the limit, names the first", is_quick=True),
    Task("limit-others", "limit_proof", "prove", INDUCTION, 8,
         "dma_limit: the other modes never refuse", {"AddrMode": 3}, is_quick=True),
    Task("limit-covers", "limit_proof", "cover", REACHED, 5, "dma_limit: begins beyond, reaches beyond, just fits"),
    Task("splitter", "splitter_proof", "prove", INDUCTION, 8,
         "dma_splitter: bursts are the transfer, 4 KiB, limit, boundary, length; it ends", is_quick=True),
    Task("splitter-queued", "splitter_proof", "prove", INDUCTION, 8,
         "dma_splitter, as dma_write has it, 32 bits, 4 beats", {"ShowsAtOnce": 0, "BeatBytes": 4, "MaxBurstBeats": 4}),
    Task("splitter-widest", "splitter_proof", "prove", INDUCTION, 8,
         "dma_splitter, 512 bits, 256 beats", {"BeatBytes": 64, "MaxBurstBeats": 256}),
    Task("splitter-covers", "splitter_proof", "cover", REACHED, 8,
         "dma_splitter: page edge, boundary, limit, back to back",
         {"ShowsAtOnce": 0, "BeatBytes": 4, "MaxBurstBeats": 4}),
    Task("align", "align_proof", "prove", PDR, 20,
         "dma_align: each byte once, unchanged, in order and lane", is_quick=True),
    Task("align-covers", "align_proof", "cover", REACHED, 10, "dma_align: flush, empty end, turned lanes"),
    Task("watchdog", "watchdog_proof", "prove", INDUCTION, 8, "dma_watchdog: neither early nor late", is_quick=True),
    Task("watchdog-covers", "watchdog_proof", "cover", REACHED, 12, "dma_watchdog: expires, moves in time"),
    Task("irq", "irq_proof", "prove", INDUCTION, 8,
         "dma_irq_coalesce: none forgotten, none for nothing, in time", is_quick=True),
    Task("irq-covers", "irq_proof", "cover", REACHED, 24, "dma_irq_coalesce: by count, by time, never"),
    Task("ring-port", "ring_port_proof", "prove", INDUCTION, 8,
         "dma_ring_port: rings unmixed, stable while waiting, both get turns", is_quick=True),
    Task("ring-port-covers", "ring_port_proof", "cover", REACHED, 10, "dma_ring_port: turns, data before address"),
    Task("read", "read_proof", "bmc", BOUNDED, 10,
         "dma_read: bytes of memory, in order, whole; AR rules, 4 KiB, limit, outstanding; FIFO"),
    Task("read-rules", "read_proof", "bmc", BOUNDED, 12, "dma_read: the same but for data, deeper", without=READ_DATA),
    Task("read-ends", "read_proof", "bmc", BOUNDED, 13, "dma_read: with a fair bus, done or aborted within 8 cycles",
         {"Fair": 1, "Bound": 8, "MostBytes": 4}, without=READ_DATA),
    Task("read-covers", "read_proof", "cover", REACHED, 20,
         "dma_read: page edge, limit, abort and error in flight, FIFO full", {"Fair": 2, "Bound": 40}),
    Task("write", "write_proof", "bmc", BOUNDED, 9,
         "dma_write: each byte in its place, once, no other; done after its responses"),
    Task("write-rules", "write_proof", "bmc", BOUNDED, 13,
         "dma_write: AW and W rules, 4 KiB, limit, outstanding, strobes, WLAST", without=WRITE_DATA),
    Task("write-ends", "write_proof", "bmc", BOUNDED, 13,
         "dma_write: with a fair bus, done or aborted within 8 cycles",
         {"Fair": 1, "Bound": 8, "MostBytes": 4}, without=WRITE_DATA),
    Task("write-covers", "write_proof", "cover", REACHED, 20,
         "dma_write: page edge, short packet, overrun, abort and error in flight", {"Fair": 2, "Bound": 40}),
    Task("fetch", "fetch_proof", "bmc", BOUNDED, 13,
         "dma_ring_fetch: order, only what is given, in the ring, 4 KiB, limit"),
    Task("fetch-covers", "fetch_proof", "cover", REACHED, 20, "dma_ring_fetch: page edge, wrap, failure, rewind"),
    Task("writeback", "writeback_proof", "bmc", BOUNDED, 16,
         "dma_ring_writeback: order, place, head after the answer, AW and W rules, 4 KiB"),
    Task("writeback-covers", "writeback_proof", "cover", REACHED, 20,
         "dma_ring_writeback: several in a burst, page edge, wrap, failure"),
    Task("engine-mm2s", "engine_proof", "bmc", PLAIN, 15,
         "dma_engine, a read: all rules of AXI and AXI-Stream, no address beyond the limit", {"Scenario": 0}),
    Task("engine-s2mm", "engine_proof", "bmc", PLAIN, 15,
         "dma_engine, a write: the same", {"Scenario": 1}),
    Task("engine-copy", "engine_proof", "bmc", PLAIN, 16,
         "dma_engine, a copy: the same", {"Scenario": 2}),
    Task("engine-ring", "engine_proof", "bmc", PLAIN, 16,
         "dma_engine, the ring of mm2s: the same, on both ports", {"Scenario": 3}),
    Task("engine-mm2s-covers", "engine_proof", "cover", REACHED, 16,
         "dma_engine, a read: refused, up to the limit, fails, sends", {"Scenario": 0}),
    Task("engine-s2mm-covers", "engine_proof", "cover", REACHED, 16,
         "dma_engine, a write: written and answered", {"Scenario": 1}),
    Task("engine-copy-covers", "engine_proof", "cover", REACHED, 20,
         "dma_engine, a copy: read, written, answered", {"Scenario": 2}),
    Task("engine-ring-covers", "engine_proof", "cover", REACHED, 24,
         "dma_engine, a ring: fetched, run, written back", {"Scenario": 3}),
]
