"""The embeddings of a search's hits, which every re-ranking method starts from."""

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
