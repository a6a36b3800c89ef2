"""Published files and the towers that they were made for: build one, load a file into it, recognise a file."""

from collections.abc import Iterator
from pathlib import Path
from typing import cast, get_args

import torch
from open_clip.transformer import VisionTransformer
from timm.models.efficientnet import EfficientNet
from torch import nn

from model.errors import WeightsError
from model.network import build_appearance, build_tower
from model.presets import Appearance, AppearanceKind, Semantic, TowerName
from model.weights.appearance import efficientnet_lite0_state, ibn_net_state
from model.weights.registry import Part, Release
from model.weights.state import StateDict, check_fit, load_exactly, read_state
from model.weights.tinyclip import tinyclip_state

TRAINED_AT = 224
"""Side in pixels of the images that every release was trained on."""


def load_published(module: nn.Module, path: Path) -> None:
    """Load a published file into the tower that it was made for.

    Args:
        module: A preset's tower, or one that this module built.
        path: The file, in a layout of its publishers.

    Raises:
        WeightsError: The file is missing, damaged, of an unknown layout or made for another tower.
    """
    load_exactly(module, _own_state(module, read_state(path), path), source=path)


def check_release(release: Release, path: Path, *, source: str) -> None:
    """See that a file can be read as tensors only and loads into the tower of its release.

    Args:
        release: The release.
        path: The file.
        source: What messages call it.

    Raises:
        WeightsError: It cannot, or was made for another tower.
    """
    state = read_state(path, source=source)
    module = tower_shapes(release.part, release.kind)
    try:
        check_fit(module, _own_state(module, state, source), source=source)
    except WeightsError as error:
        found = recognise(state)
        if found is None:
            raise
        raise WeightsError(f"{source} holds {found}, but {release.name} is {release.kind}.") from error


def recognise(state: StateDict) -> str | None:
    """The preset's name of the tower that a published file was made for, None where it fits none.

    Args:
        state: The file's tensors by their published names.
    """
    for part, kind in _kinds():
        module = tower_shapes(part, kind)
        try:
            check_fit(module, _own_state(module, state, ""), source="")
        except WeightsError:
            continue
        return kind
    return None


def tower_shapes(part: Part, kind: str) -> nn.Module:
    """A tower without values, on the device "meta": names and shapes are all that telling files apart needs."""
    with torch.device("meta"):
        if part == "appearance":
            return build_appearance(Appearance(kind=cast("AppearanceKind", kind))).network
        return cast("nn.Module", build_tower(Semantic(tower=cast("TowerName", kind)), TRAINED_AT))


def _own_state(module: nn.Module, state: StateDict, source: str | Path) -> StateDict:
    if isinstance(module, VisionTransformer):
        return tinyclip_state(module, state, source)
    if isinstance(module, EfficientNet):
        return efficientnet_lite0_state(module, state, source)
    return ibn_net_state(state)


def _kinds() -> Iterator[tuple[Part, str]]:
    yield from (("appearance", kind) for kind in get_args(AppearanceKind))
    yield from (("semantic", tower) for tower in get_args(TowerName))
