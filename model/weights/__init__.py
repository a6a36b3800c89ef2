"""Weights: this project's own checkpoints, and published files that a network can start from."""

from model.weights.appearance import load_efficientnet_lite0, load_ibn_net, packaged_efficientnet_lite0
from model.weights.checkpoint import as_stored, load_checkpoint, read_metadata, save_checkpoint
from model.weights.fetching import fetch
from model.weights.initial import load_initial
from model.weights.registry import Part, Release, find_release, releases
from model.weights.shipped import SHIPPED, shipped_weights
from model.weights.store import WeightsStore, default_store
from model.weights.tinyclip import load_tinyclip

__all__ = [
    "SHIPPED",
    "Part",
    "Release",
    "WeightsStore",
    "as_stored",
    "default_store",
    "fetch",
    "find_release",
    "load_checkpoint",
    "load_efficientnet_lite0",
    "load_ibn_net",
    "load_initial",
    "load_tinyclip",
    "packaged_efficientnet_lite0",
    "read_metadata",
    "releases",
    "save_checkpoint",
    "shipped_weights",
]
