"""Small networks for the tests of the model package."""

from collections.abc import Callable, Iterator

import pytest
import torch

from model.presets import Preset, load_preset

MakePreset = Callable[..., Preset]


@pytest.fixture(autouse=True)
def _seeded() -> Iterator[None]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3407)
        yield


@pytest.fixture(scope="session")
def make_preset() -> MakePreset:
    """A shipped preset's towers at 64 px, with changes: quick to build and to run."""

    def make(base: str = "starter", **changes: object) -> Preset:
        shipped = load_preset(base)
        small = {
            "name": base,
            "image_size": 64,
            "embedding_dim": shipped.embedding_dim,
            "appearance": {"kind": shipped.appearance.kind},
            "semantic": {"tower": shipped.semantic.tower},
        }
        return Preset.model_validate({**small, **changes})

    return make
