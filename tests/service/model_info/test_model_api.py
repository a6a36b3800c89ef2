"""GET /model: what is loaded says of itself what it is."""

from pathlib import Path

import httpx
import numpy as np
import pytest
from fastapi import status

from model.embedder import Embedder
from model.projection import Projection
from model.weights import load_checkpoint, save_checkpoint, shipped_weights
from service.model_info.service import model_view


async def test_the_model_loaded(client: httpx.AsyncClient) -> None:
    answer = await client.get("/model")
    assert answer.status_code == status.HTTP_200_OK
    embedder = client._transport.app.state.runtime.embedder
    assert answer.json() == {
        "model_id": embedder.model_id,
        "preset": "tiny",
        "dimension": 64,
        "image_size": 32,
        "device": "cpu",
        "base_model_id": None,
        "trained_on": None,
        "measured_on": None,
        "figures": None,
    }


def test_the_shipped_weights_tell_how_well_they_did() -> None:
    said = model_view(Embedder.load(shipped_weights("starter"), device="cpu"))
    card = shipped_weights("starter").with_suffix(".md").read_text()
    assert said.figures is not None
    assert said.model_id in card
    for group, figures in said.figures.items():
        row = f"| starter | {group} | {figures.queries} | {figures.map:.1f} | {figures.map:.1f} | {figures.rank1:.1f} |"
        assert row in card
    assert (said.trained_on, said.measured_on) == ("two-camera train", "two-camera val")


@pytest.mark.parametrize("figures", ["", "[]", "null", '{"all": {"mAP": 1}}', '{"all": 3}', "[" * 100_000])
def test_figures_in_other_words_are_not_guessed_at(untrained_weights: Path, tmp_path: Path, figures: str) -> None:
    network, preset = load_checkpoint(untrained_weights)
    path = tmp_path / "weights.safetensors"
    save_checkpoint(path, network, preset, {"figures": figures, "train": "mine"})
    said = model_view(Embedder.load(path, device="cpu"))
    assert said.figures is None
    assert said.trained_on == "mine"


def test_a_projection_names_the_model_that_it_is_of(untrained_weights: Path, tmp_path: Path) -> None:
    base = Embedder.load(untrained_weights, device="cpu")
    path = tmp_path / "projection.safetensors"
    Projection(np.eye(8, base.dimension, dtype=np.float32), base.model_id, crops=100, kept=0.5).save(path)
    said = model_view(Embedder.load(untrained_weights, device="cpu", projection=path))
    assert said.base_model_id == base.model_id
    assert said.model_id != base.model_id
    assert said.dimension == 8
