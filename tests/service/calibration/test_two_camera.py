"""Whether what is learnt from some real vehicles holds for others."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from model.datasets.two_camera import read_two_camera
from model.embedder import Embedder
from model.evaluation.embed import embed_crops
from service.calibration.decisions import Scale
from service.calibration.learning import Learnt, Wish, learn
from service.calibration.pairs import ScoredPair, tabulated
from service.database.tables import Calibration

pytestmark = pytest.mark.shared_data

Vehicles = NDArray[np.int64]


@pytest.fixture(scope="module")
def scores(two_camera: Path) -> NDArray[np.float64]:
    """Scores of the first camera's crops against the second's; row and column of one vehicle have one number."""
    crops = read_two_camera(two_camera, "val")
    vectors = embed_crops(Embedder.load(device="cpu", threads=2), crops)
    of = {(crop.vehicle, crop.camera): row for crop, row in zip(crops.items, vectors, strict=True)}
    vehicles = sorted({crop.vehicle for crop in crops.items})
    first, second = (np.stack([of[vehicle, camera] for vehicle in vehicles]) for camera in ("cam1", "cam2"))
    return first.astype(np.float64) @ second.astype(np.float64).T


def halves(count: int, seed: int) -> tuple[Vehicles, Vehicles]:
    order = np.random.default_rng(seed).permutation(count)
    return order[: count // 2], order[count // 2 :]


def learnt_from(scores: NDArray[np.float64], vehicles: Vehicles, wish: Wish) -> Learnt:
    pairs = [
        ScoredPair((1, one), (2, other), same=bool(one == other), score=float(scores[one, other]))
        for one in vehicles
        for other in vehicles
    ]
    return learn(tabulated(pairs), wish)


def scale(learnt: Learnt, candidates: int) -> Scale:
    row = Calibration(
        intercept=learnt.intercept,
        slope=learnt.slope,
        match_score=learnt.match_score,
        possible_score=learnt.possible_score,
        different_pairs=learnt.different,
    )
    return Scale(row, candidates)


def test_the_rates_hold_roughly_for_vehicles_that_were_not_learnt_from(scores: NDArray[np.float64]) -> None:
    false_matches, missed = [], []
    for seed in range(10):
        some, others = halves(len(scores), seed)
        learnt = learnt_from(scores, some, Wish(false_match_rate=0.01, false_non_match_rate=0.05))
        block = scores[np.ix_(others, others)]
        different = ~np.eye(len(others), dtype=bool)
        false_matches.append((block[different] >= learnt.match_score).mean())
        missed.append((block.diagonal() < learnt.possible_score).mean())
    assert np.mean(false_matches) == pytest.approx(0.01, abs=0.005)
    assert max(false_matches) < 0.04
    assert np.mean(missed) == pytest.approx(0.05, abs=0.04)


@pytest.mark.parametrize("gallery", [5, 20, 50])
def test_probabilities_are_the_shares_that_are_right(scores: NDArray[np.float64], gallery: int) -> None:
    """In galleries of any size, of other vehicles: the vehicle is on one of the crops compared, or on none."""
    probabilities: list[float] = []
    right: list[bool] = []
    for seed in range(10):
        some, others = halves(len(scores), seed)
        learnt = learnt_from(scores, some, Wish(false_match_rate=0.01, false_non_match_rate=0.05))
        read = scale(learnt, gallery)
        random = np.random.default_rng(seed)
        for query in others:
            strangers = random.permutation(others[others != query])
            # one search of gallery + 1 has the vehicle nowhere, as likely as on any one crop
            there = random.random() < gallery / (gallery + 1)
            compared = np.append(strangers[: gallery - 1], query) if there else strangers[:gallery]
            probabilities += [read.probability(scores[query, one]) for one in compared]
            right += [bool(one == query) for one in compared]
    claimed, found = np.array(probabilities), np.array(right)
    assert claimed.sum() == pytest.approx(found.sum(), rel=0.15)
    for low, high in [(0, 0.2), (0.2, 0.5), (0.5, 0.8), (0.8, 1)]:
        of_these = (claimed >= low) & (claimed < high)
        assert found[of_these].mean() == pytest.approx(claimed[of_these].mean(), abs=0.2)
