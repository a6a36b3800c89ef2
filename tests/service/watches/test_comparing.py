"""Crops against watches: scores as a search has them, filters, thresholds, queries of several crops."""

from uuid import UUID, uuid4

import numpy as np
import pytest
from numpy.typing import NDArray
from support.vectors import unit_rows

from index.contract import Filter, SightingColumns
from index.times import UNKNOWN_TIME
from service.database.vectors import decode, encode
from service.watches.comparing import QueryCrop, WatchedQuery, compare, standings
from service.watches.thresholds import Thresholds

DIMENSION = 32
COLLECTION_ID = uuid4()


def watched(vector: NDArray[np.float32] | None, **fields: object) -> WatchedQuery:
    default = WatchedQuery(
        collection_id=COLLECTION_ID,
        collection="default",
        id=uuid4(),
        vector=None if vector is None else encode(vector),
        filter={},
        exclude_same_track=True,
        min_score=0.5,
        decision=None,
    )
    return default._replace(**fields)


def query_crop(watch: WatchedQuery, vector: NDArray[np.float32], track: str | None = None) -> QueryCrop:
    return QueryCrop(watch.id, uuid4(), "camera-1", "session", track, encode(vector))


def columns(vectors: NDArray[np.float32], *tracks: str | None, ids: list[UUID] | None = None) -> SightingColumns:
    count = len(vectors)
    numbers = [one.int for one in ids or [uuid4() for _ in range(count)]]
    return SightingColumns(
        collection="default",
        id_high=np.array([number >> 64 for number in numbers], dtype=np.uint64),
        id_low=np.array([number & (2**64 - 1) for number in numbers], dtype=np.uint64),
        embeddings=vectors,
        times=np.full(count, UNKNOWN_TIME),
        fingerprints=np.zeros(count, dtype=np.uint64),
        camera_ids=["camera-1"] * count,
        tracks=[None if track is None else ("session", track) for track in tracks or [None] * count],
        vehicle_ids=[None] * count,
        attributes=[{"place": place} for place in range(count)],
    )


def test_every_pair_above_the_threshold_and_no_other() -> None:
    queries, vectors = unit_rows(1, 40, DIMENSION), unit_rows(2, 700, DIMENSION)
    thresholds = np.linspace(-0.2, 0.5, 40)
    watches = [watched(query, min_score=float(low)) for query, low in zip(queries, thresholds, strict=True)]
    crops = columns(vectors)
    hits = compare(crops, standings(watches, [])["default"], None)
    exact = np.stack([decode(watch.vector or b"") for watch in watches]).astype(np.float64) @ vectors.T
    scores = exact.astype(np.float32)
    expected = {
        (watches[watch].id, crops[crop].id): float(scores[watch, crop])
        for watch, crop in np.argwhere(scores >= thresholds[:, np.newaxis])
    }
    assert 1000 < len(expected) < scores.size
    assert {(hit.watch_id, hit.crop_id): hit.score for hit in hits} == expected
    assert len(hits) == len(expected)


def test_a_score_at_the_threshold_is_a_hit() -> None:
    vector = decode(encode(unit_rows(3, 1, DIMENSION)[0]))
    crops = columns(unit_rows(4, 1, DIMENSION))
    score = float(np.float32(vector.astype(np.float64) @ crops.embeddings[0].astype(np.float64)))
    at, above = watched(vector, min_score=score), watched(vector, min_score=float(np.nextafter(score, 1)))
    assert [hit.watch_id for hit in compare(crops, standings([at, above], [])["default"], None)] == [at.id]


def test_conditions_leave_crops_out() -> None:
    (vector,) = unit_rows(5, 1, DIMENSION)
    watch = watched(vector, filter={"attributes": {"place": 1}})
    crops = columns(np.stack([vector] * 3))
    assert [hit.crop_id for hit in compare(crops, standings([watch], [])["default"], None)] == [crops[1].id]


class TestMadeOfCrops:
    def test_it_looks_for_their_mean(self) -> None:
        one, other = unit_rows(6, 2, DIMENSION)
        watch = watched(None, min_score=0.99)
        standing = standings([watch], [query_crop(watch, one), query_crop(watch, other)])["default"]
        mean = (one + other) / np.linalg.norm(one + other)
        (hit,) = compare(columns(np.stack([one, other, mean])), standing, None)
        assert hit.score == pytest.approx(1, abs=1e-3)

    def test_it_does_not_find_them_or_their_tracks(self) -> None:
        (vector,) = unit_rows(7, 1, DIMENSION)
        watch = watched(None)
        crop = query_crop(watch, vector, "17")
        crops = columns(np.stack([vector] * 3), "17", "18", None, ids=[uuid4(), uuid4(), crop.id])
        standing = standings([watch], [crop])["default"]
        assert [hit.crop_id for hit in compare(crops, standing, None)] == [crops[1].id]
        standing = standings([watch._replace(exclude_same_track=False)], [crop])["default"]
        assert [hit.crop_id for hit in compare(crops, standing, None)] == [crops[0].id, crops[1].id]

    def test_without_a_crop_left_it_looks_for_nothing(self) -> None:
        assert standings([watched(None)], []) == {}

    def test_crops_that_cancel_each_other_out_are_no_query(self) -> None:
        (vector,) = unit_rows(8, 1, DIMENSION)
        watch = watched(None)
        assert standings([watch], [query_crop(watch, vector), query_crop(watch, -vector)]) == {}


class TestCalibrated:
    THRESHOLDS = Thresholds(match=0.8, possible=0.4)

    def test_what_a_hit_must_be(self) -> None:
        vector = np.zeros(DIMENSION, dtype=np.float32)
        vector[0] = 1
        vectors = np.stack([vector] * 3)
        for row, score in enumerate((0.9, 0.6, 0.3)):
            vectors[row, 0], vectors[row, 1] = score, np.sqrt(1 - score**2)
        match, possible, own = (
            watched(vector, min_score=None, decision="match"),
            watched(vector, min_score=None, decision="possible"),
            watched(vector, min_score=0.2),
        )
        standing = standings([match, possible, own], [])["default"]
        found = [hit.watch_id for hit in compare(columns(vectors), standing, self.THRESHOLDS)]
        assert [found.count(watch.id) for watch in (match, possible, own)] == [1, 2, 3]
        found = [hit.watch_id for hit in compare(columns(vectors), standing, None)]
        assert [found.count(watch.id) for watch in (match, possible, own)] == [0, 0, 3]

    def test_decisions(self) -> None:
        assert [self.THRESHOLDS.decision(score) for score in (0.8, 0.79, 0.4, 0.39)] == [
            "match",
            "possible",
            "possible",
            "none",
        ]


def test_collections_are_apart() -> None:
    (vector,) = unit_rows(9, 1, DIMENSION)
    here, there = watched(vector), watched(vector, collection="other", collection_id=uuid4())
    found = standings([here, there], [])
    assert found.keys() == {"default", "other"}
    assert found["default"].filters == (Filter("default"),)
    crops = columns(vector[np.newaxis])
    assert [hit.watch_id for hit in compare(crops, found["default"], None)] == [here.id]
    # were the wrong standing asked, its filters would still let nothing out
    assert compare(crops, found["other"], None) == []
