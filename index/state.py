"""What searches see: all collections as one batch left them. Replaced as a whole, never changed.

A batch, a seal or a compaction works on drafts of the collections it touches; nothing that fails half way is seen.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from index.camera_sums import CameraSums, camera_sums
from index.contract import CollectionStats, DeviceStats, IndexStats
from index.parts import Part
from index.sightings import halves_of
from index.table import Staged, Vocabularies
from index.times import UNKNOWN_TIME

_ROWS_AT_ONCE = 4096


@dataclass(frozen=True, slots=True)
class CollectionState:
    """One collection.

    Attributes:
        codec: Name of the codec of its next segments.
        parts: Its parts, by key.
        count: Crops.
        fingerprint: Sum of their fingerprints, modulo 2^64.
        camera_sums: Sums over the crops of each camera.
    """

    codec: str
    parts: Mapping[str, Part] = field(default_factory=dict)
    count: int = 0
    fingerprint: int = 0
    camera_sums: Mapping[str, CameraSums] = field(default_factory=dict)

    def stats(self) -> CollectionStats:
        """What is held of it."""
        return CollectionStats(
            crops=self.count,
            dead=sum(part.dead for part in self.parts.values()),
            parts=len(self.parts),
            codec=self.codec,
            fingerprint=self.fingerprint,
        )


@dataclass(frozen=True, slots=True)
class IndexState:
    """All collections that hold crops, by name, at a watermark."""

    watermark: int = 0
    collections: Mapping[str, CollectionState] = field(default_factory=dict)

    def parts(self) -> Iterator[tuple[str, Part]]:
        """Every part with the name of its collection."""
        for name, collection in self.collections.items():
            for part in collection.parts.values():
                yield name, part

    def stats(self, device: DeviceStats | None) -> IndexStats:
        """What is held, and what it takes.

        Args:
            device: The device that helps to search.
        """
        parts = [part for _, part in self.parts()]
        return IndexStats(
            watermark=self.watermark,
            collections={name: one.stats() for name, one in self.collections.items()},
            memory_bytes=sum(part.memory_bytes for part in parts),
            disk_bytes=sum(part.segment.disk_bytes for part in parts if part.segment is not None),
            device=device,
        )

    def places_of(self, ids: Iterable[int]) -> Iterator[tuple[str, str, NDArray[np.int64]]]:
        """Where crops are: collection, key of the part, rows.

        Args:
            ids: Ids as 128-bit numbers; those not held are in no answer.
        """
        ordered = sorted(ids)
        if not ordered:
            return
        high, low = halves_of(ordered)
        for name, part in self.parts():
            some = slice(bisect_left(ordered, part.ids[0]), bisect_right(ordered, part.ids[1]))
            if some.start < some.stop:
                rows = part.rows_of(ordered[some], high[some], low[some])
                if len(rows):
                    yield name, part.key, rows


class CollectionDraft:
    """A collection in the making.

    Args:
        state: What it was before.
    """

    def __init__(self, state: CollectionState) -> None:
        self.codec = state.codec
        self.parts = dict(state.parts)
        self._count = state.count
        self._fingerprint = state.fingerprint
        self._sums = dict(state.camera_sums)

    def take_in(self, part: Part) -> None:
        """Add a segment that was no part before, and count its crops."""
        segment = part.segment
        if segment is None:
            raise TypeError(f"part {part.key} is no segment")
        self._add(segment.camera_sums())
        self._fingerprint += segment.description.fingerprint
        self._count += len(segment)
        self.parts[part.key] = replace(part, live=None, count=len(segment))
        dead = np.flatnonzero(~part.live_mask())
        if len(dead):
            self.bury(part.key, dead, part.dead_since or datetime.now(UTC))

    def bury_living(self, key: str, rows: NDArray[np.int64], now: datetime) -> None:
        """Let those rows of a part die that still live in this draft."""
        part = self.parts.get(key)
        if part is not None:
            rows = rows if part.live is None else rows[part.live[rows]]
            if len(rows):
                self.bury(key, rows, now)

    def bury(self, key: str, rows: NDArray[np.int64], now: datetime) -> None:
        """Let live rows of a part die."""
        part = self.parts[key]
        for block in np.array_split(rows, max(1, -(-len(rows) // _ROWS_AT_ONCE))):
            self._subtract(part.camera_sums(block))
        self._fingerprint -= int(np.sum(part.rows.columns.fingerprints[rows], dtype=np.uint64))
        self._count -= len(rows)
        self.parts[key] = part.buried(rows, now)

    def expire(self, before: int, now: datetime) -> None:
        """Let every crop captured before a time die.

        Args:
            before: Microseconds since 1970.
            now: When this happens.
        """
        for key, part in list(self.parts.items()):
            if part.times is None or part.times[0] >= before:
                continue
            segment = part.segment
            if segment is not None and part.live is None and part.all_timed and part.times[1] < before:
                self._subtract(segment.camera_sums())
                self._fingerprint -= segment.description.fingerprint
                self._count -= part.count
                del self.parts[key]
                continue
            times = part.rows.columns.times
            rows = np.flatnonzero(part.live_mask() & (times < before) & (times != UNKNOWN_TIME))
            if len(rows):
                self.bury(key, rows, now)

    def count_in(self, staged: Staged, words: Vocabularies) -> None:
        """Count crops that are about to be appended to a table."""
        self._add(camera_sums(staged.embeddings, staged.columns.cameras, words.cameras))
        self._fingerprint += int(np.sum(staged.columns.fingerprints, dtype=np.uint64))
        self._count += len(staged.ids)

    def exchange(self, old: Mapping[str, CameraSums], new: Mapping[str, CameraSums]) -> None:
        """Correct the sums where the same crops are held in other vectors than before."""
        self._add(new)
        self._subtract(old)

    def finished(self) -> CollectionState | None:
        """The collection; None where it holds no crop."""
        if not self._count:
            return None
        parts = {key: part for key, part in self.parts.items() if part.count}
        return CollectionState(self.codec, parts, self._count, self._fingerprint % 2**64, self._sums)

    def _add(self, sums: Mapping[str, CameraSums]) -> None:
        for camera, more in sums.items():
            held = self._sums.get(camera)
            self._sums[camera] = more if held is None else held + more

    def _subtract(self, sums: Mapping[str, CameraSums]) -> None:
        for camera, less in sums.items():
            left = self._sums[camera] - less
            if left.count:
                self._sums[camera] = left
            else:
                del self._sums[camera]
