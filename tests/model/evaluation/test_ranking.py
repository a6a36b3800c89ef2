"""Figures against a slow reference that follows the definition word by word."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.evaluation import EvaluationError, Ranking, rank_queries

Labels = Sequence[object]


def reference(
    scores: list[list[float]], qv: Labels, gv: Labels, qc: Labels, gc: Labels, *, whole_camera: bool
) -> list[tuple[float, int]]:
    """(average precision, rank of the first match) of each query; (nan, 0) without a match."""
    answers = []
    for q, row in enumerate(scores):
        candidates = []
        for g, score in enumerate(row):
            same_camera = gc[g] == qc[q]
            if same_camera and (whole_camera or gv[g] == qv[q]):
                continue
            candidates.append((-score, g))
        candidates.sort()
        hits = [gv[g] == qv[q] for _, g in candidates]
        precisions = [sum(hits[: rank + 1]) / (rank + 1) for rank, hit in enumerate(hits) if hit]
        if precisions:
            answers.append((sum(precisions) / len(precisions), hits.index(True) + 1))
        else:
            answers.append((math.nan, 0))
    return answers


def compare(
    scores: list[list[float]], qv: Labels, gv: Labels, qc: Labels, gc: Labels, *, whole_camera: bool
) -> Ranking:
    ranking = rank_queries(
        scores,
        query_vehicles=qv,
        gallery_vehicles=gv,
        query_cameras=qc,
        gallery_cameras=gc,
        junk="same_camera" if whole_camera else "same_vehicle_same_camera",
    )
    expected = reference(scores, qv, gv, qc, gc, whole_camera=whole_camera)
    np.testing.assert_allclose(ranking.average_precision, [precision for precision, _ in expected], rtol=1e-12)
    assert ranking.first_match.tolist() == [rank for _, rank in expected]
    return ranking


# Few distinct scores, vehicles and cameras make ties, queries without a match and lists of nothing but junk common.
@settings(max_examples=150, deadline=None)
@given(data=st.data(), queries=st.integers(1, 6), gallery=st.integers(1, 12), whole_camera=st.booleans())
def test_equals_the_reference_with_ties_junk_and_lone_queries(
    data: st.DataObject, queries: int, gallery: int, *, whole_camera: bool
) -> None:
    def labels(length: int, kinds: int) -> list[int]:
        return data.draw(st.lists(st.integers(0, kinds - 1), min_size=length, max_size=length))

    row = st.lists(st.sampled_from([0.1, 0.5, 0.9]), min_size=gallery, max_size=gallery)
    scores = data.draw(st.lists(row, min_size=queries, max_size=queries))
    compare(
        scores,
        labels(queries, 3),
        labels(gallery, 3),
        labels(queries, 2),
        labels(gallery, 2),
        whole_camera=whole_camera,
    )


@pytest.mark.parametrize("whole_camera", [True, False])
def test_equals_the_reference_on_a_larger_random_table(*, whole_camera: bool) -> None:
    generator = np.random.default_rng(7)
    scores = generator.normal(size=(40, 150)).tolist()
    labels = [generator.integers(0, kinds, size).tolist() for kinds, size in ((20, 40), (20, 150), (4, 40), (4, 150))]
    compare(scores, *labels, whole_camera=whole_camera)


def test_average_precision_of_an_example_worked_by_hand() -> None:
    # Matches at ranks 1 and 3 after the junk (own camera, first in the list) is gone: (1/1 + 2/3) / 2.
    ranking = compare(
        [[0.99, 0.9, 0.8, 0.7]], ["a"], ["a", "a", "b", "a"], ["c1"], ["c1", "c2", "c2", "c3"], whole_camera=False
    )
    assert ranking.mean_average_precision == pytest.approx(5 / 6)
    assert ranking.cmc(1) == 1.0


def test_crops_of_other_vehicles_on_the_own_camera_are_candidates_by_the_benchmark_rule_only() -> None:
    arguments = ([[0.9, 0.8]], ["a"], ["b", "a"], ["c1"], ["c1", "c2"])
    assert compare(*arguments, whole_camera=False).first_match.tolist() == [2]
    assert compare(*arguments, whole_camera=True).first_match.tolist() == [1]


def test_queries_without_a_match_enter_no_figure() -> None:
    ranking = compare([[0.9, 0.1], [0.9, 0.1]], ["a", "z"], ["b", "a"], ["c1", "c1"], ["c2", "c2"], whole_camera=True)
    assert ranking.counted.tolist() == [True, False]
    assert ranking.mean_average_precision == pytest.approx(0.5)
    assert (ranking.cmc(1), ranking.cmc(2)) == (0.0, 1.0)


def test_no_query_with_a_match_is_an_error_not_a_figure() -> None:
    ranking = compare([[0.5]], ["a"], ["b"], ["c1"], ["c2"], whole_camera=True)
    with pytest.raises(EvaluationError, match="No query has a match"):
        _ = ranking.mean_average_precision
    with pytest.raises(EvaluationError, match="No query has a match"):
        ranking.cmc(1)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_scores_that_are_not_finite_are_refused(bad: float) -> None:
    with pytest.raises(EvaluationError, match="not finite"):
        rank_queries([[bad]], query_vehicles=["a"], gallery_vehicles=["a"], query_cameras=[1], gallery_cameras=[2])


def test_labels_that_do_not_fit_the_scores_are_refused() -> None:
    with pytest.raises(EvaluationError, match="do not fit"):
        rank_queries([[0.1, 0.2]], query_vehicles=["a"], gallery_vehicles=["a"], query_cameras=[1], gallery_cameras=[2])
