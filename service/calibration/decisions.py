"""What a calibration makes of the scores of one search."""

import math
from dataclasses import dataclass
from typing import Final, Literal

from service.calibration.repository import Standing
from service.database.tables import Calibration

Decision = Literal["match", "possible", "none"]

_UNDECIDED: Final = {
    "none": "No decision: the scores of this collection are not calibrated.",
    "stale": "No decision: the scores of this collection were calibrated for another model and are to be learnt anew.",
}


@dataclass(frozen=True, slots=True)
class Scale:
    """Reads the scores of one search.

    Attributes:
        calibration: Of the collection and its model.
        candidates: Crops that the search compared.
    """

    calibration: Calibration
    candidates: int

    def decision(self, score: float) -> Decision:
        """What a hit of a score is."""
        if score >= self.calibration.match_score:
            return "match"
        return "possible" if score >= self.calibration.possible_score else "none"

    def probability(self, score: float) -> float:
        """Probability that a hit of a score shows the vehicle.

        Before its score is looked at, the vehicle is as likely to be on any one of the crops compared as on none of
        them, so the odds of each are 1 to their number; the score's likelihood ratio multiplies them (Bayes' rule). It
        is no greater than the pairs learnt from can show: with n pairs of different vehicles no rate below 1/n is seen.
        """
        learnt = self.calibration
        evidence = min(learnt.intercept + learnt.slope * score, math.log(learnt.different_pairs))
        log_odds = evidence - math.log(max(self.candidates, 1))
        return 1 / (1 + math.exp(-log_odds))

    @property
    def false_matches(self) -> float:
        """How many of the crops compared may be expected to reach the match score though they show other vehicles."""
        measured: float = self.calibration.measured["match_false_match_rate"]
        return self.candidates * max(measured, self.calibration.false_match_rate)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a search comes to.

    Attributes:
        decision: Of the hit that scores highest; None where there is nothing to decide by.
        explanation: Why, in a sentence or two.
    """

    decision: Decision | None
    explanation: str


def scale_of(standing: Standing, candidates: int) -> Scale | None:
    """What the scores of a search are read by; None where they are not calibrated."""
    if standing.state != "valid" or standing.calibration is None:
        return None
    return Scale(standing.calibration, candidates)


def verdict(standing: Standing, candidates: int, best: float | None, min_score: float | None) -> Verdict:
    """What a search comes to.

    Args:
        standing: How the collection's scores are calibrated.
        candidates: Crops that the search compared.
        best: Highest score among the hits; None without any.
        min_score: Lowest score that was asked for; None where none was.
    """
    scale = scale_of(standing, candidates)
    if scale is None:
        return Verdict(None, _UNDECIDED[standing.state])
    learnt = scale.calibration
    if not candidates:
        return Verdict("none", "No match: the conditions leave no crop to compare.")
    if best is not None:
        return Verdict(scale.decision(best), _compared(scale, best))
    if min_score is not None and min_score > learnt.possible_score:
        return Verdict(
            None,
            f"No decision: no crop reaches the min_score of {min_score:g}, and whether one reaches "
            f"{learnt.possible_score:g}, from where on a match is possible, was not asked.",
        )
    return Verdict("none", f"No match: none of {candidates} crops compared reaches the min_score of {min_score:g}.")


def _compared(scale: Scale, best: float) -> str:
    learnt = scale.calibration
    compared = f"the best of {scale.candidates} crops compared scores {best:.4f}"
    match scale.decision(best):
        case "match":
            by_chance = f"About {scale.false_matches:.2g} of them would do so by chance, showing another vehicle."
            return f"Match: {compared}, at least {learnt.match_score:g}. {by_chance}"
        case "possible":
            return f"Possible match: {compared}, at least {learnt.possible_score:g} but below {learnt.match_score:g}."
        case "none":
            others = f"all but {100 * learnt.false_non_match_rate:g} % of the pairs of one vehicle reach"
            return f"No match: {compared}; {others} {learnt.possible_score:g}."
