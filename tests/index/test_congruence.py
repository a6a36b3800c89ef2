"""Random histories and filters: every backend must answer what a slow, obvious scan over a dict answers."""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from numpy.typing import NDArray
from support.indexes import Backend
from support.oracle import Oracle, assert_answer
from support.vectors import unit

from index.contract import Filter, Scalar, Sighting, SightingColumns, VectorIndex
from index.halves import unit_of
from index.segmented import SegmentedIndex

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
    fingerprint=st.integers(0, 2**64 - 1),
)


FORMS = ["one by one", "columns", "mixed", "halves"]


def in_form(crops: list[Sighting], form: str) -> Iterator[Sighting | SightingColumns]:
    """The same crops, one by one or as many as follow each other in columns."""
    for number, (collection, following) in enumerate(groupby(crops, attrgetter("collection"))):
        run = list(following)
        if form == "one by one" or (form == "mixed" and number % 2):
            yield from run
        else:
            columns = SightingColumns.of(collection, run, np.array([one.embedding for one in run]))
            yield replace(columns, in_halves=form == "halves")


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


class Histories(RuleBasedStateMachine):
    """Random histories of one index and of the oracle beside it."""

    backend: Backend

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.index: VectorIndex = self.backend.make(DIMENSION, Path(self.folder.name))
        self.oracle = Oracle(self.backend.held)
        self.recorded = self.oracle.copy()

    def teardown(self) -> None:
        self.index.close()
        self.folder.cleanup()

    @rule(
        upserts=st.lists(sightings, max_size=12),
        deletes=st.lists(st.sampled_from(IDS), max_size=6),
        step=st.integers(0, 3),
        form=st.sampled_from(FORMS),
    )
    def apply(self, upserts: list[Sighting], deletes: list[UUID], step: int, form: str) -> None:
        changed = {crop.id for crop in upserts}
        deletes = [one for one in deletes if one not in changed]
        self.change(upserts, deletes, self.oracle.watermark + step, form=form)

    @rule(crops=st.lists(sightings, min_size=20, max_size=40), form=st.sampled_from(FORMS))
    def enroll_many(self, crops: list[Sighting], form: str) -> None:
        self.apply(crops, [], 1, form)

    @rule(
        collections=st.frozensets(st.sampled_from([*COLLECTIONS, "nowhere"])),
        before=st.sampled_from(TIMES[1:]),
        upserts=st.lists(sightings, max_size=3),
    )
    def expire(self, collections: frozenset[str], before: datetime, upserts: list[Sighting]) -> None:
        self.change(upserts, [], self.oracle.watermark + 1, dict.fromkeys(collections, before))

    def change(
        self,
        upserts: list[Sighting],
        deletes: list[UUID],
        watermark: int,
        expired: Mapping[str, datetime] | None = None,
        form: str = FORMS[0],
    ) -> None:
        if form == "halves":
            upserts = [replace(one, embedding=unit_of(one.embedding[None].astype(np.float16))[0][0]) for one in upserts]
        self.oracle.apply(upserts, deletes, watermark, expired)
        self.index.apply(in_form(upserts, form), iter(deletes), watermark, expired)

    @precondition(lambda self: isinstance(self.index, SegmentedIndex))
    @rule(steps=st.integers(1, 6))
    def maintain(self, steps: int) -> None:
        for _ in range(steps):
            self.index.maintain()

    @precondition(lambda self: isinstance(self.index, SegmentedIndex))
    @rule()
    def snapshot(self) -> None:
        assert self.index.snapshot() == self.oracle.watermark
        self.recorded = self.oracle.copy()

    @precondition(lambda self: self.backend.reopen is not None)
    @rule()
    def reopen(self) -> None:
        """Go back to the newest snapshot, as a process does that starts again."""
        if self.index.problem is None and self.index._background is not None:
            self.snapshot()  # the one that the background made is of an unknown time
        self.index.close()
        self.index = self.backend.reopen(DIMENSION, Path(self.folder.name))
        self.oracle = self.recorded.copy()

    @rule(queries=st.lists(vectors, max_size=3), k=st.integers(1, 40), where=filters())
    def search(self, queries: list[NDArray[np.float32]], k: int, where: Filter) -> None:
        answers = self.index.search(np.array(queries, dtype=np.float32).reshape(-1, DIMENSION), k, where)
        for query, answer in zip(queries, answers, strict=True):
            ranked = self.oracle.ranked(query, where)
            assert_answer(self.backend, answer, ranked, k, self.oracle.watermark)

    @rule(query=vectors, searches=st.lists(st.tuples(st.integers(1, 40), filters()), min_size=3, max_size=8))
    def search_often(self, query: NDArray[np.float32], searches: list[tuple[int, Filter]]) -> None:
        for k, where in searches:
            self.search([query], k, where)

    @invariant()
    def counts(self) -> None:
        assert self.index.watermark == self.oracle.watermark
        stats = self.index.stats()
        assert stats.watermark == self.oracle.watermark
        held = {name: (one.crops, one.fingerprint) for name, one in stats.collections.items()}
        assert held == self.oracle.sums()

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
                np.testing.assert_allclose(one.deviation, embeddings.std(axis=0), atol=2e-6)


def test_every_history_answers_as_the_oracle(backend: Backend) -> None:
    machine = type("OfBackend", (Histories,), {"backend": backend})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=backend.examples,
            stateful_step_count=25,
            deadline=None,
            database=None,
            report_multiple_bugs=False,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )


@pytest.mark.parametrize("k", [1, 10, 100, 5000])
def test_thousands_of_crops_answer_as_the_oracle(
    backend: Backend, make_index: Callable[[int], VectorIndex], k: int
) -> None:
    random = np.random.default_rng(k)
    index, oracle = make_index(96), Oracle(backend.held)
    crops = [
        Sighting(UUID(bytes=random.bytes(16)), "c", unit(random.standard_normal(96)), f"cam-{random.integers(40)}")
        for _ in range(3000)
    ]
    for start in range(0, len(crops), 700):
        for one in (index, oracle):
            one.apply(crops[start : start + 700], [crop.id for crop in crops[max(0, start - 100) : start]], start)
    if isinstance(index, SegmentedIndex):
        while index.maintain():
            pass
    query = unit(random.standard_normal(96))
    for where in (
        Filter("c"),
        Filter("c", exclude_camera_ids=frozenset({"cam-3"})),
        Filter("c", camera_ids=frozenset({"cam-3", "cam-17"})),
    ):
        ranked = oracle.ranked(query, where)
        assert ranked
        assert_answer(backend, index.search(query[None], k, where)[0], ranked, k, oracle.watermark)
