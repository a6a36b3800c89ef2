"""Devices for tests: FAISS on the CPU behind the same engine as FAISS on a GPU."""

import time
from collections.abc import Callable
from threading import get_ident
from typing import Any

import faiss
import numpy as np
import pytest
from numpy.typing import NDArray

from index.gpu.accelerator import Accelerator
from index.gpu.copies import Copy
from index.gpu.engine import Engine, devices

PATIENCE_S = 20.0


on_gpu = (pytest.mark.gpu, pytest.mark.skipif(devices() == 0, reason="FAISS finds no CUDA device"))
"""Marks of what needs a CUDA device and the extra gpu."""


class CpuIndex:
    """A FAISS index that, as one on a GPU, belongs to the thread that made it."""

    def __init__(self, engine: "CpuEngine", index: Any, *, scores: bool) -> None:
        self._engine, self._index, self._scores = engine, index, scores

    def search(self, queries: NDArray[np.float32], asked: int) -> tuple[NDArray[np.float32] | None, NDArray[np.int64]]:
        self._engine.require_owner()
        assert np.array_equal(queries.astype(np.float16), queries), "a device would round the query once more"
        scores, rows = self._index.search(queries, asked)
        return scores if self._scores else None, rows


class CpuEngine:
    """Half precision and a graph, as on a device, by FAISS on the CPU."""

    def __init__(self) -> None:
        self._owner = get_ident()

    def require_owner(self) -> None:
        assert get_ident() == self._owner, "a GPU index belongs to one thread"

    def flat(self, vectors: NDArray[np.float16]) -> CpuIndex:
        self.require_owner()
        index: Any = faiss.IndexScalarQuantizer(
            vectors.shape[1], faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT
        )
        index.add(vectors.astype(np.float32))
        return CpuIndex(self, index, scores=True)

    def graph(self, vectors: NDArray[np.float16]) -> CpuIndex | None:
        self.require_owner()
        index: Any = faiss.IndexHNSWFlat(vectors.shape[1], 32, faiss.METRIC_L2)
        index.hnsw.efSearch = 64
        index.add(vectors.astype(np.float32))
        return CpuIndex(self, index, scores=False)

    def flat_bytes(self, rows: int, dimension: int) -> int:
        return 2 * rows * dimension

    def graph_bytes(self, rows: int, dimension: int) -> int:
        return rows * (2 * dimension + 64 * 4)


class PromptAccelerator(Accelerator):
    """Has a segment copied before it goes on, so that what searches it afterwards finds it there."""

    def take(self, copy: Copy) -> None:
        super().take(copy)
        settled(self)


def prompt_accelerator(make_engine: Callable[[], Engine], **options: Any) -> PromptAccelerator:
    """An accelerator for which every segment is large enough."""
    return PromptAccelerator(
        make_engine, "tested", **{"memory_bytes": 2**30, "rows_from": 1, "graph_from": 1} | options
    )


def settled(accelerator: Accelerator) -> None:
    """Wait until every segment has its copy, or waits for room, or there is no use in waiting."""

    def nothing_to_do() -> bool:
        return accelerator.stats().waiting == len(accelerator._parked) or accelerator.stats().problem is not None

    until(nothing_to_do)


def until(condition: Callable[[], bool]) -> None:
    """Wait for something that happens soon."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "it does not happen"
        time.sleep(0.001)
