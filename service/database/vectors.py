"""How an embedding is stored: little-endian fp16, and back to a unit vector of float32.

A decoded vector is divided by its length once more (`index.halves`): whatever reads the truth gets a unit vector, the
same one on every replica, and an index in half precision holds it as it is.
"""

import numpy as np
from numpy.typing import NDArray

from index.contract import UNIT_TOLERANCE
from index.halves import STORED, unit_of


def encode(embedding: NDArray[np.float32]) -> bytes:
    """An embedding as stored.

    Args:
        embedding: Unit-length vector, shape (dimension,), float32.

    Raises:
        ValueError: Not one finite vector of unit length.
    """
    if embedding.ndim != 1 or not abs(_length(embedding) - 1.0) <= UNIT_TOLERANCE:
        raise ValueError("An embedding is one finite vector of unit length.")
    return embedding.astype(STORED).tobytes()


def decode(data: bytes) -> NDArray[np.float32]:
    """The embedding in stored bytes: unit length, shape (dimension,), float32.

    Raises:
        ValueError: The bytes are not a vector of unit length.
    """
    embeddings, lengths = unit_of(np.frombuffer(data, dtype=STORED)[np.newaxis])
    if not are_unit(lengths).all():
        raise ValueError(f"The stored vector has length {lengths[0]}, not 1.")
    embedding: NDArray[np.float32] = embeddings[0]
    return embedding


def are_unit(lengths: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which lengths are near enough to 1 to be those of embeddings, shape (vectors,); not a number is not."""
    return np.less_equal(np.abs(lengths - 1.0), UNIT_TOLERANCE)


def _length(vector: NDArray[np.float32]) -> float:
    return float(np.linalg.norm(vector.astype(np.float64)))
