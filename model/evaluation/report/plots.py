"""The curves of the report as SVG, each for light and for dark pages."""

import base64
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from model.evaluation.scores import BINS, STEP, PairScores

_SIZE_INCHES = (4.8, 3.3)  # small, so that letters stay legible on a narrow page
_COLOURS = ("#2f7ed8", "#e08214", "#3a9a52", "#a45fc4")
_STYLES = ("-", "--", "-.", ":")
_SAME, _DIFFERENT = _COLOURS[0], _COLOURS[1]
_INKS = {"light": "#1f2328", "dark": "#e6e6e6"}
_BARS = 80
_LEAST_RATE = 1e-5


@dataclass(frozen=True, slots=True)
class Plot:
    """A plot. `light` and `dark` are data URIs of SVG pictures; `alt` says in words what they show."""

    light: str
    dark: str
    alt: str


def cmc_plot(curves: Mapping[str, Sequence[float]], ranks: int) -> Plot:
    """Cumulative match characteristic of each column.

    Args:
        curves: By column, the share of queries with a match at rank 1, 2 ... or before.
        ranks: How many of them to show.
    """

    def draw(axes: Axes) -> None:
        shown = np.arange(1, ranks + 1)
        for (name, curve), colour, style in zip(curves.items(), _COLOURS, _STYLES, strict=False):
            axes.plot(shown, 100 * np.asarray(curve[:ranks]), style, color=colour, label=name, lw=1.8)
        axes.set(xlabel="rank", ylabel="queries with a match, %")
        axes.set_xticks([1, *range(10, ranks + 1, 10)] if ranks > 10 else shown)  # noqa: PLR2004
        axes.legend(frameon=False, loc="lower right")

    first = ", ".join(f"{name} {100 * curve[0]:.1f} %" for name, curve in curves.items())
    return _plot(draw, f"CMC curve: share of queries with a match among the first ranks. At rank 1: {first}.")


def score_plot(scores: PairScores, threshold: float) -> Plot:
    """Histograms of the scores of same and different vehicles, with the threshold."""
    edges = _bar_edges(scores)

    def draw(axes: Axes) -> None:
        for name, counts, colour in (("different", scores.different, _DIFFERENT), ("same", scores.same, _SAME)):
            axes.stairs(_share_of_bars(counts, edges), (edges - BINS // 2) * STEP, fill=True, alpha=0.55, color=colour)
            axes.stairs(
                _share_of_bars(counts, edges), (edges - BINS // 2) * STEP, color=colour, label=f"{name} vehicle"
            )
        axes.axvline(threshold, color=axes.xaxis.label.get_color(), lw=1.2, ls="--", label=f"threshold {threshold:.3f}")
        axes.set(xlabel="cosine", ylabel="share of pairs, %")
        axes.legend(frameon=False)

    middle = {kind: values[0] for kind, values in scores.quantiles([0.5]).items() if values}
    told = ", ".join(f"{kind} vehicles {value:.2f}" for kind, value in middle.items())
    return _plot(draw, f"Histogram of cosines. Medians: {told}. The threshold is {threshold:.3f}.")


def roc_plot(scores: PairScores, threshold: Mapping[str, Any]) -> Plot:
    """ROC over thresholds, false-match rate on a logarithmic axis, the chosen threshold marked."""
    false, true = scores.roc()
    # A curve of 65,538 points has stretches without a pair; those points say nothing.
    turns = np.flatnonzero(np.append(True, (np.diff(false) != 0) | (np.diff(true) != 0)))
    turns = turns[np.linspace(0, len(turns) - 1, min(len(turns), 2000)).astype(int)]
    reached, hit = threshold["reached_false_match_rate"] or 0.0, threshold["true_match_rate"] or 0.0
    label = f"threshold {threshold['threshold']:.3f}:\n{100 * reached:.2g} % false,\n{100 * hit:.1f} % true matches"

    point = (max(reached, _LEAST_RATE), 100 * hit)

    def draw(axes: Axes) -> None:
        axes.plot(np.maximum(false[turns], _LEAST_RATE), 100 * true[turns], color=_SAME, lw=1.8)
        axes.plot(point[:1], point[1:], "o", color=_DIFFERENT)
        below = point[1] > 50  # noqa: PLR2004 - the words go where the curve is not
        place, side = ((0.97, 0.1), "right") if below else ((0.03, 0.75), "left")
        arrow = {"arrowstyle": "-", "color": mpl.rcParams["text.color"], "alpha": 0.5}
        axes.annotate(label, point, place, textcoords="axes fraction", ha=side, arrowprops=arrow)
        axes.set(xscale="log", xlim=(_LEAST_RATE, 1), ylim=(0, 102), xlabel="false-match rate")
        axes.set_ylabel("true-match rate, %")

    return _plot(
        draw,
        f"ROC curve. At a false-match rate of {100 * threshold['false_match_rate']:g} % the threshold is "
        f"{threshold['threshold']:.3f} and the true-match rate {100 * hit:.1f} %.",
    )


def _bar_edges(scores: PairScores) -> NDArray[np.int64]:
    """Bins at which the bars begin and end, over the stretch that holds pairs."""
    held = np.flatnonzero(scores.same + scores.different)
    width = max((held[-1] + 1 - held[0]) // _BARS, 1)
    return np.arange(held[0], held[-1] + 1 + width, width)


def _share_of_bars(counts: NDArray[np.int64], edges: NDArray[np.int64]) -> NDArray[np.float64]:
    below = np.append(0, np.cumsum(counts))[np.minimum(edges, BINS)]
    shares: NDArray[np.float64] = 100 * np.diff(below) / max(counts.sum(), 1)
    return shares


def _plot(draw: Callable[[Axes], None], alt: str) -> Plot:
    return Plot(alt=alt, **{page: _svg(draw, ink) for page, ink in _INKS.items()})


def _svg(draw: Callable[[Axes], None], ink: str) -> str:
    with _ink(ink):
        figure = Figure(figsize=_SIZE_INCHES, layout="constrained")
        axes = figure.add_subplot()
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.2)
        draw(axes)
        file = io.BytesIO()
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    return f"data:image/svg+xml;base64,{base64.b64encode(file.getvalue()).decode()}"


@contextmanager
def _ink(colour: str) -> Iterator[None]:
    with mpl.rc_context(
        {
            "axes.edgecolor": colour,
            "axes.labelcolor": colour,
            "font.size": 10,
            "grid.color": colour,
            "svg.hashsalt": "clip-senet",
            "text.color": colour,
            "xtick.color": colour,
            "ytick.color": colour,
        }
    ):
        yield
