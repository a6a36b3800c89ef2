"""From a query vector to ranked groups, on a real index, against answers worked out by hand."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from numpy.typing import NDArray
from support.vectors import unit

from index.contract import Filter, Hit, Hits, Sighting
from index.options import IndexOptions
from index.rerank.camera_normalization import normalized_embeddings
from index.rerank.k_reciprocal import k_reciprocal_scores
from index.rerank.query_expansion import query_expansion_scores
from index.segmented import SegmentedIndex
from service.search.ranking import Query, Ranked, Ranking, rank

DIMENSION = 16
EVERYTHING = Filter(collection="default")


def direction(degrees: float) -> NDArray[np.float32]:
    """A unit vector at that angle from the query, which is at 0."""
    vector = np.zeros(DIMENSION, dtype=np.float32)
    vector[0], vector[1] = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return vector


def sighting(number: int, embedding: NDArray[np.float32], **fields: Any) -> Sighting:
    values = {"collection": "default", "camera_id": "a", "captured_at": datetime(2026, 1, 1, tzinfo=UTC), **fields}
    return Sighting(id=UUID(int=number), embedding=embedding, **values)


class CountingIndex(SegmentedIndex):
    """Remembers how deep it was asked."""

    def search(self, queries: NDArray[np.float32], k: int, where: Filter) -> list[Hits]:
        self.depths = [*getattr(self, "depths", []), k]
        return super().search(queries, k, where)


IndexOf = Callable[[Sequence[Sighting]], CountingIndex]


@pytest.fixture
def index_of(tmp_path: Path) -> Iterator[IndexOf]:
    """Makes an index of crops."""
    made: list[CountingIndex] = []

    def make(sightings: Sequence[Sighting]) -> CountingIndex:
        folder = tmp_path / f"index-{len(made)}"
        made.append(CountingIndex(DIMENSION, folder, IndexOptions(codec="fp32"), background=False))
        made[-1].apply(sightings, (), 7)
        return made[-1]

    yield make
    for index in made:
        index.close()


def query(**changes: Any) -> Query:
    defaults: dict[str, Any] = {
        "vector": direction(0),
        "camera_id": None,
        "k": 3,
        "min_score": None,
        "group_by": "crop",
        "rerank": "none",
        "camera_normalization": False,
        "rerank_candidates": 200,
    }
    return Query(**defaults | changes)


def shape(ranking: Ranking) -> list[list[int]]:
    return [[entry.hit.sighting.id.int for entry in group] for group in ranking.groups]


def test_the_best_score_is_not_always_the_first() -> None:
    groups = [
        [Ranked(Hit(sighting(1, direction(20)), 0.4), 0.9), Ranked(Hit(sighting(2, direction(10)), 0.9), 0.8)],
        [Ranked(Hit(sighting(3, direction(30)), 0.6), 0.7)],
    ]
    assert Ranking(groups, "exact", 3, exhausted=True, reranked=3, watermark=7).best_score == 0.6
    assert Ranking([], "exact", 3, exhausted=True, reranked=0, watermark=7).best_score is None


class TestGroups:
    # Best first: tracks t1 (camera a) 1 2 4, t1 (camera b) 3, no track 5, t2 6 7; vehicles v 1 3, w 2 6, none 4 5 7.
    SIGHTINGS = tuple(
        sighting(number, direction(number), camera_id=camera, track=track, vehicle_id=vehicle)
        for number, camera, track, vehicle in [
            (1, "a", (None, "t1"), "v"),
            (2, "a", (None, "t1"), "w"),
            (3, "b", (None, "t1"), "v"),
            (4, "a", (None, "t1"), None),
            (5, "a", None, None),
            (6, "a", ("monday", "t1"), "w"),
            (7, "a", ("monday", "t1"), None),
        ]
    )

    @pytest.mark.parametrize(
        ("group_by", "groups"),
        [
            ("crop", [[1], [2], [3], [4], [5], [6], [7]]),
            ("track", [[1, 2, 4], [3], [5], [6, 7]]),
            ("vehicle", [[1, 3], [2, 6], [4], [5], [7]]),
        ],
    )
    def test_each_way(self, index_of: IndexOf, group_by: str, groups: list[list[int]]) -> None:
        ranking = rank(index_of(self.SIGHTINGS), query(group_by=group_by, k=10), EVERYTHING)
        assert shape(ranking) == groups
        assert ranking.exhausted
        assert (ranking.candidates, ranking.watermark, ranking.mode, ranking.reranked) == (7, 7, "exact", 0)

    def test_exhausted_only_if_no_group_is_left_out(self, index_of: IndexOf) -> None:
        index = index_of(self.SIGHTINGS)
        assert not rank(index, query(group_by="track", k=3), EVERYTHING).exhausted
        assert rank(index, query(group_by="track", k=4), EVERYTHING).exhausted
        assert not rank(index, query(group_by="crop", k=6), EVERYTHING).exhausted
        assert rank(index, query(group_by="crop", k=7), EVERYTHING).exhausted

    def test_exhausted_when_the_rest_is_one_large_track(self, index_of: IndexOf) -> None:
        index = index_of([sighting(number, direction(number / 10), track=(None, "only")) for number in range(1, 90)])
        ranking = rank(index, query(group_by="track", k=1), EVERYTHING)
        assert len(ranking.groups) == 1
        assert ranking.exhausted

    def test_a_large_track_does_not_hide_the_others(self, index_of: IndexOf) -> None:
        large_track = [sighting(number, direction(number / 100), track=(None, "large")) for number in range(1, 500)]
        others = [sighting(1000 + number, direction(30 + number), track=(None, str(number))) for number in range(5)]
        index = index_of([*large_track, *others])
        ranking = rank(index, query(group_by="track", k=3), EVERYTHING)
        assert [group[0] for group in shape(ranking)] == [1, 1000, 1001]
        assert not ranking.exhausted
        assert len(index.depths) > 1
        assert sum(index.depths) < 100

    def test_no_deeper_than_needed(self, index_of: IndexOf) -> None:
        index = index_of([sighting(number, direction(number / 10)) for number in range(1, 500)])
        rank(index, query(k=5), EVERYTHING)
        assert index.depths == [6]  # one more than k: is anything left that could follow?


class TestMinScore:
    def test_what_is_below_is_left_out_and_ends_the_search(self, index_of: IndexOf) -> None:
        index = index_of([sighting(number, direction(number), track=(None, "one")) for number in range(1, 90)])
        ranking = rank(index, query(group_by="track", min_score=float(np.cos(np.radians(3.5)))), EVERYTHING)
        assert shape(ranking) == [[1, 2, 3]]
        assert ranking.exhausted
        assert len(index.depths) == 1

    @pytest.mark.parametrize(("reached", "exhausted"), [(1, True), (2, False)])
    def test_exhausted_when_only_what_is_answered_reaches_it(
        self, index_of: IndexOf, reached: int, *, exhausted: bool
    ) -> None:
        index = index_of([sighting(number, direction(number)) for number in range(1, 5)])
        lowest = index.search(direction(0)[np.newaxis], 4, EVERYTHING)[0].hits[reached - 1].score
        ranking = rank(index, query(k=1, min_score=lowest), EVERYTHING)
        assert shape(ranking) == [[1]]
        assert ranking.exhausted == exhausted

    def test_nothing_reaches_it(self, index_of: IndexOf) -> None:
        ranking = rank(index_of([sighting(1, direction(90))]), query(min_score=0.5), EVERYTHING)
        assert (ranking.groups, ranking.exhausted, ranking.candidates) == ([], True, 1)


def test_an_empty_collection(index_of: IndexOf) -> None:
    for changes in ({}, {"rerank": "k_reciprocal"}, {"camera_normalization": True}):
        ranking = rank(index_of([]), query(**changes), EVERYTHING)
        assert (ranking.groups, ranking.exhausted, ranking.candidates) == ([], True, 0)


class TestReranking:
    @pytest.fixture
    def scene(self, index_of: IndexOf) -> tuple[CountingIndex, NDArray[np.float32]]:
        random = np.random.default_rng(5)
        vectors = unit(random.standard_normal((60, DIMENSION)) + 0.7)
        sightings = [sighting(row + 1, vector, camera_id=f"c{row % 2}") for row, vector in enumerate(vectors[1:])]
        return index_of(sightings), vectors[0]

    @pytest.mark.parametrize("rerank", ["none", "k_reciprocal", "query_expansion"])
    @pytest.mark.parametrize("normalization", [False, True])
    def test_only_the_best_candidates_are_ordered_anew(
        self, scene: tuple[CountingIndex, NDArray[np.float32]], rerank: str, *, normalization: bool
    ) -> None:
        index, vector = scene
        plain = rank(index, query(vector=vector, k=50), EVERYTHING)
        best = [group[0].hit for group in plain.groups[:30]]
        embeddings = np.vstack([vector, *(hit.sighting.embedding for hit in best)])
        if normalization:
            cameras = ["c0", *(hit.sighting.camera_id for hit in best)]
            statistics = index.camera_statistics("default")
            embeddings = normalized_embeddings(embeddings, cameras, statistics, min_crops=32)
        cosine = embeddings[1:].astype(np.float64) @ embeddings[0].astype(np.float64)
        order = np.argsort(-cosine, kind="stable")
        scores = cosine[order]
        if rerank == "k_reciprocal":
            scores = k_reciprocal_scores(embeddings[0], embeddings[1:][order])
        if rerank == "query_expansion":
            scores = query_expansion_scores(embeddings[0], embeddings[1:][order])
        expected = sorted(zip(scores, order, strict=True), key=lambda pair: -pair[0])

        changes = {"rerank": rerank, "camera_normalization": normalization, "rerank_candidates": 30, "camera_id": "c0"}
        ranking = rank(index, query(vector=vector, k=50, **changes), EVERYTHING)
        entries = [group[0] for group in ranking.groups]
        assert [entry.hit.sighting.id for entry in entries[30:]] == [
            group[0].hit.sighting.id for group in plain.groups[30:]
        ]
        assert all(entry.rerank_score is None for entry in entries[30:])
        if rerank == "none" and not normalization:
            assert ranking.reranked == 0
            return
        assert ranking.reranked == 30
        assert [entry.rerank_score for entry in entries[:30]] == pytest.approx([score for score, _ in expected])
        assert [entry.hit.sighting.id for entry in entries[:30]] == [best[place].sighting.id for _, place in expected]

    def test_what_later_looks_bring_follows_the_candidates_ordered_anew(self, index_of: IndexOf) -> None:
        large_track = [sighting(number, direction(number / 100), track=(None, "large")) for number in range(1, 500)]
        others = [sighting(1000 + number, direction(30 + number), track=(None, str(number))) for number in range(5)]
        changes = {"group_by": "track", "k": 3, "rerank": "query_expansion", "rerank_candidates": 40}
        ranking = rank(index_of([*large_track, *others]), query(**changes), EVERYTHING)
        assert [group[0] for group in shape(ranking)][1:] == [1000, 1001]
        assert ranking.reranked == 40
        assert [len(group) for group in ranking.groups] == [40, 1, 1]
        assert all(entry.rerank_score is not None for entry in ranking.groups[0])
        assert [group[0].rerank_score for group in ranking.groups[1:]] == [None, None]

    def test_the_candidates_are_looked_at_even_for_one_hit(
        self, scene: tuple[CountingIndex, NDArray[np.float32]]
    ) -> None:
        index, vector = scene
        ranking = rank(index, query(vector=vector, k=1, rerank="k_reciprocal", rerank_candidates=40), EVERYTHING)
        assert ranking.reranked == 40
        assert len(ranking.groups) == 1
