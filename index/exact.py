"""The exact index: every crop that the filter leaves is compared with the query."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from index.contract import CameraStatistics, Filter, Hit, Hits, Sighting
from index.ranking import best_rows
from index.recheck import checked_hits
from index.selection import selected_rows
from index.table import Snapshot, Table
from index.vectors import checked_vector, checked_vectors


@dataclass(frozen=True, slots=True)
class _State:
    """What searches see: all collections as they were after one batch. Replaced as a whole."""

    watermark: int = 0
    collections: Mapping[str, Snapshot] = field(default_factory=dict)


class ExactIndex:
    """A `VectorIndex` that scans, in memory.

    Searches run beside each other and beside `apply` without waiting: each reads the state that the last finished batch
    left, which nothing changes afterwards. Writers wait for one another.

    A crop deleted or replaced is in no answer of a search that starts after `apply` returned. Its embedding stays in
    memory until its collection is compacted, at the latest when more than a quarter of the collection's rows are dead,
    and at once when the collection's last crop goes.

    A crop takes 4 bytes per dimension and about 360 for its columns and the bookkeeping of its id, and about 1,000 more
    where no other crop shares its track, vehicle id and attributes. Storage doubles when it is full.

    Args:
        dimension: Length of the embeddings.
    """

    def __init__(self, dimension: int) -> None:
        if dimension < 1:
            raise ValueError(f"dimension is {dimension}, must be at least 1")
        self._dimension = dimension
        self._writing = Lock()
        self._tables: dict[str, Table] = {}
        self._places: dict[UUID, tuple[str, int]] = {}
        self._state = _State()

    @property
    def dimension(self) -> int:
        """Length of the embeddings."""
        return self._dimension

    @property
    def watermark(self) -> int:
        """Sequence number of the last change applied; 0 before the first."""
        return self._state.watermark

    def apply(self, upserts: Iterable[Sighting], deletes: Iterable[UUID], watermark: int) -> None:
        """Apply a batch of changes as one step that no search sees half done; see `VectorIndex.apply`."""
        crops = {sighting.id: sighting for sighting in upserts}
        gone = set(deletes)
        if both := gone & crops.keys():
            raise ValueError(f"crop {min(both)} is in both upserts and deletes")
        embeddings = checked_vectors(
            [sighting.embedding for sighting in crops.values()], self._dimension, [f"crop {one}" for one in crops]
        )
        with self._writing:
            if watermark < self._state.watermark:
                raise ValueError(f"watermark {watermark} is behind {self._state.watermark}, which was already applied")
            self._replace(list(crops.values()), embeddings, gone, watermark)

    def search(self, query: NDArray[np.float32], k: int, where: Filter) -> Hits:
        """The k crops most similar to one query among those the filter leaves; see `VectorIndex.search`."""
        query = checked_vector(query, self._dimension, "query")
        if k < 1:
            raise ValueError(f"k is {k}, must be at least 1")
        state = self._state
        snapshot = state.collections.get(where.collection)
        if snapshot is None:
            return Hits(hits=[], mode="exact", candidates=0, exhausted=True, watermark=state.watermark)
        candidates = selected_rows(snapshot, where)
        rows, scores = best_rows(snapshot.columns, candidates, query, k)
        found = map(Hit, snapshot.sightings(rows), scores.tolist())
        return Hits(
            hits=checked_hits(found, where),
            mode="exact",
            candidates=len(candidates),
            exhausted=len(rows) == len(candidates),
            watermark=state.watermark,
        )

    def camera_statistics(self, collection: str) -> Mapping[str, CameraStatistics]:
        """Statistics of each camera of a collection, over the crops held now."""
        snapshot = self._state.collections.get(collection)
        if snapshot is None:
            return {}
        return {camera: sums.statistics() for camera, sums in snapshot.camera_sums.items()}

    def count(self, collection: str | None = None) -> int:
        """Crops held, in one collection or in all."""
        collections = self._state.collections
        return sum(one.count for name, one in collections.items() if collection is None or name == collection)

    def clear(self) -> None:
        """Forget everything and go back to watermark 0."""
        with self._writing:
            self._tables, self._places, self._state = {}, {}, _State()

    def _replace(
        self, crops: Sequence[Sighting], embeddings: NDArray[np.float32], gone: set[UUID], watermark: int
    ) -> None:
        members: defaultdict[str, list[int]] = defaultdict(list)
        for position, crop in enumerate(crops):
            members[crop.collection].append(position)
        tables = {name: self._tables.get(name) or Table(name, self._dimension) for name in members}
        staged = {
            name: tables[name].stage([crops[position] for position in positions], embeddings[positions])
            for name, positions in members.items()
        }
        # nothing is changed before this line, nothing fails after it
        self._tables |= tables
        touched = self._bury([*gone, *(crop.id for crop in crops)]) | tables.keys()
        for name, rows in staged.items():
            for position, row in zip(members[name], tables[name].append(rows), strict=True):
                self._places[crops[position].id] = name, row
        self._publish(touched, watermark)

    def _bury(self, ids: Iterable[UUID]) -> set[str]:
        """Mark the rows of the given ids as dead and answer whose collections lost any."""
        rows: defaultdict[str, list[int]] = defaultdict(list)
        for one in ids:
            if place := self._places.pop(one, None):
                rows[place[0]].append(place[1])
        for name, dead in rows.items():
            self._tables[name].bury(dead)
        return set(rows)

    def _publish(self, touched: Iterable[str], watermark: int) -> None:
        collections = dict(self._state.collections)
        for name in touched:
            if self._tables[name].wasteful:
                self._compact(name)
            if self._tables[name].count:
                collections[name] = self._tables[name].snapshot()
            else:
                del self._tables[name]
                collections.pop(name, None)
        self._state = _State(watermark, collections)

    def _compact(self, name: str) -> None:
        self._tables[name] = table = self._tables[name].compacted()
        snapshot = table.snapshot()
        for row in range(table.count):
            self._places[snapshot.id(row)] = name, row
