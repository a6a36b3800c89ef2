"""The weights that come with the package, their card, and the figures both promise."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model.datasets import open_dataset
from model.embedder import Embedder
from model.evaluation import Evaluation, ImageNetCnn, evaluate
from model.training import Recipe, load_recipe
from model.weights import load_checkpoint, read_metadata, shipped_weights

STORED = Path(__file__).with_name("starter_embedding.json")


@pytest.fixture(scope="module")
def card() -> str:
    return shipped_weights("starter").with_suffix(".md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return Embedder.load(preset="starter")


@pytest.fixture(scope="module")
def measured(embedder: Embedder, two_camera: Path) -> Evaluation:
    return evaluate(embedder, open_dataset(two_camera).test("val"))


def rows(card: str, model: str) -> dict[str, dict[str, float]]:
    """The card's figures of one model, by vehicle type."""
    share = r" \| ([\d.]+)"
    pattern = rf"^\| {re.escape(model)} \| (\w+) \| (\d+){share * 5} \|$"
    found = re.findall(pattern, card, flags=re.MULTILINE)
    return {
        kind: dict(zip(("queries", "mAP", "mINP", "R1", "R5", "R10"), map(float, numbers), strict=True))
        for kind, *numbers in found
    }


def test_size_is_within_what_a_repository_and_two_cores_bear() -> None:
    assert shipped_weights("starter").stat().st_size <= 40e6
    network, preset = load_checkpoint(shipped_weights("starter"))
    assert sum(parameter.numel() for parameter in network.parameters()) <= 25e6
    assert 256 <= preset.embedding_dim <= 512


def test_header_says_how_they_were_made() -> None:
    header = read_metadata(shipped_weights("starter"))
    assert Recipe.model_validate_json(header["recipe"]) == load_recipe("starter"), "train again, or restore the recipe"
    assert (header["train"], header["val"]) == ("two-camera train", "two-camera val")


def test_header_says_how_the_weights_that_they_started_from_were_made() -> None:
    header = read_metadata(shipped_weights("rendered"))
    assert Recipe.model_validate_json(header["recipe"]) == load_recipe("rendered"), "train again, or restore the recipe"
    assert (header["train"], header["val"]) == ("rendered train", "rendered val")
    assert shipped_weights("rendered").stat().st_size <= 40e6


def test_the_card_names_these_weights_and_states_the_headers_figures(card: str, embedder: Embedder) -> None:
    assert f"`{embedder.model_id}`" in card
    figures = json.loads(read_metadata(shipped_weights("starter"))["figures"])
    stated = rows(card, "starter")
    assert stated.keys() == figures.keys()
    for kind, row in figures.items():
        assert stated[kind] == pytest.approx(row, abs=0.051)


def test_the_starter_is_far_ahead_of_the_untouched_cnn(card: str) -> None:
    starter, untouched = (rows(card, model)["all"] for model in ("starter", "untouched CNN, 160 px"))
    assert starter["mAP"] > untouched["mAP"] + 10
    assert starter["R1"] > untouched["R1"] + 10


def test_a_stored_embedding_comes_out_again(embedder: Embedder) -> None:
    rows_, columns = np.mgrid[0:120, 0:90]
    picture = np.stack((rows_ * 2, columns * 2, (rows_ // 12 + columns // 9) % 2 * 200), axis=2).astype(np.uint8)
    embedding = embedder.embed(embedder.prepare(Image.fromarray(picture))[None])[0]
    stored = json.loads(STORED.read_text())
    new = json.dumps({"model_id": embedder.model_id, "embedding": [round(float(value), 5) for value in embedding]})
    assert stored["model_id"] == embedder.model_id, (
        f"where the weights changed on purpose, put this into {STORED}: {new}"
    )
    np.testing.assert_allclose(embedding, stored["embedding"], atol=2e-4)


@pytest.mark.shared_data
def test_the_cards_figures_come_out_again(card: str, measured: Evaluation) -> None:
    figures = measured.figures()
    stated = rows(card, "starter")
    assert stated.keys() == figures.keys()
    for column in ("mAP", "R1", "R5", "R10"):
        assert stated["all"][column] == pytest.approx(figures["all"][column], abs=0.5)


@pytest.mark.shared_data
def test_the_cards_baseline_comes_out_again(card: str, two_camera: Path) -> None:
    figures = evaluate(ImageNetCnn(image_size=160), open_dataset(two_camera).test("val")).figures()["all"]
    stated = rows(card, "untouched CNN, 160 px")["all"]
    for column in ("mAP", "R1", "R5", "R10"):
        assert stated[column] == pytest.approx(figures[column], abs=0.5)


@pytest.mark.shared_data
def test_the_cards_score_quantiles_come_out_again(card: str, measured: Evaluation) -> None:
    for kind, values in measured.scores.quantiles().items():
        line = re.search(rf"^\| {kind} \|(.+)\|$", card, flags=re.MULTILINE)
        assert line, f"the card has no line of the {kind} pairs"
        assert [float(cell) for cell in line[1].split("|")] == pytest.approx(values, abs=0.01)
