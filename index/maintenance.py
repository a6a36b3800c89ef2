"""What is done to the parts of an index beside its searches and writers: which parts, and how they are written anew.

Rows are written as one state had them alive, which may take long and holds up nobody. What died meanwhile is carried
over when the new parts take the place of the old ones.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from index.camera_sums import CameraSums, camera_sums
from index.codecs import CODECS, Codec
from index.options import IndexOptions
from index.parts import Part, segment_part
from index.segments.rows import SegmentRows, frozen_columns
from index.segments.segment import Segment, merge, open_segment
from index.segments.writer import write_segment
from index.state import CollectionDraft, CollectionState
from index.table import TableRows
from index.times import UNKNOWN_TIME

_ROWS_AT_ONCE: Final = 4096
_Stretch = tuple[int, int | None]
"""Length in microseconds and which of these stretches since 1970; None for crops without captured_at."""


@dataclass(frozen=True, slots=True)
class Rewrite:
    """Parts of a collection that others take the place of.

    Attributes:
        collection: The collection.
        old: The parts as they were when the rewriting began.
        new: Segments of what was alive in them.
    """

    collection: str
    old: Sequence[Part]
    new: Sequence[Segment]

    def take_in(self, draft: CollectionDraft, time: datetime) -> None:
        """Put the new parts in the place of the old ones, less what died while they were written.

        Args:
            draft: The collection as it is now.
            time: When this happens.
        """
        masks = [np.ones(len(segment), dtype=np.bool_) for segment in self.new]
        for part in self.old:
            died = _died(part, draft.parts.pop(part.key, None))
            high, low = part.rows.columns.id_high[died], part.rows.columns.id_low[died]
            for segment, mask in zip(self.new, masks, strict=True):
                rows = segment.rows_of(high, low)
                mask[rows[rows >= 0]] = False
        for segment, mask in zip(self.new, masks, strict=True):
            if mask.any():
                draft.parts[segment.id] = segment_part(segment) if mask.all() else segment_part(segment, mask, time)


@dataclass(frozen=True, slots=True)
class Recoding(Rewrite):
    """A rewrite that holds the same crops in other vectors, because it has another codec.

    Attributes:
        sums: Sums over the rows written, as the old parts hold them.
    """

    sums: Mapping[str, CameraSums]

    def take_in(self, draft: CollectionDraft, time: datetime) -> None:
        """As `Rewrite.take_in`; the sums of the cameras follow the vectors."""
        for part in self.old:
            # what died was taken from the sums as it was held before
            died = _died(part, draft.parts.get(part.key))
            high, low = part.rows.columns.id_high[died], part.rows.columns.id_low[died]
            draft.exchange(self._sums_of_new(high, low), part.camera_sums(died))
        for segment in self.new:
            draft.exchange({}, segment.camera_sums())
        draft.exchange(self.sums, {})
        Rewrite.take_in(self, draft, time)

    def _sums_of_new(self, high: NDArray[np.uint64], low: NDArray[np.uint64]) -> Mapping[str, CameraSums]:
        (segment,) = self.new
        return segment_part(segment).camera_sums(segment.rows_of(high, low))


def seal(folder: Path, collection: str, part: Part, rows: TableRows, span_us: int) -> Rewrite:
    """Write a table's living rows, each to a segment of its own stretch of capture time.

    Args:
        folder: Where segments lie.
        collection: The collection.
        part: The table's part; nothing is appended to it any longer.
        rows: Its rows.
        span_us: Length of a stretch, in microseconds.

    Raises:
        StorageError: The files cannot be written. The rows stay where they are.
    """
    alive = np.flatnonzero(part.live_mask())
    times = rows.columns.times[alive]
    periods = np.where(times == UNKNOWN_TIME, UNKNOWN_TIME, np.floor_divide(times, span_us))
    segments = []
    for period in np.unique(periods).tolist():
        some = alive[periods == period]
        columns = rows.columns.at(some)
        order = np.lexsort((columns.id_low, columns.id_high))
        words = rows.words
        columns, frozen = frozen_columns(
            columns.at(order), words.cameras, words.tracks, words.vehicles, words.attributes
        )
        written = SegmentRows(
            collection=collection,
            span_us=span_us,
            period=None if period == UNKNOWN_TIME else period,
            embeddings=rows.vectors.embeddings[some[order]],
            columns=columns,
            words=frozen,
        )
        segments.append(_written(folder, written, part.codec))
    return Rewrite(collection, [part], segments)


def compact(folder: Path, collection: str, parts: Sequence[Part], codec: str, span_us: int) -> Rewrite:
    """Write the living rows of segments of one stretch of time as one segment.

    Args:
        folder: Where segments lie.
        collection: The collection.
        parts: The segments' parts.
        codec: Name of the codec to write.
        span_us: Length of a stretch, in microseconds.

    Raises:
        StorageError: The files cannot be written. The parts stay as they are.
    """
    segments = [part.rows for part in parts if isinstance(part.rows, Segment)]
    (stretch,) = {_stretch(segment, span_us) for segment in segments}
    rows = merge(segments, [part.live_mask() for part in parts], *stretch)
    if all(part.codec == codec for part in parts) or _held_by(rows.embeddings, CODECS[codec]):
        return Rewrite(collection, parts, [_written(folder, rows, codec)])
    sums = camera_sums(rows.embeddings, rows.columns.cameras, rows.words.cameras)
    for block in _blocks(rows.embeddings):
        block[:] = CODECS[codec].held(block)
    return Recoding(collection, parts, [_written(folder, rows, codec)], sums)


def to_compact(collection: CollectionState, options: IndexOptions, now: datetime) -> list[Part] | None:
    """Segments to be rewritten as one next; None where there is nothing to do.

    Args:
        collection: The collection.
        options: When that is due.
        now: The time.
    """
    by_stretch: defaultdict[_Stretch, list[Part]] = defaultdict(list)
    for part in collection.parts.values():
        if part.segment is not None:
            by_stretch[_stretch(part.segment, options.span_us)].append(part)
            overdue = part.dead_since is not None and now - part.dead_since >= options.purge_after
            if overdue or part.dead > options.dead_share * len(part.rows) or part.codec != collection.codec:
                return [part]
    return next((group for parts in by_stretch.values() if (group := _alike(parts, options))), None)


def _alike(parts: Iterable[Part], options: IndexOptions) -> list[Part] | None:
    """Segments of similar size to be merged, so that a row is rewritten once for each doubling or so of its segment."""
    tiers: defaultdict[int, list[Part]] = defaultdict(list)
    doublings = options.merge_parts.bit_length() - 1
    for part in parts:
        tiers[(part.count.bit_length() - 1) // doublings].append(part)
    for _, tier in sorted(tiers.items()):
        group: list[Part] = []
        for part in sorted(tier, key=lambda part: part.count):
            if sum(one.count for one in group) + part.count <= options.merge_rows:
                group.append(part)
        if len(group) >= options.merge_parts:
            return group
    return None


def _stretch(segment: Segment, span_us: int) -> _Stretch:
    """The stretch of capture time that a segment is merged in: one of the given span where one holds all its rows.

    So segments written with a shorter span are merged by the longer one, and those written with a longer span stay
    what they are.
    """
    about = segment.description
    if about.times is None:
        return span_us, None
    first, last = (time // span_us for time in about.times)
    return (span_us, first) if first == last else (about.span_us, about.period)


def _held_by(embeddings: NDArray[np.float32], codec: Codec) -> bool:
    return all(np.array_equal(codec.held(block), block) for block in _blocks(embeddings))


def _blocks(embeddings: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
    """Views of the rows, some at a time: a codec needs as much again for what it works on, and a merge is large."""
    return (embeddings[start : start + _ROWS_AT_ONCE] for start in range(0, len(embeddings), _ROWS_AT_ONCE))


def _died(before: Part, now: Part | None) -> NDArray[np.int64]:
    """Rows of a part that lived before and do not live now."""
    died = before.live_mask()
    if now is not None:
        died &= ~now.live_mask()
    return np.flatnonzero(died)


def _written(folder: Path, rows: SegmentRows, codec: str) -> Segment:
    return open_segment(write_segment(folder, rows, CODECS[codec]), CODECS, verify=False)
