"""How an embedding is stored: little-endian fp16, and back to a unit vector of float32.

Rounding to fp16 changes the length of a vector by up to 2^-11 and its direction by about as little, so a decoded vector
is divided by its length once more. This happens here and nowhere else: whatever reads the truth gets a unit vector, and
the same one on every replica.
"""

import numpy as np
from numpy.typing import NDArray

from index.contract import UNIT_TOLERANCE

STORED = np.dtype("<f2")


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
    embedding = np.frombuffer(data, dtype=STORED).astype(np.float32)
    length = _length(embedding)
    if not abs(length - 1.0) <= UNIT_TOLERANCE:
        raise ValueError(f"The stored vector has length {length}, not 1.")
    return (embedding / length).astype(np.float32)


def _length(vector: NDArray[np.float32]) -> float:
    return float(np.linalg.norm(vector.astype(np.float64)))
