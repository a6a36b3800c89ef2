"""What labelled pairs teach, on pairs whose truth is known."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from service.calibration import learning
from service.calibration.learning import Learnt, Wish, learn
from service.calibration.pairs import PairTable, ScoredPair, tabulated
from service.errors import InvalidValueError

WISH = Wish(false_match_rate=0.01, false_non_match_rate=0.05)


def pairs_of(vehicles: int, seed: int = 0, apart: float = 3.0, strangers: int = 60) -> PairTable:
    """Two crops of each vehicle; scores of same and different pairs are normal, `apart` deviations of 0.1 apart."""
    random = np.random.default_rng(seed)
    same = [
        ScoredPair((number, 0), (number, 1), same=True, score=0.1 * (apart + random.standard_normal()))
        for number in range(vehicles)
    ]
    different = [
        ScoredPair((number, 0), (int(other), 1), same=False, score=0.1 * random.standard_normal())
        for number in range(vehicles)
        for other in random.choice(vehicles, min(strangers, vehicles), replace=False)
        if other != number
    ]
    return tabulated(same + different)


@pytest.fixture(scope="module")
def learnt() -> Learnt:
    return learn(pairs_of(200), WISH)


class TestThresholds:
    def test_the_match_score_lets_the_share_wished_for_through_and_no_lower_one_does(self, learnt: Learnt) -> None:
        different = pairs_of(200).scores[~pairs_of(200).same]
        assert (different >= learnt.match_score).mean() <= 0.01
        assert (different >= learnt.match_score - 1e-4).mean() > 0.01 - 1 / len(different)
        assert learnt.match_score == pytest.approx(0.1 * 2.326, abs=0.01)  # the normal distribution's 99 %

    def test_the_possible_score_leaves_the_share_wished_for_below(self, learnt: Learnt) -> None:
        same = pairs_of(200).scores[pairs_of(200).same]
        assert (same < learnt.possible_score).mean() <= 0.05
        assert (same < learnt.possible_score + 2e-4).mean() >= 0.05
        assert learnt.possible_score == pytest.approx(0.1 * (3 - 1.645), abs=0.05)

    def test_to_the_last_pair(self) -> None:
        different = [ScoredPair(("a", n), ("b", n), same=False, score=n / 1000) for n in range(200)]
        same = [ScoredPair(("c", n), ("d", n), same=True, score=0.15 + n / 500) for n in range(40)]
        found = learn(tabulated(same + different), Wish(false_match_rate=0.05, false_non_match_rate=0.05))
        assert found.match_score == 0.1891  # 0.190 to 0.199 reach it, 10 of 200
        assert found.possible_score == 0.154  # 0.150 and 0.152 stay below, 2 of 40

    def test_possible_is_never_above_match(self) -> None:
        clear = learn(pairs_of(200, apart=8), WISH)
        assert clear.possible_score == clear.match_score

    def test_scores_on_the_grid_of_thresholds(self) -> None:
        pairs = pairs_of(200)
        on_grid = replace(pairs, scores=np.round(pairs.scores, 2))
        found = learn(on_grid, WISH)
        assert (on_grid.scores[~pairs.same] >= found.match_score).mean() <= 0.01
        assert (on_grid.scores[pairs.same] < found.possible_score).mean() <= 0.05
        assert found.possible_score in on_grid.scores[pairs.same]


class TestEvidence:
    def test_is_the_logarithm_of_the_likelihood_ratio(self, learnt: Learnt) -> None:
        # Of two normal distributions 3 deviations of 0.1 apart: (score - 0.15) * 3 / 0.1, so slope 30, 0 at 0.15.
        assert learnt.slope == pytest.approx(30, rel=0.15)
        assert -learnt.intercept / learnt.slope == pytest.approx(0.15, abs=0.02)

    def test_does_not_depend_on_how_many_pairs_of_each_kind_there_are(self, learnt: Learnt) -> None:
        fewer = learn(pairs_of(200, strangers=12), WISH)
        assert fewer.slope == pytest.approx(learnt.slope, rel=0.2)
        assert -fewer.intercept / fewer.slope == pytest.approx(-learnt.intercept / learnt.slope, abs=0.01)

    def test_counts(self, learnt: Learnt) -> None:
        table = pairs_of(200)
        assert (learnt.same, learnt.different, learnt.vehicles) == (200, int((~table.same).sum()), 200)


class TestCrossValidation:
    def test_measures_what_other_vehicles_show(self, learnt: Learnt) -> None:
        fresh = pairs_of(2000, seed=9)
        false_match_rate = (fresh.scores[~fresh.same] >= learnt.match_score).mean()
        true_match_rate = (fresh.scores[fresh.same] >= learnt.match_score).mean()
        assert learnt.match.false_match_rate == pytest.approx(false_match_rate, abs=0.003)
        assert learnt.match.true_match_rate == pytest.approx(true_match_rate, abs=0.08)
        assert learnt.missed == pytest.approx((fresh.scores[fresh.same] < learnt.possible_score).mean(), abs=0.04)
        assert learnt.area_under_curve == pytest.approx(0.983, abs=0.01)  # Phi(3 / sqrt(2))

    def test_only_rates_that_the_pairs_can_show(self, learnt: Learnt) -> None:
        assert [point.wanted for point in learnt.roc] == [0.1, 0.01, 0.001, 0.0001]
        assert [point.wanted for point in learn(pairs_of(30, strangers=10), Wish(0.02, 0.05)).roc] == [0.1, 0.02, 0.01]

    def test_every_pair_is_tested_once_by_pairs_of_other_vehicles(self) -> None:
        pairs = pairs_of(60)
        numbered = replace(pairs, scores=np.arange(len(pairs.scores), dtype=np.float64))
        times = np.zeros(len(pairs.scores), dtype=int)
        for learnt_from, tested in learning._parts(numbered):
            times += tested
            of_test = set(pairs.vehicles[tested].ravel())
            of_learning = set(pairs.vehicles[learnt_from.scores.astype(int)].ravel())
            assert not of_test & of_learning
        assert (times == 1).all()


class TestRefusals:
    @pytest.mark.parametrize(
        ("make", "wish", "words"),
        [
            (lambda: pairs_of(19), WISH, "There are 19 pairs of one vehicle (of 19 vehicles)"),
            (lambda: pairs_of(25), Wish(0.01, 0.03), "need at least 34 (of 10 vehicles)"),
            (lambda: pairs_of(25), Wish(0.001, 0.05), "and 1000"),
            (lambda: pairs_of(200, apart=-3), WISH, "do not score higher"),
            (lambda: pairs_of(200, apart=0), WISH, "do not score higher"),
            (lambda: pairs_of(40, apart=0.8, strangers=39), Wish(1e-3, 0.05), "accept a higher false_match_rate"),
        ],
    )
    def test_pairs_that_teach_nothing(self, make: Callable[[], PairTable], wish: Wish, words: str) -> None:
        with pytest.raises(InvalidValueError) as refusal:
            learn(make(), wish)
        assert words in refusal.value.detail

    def test_many_pairs_of_few_vehicles(self) -> None:
        few = [ScoredPair((n % 9, n), (n % 9, n + 1), same=True, score=0.9) for n in range(0, 200, 2)]
        linked = [ScoredPair((n % 9, n), n % 9, same=True, score=0.9) for n in range(200)]
        strangers = [ScoredPair(("a", n), ("b", n), same=False, score=0.1 + n / 1000) for n in range(300)]
        with pytest.raises(InvalidValueError, match=r"\(of 9 vehicles\)"):
            learn(tabulated(few + linked + strangers), WISH)

    def test_different_pairs_that_all_show_one_vehicle(self) -> None:
        same = [ScoredPair((n, 0), (n, 1), same=True, score=0.9 - n / 1000) for n in range(40)]
        star = [ScoredPair("one", ("other", n), same=False, score=n / 1000) for n in range(200)]
        with pytest.raises(InvalidValueError, match="the same few vehicles"):
            learn(tabulated(same + star), WISH)

    def test_no_pairs_at_all(self) -> None:
        with pytest.raises(InvalidValueError, match="There are 0 pairs"):
            learn(tabulated([]), WISH)


def test_pictures_that_same_pairs_link_show_one_vehicle() -> None:
    table = tabulated(
        [
            ScoredPair("a", "b", same=True, score=0.9),
            ScoredPair("c", "d", same=True, score=0.9),
            ScoredPair("a", "c", same=False, score=0.1),
            ScoredPair("e", "b", same=True, score=0.9),
            ScoredPair("f", "e", same=False, score=0.1),
        ]
    )
    (a, b), (c, d), (a2, c2), (e, b2), (f, e2) = table.vehicles.tolist()
    assert a == b == a2 == e == b2 == e2
    assert c == d == c2
    assert len({a, c, f}) == 3
    assert table.vehicles_seen_twice == 2
