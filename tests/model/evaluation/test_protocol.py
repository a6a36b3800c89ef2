from pathlib import Path

import numpy as np
import pytest

from model.datasets import Crops, LabelledCrop
from model.evaluation import EvaluationError, evaluate_cross_camera


def crops(*labels: tuple[str, str, str | None]) -> Crops:
    return Crops("made up", tuple(LabelledCrop(Path(), vehicle, camera, kind) for vehicle, camera, kind in labels))


def unit(*degrees: float) -> np.ndarray:
    angles = np.radians(degrees)
    return np.stack((np.cos(angles), np.sin(angles)), axis=1).astype(np.float32)


LABELS = (("a", "c1", "car"), ("b", "c1", "bus"), ("a", "c2", "car"), ("b", "c2", "bus"))


def test_crops_of_the_querys_own_camera_are_no_candidates() -> None:
    # The two of camera 1 are each other's nearest by far; across cameras both find their match first.
    result = evaluate_cross_camera(unit(0, 1, -40, 40), crops(*LABELS))
    assert result.figures()["all"] == {"queries": 4, "mAP": 100, "R1": 100, "R5": 100, "R10": 100}


def test_figures_are_told_by_type_in_percent() -> None:
    # The bus of camera 1 lies nearer to the car of camera 2 than to its own sighting; so does that car to it.
    result = evaluate_cross_camera(unit(0, 20, 25, 60), crops(*LABELS))
    figures = result.figures()
    assert list(figures) == ["all", "bus", "car"]
    assert figures["bus"] == {"queries": 2, "mAP": 75, "R1": 50, "R5": 100, "R10": 100}
    assert figures["car"] == {"queries": 2, "mAP": 75, "R1": 50, "R5": 100, "R10": 100}
    assert figures["all"]["queries"] == 4


def test_a_type_without_a_query_to_count_has_no_row() -> None:
    labels = (*LABELS, ("t", "c1", "truck"), ("x", "c2", None))
    figures = evaluate_cross_camera(unit(0, 1, -40, 40, 90, 120), crops(*labels)).figures()
    assert list(figures) == ["all", "bus", "car"]
    assert figures["all"]["queries"] == 4


def test_one_camera_only_has_no_figure() -> None:
    result = evaluate_cross_camera(unit(0, 1), crops(("a", "c1", None), ("a", "c1", None)))
    with pytest.raises(EvaluationError, match="No query has a match"):
        result.figures()
