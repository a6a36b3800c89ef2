"""Searches that wait for a device, and what it answers them."""

from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from index.gpu.copies import Copy
from index.gpu.engine import DeviceIndex

_BATCH: Final = 64


@dataclass(frozen=True, slots=True)
class Found:
    """What a device answers one query.

    Attributes:
        scores: Inner products as the device computes them, shape (n,); None from a graph.
        rows: Rows, shape (n,).
    """

    scores: NDArray[np.float32] | None
    rows: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Search:
    """One query for one segment.

    Attributes:
        copy: The segment's copy.
        query: Shape (dimension,), of numbers that half precision has.
        asked: How many rows.
        answer: What was found; None where the CPU has to say.
    """

    copy: Copy
    query: NDArray[np.float32]
    asked: int
    answer: "Future[Found | None]" = field(default_factory=Future)


class SearchQueue:
    """Searches in the order they came. Whoever uses it holds a lock.

    Args:
        most: How many may wait.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._waiting: deque[Search] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def full(self) -> bool:
        """Whether no more may wait."""
        return len(self._waiting) >= self._most

    def append(self, search: Search) -> None:
        """Let a search wait."""
        self._waiting.append(search)

    def next_batch(self) -> list[Search]:
        """Take out searches of one copy, the one that has waited longest among them."""
        if not self._waiting:
            return []
        copy = self._waiting[0].copy
        batch = [search for search in self._waiting if search.copy is copy][:_BATCH]
        for search in batch:
            self._waiting.remove(search)
        return batch

    def withdrawn(self) -> list[Search]:
        """Take out all."""
        waiting = list(self._waiting)
        self._waiting.clear()
        return waiting


def answer(batch: Sequence[Search], index: DeviceIndex | None) -> None:
    """Answer searches of one copy together, each with None where the index fails or there is none.

    Args:
        batch: At least one.
        index: The device's index, of the calling thread.
    """
    found = None
    try:
        if index is not None:
            queries = np.stack([search.query for search in batch])
            found = index.search(queries, max(search.asked for search in batch))
    finally:
        for place, search in enumerate(batch):
            search.answer.set_result(None if found is None else _of_one(found, place, search.asked))


def _of_one(found: tuple[NDArray[np.float32] | None, NDArray[np.int64]], place: int, asked: int) -> Found:
    scores, rows = found
    return Found(None if scores is None else scores[place, :asked], rows[place, :asked])
