"""What a calibration makes of scores."""

import math
from typing import Any

import pytest

from service.calibration.decisions import Scale, scale_of, verdict
from service.calibration.repository import Standing
from service.database.tables import Calibration


def learnt(**changes: Any) -> Calibration:
    values: dict[str, Any] = {
        "intercept": -8.0,
        "slope": 16.0,
        "match_score": 0.75,
        "possible_score": 0.55,
        "false_match_rate": 0.001,
        "false_non_match_rate": 0.05,
        "different_pairs": 10_000,
        "measured": {"match_false_match_rate": 0.0012},
    }
    return Calibration(**values | changes)


VALID = Standing("valid", learnt())


@pytest.mark.parametrize(
    ("score", "decision"),
    [(1, "match"), (0.75, "match"), (0.7499, "possible"), (0.55, "possible"), (0.5499, "none"), (-1, "none")],
)
def test_thresholds_belong_to_what_is_above_them(score: float, decision: str) -> None:
    assert Scale(learnt(), 100).decision(score) == decision


class TestProbability:
    def test_of_one_crop_is_even_where_the_score_says_nothing(self) -> None:
        assert Scale(learnt(), 1).probability(0.5) == pytest.approx(0.5)

    def test_is_bayes_rule_over_the_crops_compared(self) -> None:
        ratio = math.exp(-8 + 16 * 0.8)
        for candidates in (1, 10, 1000):
            expected = ratio / (ratio + candidates)
            assert Scale(learnt(), candidates).probability(0.8) == pytest.approx(expected)

    def test_claims_no_more_than_the_pairs_could_show(self) -> None:
        few = Scale(learnt(slope=60.0, different_pairs=1000), 10)
        assert few.probability(1.0) == pytest.approx(1000 / 1010)

    def test_the_lowest_score_of_the_largest_gallery(self) -> None:
        assert 0 < Scale(learnt(slope=300.0), 10**9).probability(-1.0) < 1e-100


class TestFalseMatches:
    def test_grow_with_the_crops_compared(self) -> None:
        assert [Scale(learnt(), n).false_matches for n in (0, 1000, 10**6)] == pytest.approx([0, 1.2, 1200])

    def test_are_not_fewer_than_was_asked_for(self) -> None:
        lucky = learnt(measured={"match_false_match_rate": 0.0})
        assert Scale(lucky, 1000).false_matches == pytest.approx(1)


class TestVerdict:
    def test_a_match_says_how_many_would_be_by_chance(self) -> None:
        found = verdict(VALID, 771, 0.8714, None)
        assert found.decision == "match"
        assert found.explanation == (
            "Match: the best of 771 crops compared scores 0.8714, at least 0.75. About 0.93 of them would do so by "
            "chance, showing another vehicle."
        )

    def test_a_possible_match(self) -> None:
        found = verdict(VALID, 771, 0.6, None)
        assert found.decision == "possible"
        assert found.explanation == (
            "Possible match: the best of 771 crops compared scores 0.6000, at least 0.55 but below 0.75."
        )

    def test_no_match_is_a_sentence(self) -> None:
        found = verdict(VALID, 771, 0.312, None)
        assert found.decision == "none"
        assert found.explanation == (
            "No match: the best of 771 crops compared scores 0.3120; all but 5 % of the pairs of one vehicle reach "
            "0.55."
        )

    def test_nothing_to_compare(self) -> None:
        found = verdict(VALID, 0, None, 0.99)
        assert (found.decision, found.explanation) == ("none", "No match: the conditions leave no crop to compare.")

    def test_nothing_reaches_a_lowest_score_that_is_below_possible(self) -> None:
        found = verdict(VALID, 7, None, 0.5)
        assert (found.decision, found.explanation) == (
            "none",
            "No match: none of 7 crops compared reaches the min_score of 0.5.",
        )

    def test_nothing_reaches_a_lowest_score_that_hides_what_is_possible(self) -> None:
        found = verdict(VALID, 7, None, 0.9)
        assert found.decision is None
        assert found.explanation.startswith("No decision: no crop reaches the min_score of 0.9")

    @pytest.mark.parametrize(
        ("standing", "word"), [(Standing("none", None), "are not"), (Standing("stale", learnt()), "another model")]
    )
    def test_without_a_calibration_there_is_none(self, standing: Standing, word: str) -> None:
        for candidates, best in [(5, 0.99), (5, None), (0, None)]:
            found = verdict(standing, candidates, best, None)
            assert found.decision is None
            assert word in found.explanation
        assert scale_of(standing, 5) is None
