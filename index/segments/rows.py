"""Rows on their way into a segment: columns and what their codes mean, without a Python object per row."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from index.contract import Scalar
from index.segments.words import FrozenWords, Values, frozen, merged


@dataclass(frozen=True, slots=True)
class Columns:
    """Rows, column by column, each of shape (rows,); 48 bytes a row.

    Attributes:
        id_high: Upper 64 bits of each crop's id.
        id_low: Lower 64 bits.
        times: Microseconds since 1970; `UNKNOWN_TIME` where there is none.
        fingerprints: Fingerprint of each crop, see `index.contract.Sighting`.
        cameras: Code of camera_id.
        tracks: Code of track.
        vehicles: Code of vehicle_id.
        attributes: Code of the attribute set.
    """

    id_high: NDArray[np.uint64]
    id_low: NDArray[np.uint64]
    times: NDArray[np.int64]
    fingerprints: NDArray[np.uint64]
    cameras: NDArray[np.int32]
    tracks: NDArray[np.int32]
    vehicles: NDArray[np.int32]
    attributes: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.times)

    def id(self, row: int) -> int:
        """Id of the crop in a row, as a 128-bit number."""
        return int(self.id_high[row]) << 64 | int(self.id_low[row])

    def at(self, rows: NDArray[Any] | slice) -> "Columns":
        """The given rows: numbers, a mask or a slice."""
        return Columns(**{one.name: getattr(self, one.name)[rows] for one in fields(self)})


@dataclass(frozen=True, slots=True)
class SegmentWords:
    """What the codes of the columns of the same names mean.

    Attributes:
        cameras: camera_id.
        tracks: (session_id, track_id), or None.
        vehicles: vehicle_id, or None.
        attributes: Attribute sets.
    """

    cameras: FrozenWords[str]
    tracks: FrozenWords[tuple[str | None, str] | None]
    vehicles: FrozenWords[str | None]
    attributes: FrozenWords[Mapping[str, Scalar]]


@dataclass(frozen=True, slots=True)
class SegmentRows:
    """What a segment is written of. The rows may come in any order; no id may come twice.

    Attributes:
        collection: Name of the collection.
        span_us: Length of the stretch of capture time that a segment belongs to, in microseconds.
        period: Which of these stretches since 1970, 0 being the first; None for crops without captured_at.
        embeddings: Held unit vectors (`Codec.held`), shape (rows, dimension), float32.
        columns: The other columns.
        words: What their codes mean.
    """

    collection: str
    span_us: int
    period: int | None
    embeddings: NDArray[np.float32]
    columns: Columns
    words: SegmentWords


def frozen_columns(
    columns: Columns,
    cameras: Values[str],
    tracks: Values[tuple[str | None, str] | None],
    vehicles: Values[str | None],
    attributes: Values[Mapping[str, Scalar]],
) -> tuple[Columns, SegmentWords]:
    """Columns in the codes of frozen tables, which hold the values used and no others.

    Args:
        columns: The columns.
        cameras: What their codes of cameras mean, as in a `Vocabulary`; so with all that follow.
        tracks: Tracks.
        vehicles: Vehicle ids.
        attributes: Attribute sets, each a dict.
    """
    camera_codes, camera_words = frozen(columns.cameras, cameras)
    track_codes, track_words = frozen(columns.tracks, tracks)
    vehicle_codes, vehicle_words = frozen(columns.vehicles, vehicles)
    attribute_codes, attribute_words = frozen(columns.attributes, attributes)
    recoded = Columns(
        columns.id_high,
        columns.id_low,
        columns.times,
        columns.fingerprints,
        camera_codes,
        track_codes,
        vehicle_codes,
        attribute_codes,
    )
    return recoded, SegmentWords(camera_words, track_words, vehicle_words, attribute_words)


def merged_columns(columns: Sequence[Columns], words: Sequence[SegmentWords]) -> tuple[Columns, SegmentWords]:
    """Columns of different tables one behind the other, in the codes of tables with the values used and no others."""
    cameras, camera_words = merged([one.cameras for one in columns], [one.cameras for one in words])
    tracks, track_words = merged([one.tracks for one in columns], [one.tracks for one in words])
    vehicles, vehicle_words = merged([one.vehicles for one in columns], [one.vehicles for one in words])
    attributes, attribute_words = merged([one.attributes for one in columns], [one.attributes for one in words])
    whole = Columns(
        np.concatenate([one.id_high for one in columns]),
        np.concatenate([one.id_low for one in columns]),
        np.concatenate([one.times for one in columns]),
        np.concatenate([one.fingerprints for one in columns]),
        np.concatenate(cameras),
        np.concatenate(tracks),
        np.concatenate(vehicles),
        np.concatenate(attributes),
    )
    return whole, SegmentWords(camera_words, track_words, vehicle_words, attribute_words)


def in_id_order(columns: Columns) -> NDArray[np.int64]:
    """The order that sorts rows by ascending id, shape (rows,)."""
    order: NDArray[np.int64] = np.lexsort((columns.id_low, columns.id_high))
    return order
