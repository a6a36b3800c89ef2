"""An immutable segment, mapped from its files: some crops of one collection, in ascending order of id."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from index.camera_sums import CameraSums, camera_sums
from index.codecs.contract import Codec, CodecError, SegmentVectors
from index.segments.description import ARRAYS, DESCRIPTION, VECTORS, Description, read_description
from index.segments.files import SegmentError, check_hashes, check_sizes
from index.segments.packed import map_arrays
from index.segments.rows import Columns, SegmentRows, SegmentWords, in_id_order, merged_columns
from index.segments.terms import FrozenAttributes
from index.segments.words import FrozenWords

_ROWS_AT_ONCE: Final = 4096


@dataclass(frozen=True, slots=True)
class SegmentVocabularies(SegmentWords):
    """What the codes of a segment's columns mean; attribute sets are found by key and value as well."""

    attributes: FrozenAttributes


class Segment:
    """A segment that was written and never changes. Every method may be called from any thread, `close` last.

    Attributes:
        description: What the segment is: id, collection, period, rows, codec, fingerprint, times.
        columns: Its columns, mapped, in ascending order of id.
        words: What their codes mean.
        vectors: Its vectors.
        disk_bytes: What its files take.
    """

    def __init__(self, folder: Path, description: Description, vectors: SegmentVectors) -> None:
        arrays = map_arrays(folder / ARRAYS, description.arrays)
        self.description = description
        self.columns = Columns(**{one.name: arrays[one.name] for one in fields(Columns)})
        self.words = _words(arrays)
        self.vectors = vectors
        self._sums = {name: arrays[f"sums.{name}"] for name in ("counts", "cameras", "totals", "squares")}
        self.disk_bytes = sum(seal.size for seal in description.files.values())

    @property
    def id(self) -> str:
        """SHA-256 of the description, which is the name of the segment's folder."""
        return self.description.id

    def __len__(self) -> int:
        return self.description.rows

    @property
    def id_range(self) -> tuple[int, int]:
        """Lowest and highest id, each as the 128-bit number of the UUID."""
        return self.columns.id(0), self.columns.id(len(self) - 1)

    def camera_sums(self) -> Mapping[str, CameraSums]:
        """Sums over the embeddings of each camera, all rows counted.

        Of cameras with too few crops to be worth storing they are added up now.
        """
        cameras, names, stored = self.columns.cameras, self.words.cameras, self._sums["cameras"]
        sums = {names[code]: self._stored_sums(place) for place, code in enumerate(stored.tolist())}
        few = np.flatnonzero(~names.among(stored)[cameras])
        few = few[np.argsort(cameras[few], kind="stable")]
        for block in np.array_split(few, max(1, -(-len(few) // _ROWS_AT_ONCE))):
            for camera, more in camera_sums(self.vectors.held(block), cameras[block], names).items():
                sums[camera] = sums[camera] + more if camera in sums else more
        return sums

    def rows_of(self, id_high: NDArray[np.uint64], id_low: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Row of each id, -1 where the segment does not hold it.

        Args:
            id_high: Upper 64 bits of the ids, shape (ids,).
            id_low: Lower 64 bits, shape (ids,).
        """
        low = np.searchsorted(self.columns.id_high, id_high, side="left")
        high = np.searchsorted(self.columns.id_high, id_high, side="right")
        for _ in range(int(np.max(high - low, initial=0)).bit_length()):  # as a rule upper halves are all different
            middle = (low + high) // 2
            unfinished = low < high
            below = self.columns.id_low[np.minimum(middle, len(self) - 1)] < id_low
            low = np.where(unfinished & below, middle + 1, low)
            high = np.where(unfinished & ~below, middle, high)
        row = np.minimum(low, len(self) - 1)
        held = (self.columns.id_high[row] == id_high) & (self.columns.id_low[row] == id_low)
        return np.where(held, row, -1)

    def close(self) -> None:
        """Let go of the vectors' files. The columns are let go when nothing reads them any longer."""
        self.vectors.close()

    def _stored_sums(self, place: int) -> CameraSums:
        count = int(self._sums["counts"][self._sums["cameras"][place]])
        return CameraSums(count, self._sums["totals"][place], self._sums["squares"][place])


def open_segment(folder: Path, codecs: Mapping[str, Codec], *, verify: bool) -> Segment:
    """Open a segment that `write_segment` wrote.

    Args:
        folder: The segment's own folder.
        codecs: Codecs by name.
        verify: Whether to read all files and compare their hashes. Sizes, and the description, are compared always.

    Raises:
        SegmentError: Something is missing, cut off or changed, or no codec has the name of the segment's.
    """
    description = read_description(folder)
    check_sizes(folder, description.files)
    if verify:
        for fault in check_hashes((folder / name, seal) for name, seal in description.files.items()).values():
            raise fault
    if description.codec not in codecs:
        raise SegmentError(f"{folder / DESCRIPTION} names codec {description.codec!r}, there are {sorted(codecs)}")
    try:
        return Segment(folder, description, codecs[description.codec].open(folder / VECTORS))
    except (OSError, CodecError) as error:
        raise SegmentError(f"{folder} cannot be opened: {error}") from error


def merge(
    segments: Sequence[Segment], live: Sequence[NDArray[np.bool_]], span_us: int, period: int | None
) -> SegmentRows:
    """The live rows of segments of one collection, in ascending order of id, to be written as one.

    The embeddings are held once, in the order in which they are written.

    Args:
        segments: At least one.
        live: For each the rows to take, shape (rows,).
        span_us: Length of the stretch of capture time that holds them all, in microseconds.
        period: Which of these stretches since 1970; None for crops without captured_at.

    Raises:
        ValueError: The segments differ in collection.
    """
    about = segments[0].description
    if any(one.description.collection != about.collection for one in segments):
        raise ValueError("segments of different collections do not make one segment")
    taken = [np.flatnonzero(mask) for mask in live]
    columns, words = merged_columns(
        [one.columns.at(rows) for one, rows in zip(segments, taken, strict=True)], [one.words for one in segments]
    )
    order = in_id_order(columns)
    places = np.empty_like(order)
    places[order] = np.arange(len(order))
    embeddings = np.empty((len(order), about.dimension), dtype=np.float32)
    start = 0
    for segment, rows in zip(segments, taken, strict=True):
        for block in np.array_split(rows, max(1, len(rows) // _ROWS_AT_ONCE)):
            embeddings[places[start : start + len(block)]] = segment.vectors.held(block)
            start += len(block)
    return SegmentRows(about.collection, span_us, period, embeddings, columns.at(order), words)


def _words(arrays: Mapping[str, NDArray[Any]]) -> SegmentVocabularies:
    def table(name: str) -> FrozenWords[Any]:
        return FrozenWords(arrays[f"{name}.offsets"], arrays[f"{name}.text"])

    attributes = FrozenAttributes(table("attributes"), table("terms"), arrays["terms.starts"], arrays["terms.holders"])
    return SegmentVocabularies(table("cameras"), table("tracks"), table("vehicles"), attributes)
