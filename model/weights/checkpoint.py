"""This project's own checkpoints: one safetensors file with the weights, the preset and what the model card needs."""

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
from model.weights.seal import DATA_SUM, HEADER_SUM, check_data, check_header, seal
from model.weights.state import load_exactly

FORMAT = "clip-senet"
FORMAT_VERSION = "2"
_UNSEALED_VERSION = "1"
_RESERVED = frozenset({"format", "format_version", "preset", DATA_SUM, HEADER_SUM})


def save_checkpoint(
    path: Path, network: CLIPSENet, preset: Preset, metadata: Mapping[str, str] | None = None, *, half: bool = False
) -> None:
    """Write a checkpoint so that the path holds either the old file or the whole new one, never a part.

    Args:
        path: Where to; its folder must exist.
        network: The network; its classifier is no part of it.
        preset: The network's preset, stored beside the weights.
        metadata: Further text for the file's header (data, recipe, figures); the names "format", "format_version",
            "preset", "data_sha256" and "header_sha256" are taken.
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
    write_atomically(path, seal(save(tensors, metadata=header)))


def as_stored(network: CLIPSENet, *, half: bool) -> CLIPSENet:
    """What `load_checkpoint` would give of a network once it was saved; arguments and errors as `save_checkpoint`'s."""
    stored = CLIPSENet(network.preset)
    stored.load_state_dict({name: _stored(name, tensor, half=half) for name, tensor in network.state_dict().items()})
    return stored.eval()


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
        metadata = file.metadata() or {}
        preset = _preset(path, metadata)
        if metadata["format_version"] != _UNSEALED_VERSION:
            check_data(path, metadata)
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


def is_checkpoint(path: Path) -> bool:
    """Whether a file calls itself a checkpoint of this project; whether it is whole, only loading tells."""
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            return (file.metadata() or {}).get("format") == FORMAT
    except (SafetensorError, OSError):
        return False


def _stored(name: str, tensor: Tensor, *, half: bool) -> Tensor:
    narrow = half and tensor.is_floating_point() and tensor.ndim > 1
    stored = tensor.detach().to("cpu", torch.float16 if narrow else tensor.dtype).contiguous()
    if stored.is_floating_point() and not bool(torch.isfinite(stored).all()):
        raise WeightsError(f"{name} has values that are not finite in {stored.dtype}: the checkpoint was not written.")
    return stored


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
    if version not in {FORMAT_VERSION, _UNSEALED_VERSION}:
        raise WeightsError(
            f"{path} has checkpoint format {version}, this release reads up to {FORMAT_VERSION}: "
            "use a matching release."
        )
    # A sealed file whose version was changed must not pass for an old one.
    if version != _UNSEALED_VERSION or HEADER_SUM in metadata:
        check_header(path, metadata)
    try:
        return Preset.model_validate_json(metadata.get("preset", ""))
    except ValidationError as error:
        raise WeightsError(f"The preset stored in {path} makes no sense: {error}") from error
