"""A second look against a slow reference: order anew, the rest behind, junk out, then see where matches are."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from model.datasets import Crops, LabelledCrop, RetrievalTest, Rule
from model.evaluation import Embedded, Reranking, Rescore, evaluate_embedded

AXES = np.concatenate([np.eye(3), -np.eye(3)]).astype(np.float32)
Label = tuple[str, str]


def crops(labels: Sequence[Label]) -> Crops:
    return Crops("made up", tuple(LabelledCrop(Path(), vehicle, camera) for vehicle, camera in labels))


def new_scores(query: NDArray, camera: str, best: NDArray, cameras: NDArray) -> NDArray[np.float64]:
    """Nothing sensible, with ties: what comes out depends on all that goes in, and on the order of the candidates."""
    places = np.arange(len(best))
    return ((best @ [1, 2, 3] + query @ [5, 1, 2] + (cameras == camera) + places) % 3).astype(np.float64)


def reference(
    query: NDArray, label: Label, gallery: NDArray, labels: Sequence[Label], *, rule: Rule, top: int
) -> list[int]:
    """Ranks of the matches after the second look, by the definition."""
    searched = [g for g in range(len(labels)) if not (rule == "same_camera" and labels[g][1] == label[1])]
    listed = sorted(searched, key=lambda g: (-float(query @ gallery[g]), g))
    best, rest = listed[:top], listed[top:]
    scores = new_scores(query, label[1], gallery[best], np.array([labels[g][1] for g in best]))
    best = [g for _, _, g in sorted((-scores[place], place, g) for place, g in enumerate(best))]
    listed = [g for g in best + rest if labels[g] != label]
    return [place + 1 for place, g in enumerate(listed) if labels[g][0] == label[0]]


LABEL = st.tuples(st.sampled_from("ab"), st.sampled_from(["c1", "c2", "c3"]))
CROP = st.tuples(LABEL, st.integers(0, 5))


@settings(max_examples=200, deadline=None)
@given(
    query=CROP,
    gallery=st.lists(CROP, min_size=1, max_size=14),
    top=st.integers(1, 16),
    rule=st.sampled_from(["same_camera", "same_vehicle_same_camera"]),
)
def test_equals_the_reference_whatever_the_method_answers(
    query: tuple[Label, int], gallery: list[tuple[Label, int]], top: int, rule: Rule
) -> None:
    labels = [label for label, _ in gallery]
    if not any(v == query[0][0] and c != query[0][1] for v, c in labels):
        labels.append((query[0][0], "c4"))
        gallery = [*gallery, (labels[-1], 0)]
    labels.append(("another", "c5"))
    gallery = [*gallery, (labels[-1], 1)]
    rows = AXES[[corner for _, corner in gallery]]
    asked = AXES[[query[1]]]

    def start(given_rows: NDArray, given_cameras: NDArray) -> Rescore:
        assert given_rows.tolist() == rows.tolist()
        assert given_cameras.tolist() == [camera for _, camera in labels]
        return new_scores

    test = RetrievalTest("made up", crops([query[0]]), crops(labels), rule)
    found = evaluate_embedded(Embedded(asked, rows), test, {"again": start}, rerank_top=top)
    ranks = reference(asked[0], query[0], rows, labels, rule=rule, top=top)
    (ranking,) = found.rankings["again"]
    assert ranking.first_match.tolist() == ranks[:1]
    assert ranking.inverse_negative_penalty.tolist() == [len(ranks) / ranks[-1]]
    expected = np.mean([(place + 1) / rank for place, rank in enumerate(ranks)])
    assert ranking.average_precision.tolist() == [pytest.approx(expected)]


def test_a_second_look_never_moves_what_is_beyond_the_top() -> None:
    generator = np.random.default_rng(4)
    rows = generator.standard_normal((200, 8)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    labels = [(f"v{number % 20}", f"c{generator.integers(3)}") for number in range(200)]
    listed = crops(labels)
    test = RetrievalTest("made up", listed, listed, "same_vehicle_same_camera")

    def backwards(*_: object) -> Rescore:
        return lambda query, camera, best, cameras: np.arange(len(best), dtype=np.float64)

    methods: dict[str, Reranking] = {"backwards": backwards}
    found = evaluate_embedded(Embedded(rows, rows), test, methods, rerank_top=10)
    (plain,), (turned,) = found.rankings["plain"], found.rankings["backwards"]
    late = plain.first_match > 10
    assert late.sum() > 20
    np.testing.assert_array_equal(turned.first_match[late], plain.first_match[late])
    np.testing.assert_array_equal(turned.average_precision[late], plain.average_precision[late])
    assert (turned.first_match[~late] != plain.first_match[~late]).any()
    assert found.figures() == evaluate_embedded(Embedded(rows, rows), test).figures()
