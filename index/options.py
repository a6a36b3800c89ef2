"""What can be chosen about an index."""

import os
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from index.codecs import DEFAULT_CODEC, codec
from index.gpu.choice import CPU, device_number

_MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class IndexOptions:
    """How an index keeps and searches its crops.

    Attributes:
        codec: Name of the codec of collections that were given none.
        span: Stretch of capture time that a segment belongs to; retention drops whole segments.
        seal_rows: Rows of a collection kept in memory before they are written to segments.
        seal_after: How long crops stay in memory only, at most.
        merge_parts: So many segments of one span and of similar size are merged into one.
        merge_rows: No segment grows beyond this by merging, which takes 4 bytes per dimension and row meanwhile.
        dead_share: A segment of which a larger share is dead is rewritten.
        purge_after: How long after its deletion a crop may stay in files and memory.
        snapshot_every: How often the background work records a snapshot, where anything has changed.
        exact_below: Candidates up to which a search is exact, whatever the codec.
        threads: Parts searched at once.
        waiting_tables: Full tables that wait to be written before `apply` waits for the writing.
        device: What helps to search large segments: "cpu" for nothing, "cuda:N" for a CUDA device, "auto" for the first
            one that FAISS finds, if any.
        device_memory_bytes: How much of the device's memory the copies of segments may take. While one is made, it
            takes four times as much.
    """

    codec: str = DEFAULT_CODEC
    span: timedelta = timedelta(days=1)
    seal_rows: int = 32_768
    seal_after: timedelta = timedelta(minutes=10)
    merge_parts: int = 4
    merge_rows: int = 262_144
    dead_share: float = 0.25
    purge_after: timedelta = timedelta(hours=1)
    snapshot_every: timedelta = timedelta(minutes=5)
    exact_below: int = 100_000
    threads: int = os.cpu_count() or 1
    waiting_tables: int = 4
    device: str = CPU
    device_memory_bytes: int = 4 * 2**30

    def __post_init__(self) -> None:
        codec(self.codec)
        device_number(self.device)
        for name in ("seal_rows", "merge_rows", "threads", "waiting_tables"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}, must be at least 1")
        if self.merge_parts < 2:  # noqa: PLR2004 - a single segment is not merged
            raise ValueError(f"merge_parts is {self.merge_parts}, must be at least 2")
        if self.span < timedelta(seconds=1):
            raise ValueError(f"span is {self.span}, must be at least a second")

    @property
    def span_us(self) -> int:
        """The span in microseconds."""
        return self.span // _MICROSECOND
