"""What every codec promises: how the vectors of an immutable segment are kept in files and searched there.

A codec decides how contenders are found and what they cost in memory, never what a score is: scores are of the vectors
that `held` answers, by the one formula of `index.ranking`. Codecs that round hold every vector in half precision, so
they all rank alike.
"""

from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class CodecError(Exception):
    """Files of a segment's vectors are missing, cut, or not what the codec wrote."""


class SegmentVectors(Protocol):
    """The vectors of one segment, mapped from its files. Every method may be called from several threads at once."""

    @property
    def rows(self) -> int:
        """How many vectors."""

    @property
    def dimension(self) -> int:
        """Length of each."""

    @property
    def max_error(self) -> float:
        """The largest distance, over all rows, between a vector as an exact scan reads it and as it is held."""

    @property
    def memory_bytes(self) -> int:
        """What a scan of all rows reads: to search at full speed, this much has to stay in the system's file cache."""

    @property
    def disk_bytes(self) -> int:
        """What the files take."""

    def contenders(
        self, query: NDArray[np.float32], k: int, allowed: NDArray[np.bool_], candidates: int, *, exact: bool
    ) -> NDArray[np.int64]:
        """Rows among which the k best of the allowed rows are.

        Args:
            query: Unit vector, shape (dimension,), contiguous.
            k: How many are wanted, >= 1.
            allowed: Rows that may be answered, shape (rows,).
            candidates: How many rows are allowed.
            exact: True: the k best are among the rows answered, equal scores at the k-th place included. False: they
                most likely are, and at least min(k, candidates) rows are answered.

        Returns:
            Rows in ascending order, shape (n,) with n >= min(k, candidates); none that is not allowed.
        """

    def held(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """The vectors held in the given rows, shape (len(rows), dimension): bit for bit what was written."""

    def close(self) -> None:
        """Let go of the files. No other call may follow."""


class Codec(Protocol):
    """A way to keep the vectors of a segment."""

    @property
    def name(self) -> str:
        """What settings and segments call it."""

    @property
    def approximate(self) -> bool:
        """Whether it has a faster search that may miss some of the k best."""

    def bytes_per_vector(self, dimension: int) -> float:
        """What a scan reads for each vector, without what a segment has once, such as a codebook."""

    def held(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """What is held of vectors of shape (n, dimension): the same shape; what is held of that is the same again.

        Vectors that `index.halves.unit_of` made are held as they are, bit for bit.
        """

    def write(self, vectors: NDArray[np.float32], folder: Path) -> None:
        """Write the vectors of a segment, training what there is to train.

        Args:
            vectors: Held vectors, shape (n, dimension), n >= 1.
            folder: An existing folder without files of a codec.

        Raises:
            OSError: The files cannot be written.
            ValueError: There are no vectors, or they are not what this codec holds.
        """

    def open(self, folder: Path) -> SegmentVectors:
        """Map what `write` left in a folder.

        Raises:
            CodecError: A file is missing, cut, or not what `write` left.
        """
