"""The junk rule at true size, against the lists that VeRi-776 comes with."""

from pathlib import Path

import numpy as np
import pytest

from model.datasets import Crops, LabelledCrop, RetrievalTest
from model.evaluation import Embedded, evaluate_embedded

pytestmark = pytest.mark.shared_data


@pytest.fixture(scope="module")
def lists(pytestconfig: pytest.Config) -> Path:
    folder = pytestconfig.rootpath.parent / "shared" / "data" / "protocol" / "veri-776"
    if not folder.is_dir():
        pytest.skip("the benchmarks' lists are not beside the repository")
    return folder


def crops(file: Path) -> Crops:
    names = file.read_text().split()
    return Crops(file.stem, tuple(LabelledCrop(Path(name), name[:4], name[5:9]) for name in names))


def positions(file: Path) -> list[list[int]]:
    return [[int(number) - 1 for number in line.split()] for line in file.read_text().splitlines()]


def test_figures_are_those_of_the_published_match_and_junk_lists(lists: Path) -> None:
    """Random scores, ranked by the rule and by the lists that say which are matches and which are junk."""
    query, gallery = crops(lists / "name_query.txt"), crops(lists / "name_test.txt")
    assert (len(query), len(gallery)) == (1678, 11579)
    random = np.random.default_rng(1)
    rows = [random.standard_normal((len(one), 8)).astype(np.float32) for one in (query, gallery)]
    embedded = Embedded(*(row / np.linalg.norm(row, axis=1, keepdims=True) for row in rows))
    test = RetrievalTest("VeRi-776", query, gallery, "same_vehicle_same_camera")
    (found,) = evaluate_embedded(embedded, test).rankings["plain"]

    scores = (embedded.query.astype(np.float64) @ embedded.gallery.astype(np.float64).T).astype(np.float32)
    precisions, first, penalties = [], [], []
    for row, matches, junk in zip(
        scores, positions(lists / "gt_index.txt"), positions(lists / "jk_index.txt"), strict=True
    ):
        order = np.argsort(-row, kind="stable")
        order = order[~np.isin(order, junk)]
        ranks = np.flatnonzero(np.isin(order, matches)) + 1
        assert len(ranks) == len(matches)
        precisions.append(np.mean(np.arange(1, len(ranks) + 1) / ranks))
        first.append(ranks[0])
        penalties.append(len(ranks) / ranks[-1])
    np.testing.assert_allclose(found.average_precision, precisions, rtol=1e-12)
    assert found.first_match.tolist() == first
    np.testing.assert_allclose(found.inverse_negative_penalty, penalties, rtol=1e-12)
