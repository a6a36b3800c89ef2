import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from model.evaluation import PairScores
from model.evaluation.scores import STEP

COSINES = arrays.arrays(np.float32, st.integers(1, 60), elements=st.floats(-1, 1, width=32))


def counted(same: np.ndarray, different: np.ndarray) -> PairScores:
    scores = PairScores()
    values = np.concatenate([same, different])
    scores.count(values, np.arange(len(values)) < len(same))
    return scores


@given(COSINES, COSINES, st.floats(0, 1))
def test_threshold_is_the_lowest_that_at_most_its_share_of_different_pairs_reaches(
    same: np.ndarray, different: np.ndarray, rate: float
) -> None:
    scores = counted(same, different)
    threshold = scores.threshold_at(rate)
    assert (different >= threshold).mean() <= rate
    if threshold > -1:
        assert (different >= threshold - STEP).mean() > rate
    assert scores.true_match_rate(threshold) == (same >= threshold).mean()
    assert scores.false_match_rate(threshold) == (different >= threshold).mean()


@given(COSINES, st.floats(0, 1))
def test_quantiles_are_those_of_the_scores_to_half_a_step(values: np.ndarray, point: float) -> None:
    found = counted(values, values[:0]).quantiles([point])
    exact = float(np.quantile(values.astype(np.float64), point, method="inverted_cdf"))
    assert found == {"same": [pytest.approx(exact, abs=STEP / 2)], "different": []}


@given(COSINES, COSINES)
def test_roc_has_both_rates_at_every_threshold(same: np.ndarray, different: np.ndarray) -> None:
    false, true = counted(same, different).roc()
    assert (false[0], true[0], false[-1], true[-1]) == (1, 1, 0, 0)
    for edge in (0, 1, 20_000, 2**15, 2**16 - 1):
        assert false[edge] == (different >= edge * STEP - 1).mean()
        assert true[edge] == (same >= edge * STEP - 1).mean()


def test_pairs_are_counted_block_by_block() -> None:
    values = np.random.default_rng(3).uniform(-1, 1, 1000).astype(np.float32)
    match = values > 0.3
    whole, parts = PairScores(), PairScores()
    whole.count(values, match)
    for start in range(0, 1000, 300):
        parts.count(values[start : start + 300], match[start : start + 300])
    np.testing.assert_array_equal(whole.same, parts.same)
    np.testing.assert_array_equal(whole.different, parts.different)
    assert (whole.same.sum(), whole.different.sum()) == (match.sum(), (~match).sum())


def test_no_different_pair_lets_every_score_pass() -> None:
    assert counted(np.float32([0.5]), np.float32([])).threshold_at(0.01) == -1


@pytest.mark.parametrize(("pairs", "resolved"), [(0, False), (99, False), (100, True)])
def test_a_rate_is_resolved_where_one_pair_is_no_more_than_it(pairs: int, *, resolved: bool) -> None:
    scores = counted(np.float32([0.5]), np.zeros(pairs, dtype=np.float32))
    assert scores.resolves(0.01) is resolved
    assert not scores.resolves(0)
