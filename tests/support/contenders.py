"""A slow oracle of a segment's search that scores every held vector."""

import numpy as np
from numpy.typing import NDArray

from index.codecs import SegmentVectors
from support.vectors import unit


def clustered(seed: int, rows: int, dimension: int) -> NDArray[np.float32]:
    """Vectors about a few centres, a tenth of them copies of others."""
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((8, dimension))
    vectors = unit(centres[rng.integers(8, size=rows)] + 0.4 * rng.standard_normal((rows, dimension)))
    copies = rng.random(rows) < 0.1
    vectors[copies] = vectors[rng.integers(rows, size=copies.sum())]
    return vectors


def oracle(
    held: NDArray[np.float32], query: NDArray[np.float32], k: int, allowed: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """All allowed rows that score at least as much as the k-th best of them."""
    rows = np.flatnonzero(allowed)
    exact = held[rows].astype(np.float64) @ query.astype(np.float64)
    scores = np.clip(exact.astype(np.float32), -1, 1)
    return rows if len(rows) <= k else rows[scores >= np.sort(scores)[-k]]


def require_contenders(
    vectors: SegmentVectors,
    held: NDArray[np.float32],
    query: NDArray[np.float32],
    k: int,
    allowed: NDArray[np.bool_],
) -> NDArray[np.int64]:
    """The contenders, which must be allowed rows in order, the k best among them."""
    rows = vectors.contenders(query, k, allowed, int(allowed.sum()), exact=True)
    assert rows.dtype == np.int64
    assert allowed[rows].all()
    assert (np.diff(rows) > 0).all()
    assert np.isin(oracle(held, query, k, allowed), rows).all()
    return rows
