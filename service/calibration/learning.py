"""From labelled pairs to what a score means, and how well that holds for vehicles that were not learnt from."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import Final

import numpy as np
from numpy.typing import NDArray

from service.calibration.pairs import PairTable
from service.calibration.platt import fit_logistic
from service.errors import InvalidValueError

FEWEST_SAME: Final = 20
FEWEST_VEHICLES: Final = 10
"""As many as there are parts in the cross-validation."""
_SEED: Final = 118
_STEP: Final = 1e-4
"""Thresholds are multiples of it."""
_DIGITS: Final = 4
_CERTAIN: Final = 3.0
"""Standard errors that the slope must be above 0."""
_CURVE: Final = (0.1, 0.01, 0.001, 0.0001)


@dataclass(frozen=True, slots=True)
class Wish:
    """Which mistakes are accepted.

    Attributes:
        false_match_rate: Share of pairs of different vehicles that may be called a match.
        false_non_match_rate: Share of pairs of one vehicle that may be called none.
    """

    false_match_rate: float
    false_non_match_rate: float


@dataclass(frozen=True, slots=True)
class RocPoint:
    """One threshold and what was measured of it on vehicles that it was not learnt from.

    Attributes:
        wanted: The false match rate that it was chosen for.
        score: The threshold, chosen on all pairs.
        false_match_rate: Measured by cross-validation.
        true_match_rate: Likewise.
    """

    wanted: float
    score: float
    false_match_rate: float
    true_match_rate: float


@dataclass(frozen=True, slots=True)
class Learnt:
    """What scores mean.

    Attributes:
        intercept: With `slope`: intercept + slope * score is the natural logarithm of how much oftener pairs of one
            vehicle have a score than pairs of two.
        slope: See `intercept`; above 0.
        match_score: At most `Wish.false_match_rate` of the different pairs reach it.
        possible_score: At most `Wish.false_non_match_rate` of the same pairs stay below it; not above `match_score`.
        same: How many pairs of one vehicle there were.
        different: How many pairs of two.
        vehicles: How many vehicles the same pairs show.
        area_under_curve: Probability that a same pair scores higher than a different one.
        missed: Share of the same pairs below `possible_score`, by cross-validation.
        match: What was measured of `match_score`.
        roc: What was measured of thresholds for other rates, as far as the pairs can show them.
    """

    intercept: float
    slope: float
    match_score: float
    possible_score: float
    same: int
    different: int
    vehicles: int
    area_under_curve: float
    missed: float
    match: RocPoint
    roc: tuple[RocPoint, ...]


def learn(pairs: PairTable, wish: Wish) -> Learnt:
    """Learn what scores mean.

    Raises:
        InvalidValueError: There are too few pairs or vehicles, or the scores do not tell one vehicle from two.
    """
    same, different = int(pairs.same.sum()), int((~pairs.same).sum())
    _require_enough(pairs, same, different, wish)
    fitted = fit_logistic(pairs.scores, pairs.same)
    if fitted.slope < _CERTAIN * fitted.slope_error:
        raise InvalidValueError(
            "Pairs of one vehicle do not score higher than pairs of two, as far as these pairs can tell: the labels "
            "may be swapped, or the model does not know such vehicles apart."
        )
    roc = _roc(pairs, wish)
    match = next(point for point in roc if point.wanted == wish.false_match_rate)
    if match.score > pairs.scores[pairs.same].max():
        raise InvalidValueError(
            f"No pair of one vehicle scores as high as a false match rate of {wish.false_match_rate:g} demands "
            f"({match.score:.4f}): accept a higher false_match_rate."
        )
    return Learnt(
        intercept=fitted.intercept - math.log(same / different),
        slope=fitted.slope,
        match_score=match.score,
        possible_score=min(_possible_score(pairs, wish), match.score),
        same=same,
        different=different,
        vehicles=pairs.vehicles_seen_twice,
        area_under_curve=_area_under_curve(pairs),
        missed=_missed(pairs, wish),
        match=match,
        roc=roc,
    )


def _require_enough(pairs: PairTable, same: int, different: int, wish: Wish) -> None:
    needed_same = max(FEWEST_SAME, math.ceil(1 / wish.false_non_match_rate))
    needed_different = math.ceil(1 / wish.false_match_rate)
    vehicles = pairs.vehicles_seen_twice
    if same < needed_same or different < needed_different or vehicles < FEWEST_VEHICLES:
        raise InvalidValueError(
            f"There are {same} pairs of one vehicle (of {vehicles} vehicles) and {different} pairs of two; these rates "
            f"need at least {needed_same} (of {FEWEST_VEHICLES} vehicles) and {needed_different}. Label more pairs or "
            "accept more mistakes."
        )


def _match_score(pairs: PairTable, false_match_rate: float) -> float:
    """The lowest multiple of the step that at most this share of the different pairs reaches."""
    different = np.sort(pairs.scores[~pairs.same])
    highest_below = float(different[len(different) - 1 - math.floor(false_match_rate * len(different))])
    threshold = round(math.floor(highest_below / _STEP) * _STEP, _DIGITS)
    while threshold <= highest_below:
        threshold = round(threshold + _STEP, _DIGITS)
    return threshold


def _possible_score(pairs: PairTable, wish: Wish) -> float:
    """The highest multiple of the step below which at most the share wished for of the same pairs stays."""
    same = np.sort(pairs.scores[pairs.same])
    lowest_above = float(same[math.floor(wish.false_non_match_rate * len(same))])
    threshold = round(math.ceil(lowest_above / _STEP) * _STEP, _DIGITS)
    while threshold > lowest_above:
        threshold = round(threshold - _STEP, _DIGITS)
    return threshold


def _roc(pairs: PairTable, wish: Wish) -> tuple[RocPoint, ...]:
    different = int((~pairs.same).sum())
    rates = sorted({wish.false_match_rate, *(rate for rate in _CURVE if rate * different >= 1)}, reverse=True)
    return tuple(_roc_point(pairs, rate) for rate in rates)


def _roc_point(pairs: PairTable, rate: float) -> RocPoint:
    reached = np.zeros(len(pairs.scores), dtype=np.bool_)
    for learnt_from, tested in _parts(pairs):
        reached[tested] = pairs.scores[tested] >= _match_score(learnt_from, rate)
    return RocPoint(
        rate, _match_score(pairs, rate), float(reached[~pairs.same].mean()), float(reached[pairs.same].mean())
    )


def _missed(pairs: PairTable, wish: Wish) -> float:
    below = np.zeros(len(pairs.scores), dtype=np.bool_)
    for learnt_from, tested in _parts(pairs):
        threshold = min(_possible_score(learnt_from, wish), _match_score(learnt_from, wish.false_match_rate))
        below[tested] = pairs.scores[tested] < threshold
    return float(below[pairs.same].mean())


def _parts(pairs: PairTable) -> Iterator[tuple[PairTable, NDArray[np.bool_]]]:
    """Pairs to learn from, and which pairs are tested by what was learnt, shape (pairs,); each pair is tested once.

    Vehicles are dealt into ten parts, those of same pairs evenly. A pair lies in one part or in two, and is tested by
    the pairs that show no vehicle of either: what is learnt has seen nothing of what it is tested on.

    Raises:
        InvalidValueError: Nearly all the different pairs show a few vehicles.
    """
    sides = _dealt(pairs)[pairs.vehicles]
    lower, upper = sides.min(axis=1), sides.max(axis=1)
    for one, other in combinations_with_replacement(range(FEWEST_VEHICLES), 2):
        tested: NDArray[np.bool_] = (lower == one) & (upper == other)
        if not tested.any():
            continue
        left: NDArray[np.bool_] = np.all((sides != one) & (sides != other), axis=1)
        learnt_from = pairs.part(left)
        if learnt_from.same.all():
            raise InvalidValueError(
                "Nearly all pairs of different vehicles show the same few vehicles: label pairs of others too."
            )
        yield learnt_from, tested


def _dealt(pairs: PairTable) -> NDArray[np.int64]:
    """The part of each vehicle, shape (vehicles,)."""
    random = np.random.default_rng(_SEED)
    seen_twice = np.unique(pairs.vehicles[pairs.same])
    others = np.setdiff1d(pairs.vehicles, seen_twice)
    order = np.concatenate([random.permutation(seen_twice), random.permutation(others)])
    parts = np.empty(len(order), dtype=np.int64)
    parts[order] = np.arange(len(order)) % FEWEST_VEHICLES
    return parts


def _area_under_curve(pairs: PairTable) -> float:
    """By ranks (Mann and Whitney); equal scores count half."""
    different = np.sort(pairs.scores[~pairs.same])
    same = pairs.scores[pairs.same]
    below, not_above = np.searchsorted(different, same, "left"), np.searchsorted(different, same, "right")
    return float((below + not_above).mean() / 2 / len(different))
