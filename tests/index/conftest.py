"""A test that asks for `make_index` or `backend` runs on every backend of `support.indexes` and of its devices."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.device_backends import DEVICE_BACKENDS, GPU_BACKENDS
from support.devices import on_gpu
from support.indexes import BACKENDS, Backend

from index.contract import VectorIndex

MakeIndex = Callable[[int], VectorIndex]


@pytest.fixture(
    params=[
        *(pytest.param(one, id=name) for name, one in (BACKENDS | DEVICE_BACKENDS).items()),
        *(pytest.param(one, id=name, marks=on_gpu) for name, one in GPU_BACKENDS.items()),
    ]
)
def backend(request: pytest.FixtureRequest) -> Backend:
    """How an index is made, and what it promises."""
    return request.param


@pytest.fixture
def make_index(backend: Backend, tmp_path: Path) -> Iterator[MakeIndex]:
    """Makes an empty index of the given dimension, which is closed at the end."""
    made: list[VectorIndex] = []

    def make(dimension: int) -> VectorIndex:
        made.append(backend.make(dimension, tmp_path / f"index-{len(made)}"))
        return made[-1]

    yield make
    for index in made:
        index.close()
