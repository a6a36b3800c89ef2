"""The check that every vector passes before it enters an index or is searched for."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from index.contract import UNIT_TOLERANCE, VectorError


def checked_queries(queries: NDArray[np.float32], k: int, dimension: int) -> NDArray[np.float32]:
    """Queries as a contiguous float32 array of shape (queries, dimension), of a search for the k best.

    Raises:
        VectorError: They are no matrix, or one has the wrong dimension, is not finite or not of unit length.
        ValueError: k is less than 1.
    """
    if np.ndim(queries) != 2:  # noqa: PLR2004 - a matrix
        raise VectorError(f"queries: shape {np.shape(queries)}, expected (queries, {dimension})")
    checked = checked_vectors(queries, dimension, "query {}".format)
    if k < 1:
        raise ValueError(f"k is {k}, must be at least 1")
    return checked


def checked_vectors(
    vectors: Sequence[NDArray[np.float32]] | NDArray[np.float32], dimension: int, name: Callable[[int], str]
) -> NDArray[np.float32]:
    """Unit vectors as one contiguous float32 array of shape (len(vectors), dimension); the given one where it is that.

    Args:
        vectors: The vectors to check, each of shape (dimension,).
        dimension: Length each must have.
        name: What the vector in a place is, for the message.

    Raises:
        VectorError: A vector has the wrong dimension, is not finite or not of unit length; the message names the first.
    """
    stacked = _stacked(vectors, dimension, name)
    # float64, because the squares of large float32 components overflow
    lengths = np.sqrt(np.einsum("ij,ij->i", stacked, stacked, dtype=np.float64))
    unit = np.abs(lengths - 1.0) <= UNIT_TOLERANCE  # false where a component is NaN or infinite
    if not unit.all():
        row = int(unit.argmin())
        if not np.isfinite(stacked[row]).all():
            raise VectorError(f"{name(row)}: a component is NaN or infinite")
        raise VectorError(f"{name(row)}: length {lengths[row]:.6g}, must be 1 within {UNIT_TOLERANCE}")
    return stacked


def _stacked(
    vectors: Sequence[NDArray[np.float32]] | NDArray[np.float32], dimension: int, name: Callable[[int], str]
) -> NDArray[np.float32]:
    if isinstance(vectors, np.ndarray) and vectors.shape[1:] == (dimension,):
        return np.ascontiguousarray(vectors, dtype=np.float32)
    stacked = np.empty((len(vectors), dimension), dtype=np.float32)
    shape = (dimension,)
    for row, vector in enumerate(vectors):
        if np.shape(vector) != shape:
            raise VectorError(f"{name(row)}: shape {np.shape(vector)}, this index holds vectors of shape {shape}")
        stacked[row] = vector
    return stacked
