from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from index.codecs import Codec, SegmentVectors
from index.codecs.flat import Fp16, Fp32
from index.codecs.rabitq import Rabitq
from index.codecs.scalar import Sq8

EVERY_CODEC: dict[str, Codec] = {
    "fp32": Fp32(),
    "fp16": Fp16(),
    "sq8": Sq8(),
    "rabitq": Rabitq(),
    "rabitq in cells": Rabitq(cells_from_rows=1),
}


@pytest.fixture(params=EVERY_CODEC)
def codec(request: pytest.FixtureRequest) -> Codec:
    return EVERY_CODEC[request.param]


@pytest.fixture
def written(tmp_path: Path) -> Callable[[Codec, NDArray[np.float32]], SegmentVectors]:
    """Writes what a codec holds of vectors into a folder of its own, and opens it."""
    folders = iter(range(10**6))

    def write(codec: Codec, vectors: NDArray[np.float32]) -> SegmentVectors:
        folder = tmp_path / f"{next(folders)}"
        folder.mkdir()
        codec.write(codec.held(vectors), folder)
        return codec.open(folder)

    return write
