"""New crops compared with all watches of their collection at once. Nothing here asks the database."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from index.contract import Filter, Sighting, SightingColumns
from index.products import inner_products
from index.ranking import exact_scores, rounding_bound
from index.recheck import allows
from service.database.vectors import decode
from service.errors import InvalidValueError
from service.search.question import mean_vector
from service.watches.records import Threshold
from service.watches.requests import read_conditions
from service.watches.thresholds import Thresholds

_CROPS_AT_ONCE: Final = 256


class WatchedQuery(NamedTuple):
    """A watch as it is stored: `vector` where it was made of pictures, conditions as a body of a search has them."""

    collection_id: UUID
    collection: str
    id: UUID
    vector: bytes | None
    filter: Mapping[str, Any]
    exclude_same_track: bool
    min_score: float | None
    decision: Threshold | None


class QueryCrop(NamedTuple):
    """A crop that a watch looks for, with its stored vector."""

    watch_id: UUID
    id: UUID
    camera_id: str
    session_id: str | None
    track_id: str | None
    vector: bytes


@dataclass(frozen=True, slots=True)
class Standing:
    """The watches of one collection.

    Attributes:
        collection_id: The collection.
        ids: The watches.
        vectors: Their queries, of unit length, shape (watches, dimension), float32.
        filters: Which crops each may find.
        min_scores: Lowest score of each; not a number where `decisions` says it.
        decisions: What a hit must be at least, of those that go by the calibration.
    """

    collection_id: UUID
    ids: Sequence[UUID]
    vectors: NDArray[np.float32]
    filters: Sequence[Filter]
    min_scores: NDArray[np.float64]
    decisions: Sequence[Threshold | None]

    def lowest(self, calibrated: Thresholds | None) -> NDArray[np.float64]:
        """The lowest score of each, shape (watches,); infinite where nothing is to be found now."""
        wanted = [
            np.inf if decision is None or calibrated is None else calibrated.lowest(decision)
            for decision in self.decisions
        ]
        return np.where(np.isnan(self.min_scores), wanted, self.min_scores)


_Ready = tuple[WatchedQuery, NDArray[np.float32], Filter]


@dataclass(frozen=True, slots=True)
class Hit:
    """A crop that is one for a watch."""

    watch_id: UUID
    crop_id: UUID
    score: float


def standings(watches: Iterable[WatchedQuery], crops: Iterable[QueryCrop]) -> dict[str, Standing]:
    """The watches that can find something, by the name of their collection.

    Args:
        watches: Watches of one model.
        crops: The crops that they look for.

    Returns:
        Those that have a query: a watch whose crops are all deleted has none.
    """
    queries: dict[UUID, list[QueryCrop]] = {}
    for crop in crops:
        queries.setdefault(crop.watch_id, []).append(crop)
    groups: dict[str, list[_Ready]] = {}
    for watch in watches:
        query = queries.get(watch.id, [])
        vector = _query_vector(watch, query)
        if vector is not None:
            groups.setdefault(watch.collection, []).append((watch, vector, _filter(watch, query)))
    return {name: _standing(group) for name, group in groups.items()}


def compare(crops: SightingColumns, standing: Standing, calibrated: Thresholds | None) -> list[Hit]:
    """The hits among new crops.

    Args:
        crops: Crops of the collection.
        standing: Its watches.
        calibrated: What its calibration says of scores; None where there is none.
    """
    lowest = standing.lowest(calibrated)
    hits: list[Hit] = []
    for start in range(0, len(crops), _CROPS_AT_ONCE):
        some = crops.embeddings[start : start + _CROPS_AT_ONCE]
        near = inner_products(some, standing.vectors) >= lowest - rounding_bound(some.shape[1])
        for place in np.flatnonzero(near.any(axis=1)):
            hits += _hits_of(crops[start + int(place)], np.flatnonzero(near[place]), standing, lowest)
    return hits


def _hits_of(
    crop: Sighting, watches: NDArray[np.int64], standing: Standing, lowest: NDArray[np.float64]
) -> Iterator[Hit]:
    """The hits of one crop among the watches that it comes near to."""
    scores = exact_scores(standing.vectors[watches], crop.embedding)
    for watch, score in zip(watches.tolist(), scores.tolist(), strict=True):
        if score >= lowest[watch] and allows(standing.filters[watch], crop):
            yield Hit(standing.ids[watch], crop.id, score)


def _query_vector(watch: WatchedQuery, crops: Sequence[QueryCrop]) -> NDArray[np.float32] | None:
    if watch.vector is not None:
        return decode(watch.vector)
    if not crops:
        return None
    try:
        return mean_vector(np.stack([decode(crop.vector) for crop in crops]), "crop_ids")
    except InvalidValueError:  # those that are left may cancel each other out
        return None


def _filter(watch: WatchedQuery, crops: Sequence[QueryCrop]) -> Filter:
    where = read_conditions(watch.collection, watch.filter)
    tracks = {(crop.camera_id, crop.session_id, crop.track_id) for crop in crops if crop.track_id is not None}
    return replace(
        where,
        exclude_ids=frozenset(crop.id for crop in crops),
        exclude_tracks=where.exclude_tracks | (tracks if watch.exclude_same_track else frozenset()),
    )


def _standing(group: Sequence[_Ready]) -> Standing:
    watches, vectors, filters = zip(*group, strict=True)
    return Standing(
        collection_id=watches[0].collection_id,
        ids=[watch.id for watch in watches],
        vectors=np.stack(vectors),
        filters=filters,
        min_scores=np.array([np.nan if one.min_score is None else one.min_score for one in watches], dtype=np.float64),
        decisions=[watch.decision for watch in watches],
    )
