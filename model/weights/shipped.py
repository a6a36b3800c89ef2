"""The checkpoints that come with the package, by name."""

from importlib.resources import files
from pathlib import Path
from typing import Final

from model.errors import WeightsError

SHIPPED: Final = ("starter", "rendered")
"""What the service runs by default, and what training that was started from."""


def shipped_weights(name: str) -> Path:
    """Path of a checkpoint that comes with the package.

    Args:
        name: One of `SHIPPED`.

    Raises:
        WeightsError: The package was built without it.
    """
    path = Path(str(files("model.weights") / f"{name}.safetensors"))
    if not path.is_file():
        raise WeightsError(
            f"The package holds no {name} weights: give a weights file, or train them (see docs/training.md)."
        )
    return path
