"""Codecs that keep every component, and scan what they keep: as float32, or in half precision."""

from pathlib import Path
from typing import Any, Final

import faiss
import numpy as np
from numpy.typing import NDArray

from index.codecs.contract import CodecError
from index.codecs.halves import codes_of, rounded
from index.codecs.measures import read_max_error, size_of, write_max_error
from index.codecs.scanning import CodeFile, rounding, scan_error, write_codes
from index.halves import STORED, unit_of

_FULL: Final = "float32.faiss"
HALVES: Final = "float16.faiss"
_ROWS_AT_ONCE: Final = 512


class FullVectors:
    """A segment's vectors in float32, as `Fp32` wrote them.

    Args:
        folder: Where.
    """

    max_error: Final = 0.0

    def __init__(self, folder: Path) -> None:
        self._file = CodeFile(folder / _FULL, faiss.IndexFlat)
        self.rows, self.dimension = self._file.rows, self._file.dimension
        self.memory_bytes, self.disk_bytes = self._file.codes_bytes, size_of(folder)

    def contenders(
        self, query: NDArray[np.float32], k: int, allowed: NDArray[np.bool_], candidates: int, *, exact: bool
    ) -> NDArray[np.int64]:
        """Allowed rows among which the k best are, whatever `exact` says; see `SegmentVectors.contenders`."""
        del exact  # there is no other way
        return self._file.contenders(query, k, allowed, candidates, rounding(self.dimension))

    def held(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """The vectors in the given rows."""
        return self._file.decoded(rows)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


class HalfVectors:
    """A segment's vectors in half precision, as `write_halves` wrote them.

    Args:
        folder: Where.
    """

    def __init__(self, folder: Path) -> None:
        self._file = CodeFile(folder / HALVES, faiss.IndexScalarQuantizer)
        self.rows, self.dimension = self._file.rows, self._file.dimension
        if self._file.index.sa_code_size() != STORED.itemsize * self.dimension:
            raise CodecError(f"{folder / HALVES} holds no vectors in half precision")
        self._codes = self._file.codes().view(STORED)
        self.memory_bytes, self.disk_bytes = self._file.codes_bytes, size_of(folder)
        self.max_error = read_max_error(folder, HALVES)

    def contenders(
        self, query: NDArray[np.float32], k: int, allowed: NDArray[np.bool_], candidates: int, *, exact: bool = True
    ) -> NDArray[np.int64]:
        """Allowed rows among which the k best are, whatever `exact` says; see `SegmentVectors.contenders`."""
        del exact  # there is no other way
        return self._file.contenders(query, k, allowed, candidates, scan_error(self.max_error, self.dimension))

    def among(self, rows: NDArray[np.int64], query: NDArray[np.float32], k: int) -> NDArray[np.int64]:
        """Those of the given rows, in their order, that may be among the k best of them."""
        return self._file.among(rows, query, k, scan_error(self.max_error, self.dimension))

    def held(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """The vectors in the given rows, made unit length."""
        return unit_of(self._codes[rows])[0]

    def close(self) -> None:
        """Let go of the file."""
        del self._codes
        self._file.close()


def write_halves(vectors: NDArray[np.float32], folder: Path) -> None:
    """Write vectors for `HalfVectors`.

    Args:
        vectors: Held vectors, shape (n, dimension).
        folder: Where to.

    Raises:
        ValueError: The vectors are not what is held of them.
    """
    index: Any = faiss.IndexScalarQuantizer(vectors.shape[1], faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)
    index.codes.resize(vectors.size * STORED.itemsize)  # at once, because what grows is twice there while it does
    stored = faiss.rev_swig_ptr(index.codes.data(), index.codes.size()).view(STORED).reshape(vectors.shape)
    largest = 0.0
    for start in range(0, len(vectors), _ROWS_AT_ONCE):
        block = vectors[start : start + _ROWS_AT_ONCE]
        codes, distance = codes_of(block)
        stored[start : start + len(block)] = codes
        largest = max(largest, distance)
    index.ntotal = len(vectors)
    write_codes(index, folder / HALVES)
    write_max_error(folder, HALVES, largest)


class Fp32:
    """Vectors as given, 4 bytes a component."""

    name: Final = "fp32"
    approximate: Final = False

    def bytes_per_vector(self, dimension: int) -> float:
        """Bytes of a scan for each vector."""
        return 4 * dimension

    def held(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """The vectors themselves."""
        return vectors

    def write(self, vectors: NDArray[np.float32], folder: Path) -> None:
        """Write the vectors of a segment; see `Codec.write`."""
        require_vectors(vectors)
        index: Any = faiss.IndexFlatIP(vectors.shape[1])
        index.add(vectors)
        write_codes(index, folder / _FULL)

    def open(self, folder: Path) -> FullVectors:
        """Map what `write` left; see `Codec.open`."""
        return FullVectors(folder)


class HoldsHalves:
    """What the codecs have in common that hold vectors in half precision."""

    def held(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """The vectors rounded to half precision and made unit length; see `index.codecs.halves`."""
        return rounded(vectors)[1]


class Fp16(HoldsHalves):
    """Vectors in half precision, 2 bytes a component."""

    name: Final = "fp16"
    approximate: Final = False

    def bytes_per_vector(self, dimension: int) -> float:
        """Bytes of a scan for each vector."""
        return 2 * dimension

    def write(self, vectors: NDArray[np.float32], folder: Path) -> None:
        """Write the vectors of a segment; see `Codec.write`."""
        require_vectors(vectors)
        write_halves(vectors, folder)

    def open(self, folder: Path) -> HalfVectors:
        """Map what `write` left; see `Codec.open`."""
        return HalfVectors(folder)


def require_vectors(vectors: NDArray[np.float32]) -> None:
    """Refuse what is no segment.

    Raises:
        ValueError: There are no vectors.
    """
    if not len(vectors):
        raise ValueError("A segment has at least one vector.")
