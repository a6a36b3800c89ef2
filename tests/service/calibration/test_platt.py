"""The logistic fit against data whose answer is known, and against its own definition."""

import numpy as np
import pytest

from service.calibration.platt import fit_logistic


def drawn(intercept: float, slope: float, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Pairs whose label is drawn from a logistic curve."""
    random = np.random.default_rng(3)
    scores = random.uniform(-1, 1, count)
    return scores, random.random(count) < 1 / (1 + np.exp(-(intercept + slope * scores)))


@pytest.mark.parametrize(("intercept", "slope"), [(0.0, 4.0), (-7.0, 12.0), (2.0, -5.0), (1.0, 0.0)])
def test_finds_the_curve_that_the_labels_were_drawn_from(intercept: float, slope: float) -> None:
    fitted = fit_logistic(*drawn(intercept, slope, 40_000))
    assert fitted.slope == pytest.approx(slope, abs=4 * fitted.slope_error)
    assert fitted.intercept == pytest.approx(intercept, abs=0.3)
    assert 0 < fitted.slope_error < 0.4


def test_is_where_the_likelihood_of_platts_targets_is_greatest() -> None:
    scores, same = drawn(-3.0, 6.0, 300)
    fitted = fit_logistic(scores, same)
    targets = np.where(same, (same.sum() + 1) / (same.sum() + 2), 1 / ((~same).sum() + 2))

    def likelihood(intercept: float, slope: float) -> float:
        logits = intercept + slope * scores
        return float(np.sum(targets * logits - np.log1p(np.exp(logits))))

    best = likelihood(fitted.intercept, fitted.slope)
    for step in (1e-3, 1e-1):
        for intercept, slope in [(step, 0), (-step, 0), (0, step), (0, -step), (step, -step), (-step, step)]:
            assert likelihood(fitted.intercept + intercept, fitted.slope + slope) < best


def test_parts_without_a_mistake_are_not_taken_as_certain() -> None:
    scores = np.array([-0.5] * 98 + [0.5] * 8)
    fitted = fit_logistic(scores, scores > 0)
    share = 1 / (1 + np.exp(-(fitted.intercept + fitted.slope * np.array([-0.5, 0.5]))))
    assert share == pytest.approx([1 / 100, 9 / 10], abs=1e-6)  # Laplace's rule for 98 and 8


def test_hard_beginnings_do_not_throw_newtons_method_off() -> None:
    scores = np.concatenate([np.linspace(0.3, 0.32, 5), np.linspace(-1, 0.2, 5000), np.linspace(0.9, 1, 30)])
    same = np.concatenate([np.ones(5), np.zeros(5000), np.ones(30)]).astype(bool)
    fitted = fit_logistic(scores, same)
    assert np.isfinite([fitted.intercept, fitted.slope, fitted.slope_error]).all()
    assert fitted.slope > 5


def test_one_score_for_all_has_no_slope_that_could_be_told_from_none() -> None:
    fitted = fit_logistic(np.full(40, 0.5), np.arange(40) % 2 == 0)
    assert abs(fitted.slope) < fitted.slope_error
