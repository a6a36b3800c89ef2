"""What every vector index promises, whatever engine is behind it.

An index is a cache of the truth in PostgreSQL: it is filled by the follower, in change-log order, and can be dropped
and rebuilt at any time. Collections are walls: nothing of one collection is ever visible in another.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from index.sightings import Scalar, Sighting, SightingColumns, Track
from index.times import require_aware

__all__ = [
    "UNIT_TOLERANCE",
    "CameraStatistics",
    "CollectionStats",
    "DeviceStats",
    "Filter",
    "Hit",
    "Hits",
    "IndexStats",
    "Scalar",
    "Sighting",
    "SightingColumns",
    "Track",
    "VectorError",
    "VectorIndex",
]

UNIT_TOLERANCE = 1e-3
"""How far the length of a vector may be from 1. Rounding a unit vector to half precision stays within it."""


class VectorError(ValueError):
    """A vector that no index takes: wrong dimension, not finite, or not of unit length."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which crops of one collection may be answered. Every condition given must hold; None means "any".

    Attributes:
        collection: The only collection searched.
        camera_ids: Cameras allowed. An empty set allows none.
        exclude_camera_ids: Cameras not allowed.
        captured_from: Start of the half-open time window [from, to), aware.
        captured_to: End of the window, itself outside.
        tracks: Tracks allowed. An empty set allows none.
        exclude_tracks: Tracks not allowed; a crop of no track is on none of them.
        vehicle_ids: Vehicle ids allowed. An empty set allows none.
        exclude_vehicle_ids: Vehicle ids not allowed; a crop without one has none of them.
        attributes: Each key must be present with an equal value.
        exclude_ids: Crops not to be answered.

    Raises:
        ValueError: captured_from or captured_to is naive.
    """

    collection: str
    camera_ids: frozenset[str] | None = None
    exclude_camera_ids: frozenset[str] = frozenset()
    captured_from: datetime | None = None
    captured_to: datetime | None = None
    tracks: frozenset[Track] | None = None
    exclude_tracks: frozenset[Track] = frozenset()
    vehicle_ids: frozenset[str] | None = None
    exclude_vehicle_ids: frozenset[str] = frozenset()
    attributes: Mapping[str, Scalar] = field(default_factory=dict)
    exclude_ids: frozenset[UUID] = frozenset()

    def __post_init__(self) -> None:
        require_aware("captured_from", self.captured_from)
        require_aware("captured_to", self.captured_to)


@dataclass(frozen=True, slots=True)
class Hit:
    """One answer.

    Attributes:
        sighting: The crop as indexed, its embedding included (re-ranking reads it).
        score: Cosine similarity with the query: the inner product of the two unit vectors, rounded to float32 and
            clipped to [-1, 1].
    """

    sighting: Sighting
    score: float


@dataclass(frozen=True, slots=True)
class Hits:
    """The answer of one search.

    Attributes:
        hits: Best first; equal scores in ascending order of id, so that an answer is the same on every replica.
        mode: How the search was done.
        candidates: Crops that the filter left.
        exhausted: Whether every candidate is in `hits`; fewer than k hits always means exhausted.
        watermark: Sequence number the index had reached when it was read.
    """

    hits: Sequence[Hit]
    mode: Literal["exact", "approximate"]
    candidates: int
    exhausted: bool
    watermark: int


@dataclass(frozen=True, slots=True)
class CameraStatistics:
    """Mean and standard deviation of a camera's embeddings in one collection, for camera normalisation.

    Attributes:
        count: Crops counted.
        mean: Shape (dimension,), float32.
        deviation: Shape (dimension,), float32, population standard deviation.
    """

    count: int
    mean: NDArray[np.float32]
    deviation: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class CollectionStats:
    """One collection as the index holds it.

    Attributes:
        crops: Crops held.
        dead: Rows of deleted or replaced crops that still take room.
        parts: Segments, or whatever else the engine looks through one by one.
        codec: How its vectors are kept.
        fingerprint: Sum of the crops' fingerprints, modulo 2^64.
    """

    crops: int
    dead: int
    parts: int
    codec: str
    fingerprint: int


@dataclass(frozen=True, slots=True)
class DeviceStats:
    """A device that helps to search.

    Attributes:
        name: What it is called, "cuda:0".
        segments: Segments that have a copy on it.
        waiting: Segments that are to have one and have not yet, for want of time or room.
        memory_bytes: What the copies take there.
        searches: Searches of one segment each that it answered.
        searches_by_cpu: Searches of segments worth a copy that the CPU answered, because of the filter, because there
            was no copy, or because the device was busy or did not prove its answer.
        problem: Why nothing is asked of it any longer; None where it is in use.
    """

    name: str
    segments: int
    waiting: int
    memory_bytes: int
    searches: int
    searches_by_cpu: int
    problem: str | None


@dataclass(frozen=True, slots=True)
class IndexStats:
    """The index as one finished batch left it.

    Attributes:
        watermark: Sequence number of that batch.
        collections: The collections that hold crops, by name.
        memory_bytes: What vectors and columns take in the process's own memory; 0 where another process holds them.
        disk_bytes: What they take in files, which the system keeps in memory as far as there is room.
        device: The device that helps to search; None where the CPU searches alone.
    """

    watermark: int
    collections: Mapping[str, CollectionStats]
    memory_bytes: int
    disk_bytes: int
    device: DeviceStats | None = None

    @property
    def crops(self) -> int:
        """Crops held in all collections."""
        return sum(one.crops for one in self.collections.values())


class VectorIndex(Protocol):
    """A vector index. Every method may be called from any thread at any time, `close` last."""

    @property
    def dimension(self) -> int:
        """Length of the embeddings."""

    @property
    def watermark(self) -> int:
        """Sequence number of the last change applied; 0 before the first."""

    def apply(
        self,
        upserts: Iterable[Sighting | SightingColumns],
        deletes: Iterable[UUID],
        watermark: int,
        expired: Mapping[str, datetime] | None = None,
    ) -> None:
        """Apply a batch of changes as one step that no search sees half done.

        An upsert of an id already held replaces it, in whatever collection it was. Of several upserts of one id the
        last counts. A delete of an id not held is no error. An id may be in one of the two only. What has expired goes
        first, so an upsert of the same batch stays, whatever its time. Where an error is raised, nothing was applied.

        Args:
            upserts: New or changed crops, each for itself or many in columns.
            deletes: Crops to forget.
            watermark: Sequence number reached with this batch; must not go backwards.
            expired: By collection, a time before which every crop captured is to be forgotten; a crop without a time
                of capture stays.

        Raises:
            VectorError: An embedding has the wrong dimension, is not finite or not of unit length.
            ValueError: An id is in both upserts and deletes, the watermark goes backwards, or a time is naive.
        """

    def search(self, queries: NDArray[np.float32], k: int, where: Filter) -> list[Hits]:
        """For each query the k crops most similar to it among those the filter leaves, all as one batch left them.

        Args:
            queries: Unit-length vectors, shape (queries, dimension), float32.
            k: How many at most, >= 1.
            where: The filter.

        Returns:
            An answer for each query, in their order.

        Raises:
            VectorError: A query has the wrong dimension, is not finite or not of unit length.
            ValueError: k is less than 1.
        """

    def camera_statistics(self, collection: str) -> Mapping[str, CameraStatistics]:
        """Statistics of each camera of a collection, over the crops held now."""

    def stats(self) -> IndexStats:
        """What is held, and what it takes."""

    def close(self) -> None:
        """Stop work in the background and let go of files and connections. No other call may follow."""
