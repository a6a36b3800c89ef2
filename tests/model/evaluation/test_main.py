import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from model.datasets import read_two_camera
from model.embedder import Embedder
from model.evaluation import embed_crops, rank_queries
from model.evaluation.__main__ import main
from model.network import CLIPSENet
from model.presets import Preset
from model.weights import save_checkpoint


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A two-camera set of six generated vehicles of two types, all in the val list."""
    folder = tmp_path / "set"
    (folder / "images").mkdir(parents=True)
    names = []
    for number in range(6):
        blocks = np.random.default_rng(number).integers(0, 256, (4, 4, 3), np.uint8)
        for camera in (1, 2):
            names.append(f"{'car' if number < 4 else 'bus'}_{number:04}_cam{camera}.jpg")
            Image.fromarray(blocks).resize((30 + camera, 40)).save(folder / "images" / names[-1])
    (folder / "val.txt").write_text("\n".join(names))
    return folder


@pytest.fixture
def weights(tmp_path: Path, make_preset: Callable[..., Preset]) -> Path:
    """An untrained checkpoint."""
    preset = make_preset(image_size=32, embedding_dim=32)
    save_checkpoint(tmp_path / "weights.safetensors", CLIPSENet(preset), preset)
    return tmp_path / "weights.safetensors"


def run(*arguments: object) -> tuple[int, str]:
    app = typer.Typer()
    app.command()(main)
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], env={"COLUMNS": "160"})
    return result.exit_code, result.output


def test_prints_and_writes_the_figures_of_weights_and_baselines(data: Path, weights: Path, tmp_path: Path) -> None:
    code, output = run("--data", data, "--weights", weights, "--json", tmp_path / "report.json")
    assert code == 0, output
    report = json.loads((tmp_path / "report.json").read_text())
    embedder = Embedder.load(weights)
    assert list(report) == [embedder.model_id, "EfficientNet-Lite0, ImageNet, untouched", "HSV histogram"]
    assert {kind: row["queries"] for kind, row in report["HSV histogram"].items() if kind != "scores"} == {
        "all": 12,
        "bus": 4,
        "car": 8,
    }
    # The embedder's own figures, worked out anew.
    crops = read_two_camera(data, "val")
    embeddings = embed_crops(embedder, crops)
    labels = {"query_vehicles": crops.vehicles, "gallery_vehicles": crops.vehicles}
    cameras = {"query_cameras": crops.cameras, "gallery_cameras": crops.cameras}
    ranking = rank_queries(embeddings @ embeddings.T, **labels, **cameras, junk="same_camera")
    assert report[embedder.model_id]["all"]["mAP"] == pytest.approx(100 * ranking.mean_average_precision)
    assert report[embedder.model_id]["all"]["R1"] == pytest.approx(100 * ranking.cmc(1))
    assert report[embedder.model_id]["all"]["R5"] == pytest.approx(100 * ranking.cmc(5))
    bus = ranking.of(np.array([crop.vehicle_type == "bus" for crop in crops]))
    assert report[embedder.model_id]["bus"]["mAP"] == pytest.approx(100 * bus.mean_average_precision)
    for text in (embedder.model_id, "HSV histogram", "untouched", "mAP", "R10", "different"):
        assert text in output


def test_the_histogram_finds_vehicles_that_only_changed_size(data: Path, weights: Path, tmp_path: Path) -> None:
    code, _ = run("--data", data, "--weights", weights, "--json", tmp_path / "report.json")
    assert code == 0
    assert json.loads((tmp_path / "report.json").read_text())["HSV histogram"]["all"]["R1"] == 100


def test_without_baselines_only_the_weights_are_measured(data: Path, weights: Path) -> None:
    code, output = run("--data", data, "--weights", weights, "--no-baselines")
    assert code == 0
    assert "HSV" not in output


def test_missing_data_is_said_in_a_sentence(tmp_path: Path, weights: Path) -> None:
    code, output = run("--data", tmp_path / "nowhere", "--weights", weights)
    assert code == 1
    assert "There is no folder" in output


def test_missing_weights_are_said_in_a_sentence(tmp_path: Path, data: Path) -> None:
    code, output = run("--data", data, "--weights", tmp_path / "none.safetensors")
    assert code == 1
    assert "There is no weights file" in output


def test_unknown_split(data: Path, weights: Path) -> None:
    code, output = run("--data", data, "--weights", weights, "--split", "test")
    assert code == 2
    assert "val or train" in output
