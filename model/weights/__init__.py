"""Weights: this project's own checkpoints, and published files that a network can start from."""

from model.weights.appearance import load_efficientnet_lite0, load_ibn_net
from model.weights.checkpoint import load_checkpoint, read_metadata, save_checkpoint
from model.weights.tinyclip import load_tinyclip

__all__ = [
    "load_checkpoint",
    "load_efficientnet_lite0",
    "load_ibn_net",
    "load_tinyclip",
    "read_metadata",
    "save_checkpoint",
]
