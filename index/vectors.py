"""The check that every vector passes before it enters an index or is searched for."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from index.contract import UNIT_TOLERANCE, VectorError


def checked_vector(vector: NDArray[np.float32], dimension: int, name: str) -> NDArray[np.float32]:
    """One unit vector as a contiguous float32 array of shape (dimension,).

    Args:
        vector: The vector to check.
        dimension: Length it must have.
        name: What the vector is, for the message.

    Raises:
        VectorError: Wrong dimension, not finite or not of unit length.
    """
    checked: NDArray[np.float32] = checked_vectors([vector], dimension, [name])[0]
    return checked


def checked_vectors(
    vectors: Sequence[NDArray[np.float32]], dimension: int, names: Sequence[object]
) -> NDArray[np.float32]:
    """Unit vectors as one contiguous float32 array of shape (len(vectors), dimension).

    Args:
        vectors: The vectors to check, each of shape (dimension,).
        dimension: Length each must have.
        names: What each vector is, for the message.

    Raises:
        VectorError: A vector has the wrong dimension, is not finite or not of unit length; the message names the first.
    """
    stacked = np.empty((len(vectors), dimension), dtype=np.float32)
    for row, vector in enumerate(vectors):
        if np.shape(vector) != (dimension,):
            raise VectorError(
                f"{names[row]}: shape {np.shape(vector)}, this index holds vectors of shape ({dimension},)"
            )
        stacked[row] = vector
    finite = np.isfinite(stacked).all(axis=1)
    if not finite.all():
        raise VectorError(f"{names[int(finite.argmin())]}: a component is NaN or infinite")
    # float64, because the squares of large float32 components overflow
    lengths = np.sqrt(np.einsum("ij,ij->i", stacked, stacked, dtype=np.float64))
    unit = np.abs(lengths - 1.0) <= UNIT_TOLERANCE
    if not unit.all():
        row = int(unit.argmin())
        raise VectorError(f"{names[row]}: length {lengths[row]:.6g}, must be 1 within {UNIT_TOLERANCE}")
    return stacked
