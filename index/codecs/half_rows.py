"""Vectors in half precision of which only a few are wanted at a time: read from their file, not mapped.

A system that keeps a file in large pages maps two megabytes for each row that is touched, so that after some hundred
searches the process would have the whole file in its memory and seem to need it. What is read leaves no such trace, and
of a file that is not in the system's cache only the pages of the rows themselves are fetched.
"""

import os
import weakref
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from index.codecs.contract import CodecError
from index.codecs.flat import HALVES, HalfVectors
from index.halves import STORED, unit_of


class HalfRows:
    """A segment's vectors in half precision, as `write_halves` wrote them.

    Args:
        folder: Where.

    Raises:
        CodecError: The file is missing, cut, or does not end with the vectors.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / HALVES
        mapped = HalfVectors(folder)
        try:
            self.rows, self.dimension = mapped.rows, mapped.dimension
            self._row_bytes = STORED.itemsize * self.dimension
            self._start = path.stat().st_size - self.rows * self._row_bytes
            self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            # a segment that was rewritten is let go of by the last search that reads it, which closes nothing
            self._closing = weakref.finalize(self, os.close, self._file)
            os.posix_fadvise(self._file, 0, 0, os.POSIX_FADV_RANDOM)
            ends = np.unique([0, self.rows - 1])
            if not np.array_equal(self.held(ends), mapped.held(ends)):
                self.close()
                raise CodecError(f"{path} does not end with its vectors")
        finally:
            mapped.close()

    def held(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """The vectors in the given rows, made unit length; rows that follow one another are read at once.

        Raises:
            OSError: The file has become shorter, or cannot be read.
        """
        begins = np.flatnonzero(np.diff(rows, prepend=-2) != 1)
        lengths = np.diff(begins, append=len(rows))
        read = b"".join(
            [
                os.pread(self._file, length * self._row_bytes, self._start + row * self._row_bytes)
                for row, length in zip(rows[begins].tolist(), lengths.tolist(), strict=True)
            ]
        )
        if len(read) != len(rows) * self._row_bytes:
            raise OSError(f"a file of vectors was cut off while it was in use; {len(rows)} of its rows cannot be read")
        return unit_of(np.frombuffer(read, dtype=STORED).reshape(-1, self.dimension))[0]

    def close(self) -> None:
        """Let go of the file."""
        self._closing()
