"""Small files with the true names and shapes of released weights."""

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from support.file_server import FileServer, file_server
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


@pytest.fixture(scope="session")
def tinyclip_file() -> bytes:
    return released_file("semantic", "ViT-8M/16")


@pytest.fixture(scope="session")
def resnet50_file() -> bytes:
    return released_file("appearance", "resnet50_ibn_a")


@pytest.fixture(autouse=True)
def _no_proxy_of_whoever_runs_the_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def server() -> Iterator[FileServer]:
    with file_server(b"") as files:
        yield files


Publish = Callable[..., None]


@pytest.fixture
def publish(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Publish]:
    """Makes releases known instead of those of the package; each is given by what differs from ViT-8M/16's."""

    def make(*changes: dict[str, object]) -> None:
        entries = [{**RELEASE, **change} for change in changes]
        path = tmp_path / "releases.json"
        path.write_text(json.dumps(entries))
        monkeypatch.setattr("model.weights.registry._FILE", path)
        releases.cache_clear()

    yield make
    releases.cache_clear()
