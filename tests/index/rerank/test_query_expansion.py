import numpy as np
import pytest
from numpy.typing import NDArray
from support.vectors import unit_rows

from index.rerank.query_expansion import expanded_query, query_expansion_scores

DIMENSION = 12


def slow_scores(query: NDArray[np.float32], candidates: NDArray[np.float32], top_n: int) -> list[float]:
    total = [float(component) for component in query]
    for candidate in candidates[:top_n]:
        for place, component in enumerate(candidate):
            total[place] += float(component)
    length = sum(component**2 for component in total) ** 0.5
    return [sum(a / length * float(b) for a, b in zip(total, one, strict=True)) for one in candidates]


@pytest.mark.parametrize("top_n", [0, 1, 5, 40, 500])
def test_equals_the_mean_taken_by_hand(top_n: int) -> None:
    query, *candidates = unit_rows(top_n, 60, DIMENSION)
    best_first = np.array(sorted(candidates, key=lambda candidate: -float(candidate @ query)))
    scores = query_expansion_scores(query, best_first, top_n=top_n)
    np.testing.assert_allclose(scores, slow_scores(query, best_first, top_n), atol=1e-6)


def test_expansion_by_nothing_gives_the_similarity_with_the_query() -> None:
    query, *candidates = unit_rows(7, 30, DIMENSION)
    scores = query_expansion_scores(query, np.array(candidates), top_n=0)
    np.testing.assert_allclose(scores, np.array(candidates) @ query, atol=1e-6)


def test_equal_candidates_score_alike_and_no_more_than_one() -> None:
    vector = unit_rows(8, 1, DIMENSION)
    scores = query_expansion_scores(vector[0], np.repeat(vector, 6, axis=0))
    assert len(set(scores.tolist())) == 1
    assert 1 - 1e-6 < scores[0] <= 1


def test_a_mean_that_vanishes_leaves_the_query_as_it_is() -> None:
    query = unit_rows(9, 1, DIMENSION)[0]
    assert expanded_query(query, -query[None]).tolist() == query.tolist()


def test_no_candidates_give_no_scores() -> None:
    assert query_expansion_scores(unit_rows(1, 1, 4)[0], np.empty((0, 4), np.float32)).tolist() == []
