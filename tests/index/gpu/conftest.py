"""A test that asks for `make_engine` runs on FAISS on the CPU in a device's place, and on a CUDA device if there is."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from support.devices import CpuEngine, on_gpu, prompt_accelerator

from index.codecs import CODECS, SegmentVectors
from index.gpu.accelerator import Accelerator
from index.gpu.engine import CudaEngine, Engine
from index.gpu.vectors import AcceleratedVectors

MakeEngine = Callable[[], Engine]
MakeAccelerator = Callable[..., Accelerator]
Written = Callable[..., SegmentVectors]


@pytest.fixture(
    params=[pytest.param(CpuEngine, id="cpu"), pytest.param(partial(CudaEngine, 0), marks=on_gpu, id="gpu")]
)
def make_engine(request: pytest.FixtureRequest) -> MakeEngine:
    return request.param


@pytest.fixture
def make_accelerator() -> Iterator[MakeAccelerator]:
    """Makes accelerators for which every segment is large enough, and closes them."""
    made: list[Accelerator] = []

    def make(make_engine: MakeEngine = CpuEngine, **options: Any) -> Accelerator:
        made.append(prompt_accelerator(make_engine, **options))
        return made[-1]

    yield make
    for accelerator in made:
        accelerator.close()


@pytest.fixture
def written(tmp_path: Path) -> Written:
    """Writes what a codec holds of vectors into a folder of its own, and opens it, on a device where one is given."""
    folders = iter(range(10**6))

    def write(
        vectors: NDArray[np.float32], accelerator: Accelerator | None = None, codec: str = "sq8"
    ) -> SegmentVectors:
        folder = tmp_path / f"{next(folders)}"
        folder.mkdir()
        CODECS[codec].write(CODECS[codec].held(vectors), folder)
        opened = CODECS[codec].open(folder)
        if accelerator is None:
            return opened
        return AcceleratedVectors(opened, accelerator, approximate=CODECS[codec].approximate)

    return write
