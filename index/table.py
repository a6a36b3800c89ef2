"""One collection's crops: embeddings and the columns that filters read, written by one owner, read without locks.

Rows are only ever appended. A crop that is deleted or replaced leaves its row dead, and a table with too many dead rows
is rewritten into a new one. What searches see is a `Snapshot`: views that end where the table ended when it was taken.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from index.attributes import AttributeSets
from index.camera_sums import CameraSums
from index.columns import GrowingArray, Vocabulary, recode
from index.contract import Sighting

UNKNOWN_TIME: Final = np.iinfo(np.int64).min
"""What the time column holds for a crop without captured_at."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_LOW_64_BITS = 2**64 - 1
_DEAD_SHARE_TO_COMPACT = 0.25


def microseconds(time: datetime) -> int:
    """Microseconds since 1970 of an aware time, exactly."""
    return (time - _EPOCH) // _MICROSECOND


@dataclass(frozen=True, slots=True)
class Columns:
    """Rows, column by column; cameras, tracks, vehicles and attributes are codes of a vocabulary.

    Attributes:
        embeddings: Shape (rows, dimension).
        id_high: Upper 64 bits of each crop's id, shape (rows,) as all that follow.
        id_low: Lower 64 bits.
        times: Microseconds since 1970; `UNKNOWN_TIME` where there is none.
        cameras: Code of camera_id.
        tracks: Code of track.
        vehicles: Code of vehicle_id.
        attributes: Code of the attribute set.
    """

    embeddings: NDArray[np.float32]
    id_high: NDArray[np.uint64]
    id_low: NDArray[np.uint64]
    times: NDArray[np.int64]
    cameras: NDArray[np.int32]
    tracks: NDArray[np.int32]
    vehicles: NDArray[np.int32]
    attributes: NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Vocabularies:
    """What the codes of the columns of the same names mean."""

    cameras: Vocabulary[str] = field(default_factory=Vocabulary)
    tracks: Vocabulary[tuple[str | None, str] | None] = field(default_factory=Vocabulary)
    vehicles: Vocabulary[str | None] = field(default_factory=Vocabulary)
    attributes: AttributeSets = field(default_factory=AttributeSets)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A collection as it was after one batch; never changes.

    Attributes:
        collection: Name of the collection.
        columns: The rows, dead ones included.
        vocabularies: What their codes mean; may have learnt more since.
        live: Which rows hold a crop, shape (rows,).
        count: How many rows hold a crop.
        camera_sums: Sums over the crops of each camera.
    """

    collection: str
    columns: Columns
    vocabularies: Vocabularies
    live: NDArray[np.bool_]
    count: int
    camera_sums: Mapping[str, CameraSums]

    def sightings(self, rows: NDArray[np.int64]) -> Iterator[Sighting]:
        """The crops in the given rows, their embeddings copied, so that keeping one does not keep the snapshot."""
        columns, words = self.columns, self.vocabularies
        for row in rows.tolist():
            time = int(columns.times[row])
            yield Sighting(
                id=self.id(row),
                collection=self.collection,
                embedding=columns.embeddings[row].copy(),
                camera_id=words.cameras[columns.cameras[row]],
                captured_at=None if time == UNKNOWN_TIME else _EPOCH + time * _MICROSECOND,
                track=words.tracks[columns.tracks[row]],
                vehicle_id=words.vehicles[columns.vehicles[row]],
                attributes=dict(words.attributes[columns.attributes[row]]),
            )

    def id(self, row: int) -> UUID:
        """Id of the crop in a row."""
        return UUID(int=int(self.columns.id_high[row]) << 64 | int(self.columns.id_low[row]))


class Table:
    """The rows of one collection. Belongs to one writer at a time; readers get snapshots.

    Args:
        collection: Name of the collection.
        dimension: Length of the embeddings.
    """

    def __init__(self, collection: str, dimension: int) -> None:
        self.collection = collection
        self._dimension = dimension
        self._columns = {
            "embeddings": GrowingArray(np.float32, dimension),
            "id_high": GrowingArray(np.uint64),
            "id_low": GrowingArray(np.uint64),
            "times": GrowingArray(np.int64),
            "cameras": GrowingArray(np.int32),
            "tracks": GrowingArray(np.int32),
            "vehicles": GrowingArray(np.int32),
            "attributes": GrowingArray(np.int32),
        }
        self._vocabularies = Vocabularies()
        self._live: NDArray[np.bool_] = np.empty(0, dtype=np.bool_)
        self._camera_sums: dict[str, CameraSums] = {}

    @property
    def count(self) -> int:
        """Rows that hold a crop."""
        return int(np.count_nonzero(self._live))

    @property
    def wasteful(self) -> bool:
        """Whether so many rows are dead that the table should be compacted."""
        rows = len(self._live)
        return rows - self.count > _DEAD_SHARE_TO_COMPACT * rows

    def stage(self, sightings: Sequence[Sighting], embeddings: NDArray[np.float32]) -> Columns:
        """Encode crops and make room for them: all of appending that can fail, and nothing that a snapshot shows.

        Args:
            sightings: Crops to append.
            embeddings: Their checked embeddings, shape (len(sightings), dimension).
        """
        for column in self._columns.values():
            column.reserve(len(sightings))
        words = self._vocabularies
        ids = [one.id.int for one in sightings]
        times = [UNKNOWN_TIME if one.captured_at is None else microseconds(one.captured_at) for one in sightings]
        return Columns(
            embeddings=embeddings,
            id_high=np.array([one >> 64 for one in ids], dtype=np.uint64),
            id_low=np.array([one & _LOW_64_BITS for one in ids], dtype=np.uint64),
            times=np.array(times, dtype=np.int64),
            cameras=np.array([words.cameras.encode(one.camera_id) for one in sightings], dtype=np.int32),
            tracks=np.array([words.tracks.encode(one.track) for one in sightings], dtype=np.int32),
            vehicles=np.array([words.vehicles.encode(one.vehicle_id) for one in sightings], dtype=np.int32),
            attributes=np.array([words.attributes.encode(dict(one.attributes)) for one in sightings], dtype=np.int32),
        )

    def append(self, staged: Columns) -> range:
        """Append staged rows and answer which rows they became."""
        for name, column in self._columns.items():
            column.extend(getattr(staged, name))
        rows = range(len(self._live), len(self._live) + len(staged.times))
        self._live = np.concatenate([self._live, np.ones(len(rows), dtype=np.bool_)])
        for camera, sums in self._sums_by_camera(staged):
            held = self._camera_sums.get(camera)
            self._camera_sums[camera] = sums if held is None else held + sums
        return rows

    def bury(self, rows: Sequence[int]) -> None:
        """Mark rows as dead. Their embeddings stay in memory until the table is compacted."""
        dead = np.array(rows, dtype=np.int64)
        self._live = self._live.copy()  # snapshots keep the old one
        self._live[dead] = False
        for camera, sums in self._sums_by_camera(self._rows(dead)):
            left = self._camera_sums[camera] - sums
            if left.count:
                self._camera_sums[camera] = left
            else:
                del self._camera_sums[camera]

    def snapshot(self) -> Snapshot:
        """The table as it is now."""
        return Snapshot(
            collection=self.collection,
            columns=Columns(**{name: column.view() for name, column in self._columns.items()}),
            vocabularies=self._vocabularies,
            live=self._live,
            count=self.count,
            camera_sums=self._camera_sums.copy(),
        )

    def compacted(self) -> "Table":
        """A new table of the live rows in their order, which remembers nothing of the dead ones."""
        fresh = Table(self.collection, self._dimension)
        rows = self._rows(np.flatnonzero(self._live))
        old, new = self._vocabularies, fresh._vocabularies
        fresh.append(
            replace(
                rows,
                cameras=recode(rows.cameras, old.cameras, new.cameras),
                tracks=recode(rows.tracks, old.tracks, new.tracks),
                vehicles=recode(rows.vehicles, old.vehicles, new.vehicles),
                attributes=recode(rows.attributes, old.attributes, new.attributes),
            )
        )
        return fresh

    def _rows(self, rows: NDArray[np.int64]) -> Columns:
        return Columns(**{name: column.view()[rows] for name, column in self._columns.items()})

    def _sums_by_camera(self, rows: Columns) -> Iterator[tuple[str, CameraSums]]:
        for code in np.unique(rows.cameras).tolist():
            yield self._vocabularies.cameras[code], CameraSums.of(rows.embeddings[rows.cameras == code])
