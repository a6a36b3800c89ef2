"""From which score on a hit is a match, or possible, by the calibration of its collection."""

from dataclasses import dataclass

from service.calibration.decisions import Decision
from service.watches.records import Threshold


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Scores of one collection and model."""

    match: float
    possible: float

    def lowest(self, wanted: Threshold) -> float:
        """The lowest score of a hit that is at least this."""
        return self.match if wanted == "match" else self.possible

    def decision(self, score: float) -> Decision:
        """What a score means."""
        if score >= self.match:
            return "match"
        return "possible" if score >= self.possible else "none"
