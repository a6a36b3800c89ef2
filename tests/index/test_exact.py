"""What the exact index promises beyond the contract: the same answers whatever the history, and memory given back."""

import math
from uuid import UUID

import numpy as np
import pytest
from numpy.typing import NDArray
from support.vectors import unit_rows

from index import exact
from index.contract import Filter, Hits, Sighting
from index.exact import ExactIndex
from index.recheck import FilterLeakError

DIMENSION = 200


def crops_of(vectors: NDArray[np.float32], cameras: int = 7) -> list[Sighting]:
    return [Sighting(UUID(int=n + 1), "c", vector, f"cam-{n % cameras}") for n, vector in enumerate(vectors)]


def answered(hits: Hits) -> list[tuple[UUID, float]]:
    return [(hit.sighting.id, hit.score) for hit in hits.hits]


def near_ties(random: np.random.Generator, query: NDArray[np.float32], rows: int) -> NDArray[np.float32]:
    """Unit vectors whose similarity with the query differs in the last bits of float32 only."""
    sideways = random.standard_normal((rows, len(query)))
    sideways -= np.outer(sideways @ query, query)
    sideways /= np.linalg.norm(sideways, axis=1, keepdims=True)
    return (0.8 * query + 0.6 * sideways).astype(np.float32)


@pytest.mark.parametrize("k", [1, 10, 150])
@pytest.mark.parametrize("share", [1.0, 0.1])
def test_near_ties_are_ranked_by_the_exact_score(k: int, share: float) -> None:
    random = np.random.default_rng(k)
    query = unit_rows(random, 1, DIMENSION)[0]
    crops = crops_of(near_ties(random, query, 400), cameras=1)
    rest = int(len(crops) * (1 / share - 1))
    others = [Sighting(UUID(int=10**6 + n), "c", -query, "other") for n in range(rest)]
    index = ExactIndex(DIMENSION)
    index.apply(crops + others, [], 1)

    def exact_score(crop: Sighting) -> float:
        return float(np.float32(math.fsum(float(a) * float(b) for a, b in zip(query, crop.embedding, strict=True))))

    expected = sorted(((crop.id, exact_score(crop)) for crop in crops), key=lambda pair: (-pair[1], pair[0]))
    assert len({score for _, score in expected}) < len(expected)
    assert answered(index.search(query, k, Filter("c", camera_ids=frozenset({"cam-0"})))) == expected[:k]


def test_replicas_with_other_histories_answer_bit_for_bit_the_same() -> None:
    random = np.random.default_rng(2)
    crops = crops_of(unit_rows(random, 600, DIMENSION))
    fresh, busy = ExactIndex(DIMENSION), ExactIndex(DIMENSION)
    fresh.apply(crops, [], 1)
    noise = [Sighting(crop.id, crop.collection, -crop.embedding, "gone") for crop in crops[::3]]
    busy.apply(noise, [], 1)
    for start in reversed(range(0, 600, 50)):
        busy.apply(crops[start : start + 50], [], 1)
        busy.apply(noise[:1], [crop.id for crop in crops[start + 3 : start + 50 : 5]], 1)
    busy.apply(crops, [], 1)
    for query in unit_rows(random, 20, DIMENSION):
        for where in (Filter("c"), Filter("c", camera_ids=frozenset({"cam-3"}))):
            assert answered(fresh.search(query, 25, where)) == answered(busy.search(query, 25, where))
    one, other = fresh.camera_statistics("c"), busy.camera_statistics("c")
    assert set(one) == set(other) == {f"cam-{n}" for n in range(7)}
    for camera in one:
        assert one[camera].count == other[camera].count
        assert one[camera].mean.tobytes() == other[camera].mean.tobytes()
        assert one[camera].deviation.tobytes() == other[camera].deviation.tobytes()


def test_a_score_does_not_depend_on_the_filter() -> None:
    random = np.random.default_rng(3)
    index = ExactIndex(DIMENSION)
    index.apply(crops_of(unit_rows(random, 2000, DIMENSION), cameras=20), [], 1)
    query = unit_rows(random, 1, DIMENSION)[0]
    everywhere = dict(answered(index.search(query, 2000, Filter("c"))))
    for camera in range(20):
        some = answered(index.search(query, 2000, Filter("c", camera_ids=frozenset({f"cam-{camera}"}))))
        assert len(some) == 100
        assert all(everywhere[crop] == score for crop, score in some)


def held_rows(index: ExactIndex) -> int:
    return sum(len(table.snapshot().live) for table in index._tables.values())


def test_deleted_embeddings_leave_memory_before_they_are_a_quarter_of_it() -> None:
    random = np.random.default_rng(4)
    crops = crops_of(unit_rows(random, 400, DIMENSION))
    index = ExactIndex(DIMENSION)
    index.apply(crops, [], 1)
    for start in range(0, 360, 20):
        index.apply([], [crop.id for crop in crops[start : start + 20]], 1)
        assert held_rows(index) <= index.count() / 0.75
    left = index.search(crops[0].embedding, 400, Filter("c"))
    assert {hit.sighting.id for hit in left.hits} == {crop.id for crop in crops[360:]}
    index.apply([], [crop.id for crop in crops], 1)
    assert (index._tables, index._places, index._state.collections) == ({}, {}, {})


def test_updating_one_crop_forever_needs_no_more_memory() -> None:
    random = np.random.default_rng(5)
    crops = crops_of(unit_rows(random, 40, DIMENSION))
    index = ExactIndex(DIMENSION)
    index.apply(crops, [], 1)
    for turn in range(200):
        attributes = {"turn": turn}
        index.apply([Sighting(crops[0].id, "c", crops[0].embedding, "cam-0", attributes=attributes)], [], turn + 1)
        snapshot = index._tables["c"].snapshot()
        assert len(snapshot.live) <= 40 / 0.75
        assert len(snapshot.vocabularies.attributes) <= 16
    assert answered(index.search(crops[0].embedding, 5, Filter("c", attributes={"turn": 199})))[0][0] == crops[0].id


def test_a_search_that_ignores_its_filter_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    index = ExactIndex(2)
    east = np.array([1, 0], dtype=np.float32)
    index.apply([Sighting(UUID(int=1), "c", east, "cam")], [], 1)
    monkeypatch.setattr(exact, "selected_rows", lambda snapshot, where: np.flatnonzero(snapshot.live))
    with pytest.raises(FilterLeakError, match=str(UUID(int=1))):
        index.search(east, 1, Filter("c", camera_ids=frozenset({"other"})))


def test_a_batch_that_cannot_be_encoded_changes_nothing() -> None:
    index = ExactIndex(2)
    east = np.array([1, 0], dtype=np.float32)
    index.apply([Sighting(UUID(int=1), "a", east, "cam")], [], 1)
    broken = Sighting(UUID(int=3), "z", east, "cam", attributes={"list": [1]})
    with pytest.raises(TypeError):
        index.apply([Sighting(UUID(int=2), "a", east, "cam"), broken], [UUID(int=1)], 2)
    assert (index.count(), index.watermark, held_rows(index)) == (1, 1, 1)
    index.apply([Sighting(UUID(int=2), "a", east, "cam")], [UUID(int=1)], 2)
    assert [hit.sighting.id.int for hit in index.search(east, 9, Filter("a")).hits] == [2]


def test_a_dimension_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="dimension"):
        ExactIndex(0)
