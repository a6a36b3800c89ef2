import base64
import re
from itertools import pairwise

import numpy as np
import pytest

from model.evaluation import PairScores
from model.evaluation.report.plots import Plot, cmc_plot, roc_plot, score_plot
from model.evaluation.summary import threshold


@pytest.fixture(scope="module")
def scores() -> PairScores:
    same, different = np.linspace(0.2, 0.8, 401), np.linspace(-0.2, 0.4, 4001)
    scores = PairScores()
    scores.count(np.concatenate([same, different]), np.arange(4402) < 401)
    return scores


def svg(uri: str) -> str:
    assert uri.startswith("data:image/svg+xml;base64,")
    return base64.b64decode(uri.split(",", 1)[1]).decode()


def curve(plot: Plot, colour: str) -> list[tuple[float, float]]:
    """Points of the longest path of a colour, in the picture's own units, y downwards."""
    found = re.findall(rf'<path d="([^"]+)"[^>]*stroke: {colour}', svg(plot.light))
    path = max(found, key=len)
    return [(float(x), float(y)) for x, y in re.findall(r"[ML] ([\d.]+) ([\d.]+)", path)]


def test_light_and_dark_differ_in_ink_only() -> None:
    plot = cmc_plot({"plain": [0.5, 0.8, 1.0]}, 3)
    # Names of markers are hashes of how they look.
    light, dark = (re.sub(r"\bm[0-9a-f]{10}\b", "marker", svg(uri)) for uri in (plot.light, plot.dark))
    assert "#1f2328" in light
    assert "#1f2328" not in dark
    assert light.replace("#1f2328", "#e6e6e6") == dark


def test_a_plot_is_the_same_in_every_run(scores: PairScores) -> None:
    assert score_plot(scores, 0.3) == score_plot(scores, 0.3)


def test_cmc_rises_as_its_numbers_do_and_tells_rank_one() -> None:
    plot = cmc_plot({"plain": [0.5, 0.75, 1.0], "k-reciprocal": [0.6, 0.6, 0.6]}, 3)
    assert "plain 50.0 %" in plot.alt
    assert "k-reciprocal 60.0 %" in plot.alt
    (_, one), (_, two), (_, three) = curve(plot, "#2f7ed8")
    assert one - two == pytest.approx(two - three, rel=0.01)
    assert one > two


def test_roc_falls_nowhere_and_tells_the_chosen_threshold(scores: PairScores) -> None:
    chosen = threshold(scores, 0.01)
    plot = roc_plot(scores, chosen)
    assert f"the threshold is {chosen['threshold']:.3f}" in plot.alt
    assert f"true-match rate {100 * chosen['true_match_rate']:.1f} %" in plot.alt
    points = sorted(curve(plot, "#2f7ed8"), key=lambda point: (point[0], -point[1]))
    assert len(points) > 20
    assert all(after[1] <= before[1] + 1e-6 for before, after in pairwise(points))


def test_score_histogram_tells_medians_and_threshold(scores: PairScores) -> None:
    assert score_plot(scores, 0.345).alt == (
        "Histogram of cosines. Medians: same vehicles 0.50, different vehicles 0.10. The threshold is 0.345."
    )


def test_scores_without_a_different_pair_have_plots_too() -> None:
    scores = PairScores()
    scores.count(np.array([0.5, 0.5]), np.array([True, True]))
    assert "same vehicles 0.50" in score_plot(scores, -1).alt
    assert "ROC" in roc_plot(scores, threshold(scores, 0.01)).alt
