"""Hits as a search gives them, for the re-ranking methods."""

from collections.abc import Callable
from uuid import UUID

import numpy as np
import pytest
from numpy.typing import NDArray

from index.contract import Hit, Sighting

MakeHits = Callable[..., list[Hit]]


@pytest.fixture
def make_hits() -> MakeHits:
    """Makes the answer of a search: the embeddings as crops, best first, seen by the cameras in turn."""

    def make(
        query: NDArray[np.float32], embeddings: NDArray[np.float32], cameras: tuple[str, ...] = ("cam",)
    ) -> list[Hit]:
        scores = np.clip(embeddings @ query, -1, 1)
        order = np.argsort(-scores, kind="stable").tolist()
        return [
            Hit(Sighting(UUID(int=n + 1), "c", embeddings[n], cameras[n % len(cameras)]), float(scores[n]))
            for n in order
        ]

    return make
