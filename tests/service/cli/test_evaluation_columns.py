"""The columns of `clip-senet evaluate` against the service's own search on the same vectors."""

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest

from index.contract import Filter, Sighting
from index.options import IndexOptions
from index.segmented import SegmentedIndex
from model.datasets import Crops, LabelledCrop, RetrievalTest
from model.evaluation import Embedded, evaluate_embedded
from service.cli.evaluation_columns import SETTINGS, columns_for
from service.search.ranking import Query, rank

VEHICLES, CROPS, CAMERAS, DIMENSION, TOP = 12, 12, 3, 16, 60


@pytest.fixture(scope="module")
def vectors() -> np.ndarray:
    """Unit vectors of vehicles seen by cameras with a look of their own; crop n is of vehicle n % 12, camera n % 3."""
    random = np.random.default_rng(8)
    vehicles = random.standard_normal((VEHICLES, DIMENSION))
    cameras = random.standard_normal((CAMERAS, DIMENSION))
    numbers = np.arange(VEHICLES * CROPS)
    rows = vehicles[numbers % VEHICLES] + cameras[numbers // VEHICLES % CAMERAS]
    rows += 1.2 * random.standard_normal(rows.shape)
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def crops() -> Crops:
    numbers = range(VEHICLES * CROPS)
    items = [LabelledCrop(Path(), str(n % VEHICLES), f"camera-{n // VEHICLES % CAMERAS}") for n in numbers]
    return Crops("made up", tuple(items))


@pytest.fixture(scope="module")
def index(vectors: np.ndarray, crops: Crops, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SegmentedIndex]:
    index = SegmentedIndex(DIMENSION, tmp_path_factory.mktemp("index"), IndexOptions(codec="fp32"))
    sightings = [
        Sighting(UUID(int=n), "c", vector, crop.camera, vehicle_id=crop.vehicle)
        for n, (vector, crop) in enumerate(zip(vectors, crops, strict=True))
    ]
    index.apply(sightings, [], 1)
    yield index
    index.close()


@pytest.mark.parametrize(
    ("column", "how"),
    [
        ("plain", {"rerank": "none", "camera_normalization": False}),
        ("k_reciprocal", {"rerank": "k_reciprocal", "camera_normalization": False}),
        ("query_expansion", {"rerank": "query_expansion", "camera_normalization": False}),
        ("camera_normalization", {"rerank": "none", "camera_normalization": True}),
    ],
)
def test_a_column_has_the_ranks_of_the_services_search(
    vectors: np.ndarray, crops: Crops, index: SegmentedIndex, column: str, how: dict[str, object]
) -> None:
    """With exclude_same_camera, as the rule "same_camera" has it; more candidates than are looked at again."""
    test = RetrievalTest("made up", crops, crops, "same_camera")
    found = evaluate_embedded(Embedded(vectors, vectors), test, columns_for(test.rule), rerank_top=TOP)
    precision, first = [], []
    for vector, crop in zip(vectors, crops, strict=True):
        where = Filter("c", exclude_camera_ids=frozenset({crop.camera}))
        query = Query(vector, crop.camera, len(crops), None, "crop", rerank_candidates=TOP, **how)
        groups = rank(index, query, where).groups
        assert len(groups) == VEHICLES * CROPS * 2 // 3 > TOP
        hits = [group[0].hit.sighting.vehicle_id == crop.vehicle for group in groups]
        ranks = np.flatnonzero(hits) + 1
        precision.append(np.mean(np.arange(1, len(ranks) + 1) / ranks))
        first.append(ranks[0])
    (ranking,) = found.rankings[column]
    assert ranking.first_match.tolist() == first
    np.testing.assert_allclose(ranking.average_precision, precision)


def test_every_column_orders_anew(vectors: np.ndarray, crops: Crops) -> None:
    test = RetrievalTest("made up", crops, crops, "same_camera")
    found = evaluate_embedded(Embedded(vectors, vectors), test, columns_for(test.rule), rerank_top=TOP)
    assert set(SETTINGS) == set(found.rankings) - {"plain"}
    figures = [found.figures(name)["all"]["mAP"] for name in found.rankings]
    assert len(set(figures)) == 4
    # What normalisation is for: these cameras have a look of their own.
    assert found.figures("camera_normalization")["all"]["mAP"] > found.figures()["all"]["mAP"] + 5


def test_unknown_cameras_take_the_statistics_of_all(vectors: np.ndarray) -> None:
    rescore = columns_for("same_camera")["camera_normalization"](vectors, np.array(["", "a"] * (len(vectors) // 2)))
    unknown = rescore(vectors[0], "", vectors[1:5], np.array([""] * 4))
    elsewhere = rescore(vectors[0], "never seen", vectors[1:5], np.array(["never seen"] * 4))
    np.testing.assert_array_equal(unknown, elsewhere)
