"""Initial weights of a network's branches: a release by its name, a published file, or a checkpoint of this project."""

from pathlib import Path

import torch
from open_clip.transformer import VisionTransformer
from torch import nn

from model.errors import WeightsError
from model.network import CLIPSENet
from model.presets import Preset
from model.weights.appearance import packaged_efficientnet_lite0
from model.weights.checkpoint import is_checkpoint, load_checkpoint
from model.weights.published import load_published, recognise
from model.weights.registry import Part, Release, find_release, releases
from model.weights.state import load_exactly, read_state
from model.weights.store import WeightsStore
from model.weights.tinyclip import resize_positions


def load_initial(network: CLIPSENet, part: Part, source: str | Path, store: WeightsStore) -> Path:
    """Load weights into one branch of a network.

    Args:
        network: The network; nothing changes where anything is refused.
        part: The branch.
        source: The name of a release, or the path of a file: one in a layout of its publishers, or a checkpoint of this
            project, whose branch is taken.
        store: Where releases lie.

    Returns:
        The file that was loaded.

    Raises:
        WeightsError: There is no such release or file, the release is not in the store, the file is damaged, it was
            made for another branch or tower, or the preset has no such branch.
    """
    module, wanted = _branch(network, part)
    release = _named(source)
    if release is None:
        path = Path(source)
    else:
        _refuse_another_tower(release, part, wanted, network.preset)
        path = packaged_efficientnet_lite0() if release.package else store.path(release.name)
    if is_checkpoint(path):
        _load_branch(network, part, path)
        return path
    try:
        load_published(module, path)
    except WeightsError as error:
        found = recognise(read_state(path))
        if found is None or found == wanted:
            raise
        raise _another_tower(path, found, wanted, part, network.preset) from error
    return path


def _load_branch(network: CLIPSENet, part: Part, path: Path) -> None:
    with torch.random.fork_rng(devices=[]):  # building a network to read into draws numbers that a run may count on
        earlier, _ = load_checkpoint(path)
    theirs, found = _branch(earlier, part)
    ours, wanted = _branch(network, part)
    if found != wanted:
        raise _another_tower(path, found, wanted, part, network.preset)
    state = theirs.state_dict()
    if isinstance(ours, VisionTransformer):
        name = "positional_embedding"
        state[name] = resize_positions(state[name], ours.grid_size[0], source=path)
    load_exactly(ours, state, source=path)


def _another_tower(path: Path, found: str, wanted: str, part: Part, preset: Preset) -> WeightsError:
    return WeightsError(
        f"{path} holds weights of {found}, but the {part} branch of preset {preset.name} is {wanted}: "
        "choose another file or preset."
    )


def _named(source: str | Path) -> Release | None:
    """The release that is meant, None for a file. Nothing that could be a path is taken for a misspelt name."""
    if isinstance(source, Path) or any(release.name == source for release in releases()):
        return None if isinstance(source, Path) else find_release(source)
    if Path(source).exists() or Path(source).suffix or "/" in source:
        return None
    return find_release(source)  # says which names there are


def _branch(network: CLIPSENet, part: Part) -> tuple[nn.Module, str]:
    preset = network.preset
    if part == "appearance":
        return network.appearance, preset.appearance.kind
    if network.semantic is None or preset.semantic is None:
        raise WeightsError(f"Preset {preset.name} has no semantic branch: leave its initial weights out.")
    return network.semantic, preset.semantic.tower


def _refuse_another_tower(release: Release, part: Part, wanted: str, preset: Preset) -> None:
    if release.part != part:
        raise WeightsError(f"{release.name} is for the {release.part} branch, not for the {part} branch.")
    if release.kind != wanted:
        raise WeightsError(
            f"{release.name} was made for {release.kind}, but the {part} branch of preset {preset.name} is {wanted}: "
            "choose another release or preset."
        )
