"""This project's own checkpoints: one safetensors file with the weights, the preset and what the model card needs."""

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from model.errors import WeightsError
from model.network import CLIPSENet
from model.presets import Preset
from model.weights.atomic import write_atomically
from model.weights.state import load_exactly

FORMAT = "clip-senet"
FORMAT_VERSION = "1"
_RESERVED = frozenset({"format", "format_version", "preset"})


def save_checkpoint(
    path: Path, network: CLIPSENet, preset: Preset, metadata: Mapping[str, str] | None = None, *, half: bool = False
) -> None:
    """Write a checkpoint so that the path holds either the old file or the whole new one, never a part.

    Args:
        path: Where to; its folder must exist.
        network: The network; its classifier is no part of it.
        preset: The network's preset, stored beside the weights.
        metadata: Further text for the file's header (data, recipe, figures); the names "format", "format_version" and
            "preset" are taken.
        half: Store matrices and kernels as fp16. Vectors (biases, norms, running statistics) stay as they are: they are
            small, and running variances can leave fp16's range.

    Raises:
        WeightsError: The preset is not the network's, a name in metadata is taken, a weight is not finite (in fp16), or
            the file cannot be written (full disk, no permission): then the old one stays.
    """
    if preset != network.preset:
        raise WeightsError(
            f"The network was built from another preset than the {preset.name} given: pass network.preset."
        )
    taken = _RESERVED & set(metadata or {})
    if taken:
        raise WeightsError(f"The metadata names {sorted(taken)} are the checkpoint's own: choose others.")
    header = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "preset": preset.model_dump_json(),
        **(metadata or {}),
    }
    tensors = {name: _stored(name, tensor, half=half) for name, tensor in network.state_dict().items()}
    write_atomically(path, _canonical(save(tensors, metadata=header)))


def load_checkpoint(path: Path) -> tuple[CLIPSENet, Preset]:
    """Build the network of a checkpoint and give it the stored weights.

    Args:
        path: A file that `save_checkpoint` wrote.

    Returns:
        The network in evaluation mode, on the CPU, in float32, and its preset.

    Raises:
        WeightsError: The file is missing, damaged, no checkpoint of this format, or does not fit its own preset.
    """
    with _opened(path) as file:
        preset = _preset(path, file.metadata() or {})
        state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - safe_open is no mapping
    network = CLIPSENet(preset)
    load_exactly(network, state, source=path)
    return network.eval(), preset


def read_metadata(path: Path) -> dict[str, str]:
    """The header of a checkpoint, without reading its weights.

    Args:
        path: A file that `save_checkpoint` wrote.

    Raises:
        WeightsError: The file is missing, damaged or no checkpoint of this format.
    """
    with _opened(path) as file:
        metadata = file.metadata() or {}
    _preset(path, metadata)
    return dict(metadata)


def _stored(name: str, tensor: Tensor, *, half: bool) -> Tensor:
    narrow = half and tensor.is_floating_point() and tensor.ndim > 1
    stored = tensor.detach().to("cpu", torch.float16 if narrow else tensor.dtype).contiguous()
    if stored.is_floating_point() and not bool(torch.isfinite(stored).all()):
        raise WeightsError(f"{name} has values that are not finite in {stored.dtype}: the checkpoint was not written.")
    return stored


def _canonical(data: bytes) -> bytes:
    """The same safetensors file with its metadata in sorted order.

    safetensors writes metadata in random order, but the model id hashes the file: equal networks need equal bytes.
    """
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # the format aligns the tensors to 8 bytes
    return len(text).to_bytes(8, "little") + text + data[8 + length :]


def _opened(path: Path) -> safe_open:
    if not path.is_file():
        raise WeightsError(f"There is no weights file at {path}.")
    try:
        return safe_open(path, framework="pt", device="cpu")
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path} is no readable safetensors file ({error}): fetch or train it again.") from error


def _preset(path: Path, metadata: Mapping[str, str]) -> Preset:
    if metadata.get("format") != FORMAT:
        raise WeightsError(
            f"{path} is no CLIP-SENet checkpoint of this project: load published towers in training instead."
        )
    version = metadata.get("format_version")
    if version != FORMAT_VERSION:
        raise WeightsError(
            f"{path} has checkpoint format {version}, this release reads {FORMAT_VERSION}: use a matching release."
        )
    try:
        return Preset.model_validate_json(metadata.get("preset", ""))
    except ValidationError as error:
        raise WeightsError(f"The preset stored in {path} makes no sense: {error}") from error
