"""Generated vehicles and a recipe small enough to train in seconds."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from PIL import Image
from support.training import Generated

from model.datasets import Crops, LabelledCrop
from model.presets import Preset
from model.training import Recipe
from model.training.devices import open_fabric

MakeCrops = Callable[..., Crops]
MakeRecipe = Callable[..., Recipe]


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    """Networks this small are slower on two threads, and wait for each other on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def make_crops(tmp_path_factory: pytest.TempPathFactory) -> MakeCrops:
    """Vehicles as two patches of colour each, seen by two cameras with noise of their own."""
    folder = tmp_path_factory.mktemp("crops")

    def make(vehicles: int, first: int = 0, noise: int = 25) -> Crops:
        crops = []
        for number in range(first, first + vehicles):
            colours = np.random.default_rng(number).integers(0, 256, (2, 3))
            for camera in range(2):
                grain = np.random.default_rng((number, camera)).integers(-noise, noise + 1, (40, 48, 3))
                picture = np.repeat(colours, 20, axis=0)[:, None, :] + grain
                path = folder / f"{number}_{camera}_{noise}.png"
                Image.fromarray(picture.clip(0, 255).astype(np.uint8)).save(path)
                crops.append(LabelledCrop(path, f"vehicle {number}", f"camera {camera}"))
        return Crops("generated", tuple(crops))

    return make


@pytest.fixture(scope="session")
def make_data(make_crops: MakeCrops) -> Callable[..., Generated]:
    """A data set of so many vehicles to learn from and so many others, noisier, to choose on."""

    def make(learn: int = 8, choose: int = 6, noise: int = 400) -> Generated:
        return Generated(make_crops(learn), make_crops(choose, first=100, noise=noise))

    return make


@pytest.fixture
def fabric() -> Fabric:
    """One device, full precision."""
    return open_fabric("32-true", None)


@pytest.fixture(scope="session")
def tiny_preset(make_preset: Callable[..., Preset]) -> Preset:
    """The starter's network at 32 px with a short embedding."""
    return make_preset(
        name="tiny",
        image_size=32,
        embedding_dim=32,
        semantic={"tower": "ViT-8M/16", "input_size": 32},
        afem={"variant": "A", "groups": 4},
    )


@pytest.fixture(scope="session")
def small_preset(tiny_preset: Preset) -> Preset:
    """The same without AFEM and semantic branch: a quarter of the weights."""
    return tiny_preset.model_copy(update={"name": "small", "semantic": None, "afem": None})


@pytest.fixture(scope="session")
def make_recipe(tmp_path_factory: pytest.TempPathFactory, tiny_preset: Preset, small_preset: Preset) -> MakeRecipe:
    """A recipe from random weights with changes, for `tiny_preset` or, where told so, for `small_preset`."""
    folder = tmp_path_factory.mktemp("presets")

    def make(*, small: bool = False, **changes: object) -> Recipe:
        preset = small_preset if small else tiny_preset
        path = folder / f"{preset.name}.json"
        path.write_text(preset.model_dump_json())
        recipe = {
            "name": preset.name,
            "preset": str(path),
            "seed": 1,
            "epochs": 2,
            "identities_per_batch": 4,
            "learning_rates": 1e-3,
        }
        return Recipe.model_validate({**recipe, **changes})

    return make
