"""State dicts: read published files safely, and load them strictly with messages that say what to do."""

import pickle
import re
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from model.errors import WeightsError

StateDict = dict[str, Tensor]


def read_state(path: Path, *, source: str | Path | None = None) -> StateDict:
    """Tensors by name of a published weights file, without running code from it.

    Args:
        path: A .safetensors file, or a PyTorch file that holds a state dict or a dict with one under "state_dict".
        source: What messages call it; None means by its path.

    Raises:
        WeightsError: The file is missing, damaged, or holds other things than tensors.
    """
    called = path if source is None else source
    if not path.is_file():
        raise WeightsError(f"There is no weights file at {path}.")
    try:
        content = (
            load_file(path)
            if path.suffix == ".safetensors"
            else torch.load(path, map_location="cpu", weights_only=True)
        )
    except Exception as error:  # a damaged pickle raises nearly anything
        raise WeightsError(
            f"{called} cannot be read as tensors only ({_reason(error)}): "
            "fetch it again, or save its state dict as safetensors."
        ) from error
    if isinstance(content, dict) and isinstance(content.get("state_dict"), dict):
        content = content["state_dict"]
    if not isinstance(content, dict) or not content or not all(isinstance(value, Tensor) for value in content.values()):
        raise WeightsError(f"{called} holds no state dict (tensors by name): save the module's state_dict() instead.")
    return dict(content)


def load_exactly(module: nn.Module, state: Mapping[str, Tensor], *, source: str | Path) -> None:
    """Load a state dict that must have every tensor of the module, no other, and the same shapes.

    Args:
        module: What to load into; left untouched where anything disagrees.
        state: Tensors by the module's own names; other floating types are converted.
        source: Where they come from, for the message.

    Raises:
        WeightsError: A tensor is missing, left over or of another shape.
    """
    check_fit(module, state, source=source)
    module.load_state_dict(state, strict=False)


def check_fit(module: nn.Module, state: Mapping[str, Tensor], *, source: str | Path) -> None:
    """Compare names and shapes of a state dict with a module's, which may be on the device "meta"; see `load_exactly`.

    Raises:
        WeightsError: A tensor is missing, left over or of another shape.
    """
    own = module.state_dict()
    # Counters of batches seen are of no use to anyone, and older files lack them.
    missing = sorted(name for name in own.keys() - state.keys() if not name.endswith("num_batches_tracked"))
    unexpected = sorted(state.keys() - own.keys())
    if missing or unexpected:
        raise WeightsError(
            f"{source} does not fit the preset: {_some(missing)} missing, {_some(unexpected)} unexpected. "
            "Choose the preset that the file was made for."
        )
    for name, tensor in state.items():
        if tensor.shape != own[name].shape:
            raise WeightsError(
                f"{source} does not fit the preset: {name} has shape {tuple(tensor.shape)}, "
                f"the preset needs {tuple(own[name].shape)}. Choose the preset that the file was made for."
            )


def _reason(error: Exception) -> str:
    """What is wrong, without torch's advice on how to run the code of a file that one trusts."""
    unsafe = re.search(r"Unsupported global: GLOBAL (\S+)", str(error))
    if unsafe:
        return f"it holds more than tensors: {unsafe[1]}"
    if isinstance(error, pickle.UnpicklingError):
        return "it is damaged or no weights file"
    lines = str(error).splitlines()
    return lines[0] if lines else type(error).__name__


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:3])
    return f"{shown} and {len(names) - 3} more" if len(names) > 3 else shown or "nothing"  # noqa: PLR2004
