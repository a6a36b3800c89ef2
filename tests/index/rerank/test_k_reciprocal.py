import math

import numpy as np
import pytest
from numpy.typing import NDArray
from support.vectors import unit

from index.rerank.k_reciprocal import k_reciprocal_scores


def clustered(seed: int, clusters: int, members: int, noise: float, dimension: int = 16) -> NDArray[np.float32]:
    random = np.random.default_rng(seed)
    centres = random.standard_normal((clusters, 1, dimension))
    return unit((centres + noise * random.standard_normal((clusters, members, dimension))).reshape(-1, dimension))


def slow_scores(points: list[list[float]], k1: int, k2: int, lambda_: float) -> list[float]:
    """The paper's algorithm, one set and one sum at a time; the first point is the query."""
    count = range(len(points))

    def dot(a: list[float], b: list[float]) -> float:
        return math.fsum(x * y for x, y in zip(a, b, strict=True))

    squared = [
        [0.0 if i == j else float(np.float32(max(0.0, 2 - 2 * dot(points[i], points[j])))) for j in count]
        for i in count
    ]
    distance = [[entry / (max(row) or 1) for entry in row] for row in squared]
    ranking = [sorted(count, key=lambda j, i=i: (j != i, distance[i][j], j)) for i in count]

    def mutual(i: int, k: int) -> set[int]:
        return {j for j in ranking[i][: k + 1] if i in ranking[j][: k + 1]}

    half = round(k1 / 2)
    encoding = []
    for i in count:
        expanded = set(mutual(i, k1))
        for j in mutual(i, k1):
            theirs = mutual(j, half)
            if len(theirs & mutual(i, k1)) * 3 > len(theirs) * 2:
                expanded |= theirs
        weight = {j: math.exp(-distance[i][j]) for j in expanded}
        total = sum(weight.values())
        encoding.append({j: weight[j] / total for j in expanded})

    def averaged(i: int) -> list[float]:
        nearest = ranking[i][:k2]
        return [sum(encoding[n].get(j, 0.0) for n in nearest) / len(nearest) for j in count]

    query = averaged(0)
    scores = []
    for i in count[1:]:
        other = averaged(i)
        jaccard = 1 - sum(map(min, query, other)) / sum(map(max, query, other))
        scores.append(1 - ((1 - lambda_) * jaccard + lambda_ * distance[0][i]))
    return scores


@pytest.mark.parametrize(
    ("k1", "k2", "lambda_"), [(20, 6, 0.3), (6, 3, 0.3), (5, 1, 0.0), (7, 2, 0.2), (1, 1, 0.5), (200, 90, 0.1)]
)
@pytest.mark.parametrize("seed", range(4))
def test_equals_the_algorithm_step_by_step(seed: int, k1: int, k2: int, lambda_: float) -> None:
    points = clustered(seed, clusters=6, members=10, noise=0.5)
    scores = k_reciprocal_scores(points[0], points[1:], k1=k1, k2=k2, lambda_=lambda_)
    np.testing.assert_allclose(scores, slow_scores(points.astype(float).tolist(), k1, k2, lambda_), atol=1e-9)
    assert scores.min() >= 0
    assert scores.max() <= 1


def test_twins_do_not_upset_it() -> None:
    points = clustered(1, clusters=3, members=6, noise=0.4)
    points = np.vstack([points, points[:9], points[:4]])
    scores = k_reciprocal_scores(points[0], points[1:], k1=4, k2=2)
    np.testing.assert_allclose(scores, slow_scores(points.astype(float).tolist(), 4, 2, 0.3), atol=1e-9)


def test_more_twins_than_neighbours_are_all_alike() -> None:
    """A parked vehicle: each crop must still be its own first neighbour, or it would have no encoding at all."""
    axis = np.eye(4, dtype=np.float32)[:1]
    points = np.vstack([np.repeat(axis, 40, axis=0), -axis])
    scores = k_reciprocal_scores(points[0], points[1:], k1=3, k2=1)
    np.testing.assert_allclose(scores, slow_scores(points.astype(float).tolist(), 3, 1, 0.3), atol=1e-9)


def test_a_chain_of_neighbours_beats_a_lone_lookalike() -> None:
    def at(*degrees: float) -> NDArray[np.float32]:
        angles = np.radians(degrees)
        return np.stack((np.cos(angles), np.sin(angles)), axis=1).astype(np.float32)

    # The same vehicle turning: 0, 4, 8 ... 20 degrees. A lookalike stands at -19 amid a crowd of its own.
    turning, lookalike, crowd = [4, 8, 12, 16, 20], -19, [-19.5, -20, -20.5, -21, -21.5, -22, -22.5]
    best_first = sorted([*turning, lookalike, *crowd], key=abs)
    assert best_first[4] == lookalike, "by cosine alone the lookalike comes before the last view"
    scores = k_reciprocal_scores(at(0)[0], at(*best_first), k1=5, k2=2)
    assert [best_first[place] for place in np.argsort(-scores, kind="stable")][:5] == turning


def test_lambda_one_keeps_the_order() -> None:
    query, *points = clustered(2, clusters=4, members=8, noise=0.8)
    best_first = np.array(sorted(points, key=lambda point: -float(point @ query)))
    scores = k_reciprocal_scores(query, best_first, lambda_=1.0)
    assert np.argsort(-scores, kind="stable").tolist() == list(range(len(points)))


def test_few_or_no_candidates() -> None:
    query = clustered(3, 1, 1, 0)
    assert k_reciprocal_scores(query[0], query[:0]).tolist() == []
    assert k_reciprocal_scores(query[0], query).tolist() == [pytest.approx(1.0)]


@pytest.mark.parametrize(
    "wrong", [{"k1": 0}, {"k2": 0}, {"lambda_": -0.1}, {"lambda_": 1.1}, {"lambda_": float("nan")}]
)
def test_refuses_parameters_without_meaning(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="lambda_"):
        k_reciprocal_scores(np.ones(1, np.float32), np.ones((1, 1), np.float32), **wrong)
