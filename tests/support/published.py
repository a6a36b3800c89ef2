"""Published weights of the tests: small files with true names and shapes, and a list of releases of their own."""

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import torch
from torch import Tensor

from model.weights.published import tower_shapes
from model.weights.registry import Part, releases

RELEASE = {
    "name": "small",
    "part": "semantic",
    "kind": "ViT-8M/16",
    "trained_on": "nothing",
    "licence": "MIT",
    "page": "http://page.example",
    "megabytes": 1,
}


def released_file(part: Part, kind: str) -> bytes:
    """A file in the publishers' layout for a tower: true names and shapes, each tensor one value in few bytes."""
    prefix = "_image_encoder.module.visual." if part == "semantic" else ""
    state: dict[str, Tensor] = {
        prefix + name: torch.tensor(0.01 * (number % 50 + 1)).expand(tensor.shape)
        for number, (name, tensor) in enumerate(tower_shapes(part, kind).state_dict().items())
    }
    if part == "semantic":
        state["_text_encoder.module.ln_final.weight"] = torch.zeros(4)
    else:
        state |= {"fc.weight": torch.zeros(1).expand(1000, 2048), "fc.bias": torch.zeros(1000)}
    buffer = io.BytesIO()
    torch.save({"state_dict": state} if part == "semantic" else state, buffer)
    return buffer.getvalue()


def write_releases(path: Path, *changes: dict[str, object]) -> Path:
    """A list of releases as the package's; each is given by what differs from `RELEASE`."""
    path.write_text(json.dumps([{**RELEASE, **change} for change in changes]))
    return path


@contextmanager
def known_releases(path: Path) -> Iterator[None]:
    """While it lasts, the releases of a list are known instead of those of the package."""
    releases.cache_clear()
    with patch("model.weights.registry._FILE", path):
        yield
    releases.cache_clear()
