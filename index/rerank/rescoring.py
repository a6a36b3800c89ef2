"""Hits in, hits in a new order out: what every re-ranking method shares."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from index.contract import Hit


def embeddings_of(hits: Sequence[Hit], dimension: int) -> NDArray[np.float32]:
    """Embeddings of the hits, shape (hits, dimension)."""
    stacked = np.empty((len(hits), dimension), dtype=np.float32)
    for row, hit in enumerate(hits):
        stacked[row] = hit.sighting.embedding
    return stacked


def rescored(hits: Sequence[Hit], scores: NDArray[np.floating]) -> list[tuple[Hit, float]]:
    """The hits with their new scores, best first; equal scores keep the order of the hits.

    Args:
        hits: Candidates.
        scores: Their new scores, shape (hits,).
    """
    order = np.argsort(-scores, kind="stable")
    return [(hits[place], float(scores[place])) for place in order.tolist()]
