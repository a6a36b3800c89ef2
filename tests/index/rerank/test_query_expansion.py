from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from index.contract import Hit
from index.rerank.query_expansion import expanded_query, query_expansion


def unit_rows(seed: int, rows: int, dimension: int = 12) -> NDArray[np.float32]:
    vectors = np.random.default_rng(seed).standard_normal((rows, dimension))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def slow_scores(query: NDArray[np.float32], hits: list[Hit], top_n: int) -> dict[int, float]:
    total = [float(component) for component in query]
    for hit in hits[:top_n]:
        for place, component in enumerate(hit.sighting.embedding):
            total[place] += float(component)
    length = sum(component**2 for component in total) ** 0.5
    return {
        hit.sighting.id.int: sum(a / length * float(b) for a, b in zip(total, hit.sighting.embedding, strict=True))
        for hit in hits
    }


@pytest.mark.parametrize("top_n", [0, 1, 5, 40, 500])
def test_equals_the_mean_taken_by_hand(make_hits: Callable[..., list[Hit]], top_n: int) -> None:
    vectors = unit_rows(top_n, 60)
    hits = make_hits(vectors[0], vectors[1:])
    reranked = query_expansion(vectors[0], hits, top_n=top_n)
    expected = slow_scores(vectors[0], hits, top_n)
    assert {hit.sighting.id.int for hit, _ in reranked} == set(expected)
    for hit, score in reranked:
        assert score == pytest.approx(expected[hit.sighting.id.int], abs=1e-6)
    scores = [score for _, score in reranked]
    assert scores == sorted(scores, reverse=True)


def test_expansion_by_nothing_keeps_the_order(make_hits: Callable[..., list[Hit]]) -> None:
    vectors = unit_rows(7, 30)
    hits = make_hits(vectors[0], vectors[1:])
    assert [hit for hit, _ in query_expansion(vectors[0], hits, top_n=0)] == hits


def test_equal_scores_keep_the_order_of_the_hits(make_hits: Callable[..., list[Hit]]) -> None:
    vector = unit_rows(8, 1)
    hits = make_hits(vector[0], np.repeat(vector, 6, axis=0))
    assert [hit.sighting.id.int for hit, _ in query_expansion(vector[0], hits)] == [1, 2, 3, 4, 5, 6]


def test_a_mean_that_vanishes_leaves_the_query_as_it_is() -> None:
    query = unit_rows(9, 1)[0]
    assert expanded_query(query, -query[None]).tolist() == query.tolist()


def test_no_hits_give_none() -> None:
    assert query_expansion(unit_rows(1, 1)[0], []) == []
