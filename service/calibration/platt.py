"""Logistic regression on one score, fitted so that few or cleanly parted pairs do not make it over-sure.

The targets are Platt's ("Probabilistic Outputs for Support Vector Machines", 1999, section 2.2): not 1 and 0 but what
Laplace's rule makes of the numbers of pairs, so that the fit exists where a score parts the pairs without a mistake.
The fit is Newton's method with a backtracking line search, as Lin, Lin and Weng propose it ("A Note on Platt's
Probabilistic Outputs for Support Vector Machines", Machine Learning 68, 2007, section 2.2), on a convex function of two
parameters.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_STEPS = 100
_FLAT = 1e-8
"""Gradient, per pair, at which the fit is done."""
_RIDGE = 1e-12
"""Keeps the Hessian invertible where all scores are one; Lin, Lin and Weng's sigma."""
_SUFFICIENT = 1e-4
"""Share of the decrease that the gradient promises which a step must bring."""
_SHORTEST_STEP = 1e-10


@dataclass(frozen=True, slots=True)
class Logistic:
    """log(p / (1 - p)) = intercept + slope * score, where p is the share of same pairs among those fitted.

    Attributes:
        intercept: At score 0.
        slope: For each unit of the score.
        slope_error: Standard error of the slope.
    """

    intercept: float
    slope: float
    slope_error: float


def fit_logistic(scores: Floats, same: NDArray[np.bool_]) -> Logistic:
    """Fit the probability that a pair shows one vehicle to its score.

    Args:
        scores: Shape (pairs,).
        same: Which pairs show one vehicle, shape (pairs,); some do and some do not.
    """
    positives, negatives = int(same.sum()), int((~same).sum())
    targets = np.where(same, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    features = np.stack([np.ones_like(scores), scores], axis=1)
    parameters: Floats = np.array([np.log((positives + 1) / (negatives + 1)), 0.0])
    for _ in range(_STEPS):
        gradient, hessian = _derivatives(parameters, features, targets)
        if np.abs(gradient).max() <= _FLAT * len(scores):
            break
        direction = np.asarray(-np.linalg.solve(hessian, gradient), dtype=np.float64)
        parameters = parameters + _step(parameters, direction, gradient, features, targets) * direction
    _, hessian = _derivatives(parameters, features, targets)
    return Logistic(float(parameters[0]), float(parameters[1]), float(np.sqrt(np.linalg.inv(hessian)[1, 1])))


def _loss(parameters: Floats, features: Floats, targets: Floats) -> float:
    """Negative log-likelihood, in the form that does not overflow."""
    logits = features @ parameters
    return float(np.sum(np.logaddexp(0, logits) - targets * logits))


def _derivatives(parameters: Floats, features: Floats, targets: Floats) -> tuple[Floats, Floats]:
    logits = features @ parameters
    probabilities = np.exp(-np.logaddexp(0, -logits))
    weights = probabilities * np.exp(-np.logaddexp(0, logits))
    return features.T @ (probabilities - targets), (features * weights[:, np.newaxis]).T @ features + _RIDGE * np.eye(2)


def _step(
    parameters: Floats,
    direction: Floats,
    gradient: Floats,
    features: Floats,
    targets: Floats,
) -> float:
    """How far to go: the whole of Newton's step, or half of it and so on until the loss falls enough."""
    step, promised, before = 1.0, float(gradient @ direction), _loss(parameters, features, targets)
    while step > _SHORTEST_STEP:
        if _loss(parameters + step * direction, features, targets) < before + _SUFFICIENT * step * promised:
            return step
        step /= 2
    return 0.0
