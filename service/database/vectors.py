"""How an embedding is stored: little-endian fp16, and back to a unit vector of float32.

Rounding to fp16 changes the length of a vector by up to 2^-11 and its direction by about as little, so a decoded vector
is divided by its length once more. This happens here and nowhere else: whatever reads the truth gets a unit vector, and
the same one on every replica.
"""

import numpy as np
from numpy.typing import NDArray

from index.contract import UNIT_TOLERANCE

STORED = np.dtype("<f2")
_ROWS_AT_ONCE = 512
"""Few enough that a block in float64 stays in a core's own cache."""


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
    embeddings, lengths = decode_many(np.frombuffer(data, dtype=STORED)[np.newaxis])
    if not are_unit(lengths).all():
        raise ValueError(f"The stored vector has length {lengths[0]}, not 1.")
    embedding: NDArray[np.float32] = embeddings[0]
    return embedding


def decode_many(stored: NDArray[np.float16]) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Embeddings as stored, to unit length.

    Args:
        stored: Shape (vectors, dimension), of dtype `STORED`.

    Returns:
        The embeddings, divided by their lengths, shape (vectors, dimension), float32, and the lengths that they had,
        shape (vectors,). A length that is none of `are_unit` belongs to bytes that are no embedding.
    """
    embeddings, lengths = np.empty(stored.shape, dtype=np.float32), np.empty(len(stored), dtype=np.float64)
    for start in range(0, len(stored), _ROWS_AT_ONCE):
        some = slice(start, start + _ROWS_AT_ONCE)
        vectors = stored[some].astype(np.float64)
        lengths[some] = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
        with np.errstate(divide="ignore", invalid="ignore"):
            vectors /= lengths[some, np.newaxis]
        embeddings[some] = vectors
    return embeddings, lengths


def are_unit(lengths: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which lengths are near enough to 1 to be those of embeddings, shape (vectors,); not a number is not."""
    return np.less_equal(np.abs(lengths - 1.0), UNIT_TOLERANCE)


def _length(vector: NDArray[np.float32]) -> float:
    return float(np.linalg.norm(vector.astype(np.float64)))
