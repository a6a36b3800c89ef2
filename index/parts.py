"""A part of a collection: rows searched as one, in memory or in a segment's files, and which of them are crops.

Parts never change. What dies in one is noted in its successor, which shares everything but the list of the living.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from index.camera_sums import CameraSums, camera_sums
from index.contract import Sighting
from index.segments.segment import Segment
from index.table import TableRows
from index.times import time_of


@dataclass(frozen=True, slots=True)
class Part:
    """Rows and which of them hold a crop.

    Attributes:
        key: What this part and its successors are called, and no other of the process.
        rows: The rows, dead ones included.
        codec: Name of the codec whose held vectors they are.
        times: Earliest and latest known time of capture, microseconds since 1970; None where none is known.
        all_timed: Whether every row has a time of capture.
        ids: Bounds of the ids, as 128-bit numbers.
        count: How many rows hold a crop.
        live: Which rows do, shape (rows,); None for all.
        dead_since: When the oldest of the dead rows died, aware; None where none is dead.
    """

    key: str
    rows: Segment | TableRows
    codec: str
    times: tuple[int, int] | None
    all_timed: bool
    ids: tuple[int, int]
    count: int
    live: NDArray[np.bool_] | None = None
    dead_since: datetime | None = None

    @property
    def dead(self) -> int:
        """How many rows hold no crop any longer."""
        return len(self.rows) - self.count

    @property
    def segment(self) -> Segment | None:
        """The rows, where they are a segment."""
        return self.rows if isinstance(self.rows, Segment) else None

    @property
    def memory_bytes(self) -> int:
        """What it takes in the process's own memory; of tables the unused room included."""
        held = self.rows.table.memory_bytes if isinstance(self.rows, TableRows) else 0
        return held + (0 if self.live is None else self.live.nbytes)

    def live_mask(self) -> NDArray[np.bool_]:
        """Which rows hold a crop, a copy of shape (rows,)."""
        return np.ones(len(self.rows), dtype=np.bool_) if self.live is None else self.live.copy()

    def rows_of(self, ids: Sequence[int], high: NDArray[np.uint64], low: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Rows of those of the given ids that have one and live.

        Args:
            ids: Ids as 128-bit numbers.
            high: Their upper halves, shape (len(ids),).
            low: Their lower halves.
        """
        if isinstance(self.rows, Segment):
            rows = self.rows.rows_of(high, low)
            rows = rows[rows >= 0]
        else:
            rows = self.rows.rows_of(ids)
        return rows if self.live is None else rows[self.live[rows]]

    def camera_sums(self, rows: NDArray[np.int64]) -> Mapping[str, CameraSums]:
        """Sums of each camera over the given rows."""
        return camera_sums(self.rows.vectors.held(rows), self.rows.columns.cameras[rows], self.rows.words.cameras)

    def buried(self, rows: NDArray[np.int64], now: datetime) -> "Part":
        """This part after some of its live rows died."""
        live = self.live_mask()
        live[rows] = False
        return replace(self, live=live, count=self.count - len(rows), dead_since=self.dead_since or now)

    def sightings(self, collection: str, rows: NDArray[np.int64]) -> Iterator[Sighting]:
        """The crops in the given rows, with embeddings of their own, so that keeping one does not keep the part."""
        columns, words = self.rows.columns, self.rows.words
        for row, embedding in zip(rows.tolist(), self.rows.vectors.held(rows), strict=True):
            yield Sighting(
                id=UUID(int=columns.id(row)),
                collection=collection,
                embedding=embedding.copy(),
                camera_id=words.cameras[int(columns.cameras[row])],
                captured_at=time_of(int(columns.times[row])),
                track=words.tracks[int(columns.tracks[row])],
                vehicle_id=words.vehicles[int(columns.vehicles[row])],
                attributes=dict(words.attributes[int(columns.attributes[row])]),
                fingerprint=int(columns.fingerprints[row]),
            )


def table_part(rows: TableRows, before: Part | None) -> Part:
    """A table's part after rows were appended to it.

    Args:
        rows: The table as it is now.
        before: Its part before; None where it had no rows.
    """
    table = rows.table
    appended = len(rows) - (0 if before is None else len(before.rows))
    live = None
    if before is not None and before.live is not None:
        live = np.concatenate([before.live, np.ones(appended, dtype=np.bool_)])
    return Part(
        key=table.key,
        rows=rows,
        codec=table.codec,
        times=table.times,
        all_timed=False,
        ids=table.ids,
        count=appended + (0 if before is None else before.count),
        live=live,
        dead_since=None if before is None else before.dead_since,
    )


def segment_part(segment: Segment, live: NDArray[np.bool_] | None = None, dead_since: datetime | None = None) -> Part:
    """A segment as a part.

    Args:
        segment: The segment.
        live: Which of its rows hold a crop; None for all.
        dead_since: When the oldest of the dead rows died.
    """
    about = segment.description
    return Part(
        key=segment.id,
        rows=segment,
        codec=about.codec,
        times=about.times,
        all_timed=about.period is not None,
        ids=segment.id_range,
        count=len(segment) if live is None else int(np.count_nonzero(live)),
        live=live,
        dead_since=dead_since,
    )
