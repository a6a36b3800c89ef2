"""The plainest codec there can be, so that tests of segments stand on nothing but segments."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from index.codecs.contract import CodecError


class RawVectors:
    """float32 vectors, mapped."""

    max_error = 0.0

    def __init__(self, path: Path) -> None:
        try:
            self._vectors = np.load(path, mmap_mode="r", allow_pickle=False)
        except ValueError as error:
            raise CodecError(f"{path}: {error}") from error
        self.rows, self.dimension = self._vectors.shape
        self.memory_bytes = self.disk_bytes = self._vectors.nbytes
        self.closed = False

    def contenders(
        self, query: NDArray[np.float32], k: int, allowed: NDArray[np.bool_], candidates: int, *, exact: bool
    ) -> NDArray[np.int64]:
        """All rows allowed."""
        return np.flatnonzero(allowed)

    def held(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Vectors of the rows."""
        return self._vectors[rows]

    def close(self) -> None:
        """Remember that it was called."""
        self.closed = True


class RawCodec:
    """Keeps vectors as they are, in one .npy file."""

    name = "raw"
    approximate = False

    def bytes_per_vector(self, dimension: int) -> float:
        """Four bytes a component."""
        return 4.0 * dimension

    def held(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """The vectors themselves."""
        return vectors

    def write(self, vectors: NDArray[np.float32], folder: Path) -> None:
        """Write the file."""
        np.save(folder / "raw.npy", vectors, allow_pickle=False)

    def open(self, folder: Path) -> RawVectors:
        """Map the file."""
        return RawVectors(folder / "raw.npy")
