"""Unit vectors, as embeddings are."""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def unit(values: ArrayLike) -> NDArray[np.float32]:
    """The values with each row, or the one vector, scaled to length one in double precision."""
    vectors = np.asarray(values, dtype=np.float64)
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


def unit_rows(random: np.random.Generator | int, rows: int, dimension: int) -> NDArray[np.float32]:
    """Rows in random directions, by a generator or the seed of one."""
    return unit(np.random.default_rng(random).standard_normal((rows, dimension)))
