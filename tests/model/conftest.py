"""Small networks for the tests of the model package."""

from collections.abc import Callable, Iterator
from pathlib import Path

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


@pytest.fixture(scope="session")
def two_camera(pytestconfig: pytest.Config) -> Path:
    """The two-camera set (Khoa-Nguyen-Truong/Vehicle-Re-ID-Dataset), which lies beside the repository or nowhere."""
    folder = pytestconfig.rootpath.parent / "shared" / "data" / "two-camera"
    if not folder.is_dir():
        pytest.skip("the two-camera set is not beside the repository")
    return folder
