"""A second model, and collections of the first."""

from pathlib import Path

import pytest
import torch

from model.network import CLIPSENet
from model.presets import Preset
from model.weights import save_checkpoint


@pytest.fixture(scope="session")
def other_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another small network of the preset of `untrained_weights`, untrained as well."""
    appearance, semantic = {"kind": "efficientnet_lite0"}, {"tower": "ViT-8M/16"}
    preset = Preset(name="tiny", image_size=32, embedding_dim=64, appearance=appearance, semantic=semantic)
    path = tmp_path_factory.mktemp("weights") / "other.safetensors"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(8)
        save_checkpoint(path, CLIPSENet(preset), preset, half=True)
    return path
