"""Whole tests, from embeddings to figures, against slow references written from the published definitions."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.datasets import Crops, LabelledCrop, RetrievalTest, Rule
from model.evaluation import Embedded, Evaluation, EvaluationError, evaluate_embedded

Label = tuple[str, str, str | None]


def crops(*labels: Label) -> Crops:
    return Crops("made up", tuple(LabelledCrop(Path(), vehicle, camera, kind) for vehicle, camera, kind in labels))


def unit(*degrees: float) -> np.ndarray:
    angles = np.radians(degrees)
    return np.stack((np.cos(angles), np.sin(angles)), axis=1).astype(np.float32)


def measured(
    query: np.ndarray, queries: Crops, gallery: np.ndarray, crops_: Crops, rule: Rule = "same_camera"
) -> Evaluation:
    return evaluate_embedded(Embedded(query, gallery), RetrievalTest("made up", queries, crops_, rule))


def of_one_list(embeddings: np.ndarray, labels: Sequence[Label], rule: Rule = "same_camera") -> Evaluation:
    return measured(embeddings, crops(*labels), embeddings, crops(*labels), rule)


LABELS = (("a", "c1", "car"), ("b", "c1", "bus"), ("a", "c2", "car"), ("b", "c2", "bus"))
PERFECT = {"mAP": 100, "mINP": 100, "R1": 100, "R5": 100, "R10": 100}


def test_crops_of_the_querys_own_camera_are_no_candidates() -> None:
    # The two of camera 1 are each other's nearest by far; across cameras both find their match first.
    assert of_one_list(unit(0, 1, -40, 40), LABELS).figures()["all"] == {"queries": 4, **PERFECT}


def test_figures_are_told_by_type_in_percent() -> None:
    # The bus of camera 1 lies nearer to the car of camera 2 than to its own sighting; so does that car to it.
    figures = of_one_list(unit(0, 20, 25, 60), LABELS).figures()
    assert list(figures) == ["all", "bus", "car"]
    assert figures["bus"] == {"queries": 2, "mAP": 75, "mINP": 75, "R1": 50, "R5": 100, "R10": 100}
    assert figures["car"] == {"queries": 2, "mAP": 75, "mINP": 75, "R1": 50, "R5": 100, "R10": 100}
    assert figures["all"]["queries"] == 4


def test_a_type_without_a_query_to_count_has_no_row() -> None:
    labels = (*LABELS, ("t", "c1", "truck"), ("x", "c2", None))
    figures = of_one_list(unit(0, 1, -40, 40, 90, 120), labels).figures()
    assert list(figures) == ["all", "bus", "car"]
    assert figures["all"]["queries"] == 4


def test_a_vehicle_without_a_type_is_of_type_unknown() -> None:
    labels = (("a", "c1", None), ("a", "c2", None), ("b", "c1", None))
    assert list(of_one_list(unit(0, 1, 2), labels).figures()) == ["all", "unknown"]


def test_each_pair_of_candidates_is_counted_once() -> None:
    labels = (("a", "c1", None), ("a", "c2", None), ("b", "c2", None))
    scores = of_one_list(unit(0, 30, 60), labels).scores
    # The pair of the last two is of one camera and left out.
    assert (scores.same.sum(), scores.different.sum()) == (1, 1)
    assert scores.quantiles([0.5]) == {
        "same": [pytest.approx(np.cos(np.pi / 6), abs=1e-4)],
        "different": [pytest.approx(np.cos(np.pi / 3), abs=1e-4)],
    }
    apart = measured(unit(0, 30), crops(*labels[:2]), unit(0, 30, 60), crops(*labels)).scores
    assert (apart.same.sum(), apart.different.sum()) == (2, 1)


# Two published rules, each in the slowest and plainest form.


def market1501(
    scores: np.ndarray, query: Sequence[Label], gallery: Sequence[Label], ranks: Sequence[int]
) -> tuple[float, list[float]]:
    """The rule of Market-1501 as torchreid counts it: mAP, and CMC at the ranks."""
    precisions, found_at = [], []
    for row, (vehicle, camera, _) in zip(scores.tolist(), query, strict=True):
        listed = sorted(range(len(gallery)), key=lambda g: (-row[g], g))
        listed = [g for g in listed if gallery[g][:2] != (vehicle, camera)]
        raw = [gallery[g][0] == vehicle for g in listed]
        if not any(raw):
            continue  # this identity does not appear in the gallery
        found_at.append(raw.index(True) + 1)
        precision = [sum(raw[: place + 1]) / (place + 1) for place in range(len(raw))]
        precisions.append(sum(p for p, hit in zip(precision, raw, strict=True) if hit) / sum(raw))
    return (
        100 * sum(precisions) / len(precisions),
        [100 * sum(place <= rank for place in found_at) / len(found_at) for rank in ranks],
    )


def fastreid_minp(scores: np.ndarray, query: Sequence[Label], gallery: Sequence[Label]) -> float:
    """FastReID's and AGW's mINP: matches over the place of the last, after the same filter."""
    penalties = []
    for row, (vehicle, camera, _) in zip(scores.tolist(), query, strict=True):
        matches, last, place = 0, 0, 0
        for g in sorted(range(len(gallery)), key=lambda g: (-row[g], g)):
            if gallery[g][:2] == (vehicle, camera):
                continue
            place += 1
            if gallery[g][0] == vehicle:
                matches += 1
                last = place
        if matches:
            penalties.append(matches / last)
    return 100 * sum(penalties) / len(penalties)


def has_match(query: Sequence[Label], gallery: Sequence[Label]) -> bool:
    return any(q[0] == g[0] and q[1] != g[1] for q in query for g in gallery)


LABEL = st.tuples(st.sampled_from("abc"), st.sampled_from(["c1", "c2"]), st.sampled_from(["car", "bus", None]))
# Axes and their opposites: cosines are exactly -1, 0 and 1, so that ties and duplicates are everywhere.
AXES = np.concatenate([np.eye(3), -np.eye(3)]).astype(np.float32)
CORNER = st.integers(0, 5)


@settings(max_examples=150, deadline=None)
@given(query=st.lists(st.tuples(LABEL, CORNER), min_size=1, max_size=5), data=st.data())
def test_equals_both_published_rules_on_ties_duplicates_junk_and_lone_queries(
    query: list[tuple[Label, int]], data: st.DataObject
) -> None:
    gallery = data.draw(st.lists(st.tuples(LABEL, CORNER), min_size=1, max_size=14))
    q_labels, g_labels = [label for label, _ in query], [label for label, _ in gallery]
    q_rows, g_rows = AXES[[corner for _, corner in query]], AXES[[corner for _, corner in gallery]]
    lists = crops(*q_labels), crops(*g_labels)
    without = "a match" if not has_match(q_labels, g_labels) else "a candidate of another vehicle"
    if without == "a match" or len({vehicle for vehicle, _, _ in g_labels}) == 1:
        with pytest.raises(EvaluationError, match=f"No query of the test made up has {without}"):
            measured(q_rows, lists[0], g_rows, lists[1], "same_vehicle_same_camera")
        return
    figures = measured(q_rows, lists[0], g_rows, lists[1], "same_vehicle_same_camera").figures()["all"]
    scores = q_rows @ g_rows.T
    precision, cmc = market1501(scores, q_labels, g_labels, (1, 5, 10))
    assert figures["mAP"] == pytest.approx(precision, rel=1e-12)
    assert [figures["R1"], figures["R5"], figures["R10"]] == pytest.approx(cmc, rel=1e-12)
    assert figures["mINP"] == pytest.approx(fastreid_minp(scores, q_labels, g_labels), rel=1e-12)


def random_labels(generator: np.random.Generator, count: int, vehicles: int, cameras: int) -> list[Label]:
    return [(f"v{generator.integers(vehicles)}", f"c{generator.integers(cameras)}", None) for _ in range(count)]


def random_rows(generator: np.random.Generator, count: int, dimension: int = 16) -> np.ndarray:
    rows = generator.standard_normal((count, dimension)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_equals_both_published_rules_on_many_queries_in_several_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(11)
    q_labels, g_labels = random_labels(generator, 60, 15, 4), random_labels(generator, 300, 15, 4)
    q_rows, g_rows = random_rows(generator, 60), random_rows(generator, 300)
    lists = crops(*q_labels), crops(*g_labels)
    whole = measured(q_rows, lists[0], g_rows, lists[1], "same_vehicle_same_camera").figures()
    scores = (q_rows.astype(np.float64) @ g_rows.astype(np.float64).T).astype(np.float32)
    precision, cmc = market1501(scores, q_labels, g_labels, (1, 5, 10))
    assert [whole["all"][name] for name in ("mAP", "R1", "R5", "R10")] == pytest.approx([precision, *cmc], rel=1e-12)
    assert whole["all"]["mINP"] == pytest.approx(fastreid_minp(scores, q_labels, g_labels), rel=1e-12)
    monkeypatch.setattr("model.evaluation.retrieval._QUERIES_AT_ONCE", 7)
    monkeypatch.setattr("model.evaluation.retrieval._GALLERY_AT_ONCE", 41)
    assert measured(q_rows, lists[0], g_rows, lists[1], "same_vehicle_same_camera").figures() == whole


def test_average_precision_is_scikit_learns_where_nothing_is_left_out() -> None:
    from sklearn.metrics import average_precision_score

    generator = np.random.default_rng(5)
    q_labels = [(vehicle, "asked", kind) for vehicle, _, kind in random_labels(generator, 25, 6, 1)]
    g_labels = random_labels(generator, 120, 6, 3)
    q_rows, g_rows = random_rows(generator, 25), random_rows(generator, 120)
    found = measured(q_rows, crops(*q_labels), g_rows, crops(*g_labels), "same_vehicle_same_camera")
    expected = [
        average_precision_score([label[0] == vehicle for label in g_labels], g_rows @ row)
        for row, (vehicle, _, _) in zip(q_rows, q_labels, strict=True)
    ]
    (ranking,) = found.rankings["plain"]
    np.testing.assert_allclose(ranking.average_precision, expected, rtol=1e-6)


def test_cmc_may_ask_for_more_ranks_than_the_gallery_has() -> None:
    labels = (("a", "c1", None), ("a", "c2", None), ("b", "c2", None))
    curve = of_one_list(unit(0, 80, 10), labels).cmc(ranks=20)
    # The first query finds its match second; the second finds its only candidate at once; the third has none.
    np.testing.assert_allclose(curve, [0.5] + [1.0] * 19)


# VehicleID


def test_one_per_vehicle_is_the_mean_of_ten_draws_without_a_look_at_cameras() -> None:
    generator = np.random.default_rng(2)
    labels = [(f"v{number % 7}", "c1", "car" if number % 7 < 4 else "bus") for number in range(40)]
    labels.append(("lone", "c1", "bus"))  # its one crop is in every gallery and never a query
    rows = random_rows(generator, len(labels), 6)
    found = of_one_list(rows, labels, "one_per_vehicle")
    galleries = set()
    sums = {kind: np.zeros(5) for kind in ("all", "car", "bus")}
    from model.evaluation.retrieval import draws

    listed = crops(*labels)
    for draw in draws(RetrievalTest("made up", listed, listed, "one_per_vehicle")):
        chosen = sorted(set(draw.gallery.tolist()))
        galleries.add(tuple(chosen))
        assert sorted(labels[g][0] for g in chosen) == sorted({label[0] for label in labels})
        assert sorted([*chosen, *draw.query.tolist()]) == list(range(len(labels)))
        for kind, total in sums.items():
            ranks = []
            for q in draw.query.tolist():
                if kind not in ("all", labels[q][2]):
                    continue
                order = sorted(chosen, key=lambda g: (-float(np.float32(rows[g].astype(float) @ rows[q])), g))
                ranks.append(1 + [labels[g][0] for g in order].index(labels[q][0]))
            at = np.array(ranks)
            total += [np.mean(1 / at), np.mean(1 / at), *(np.mean(at <= rank) for rank in (1, 5, 10))]
    assert len(galleries) == 10, "the draws differ"
    figures = found.figures()
    for kind, total in sums.items():
        assert [figures[kind][name] for name in ("mAP", "mINP", "R1", "R5", "R10")] == pytest.approx(10 * total)
    assert figures["all"]["queries"] == 33
    assert of_one_list(rows, labels, "one_per_vehicle").figures() == figures, "the draws are the same in every run"


# What has no figure


@pytest.mark.parametrize(
    ("rule", "labels"),
    [
        ("same_camera", [("a", "c1", None), ("a", "c1", None)]),
        ("same_vehicle_same_camera", [("a", "c1", None), ("b", "c2", None)]),
        ("one_per_vehicle", [("a", "c1", None), ("b", "c1", None)]),
    ],
)
def test_no_query_with_a_match(rule: Rule, labels: list[Label]) -> None:
    with pytest.raises(EvaluationError, match="No query of the test made up has a match"):
        of_one_list(unit(0, 1), labels, rule)


@pytest.mark.parametrize(
    ("rule", "labels"),
    [
        ("same_camera", [("a", "c1", None), ("a", "c2", None)]),
        ("same_vehicle_same_camera", [("a", "c1", None), ("a", "c2", None)]),
        ("one_per_vehicle", [("a", "c1", None), ("a", "c1", None)]),
    ],
)
def test_no_query_with_another_vehicle_before_it(rule: Rule, labels: list[Label]) -> None:
    with pytest.raises(EvaluationError, match="No query of the test made up has a candidate of another vehicle"):
        of_one_list(unit(*range(len(labels))), labels, rule)


def test_other_vehicles_on_the_querys_own_camera_are_not_before_it() -> None:
    queries, gallery = crops(("a", "c1", None)), crops(("a", "c2", None), ("b", "c1", None))
    with pytest.raises(EvaluationError, match="candidate of another vehicle than its own; the gallery shows 2"):
        measured(unit(0), queries, unit(1, 2), gallery)
    assert measured(unit(0), queries, unit(1, 2), gallery, "same_vehicle_same_camera").figures()["all"]["R1"] == 100


def test_a_query_of_a_vehicle_that_the_gallery_has_not_does_not_make_it_a_test() -> None:
    queries, gallery = crops(("a", "c1", None), ("x", "c1", None)), crops(("a", "c2", None))
    with pytest.raises(EvaluationError, match="candidate of another vehicle than its own; the gallery shows 1"):
        measured(unit(0, 1), queries, unit(2), gallery, "same_vehicle_same_camera")


def test_an_empty_list_is_named() -> None:
    with pytest.raises(EvaluationError, match="no crops in its gallery"):
        measured(unit(0), crops(("a", "c1", None)), unit(), crops())
    with pytest.raises(EvaluationError, match="no crops in its queries"):
        measured(unit(), crops(), unit(0), crops(("a", "c1", None)))


def test_embeddings_that_do_not_fit_the_list() -> None:
    with pytest.raises(EvaluationError, match=r"shape \(3, 2\) do not fit the 4 crops"):
        of_one_list(unit(0, 1, 2), LABELS)


@pytest.mark.parametrize(
    ("bad", "said"),
    [(np.nan, "values that are not finite"), (np.inf, "values that are not finite"), (2, "length 2.24")],
)
def test_embeddings_that_are_no_unit_vectors(bad: float, said: str) -> None:
    rows = unit(0, 0, 0, 0)
    rows[2, 1] = bad
    with pytest.raises(EvaluationError, match=said):
        of_one_list(rows, LABELS)
