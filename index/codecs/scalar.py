"""A byte for each component to scan, half precision beside it to decide.

Each component is divided into 256 steps between its smallest and largest value in the segment (FAISS' QT_8bit). How far
the codes are from the vectors is measured when they are written, so a scan knows which rows may be among the k best for
all its rounding; these few are scored from the half-precision vectors, and the answer is exact.
"""

from pathlib import Path
from typing import Any, Final

import faiss
import numpy as np
from numpy.typing import NDArray

from index.codecs.contract import CodecError
from index.codecs.flat import HoldsHalves, require_vectors, write_halves
from index.codecs.half_rows import HalfRows
from index.codecs.measures import largest_distance, read_max_error, size_of, write_max_error
from index.codecs.scanning import CodeFile, one_thread, own_method, scan_error, write_codes

_FILE: Final = "uint8.faiss"
_ROWS_AT_ONCE: Final = 512


class Sq8Vectors:
    """A segment's vectors as `Sq8` wrote them.

    Args:
        folder: Where.
    """

    def __init__(self, folder: Path) -> None:
        self._halves = HalfRows(folder)
        self.rows, self.dimension = self._halves.rows, self._halves.dimension
        self._codes = CodeFile(folder / _FILE, faiss.IndexScalarQuantizer)
        if (self._codes.rows, self._codes.index.sa_code_size()) != (self.rows, self.dimension):
            raise CodecError(f"{folder / _FILE} does not hold the vectors that are in half precision beside it")
        self.memory_bytes, self.disk_bytes = self._codes.codes_bytes, size_of(folder)
        self.max_error = read_max_error(folder, _FILE)

    def contenders(
        self, query: NDArray[np.float32], k: int, allowed: NDArray[np.bool_], candidates: int, *, exact: bool
    ) -> NDArray[np.int64]:
        """Allowed rows among which the k best are, whatever `exact` says; see `SegmentVectors.contenders`."""
        del exact  # there is no other way
        error = scan_error(self.max_error, self.dimension)
        return self._codes.contenders(query, k, allowed, candidates, error)

    def held(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """The vectors in the given rows, from half precision."""
        return self._halves.held(rows)

    def close(self) -> None:
        """Let go of the files."""
        self._codes.close()
        self._halves.close()


class Sq8(HoldsHalves):
    """A byte a component in memory, three on disk."""

    name: Final = "sq8"
    approximate: Final = False

    def bytes_per_vector(self, dimension: int) -> float:
        """Bytes of a scan for each vector."""
        return dimension

    def write(self, vectors: NDArray[np.float32], folder: Path) -> None:
        """Write the vectors of a segment; see `Codec.write`."""
        require_vectors(vectors)
        write_halves(vectors, folder)
        index: Any = faiss.IndexScalarQuantizer(
            vectors.shape[1], faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT
        )
        with one_thread():
            index.train(vectors)
            index.add(vectors)
            largest = max(
                largest_distance(own_method(index, "reconstruct_n")(start, len(block)), block)
                for start in range(0, len(vectors), _ROWS_AT_ONCE)
                for block in [vectors[start : start + _ROWS_AT_ONCE]]
            )
        write_codes(index, folder / _FILE)
        write_max_error(folder, _FILE, largest + _decoding_error(index))

    def open(self, folder: Path) -> Sq8Vectors:
        """Map what `write` left; see `Codec.open`."""
        return Sq8Vectors(folder)


def _decoding_error(index: Any) -> float:  # noqa: ANN401 - FAISS has no types
    """How far a vector as a scan decodes it may be from one decoded on its own.

    Both compute low + step * width in float32, fused or not, so that they differ by a few roundings of the two terms.
    """
    low, width = np.abs(faiss.vector_to_array(index.sq.trained).reshape(2, -1).astype(np.float64))
    return 4 * 2.0**-24 * float(np.linalg.norm(low + width))
