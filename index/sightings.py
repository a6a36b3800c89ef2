"""Crops as an index holds them: one by one, or many of a collection in columns."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, Self, overload
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from index.times import microseconds, require_aware, time_of

Scalar = str | int | float | bool | None
"""Value of one attribute of a crop: a JSON scalar, compared as JSON does: 1 equals 1.0, and neither equals true."""

Track = tuple[str, str | None, str]
"""A track within a collection: camera_id, session_id, track_id. Trackers count anew per camera and session."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """One enrolled crop as the index holds it: its embedding and the columns that filters read.

    Attributes:
        id: The crop's id.
        collection: Name of the collection that holds the crop.
        embedding: Unit-length vector, shape (dimension,), float32.
        camera_id: The camera that saw it.
        captured_at: Time of capture, aware, UTC; None where unknown (such a crop is in no time window).
        track: (session_id, track_id) of the camera's tracker; None where the crop belongs to no track.
        vehicle_id: The confirmed or claimed identity; None where unknown.
        attributes: Flat JSON attributes.
        fingerprint: What the truth makes of the crop's whole row, 64 bits without sign. The index only adds it up:
            where the sums of index and truth differ, the index does not hold what the truth holds.

    Raises:
        ValueError: captured_at is naive, or the fingerprint has more than 64 bits.
    """

    id: UUID
    collection: str
    embedding: NDArray[np.float32]
    camera_id: str
    captured_at: datetime | None = None
    track: tuple[str | None, str] | None = None
    vehicle_id: str | None = None
    attributes: Mapping[str, Scalar] = field(default_factory=dict)
    fingerprint: int = 0

    def __post_init__(self) -> None:
        require_aware("captured_at", self.captured_at)
        if not 0 <= self.fingerprint < 2**64:
            raise ValueError(f"fingerprint is {self.fingerprint}, not a number of 64 bits without sign")


@dataclass(frozen=True, slots=True, eq=False)
class SightingColumns(Sequence[Sighting]):
    """Crops of one collection, column by column, so that many are handled without an object for each.

    Attributes:
        collection: Name of the collection that holds them.
        id_high: Upper 64 bits of each crop's id, shape (crops,).
        id_low: Lower 64 bits.
        embeddings: Unit-length vectors, shape (crops, dimension), float32.
        times: Microseconds since 1970; `index.times.UNKNOWN_TIME` where captured_at is unknown.
        fingerprints: See `Sighting`, shape (crops,), uint64; so with the columns that follow.
        camera_ids: Cameras.
        tracks: Tracks.
        vehicle_ids: Vehicle ids.
        attributes: Attribute sets; crops may share one mapping.
        in_halves: Whether each embedding is a vector in half precision brought to unit length in float64
            (`index.halves.unit_of`), which every codec holds as it is.

    Raises:
        ValueError: The columns differ in length.
    """

    collection: str
    id_high: NDArray[np.uint64]
    id_low: NDArray[np.uint64]
    embeddings: NDArray[np.float32]
    times: NDArray[np.int64]
    fingerprints: NDArray[np.uint64]
    camera_ids: Sequence[str]
    tracks: Sequence[tuple[str | None, str] | None]
    vehicle_ids: Sequence[str | None]
    attributes: Sequence[Mapping[str, Scalar]]
    in_halves: bool = False

    def __post_init__(self) -> None:
        lengths = {one.name: len(getattr(self, one.name)) for one in _columns()}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"columns of different lengths: {lengths}")

    @classmethod
    def of(cls, collection: str, sightings: Sequence[Sighting], embeddings: NDArray[np.float32]) -> Self:
        """Crops of a collection in columns.

        Args:
            collection: The collection of all of them.
            sightings: The crops.
            embeddings: Their embeddings, shape (len(sightings), dimension).
        """
        halves = halves_of([one.id.int for one in sightings])
        return cls(
            collection=collection,
            id_high=halves[0],
            id_low=halves[1],
            embeddings=embeddings,
            times=np.array([microseconds(one.captured_at) for one in sightings], dtype=np.int64),
            fingerprints=np.array([one.fingerprint for one in sightings], dtype=np.uint64),
            camera_ids=[one.camera_id for one in sightings],
            tracks=[one.track for one in sightings],
            vehicle_ids=[one.vehicle_id for one in sightings],
            attributes=[one.attributes for one in sightings],
        )

    def __len__(self) -> int:
        return len(self.times)

    @overload
    def __getitem__(self, row: int) -> Sighting: ...
    @overload
    def __getitem__(self, row: slice) -> "SightingColumns": ...
    def __getitem__(self, row: int | slice) -> "Sighting | SightingColumns":
        if isinstance(row, slice):
            return self.at(range(*row.indices(len(self))))
        return Sighting(
            id=UUID(int=int(self.id_high[row]) << 64 | int(self.id_low[row])),
            collection=self.collection,
            embedding=self.embeddings[row],
            camera_id=self.camera_ids[row],
            captured_at=time_of(int(self.times[row])),
            track=self.tracks[row],
            vehicle_id=self.vehicle_ids[row],
            attributes=self.attributes[row],
            fingerprint=int(self.fingerprints[row]),
        )

    def at(self, rows: Sequence[int], collection: str | None = None) -> "SightingColumns":
        """The given rows, in that order; of another collection where one is named."""
        places = np.asarray(rows, dtype=np.int64)
        taken: dict[str, Any] = {}
        for one in _columns():
            column = getattr(self, one.name)
            taken[one.name] = column[places] if isinstance(column, np.ndarray) else [column[row] for row in rows]
        return SightingColumns(collection=collection or self.collection, in_halves=self.in_halves, **taken)

    def ids(self) -> list[int]:
        """The ids as 128-bit numbers."""
        return [high << 64 | low for high, low in zip(self.id_high.tolist(), self.id_low.tolist(), strict=True)]


def halves_of(ids: Iterable[int]) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Upper and lower 64 bits of 128-bit numbers, each of shape (len(ids),)."""
    pairs = np.frombuffer(b"".join([one.to_bytes(16, "big") for one in ids]), dtype=">u8").reshape(-1, 2)
    return pairs[:, 0].astype(np.uint64), pairs[:, 1].astype(np.uint64)


def _columns() -> list[Any]:
    return [one for one in fields(SightingColumns) if one.name not in {"collection", "in_halves"}]
