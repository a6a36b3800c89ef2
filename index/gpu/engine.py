"""What searches on a device, and its one real implementation: FAISS' GPU indexes.

An engine and its indexes belong to the thread that made the engine, searches included: all share one region of
temporary memory on the device, which FAISS does not guard.
"""

from typing import Any, Final, Protocol

import faiss
import numpy as np
from numpy.typing import NDArray

from index.codecs.scanning import own_method

MOST_ASKED: Final = 2048
"""Rows a search may ask for: what every build of FAISS answers (with cuVS it would be 16,384)."""

_TEMPORARY_BYTES: Final = 256 * 2**20
_GRAPH_DEGREE: Final = 64
_GRAPH_EDGE_BYTES: Final = 4
_NORM_BYTES: Final = 4
_HALF_BYTES: Final = 2
_ITOPK_STEP: Final = 32

gpu: Any = faiss
"""FAISS, whose classes of the GPU build the CPU build lacks."""


class DeviceIndex(Protocol):
    """Vectors on a device."""

    def search(self, queries: NDArray[np.float32], asked: int) -> tuple[NDArray[np.float32] | None, NDArray[np.int64]]:
        """The rows nearest to each query, best first.

        No selector is ever given: builds without cuVS ignore it without a word.

        Args:
            queries: Shape (m, dimension), of numbers that half precision has.
            asked: How many rows, at most `MOST_ASKED`.

        Returns:
            Inner products, None where the index makes no promise of them, and rows, both of shape (m, asked); -1 where
            there are no more.
        """


class Engine(Protocol):
    """Makes indexes on a device. Errors of any kind may be raised; those of memory leave the others as they are."""

    def flat(self, vectors: NDArray[np.float16]) -> DeviceIndex:
        """An index that compares each query with every vector, shape (n, dimension)."""

    def graph(self, vectors: NDArray[np.float16]) -> DeviceIndex | None:
        """An index that most likely finds the nearest and is faster; None where the build of FAISS has none."""

    def flat_bytes(self, rows: int, dimension: int) -> int:
        """What a flat index takes on the device."""

    def graph_bytes(self, rows: int, dimension: int) -> int:
        """What a graph takes on the device."""


class CudaEngine:
    """FAISS on one CUDA device.

    Args:
        number: Which device.
    """

    def __init__(self, number: int) -> None:
        self._number = number
        self._resources = gpu.StandardGpuResources()
        self._resources.setTempMemory(_TEMPORARY_BYTES)  # 1.5 GiB otherwise, which the model could use

    def flat(self, vectors: NDArray[np.float16]) -> "_Flat":
        """A flat index in half precision; see `Engine.flat`."""
        config = gpu.GpuIndexFlatConfig()
        config.device, config.useFloat16 = self._number, True
        index = gpu.GpuIndexFlatIP(self._resources, vectors.shape[1], config)
        index.add(vectors.astype(np.float32))  # in one go: each call allocates all anew
        return _Flat(index)

    def graph(self, vectors: NDArray[np.float16]) -> "_Cagra | None":
        """A CAGRA graph (Ootomo et al., ICDE 2024, arXiv 2308.15136) over vectors in half precision."""
        if not hasattr(gpu, "GpuIndexCagra"):
            return None
        config = gpu.GpuIndexCagraConfig()
        config.device, config.graph_degree = self._number, _GRAPH_DEGREE
        # by distance, which orders unit vectors as the inner product does: FAISS' own test of inner products in half
        # precision is switched off because it hangs
        index = gpu.GpuIndexCagra(self._resources, vectors.shape[1], faiss.METRIC_L2, config)
        own_method(index, "train")(vectors, numeric_type=gpu.Float16)
        return _Cagra(index)

    def flat_bytes(self, rows: int, dimension: int) -> int:
        """Half-precision vectors and their lengths."""
        return rows * (_HALF_BYTES * dimension + _NORM_BYTES)

    def graph_bytes(self, rows: int, dimension: int) -> int:
        """Half-precision vectors and edges."""
        return rows * (_HALF_BYTES * dimension + _GRAPH_EDGE_BYTES * _GRAPH_DEGREE)


class _Flat:
    def __init__(self, index: Any) -> None:  # noqa: ANN401 - FAISS has no types
        self._index = index

    def search(self, queries: NDArray[np.float32], asked: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        scores, rows = own_method(self._index, "search")(queries, asked)
        return scores, rows


class _Cagra:
    def __init__(self, index: Any) -> None:  # noqa: ANN401 - FAISS has no types
        self._index = index

    def search(self, queries: NDArray[np.float32], asked: int) -> tuple[None, NDArray[np.int64]]:
        parameters = gpu.SearchParametersCagra()
        # at least as many as are asked for, rounded up as cuVS does
        parameters.itopk_size = -(-2 * asked // _ITOPK_STEP) * _ITOPK_STEP
        _, rows = own_method(self._index, "search")(queries, asked, params=parameters, numeric_type=gpu.Float16)
        return None, rows


def devices() -> int:
    """How many CUDA devices FAISS can use; 0 with a CPU build, without a device and without a driver."""
    return int(faiss.get_num_gpus()) if hasattr(gpu, "GpuIndexFlatConfig") else 0
