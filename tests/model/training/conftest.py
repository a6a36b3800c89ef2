"""Generated vehicles and a recipe small enough to train in seconds."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from model.datasets import Crops, LabelledCrop
from model.presets import Preset
from model.training import Recipe

MakeCrops = Callable[..., Crops]
MakeRecipe = Callable[..., Recipe]


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    """Networks this small are slower on two threads, and wait for each other on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def make_crops(tmp_path: Path) -> MakeCrops:
    """Vehicles as two patches of colour each, seen by two cameras with noise of their own."""

    def make(vehicles: int, first: int = 0, noise: int = 25) -> Crops:
        crops = []
        for number in range(first, first + vehicles):
            colours = np.random.default_rng(number).integers(0, 256, (2, 3))
            for camera in range(2):
                grain = np.random.default_rng((number, camera)).integers(-noise, noise + 1, (40, 48, 3))
                picture = np.repeat(colours, 20, axis=0)[:, None, :] + grain
                path = tmp_path / f"{number}_{camera}.png"
                Image.fromarray(picture.clip(0, 255).astype(np.uint8)).save(path)
                crops.append(LabelledCrop(path, f"vehicle {number}", f"camera {camera}"))
        return Crops("generated", tuple(crops))

    return make


@pytest.fixture
def tiny_preset(make_preset: Callable[..., Preset]) -> Preset:
    """The starter's network at 32 px with a short embedding."""
    return make_preset(
        name="tiny",
        image_size=32,
        embedding_dim=32,
        semantic={"tower": "ViT-8M/16", "input_size": 32},
        afem={"variant": "A", "groups": 4},
    )


@pytest.fixture
def make_recipe(tmp_path: Path, tiny_preset: Preset) -> MakeRecipe:
    """A recipe for `tiny_preset` from random weights, with changes."""
    path = tmp_path / "tiny.json"
    path.write_text(tiny_preset.model_dump_json())

    def make(**changes: object) -> Recipe:
        parts = ("appearance", "semantic", "afem", "fusion", "neck", "classifier")
        recipe = {
            "name": "tiny",
            "preset": str(path),
            "seed": 1,
            "epochs": 2,
            "identities_per_batch": 4,
            "learning_rates": dict.fromkeys(parts, 1e-3),
        }
        return Recipe.model_validate({**recipe, **changes})

    return make
