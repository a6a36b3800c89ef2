"""Random histories and filters: every backend must answer what a slow, obvious scan over a dict answers."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from numpy.typing import NDArray
from support.vectors import unit

from index.contract import Filter, Hits, Scalar, Sighting, VectorIndex

DIMENSION = 8
NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)

# halves that repeat, so that an id must be compared whole
IDS = [UUID(int=1 << 120 | (11 * n % 30 // 6) << 64 | 11 * n % 30 % 6) for n in range(30)]
COLLECTIONS = ["north", "south", "North"]
CAMERAS = ["cam-1", "cam-2", "cam-3", ""]
TIMES = [
    None,
    NOON,
    NOON - timedelta(microseconds=1),
    NOON + timedelta(microseconds=1),
    (NOON + timedelta(hours=3)).astimezone(timezone(timedelta(hours=-8))),
    datetime(1969, 7, 20, 20, 17, tzinfo=UTC),
]
TRACKS = [None, (None, "7"), ("s1", "7"), ("s2", "7")]
NAMED_TRACKS = [(camera, *track) for camera in CAMERAS[:3] for track in TRACKS if track] + [("cam-1", None, "unseen")]
VEHICLES = [None, "v1", "v2", ""]
SCALARS: list[Scalar] = [1, 1.0, True, "1", "true", 0, False, None, "", -2.5, 2**60, 2**60 + 1]
KEYS = ["color", "doors", ""]


def nudged(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    copy = vector.copy()
    copy[3] = np.nextafter(copy[3], np.float32(2))
    return copy


# few and close together, so that ties and near ties are the rule
_random = np.random.default_rng(5)
_AXES = [unit(row) for row in np.eye(DIMENSION)[:3]]
_SPREAD = [unit(_random.standard_normal(DIMENSION)) for _ in range(4)]
_SIGNS = [unit(signs) for signs in ([1] * 8, [1, -1] * 4, [1, 1, -1, -1] * 2)]
VECTORS = [*_AXES, *(-axis for axis in _AXES), *_SPREAD, *map(nudged, _SPREAD), *_SIGNS, *map(nudged, _SIGNS)]
# lengths that an index still takes for 1, so that scores beyond 1 are clipped and tie
VECTORS += [(vector * np.float32(1.0005)).astype(np.float32) for vector in VECTORS[:8]]

vectors = st.sampled_from(VECTORS)
attribute_sets = st.dictionaries(st.sampled_from(KEYS), st.sampled_from(SCALARS), max_size=3)
sightings = st.builds(
    Sighting,
    id=st.sampled_from(IDS),
    collection=st.sampled_from(COLLECTIONS),
    embedding=vectors,
    camera_id=st.sampled_from(CAMERAS),
    captured_at=st.sampled_from(TIMES),
    track=st.sampled_from(TRACKS),
    vehicle_id=st.sampled_from(VEHICLES),
    attributes=attribute_sets,
)


def subsets(values: list[str], *extra: str) -> st.SearchStrategy[frozenset[str]]:
    return st.frozensets(st.sampled_from([*(one for one in values if one is not None), *extra]))


CONDITIONS: dict[str, st.SearchStrategy[object]] = {
    "camera_ids": subsets(CAMERAS, "unseen"),
    "exclude_camera_ids": subsets(CAMERAS, "unseen"),
    "captured_from": st.sampled_from(TIMES),
    "captured_to": st.sampled_from(TIMES),
    "tracks": st.frozensets(st.sampled_from(NAMED_TRACKS)),
    "exclude_tracks": st.frozensets(st.sampled_from(NAMED_TRACKS)),
    "vehicle_ids": subsets(VEHICLES, "unseen"),
    "exclude_vehicle_ids": subsets(VEHICLES, "unseen"),
    "attributes": st.dictionaries(st.sampled_from([*KEYS, "unseen"]), st.sampled_from(SCALARS), max_size=2),
    "exclude_ids": st.frozensets(st.sampled_from([*IDS, UUID(int=3)])),
}


@st.composite
def filters(draw: st.DrawFn) -> Filter:
    """Few conditions at a time, because many together leave nothing to compare."""
    names = draw(st.lists(st.sampled_from(sorted(CONDITIONS)), max_size=3, unique=True))
    collection = draw(st.sampled_from([*COLLECTIONS, "nowhere"]))
    return Filter(collection, **{name: draw(CONDITIONS[name]) for name in names})


@dataclass
class Oracle:
    """What the contract says, as plainly as it can be said."""

    crops: dict[UUID, Sighting] = field(default_factory=dict)
    watermark: int = 0

    def apply(self, upserts: list[Sighting], deletes: list[UUID], watermark: int) -> None:
        for one in deletes:
            self.crops.pop(one, None)
        for crop in upserts:
            self.crops[crop.id] = crop
        self.watermark = watermark

    def candidates(self, where: Filter) -> list[Sighting]:
        return [crop for crop in self.crops.values() if self.allows(where, crop)]

    @staticmethod
    def allows(where: Filter, crop: Sighting) -> bool:  # noqa: C901, PLR0911, PLR0912 - one condition, one line
        if crop.collection != where.collection or crop.id in where.exclude_ids:
            return False
        if where.camera_ids is not None and crop.camera_id not in where.camera_ids:
            return False
        if crop.camera_id in where.exclude_camera_ids:
            return False
        if where.vehicle_ids is not None and crop.vehicle_id not in where.vehicle_ids:
            return False
        if crop.vehicle_id in where.exclude_vehicle_ids:
            return False
        track = crop.track and (crop.camera_id, *crop.track)
        if where.tracks is not None and track not in where.tracks:
            return False
        if track in where.exclude_tracks:
            return False
        if (where.captured_from or where.captured_to) and crop.captured_at is None:
            return False
        if where.captured_from and crop.captured_at < where.captured_from:
            return False
        if where.captured_to and crop.captured_at >= where.captured_to:
            return False
        for key, value in where.attributes.items():
            if key not in crop.attributes:
                return False
            held = crop.attributes[key]
            if (type(held) is bool) != (type(value) is bool) or held != value:
                return False
        return True

    def ranked(self, query: NDArray[np.float32], where: Filter) -> list[tuple[float, Sighting]]:
        scored = [(self.score(query, crop.embedding), crop) for crop in self.candidates(where)]
        return sorted(scored, key=lambda pair: (-pair[0], str(pair[1].id)))

    @staticmethod
    def score(query: NDArray[np.float32], embedding: NDArray[np.float32]) -> float:
        products = (float(a) * float(b) for a, b in zip(query, embedding, strict=True))
        return min(1.0, max(-1.0, float(np.float32(math.fsum(products)))))


def assert_same_crop(answered: Sighting, enrolled: Sighting) -> None:
    assert replace(answered, embedding=enrolled.embedding) == enrolled
    assert answered.embedding.tobytes() == enrolled.embedding.tobytes()
    # == takes 1, 1.0 and True for the same
    assert repr(dict(answered.attributes)) == repr(dict(enrolled.attributes))
    assert answered.captured_at is None or answered.captured_at.tzinfo is UTC


def assert_answer(answer: Hits, ranked: list[tuple[float, Sighting]], k: int, watermark: int) -> None:
    assert [(hit.score, hit.sighting.id) for hit in answer.hits] == [(score, crop.id) for score, crop in ranked[:k]]
    for hit, (_, crop) in zip(answer.hits, ranked[:k], strict=True):
        assert_same_crop(hit.sighting, crop)
    assert answer.mode == "exact"
    assert answer.candidates == len(ranked)
    assert answer.exhausted == (len(ranked) <= k)
    assert answer.watermark == watermark


class Histories(RuleBasedStateMachine):
    """Random histories of one index and of the oracle beside it."""

    make: Callable[[int], VectorIndex]

    def __init__(self) -> None:
        super().__init__()
        self.index = self.make(DIMENSION)
        self.oracle = Oracle()

    @rule(
        upserts=st.lists(sightings, max_size=12),
        deletes=st.lists(st.sampled_from(IDS), max_size=6),
        step=st.integers(0, 3),
    )
    def apply(self, upserts: list[Sighting], deletes: list[UUID], step: int) -> None:
        changed = {crop.id for crop in upserts}
        deletes = [one for one in deletes if one not in changed]
        self.oracle.apply(upserts, deletes, self.oracle.watermark + step)
        self.index.apply(iter(upserts), iter(deletes), self.oracle.watermark)

    @rule(crops=st.lists(sightings, min_size=20, max_size=40))
    def enroll_many(self, crops: list[Sighting]) -> None:
        self.apply(crops, [], 1)

    @rule()
    def clear(self) -> None:
        self.index.clear()
        self.oracle = Oracle()

    @rule(query=vectors, k=st.integers(1, 40), where=filters())
    def search(self, query: NDArray[np.float32], k: int, where: Filter) -> None:
        assert_answer(self.index.search(query, k, where), self.oracle.ranked(query, where), k, self.oracle.watermark)

    @rule(query=vectors, searches=st.lists(st.tuples(st.integers(1, 40), filters()), min_size=3, max_size=8))
    def search_often(self, query: NDArray[np.float32], searches: list[tuple[int, Filter]]) -> None:
        for k, where in searches:
            self.search(query, k, where)

    @invariant()
    def counts(self) -> None:
        assert self.index.watermark == self.oracle.watermark
        assert self.index.count() == len(self.oracle.crops)
        for collection in [*COLLECTIONS, "nowhere"]:
            assert self.index.count(collection) == len(self.oracle.candidates(Filter(collection)))

    @rule()
    def camera_statistics(self) -> None:
        for collection in [*COLLECTIONS, "nowhere"]:
            statistics = self.index.camera_statistics(collection)
            crops = self.oracle.candidates(Filter(collection))
            assert set(statistics) == {crop.camera_id for crop in crops}
            for camera, one in statistics.items():
                embeddings = np.array([crop.embedding for crop in crops if crop.camera_id == camera], dtype=np.float64)
                assert one.count == len(embeddings)
                np.testing.assert_allclose(one.mean, embeddings.mean(axis=0), atol=1e-6)
                np.testing.assert_allclose(one.deviation, embeddings.std(axis=0), atol=1e-6)


def test_every_history_answers_as_the_oracle(make_index: Callable[[int], VectorIndex]) -> None:
    machine = type("Backend", (Histories,), {"make": staticmethod(make_index)})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=80,
            stateful_step_count=25,
            deadline=None,
            database=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )


@pytest.mark.parametrize("k", [1, 10, 100, 5000])
def test_thousands_of_crops_answer_as_the_oracle(make_index: Callable[[int], VectorIndex], k: int) -> None:
    random = np.random.default_rng(k)
    index, oracle = make_index(96), Oracle()
    crops = [
        Sighting(UUID(bytes=random.bytes(16)), "c", unit(random.standard_normal(96)), f"cam-{random.integers(40)}")
        for _ in range(3000)
    ]
    for start in range(0, len(crops), 700):
        for one in (index, oracle):
            one.apply(crops[start : start + 700], [crop.id for crop in crops[max(0, start - 100) : start]], start)
    query = unit(random.standard_normal(96))
    for where in (
        Filter("c"),
        Filter("c", exclude_camera_ids=frozenset({"cam-3"})),
        Filter("c", camera_ids=frozenset({"cam-3", "cam-17"})),
    ):
        ranked = oracle.ranked(query, where)
        assert ranked
        assert_answer(index.search(query, k, where), ranked, k, oracle.watermark)
