"""How the similarities of same and different vehicles are spread, for choosing a threshold."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

STEP = 2**-15
"""Width of a bin of the counts, 0.00003; thresholds are multiples of it."""

BINS = 2**16 + 1
"""Bins over [-1, 1]; the last holds 1 alone."""

_ZERO = BINS // 2  # the bin that begins at 0

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


class PairScores:
    """Similarities of pairs of crops, counted in bins over [-1, 1].

    VERI-Wild's large test has 1.3 thousand million pairs, so they are counted as they come, not kept.

    Attributes:
        same: Pairs that show one vehicle, by bin, int64, shape (BINS,).
        different: Pairs that show two, likewise.
    """

    def __init__(self) -> None:
        self.same = np.zeros(BINS, dtype=np.int64)
        self.different = np.zeros(BINS, dtype=np.int64)

    def count(self, scores: NDArray[np.floating], match: NDArray[np.bool_]) -> None:
        """Count pairs in.

        Args:
            scores: Cosines in [-1, 1], shape (N,).
            match: Which of the pairs show one vehicle, shape (N,).
        """
        bins = np.floor(scores / STEP).astype(np.int64) + _ZERO
        same = np.bincount(bins[match], minlength=BINS)
        self.same += same
        self.different += np.bincount(bins, minlength=BINS) - same

    def quantiles(self, points: Sequence[float] = QUANTILES) -> dict[str, list[float]]:
        """Quantiles of both kinds, as {"same": [...], "different": [...]}; a kind without a pair has none."""
        return {"same": _quantiles(self.same, points), "different": _quantiles(self.different, points)}

    def threshold_at(self, false_match_rate: float) -> float:
        """The lowest score that at most this share of the different pairs reaches."""
        reached = _reached(self.different)
        allowed = false_match_rate * reached[0]
        return float((np.flatnonzero(reached <= allowed)[0] - _ZERO) * STEP)

    def resolves(self, false_match_rate: float) -> bool:
        """Whether there are different pairs enough for one of them to make up this rate."""
        return bool(false_match_rate * self.different.sum() >= 1)

    def true_match_rate(self, threshold: float) -> float:
        """Share of the same pairs that reach a score; NaN where there is no such pair."""
        return _share_reaching(self.same, threshold)

    def false_match_rate(self, threshold: float) -> float:
        """Share of the different pairs that reach a score; NaN where there is no such pair."""
        return _share_reaching(self.different, threshold)

    def roc(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """False-match and true-match rates at every bin's lower edge from -1 up to beyond 1, shapes (BINS + 1,)."""
        false, true = _reached(self.different), _reached(self.same)
        return false / max(false[0], 1), true / max(true[0], 1)


def _reached(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many pairs reach each bin's lower edge, and 0 beyond the last, shape (BINS + 1,)."""
    return np.append(np.cumsum(counts[::-1])[::-1], 0)


def _share_reaching(counts: NDArray[np.int64], threshold: float) -> float:
    first = min(max(math.ceil(threshold / STEP) + _ZERO, 0), BINS)
    total = counts.sum()
    return float(counts[first:].sum() / total) if total else float("nan")


def _quantiles(counts: NDArray[np.int64], points: Sequence[float]) -> list[float]:
    """Middle of the bin that holds each quantile."""
    below = np.cumsum(counts)
    if not below[-1]:
        return []
    bins = np.searchsorted(below, np.maximum(np.ceil(np.asarray(points) * below[-1]), 1))
    return [min(float((number - _ZERO + 0.5) * STEP), 1.0) for number in bins]
