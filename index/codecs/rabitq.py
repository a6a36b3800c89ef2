"""One bit for each component to look with, half precision beside it to decide.

RaBitQ (Gao and Long, SIGMOD 2024, arXiv 2405.12497) keeps the sign of each component of a vector about a centre and two
numbers that correct the estimate of an inner product. The best by estimate are scored again from the half-precision
vectors, many times more of them than are wanted. A large segment is cut into cells by k-means, each with its own
centre, and a search looks into those near the query (IVF). An exact search scans the half-precision vectors.
"""

import math
from pathlib import Path
from typing import Any, Final

import faiss
import numpy as np
from numpy.typing import NDArray

from index.codecs.contract import CodecError
from index.codecs.flat import HalfVectors, HoldsHalves, require_vectors, write_halves
from index.codecs.measures import size_of
from index.codecs.scanning import CodeFile, one_thread, own_method, selecting, write_codes

_FILE: Final = "rabitq.faiss"
_QUERY_BITS: Final = 8
_REFINED_PER_WANTED: Final = 20
_REFINED_AT_LEAST: Final = 400
_CELLS_FROM_ROWS: Final = 200_000
_SHARE_OF_CELLS: Final = 1 / 8
_TRAINING_ROWS_PER_CELL: Final = 64
_ROUNDS: Final = 10
_CORRECTIONS_BYTES: Final = 8
_ROW_BYTES: Final = 8


class RabitqVectors:
    """A segment's vectors as `Rabitq` wrote them.

    Args:
        folder: Where.
    """

    def __init__(self, folder: Path) -> None:
        self._halves = HalfVectors(folder)
        self.rows, self.dimension = self._halves.rows, self._halves.dimension
        self.max_error = self._halves.max_error
        self._codes = CodeFile(folder / _FILE, (faiss.IndexRaBitQ, faiss.IndexIVFRaBitQ))
        if (self._codes.rows, self._codes.dimension) != (self.rows, self.dimension):
            raise CodecError(f"{folder / _FILE} does not hold the vectors that are in half precision beside it")
        self._cells = self._codes.index.nlist if isinstance(self._codes.index, faiss.IndexIVF) else 0
        self.memory_bytes = self.rows * _code_bytes(self.dimension) + self._cells * 4 * self.dimension
        if self._cells:
            self.memory_bytes += self.rows * _ROW_BYTES
        self.disk_bytes = size_of(folder)

    def contenders(
        self, query: NDArray[np.float32], k: int, allowed: NDArray[np.bool_], candidates: int, *, exact: bool
    ) -> NDArray[np.int64]:
        """Allowed rows among which the k best are, or most likely are; see `SegmentVectors.contenders`."""
        refined = max(_REFINED_PER_WANTED * k, _REFINED_AT_LEAST)
        if exact or candidates <= refined:
            return self._halves.contenders(query, k, allowed, candidates)
        rows = self._best_by_estimate(query, refined, allowed, candidates)
        if len(rows) < k:
            # the cells near the query hold too few of the rows allowed
            return self._halves.contenders(query, k, allowed, candidates)
        return self._halves.among(rows, query, k)

    def held(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """The vectors in the given rows, from half precision."""
        return self._halves.held(rows)

    def close(self) -> None:
        """Let go of the files."""
        self._codes.close()
        self._halves.close()

    def _best_by_estimate(
        self, query: NDArray[np.float32], refined: int, allowed: NDArray[np.bool_], candidates: int
    ) -> NDArray[np.int64]:
        parameters: Any = faiss.IVFRaBitQSearchParameters() if self._cells else faiss.RaBitQSearchParameters()
        parameters.qb = _QUERY_BITS
        if self._cells:
            # a filter thins the cells out, so more of them are looked into
            parameters.nprobe = min(self._cells, math.ceil(_SHARE_OF_CELLS * self._cells * self.rows / candidates))
        with one_thread(), selecting(allowed, candidates) as selector:
            parameters.sel = selector
            _, found = own_method(self._codes.index, "search")(query[None], refined, params=parameters)
        return np.sort(found[0][found[0] >= 0])


class Rabitq(HoldsHalves):
    """A bit a component in memory, two bytes more on disk.

    Args:
        cells_from_rows: Rows of a segment from which on it is cut into cells.
    """

    name: Final = "rabitq"
    approximate: Final = True

    def __init__(self, cells_from_rows: int = _CELLS_FROM_ROWS) -> None:
        self._cells_from_rows = cells_from_rows

    def bytes_per_vector(self, dimension: int) -> float:
        """Bytes of a scan for each vector of a large segment."""
        return _code_bytes(dimension) + _ROW_BYTES

    def write(self, vectors: NDArray[np.float32], folder: Path) -> None:
        """Write the vectors of a segment; see `Codec.write`."""
        require_vectors(vectors)
        write_halves(vectors, folder)
        rows, dimension = vectors.shape
        index: Any = faiss.IndexRaBitQ(dimension, faiss.METRIC_INNER_PRODUCT)
        if rows >= self._cells_from_rows:
            # FAISS does not keep the object of the cells alive, this name does
            cells = faiss.IndexFlatIP(dimension)
            index = faiss.IndexIVFRaBitQ(cells, dimension, math.isqrt(rows), faiss.METRIC_INNER_PRODUCT)
            index.cp.niter = _ROUNDS
            index.cp.max_points_per_centroid = _TRAINING_ROWS_PER_CELL
        with one_thread():
            index.train(vectors)
            index.add(vectors)
        write_codes(index, folder / _FILE)

    def open(self, folder: Path) -> RabitqVectors:
        """Map what `write` left; see `Codec.open`."""
        return RabitqVectors(folder)


def _code_bytes(dimension: int) -> int:
    return math.ceil(dimension / 8) + _CORRECTIONS_BYTES
