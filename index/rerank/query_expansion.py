"""Average query expansion: ask again with the mean of the query and its best answers.

Chum, Philbin, Sivic, Isard, Zisserman: "Total Recall: Automatic Query Expansion with a Generative Feature Model for
Object Retrieval", ICCV 2007, "average query expansion", with embeddings in the place of visual words.
"""

import numpy as np
from numpy.typing import NDArray


def query_expansion_scores(
    query: NDArray[np.float32], candidates: NDArray[np.float32], *, top_n: int = 5
) -> NDArray[np.float64]:
    """Cosine similarity of each candidate with the expanded query, in [-1, 1].

    Args:
        query: Unit vector, shape (dimension,).
        candidates: Unit vectors, shape (candidates, dimension), best first.
        top_n: How many of them the query is averaged with.
    """
    expanded = expanded_query(query, candidates[:top_n]).astype(np.float64)
    return np.clip(candidates.astype(np.float64) @ expanded, -1, 1)


def expanded_query(query: NDArray[np.float32], best: NDArray[np.float32]) -> NDArray[np.float32]:
    """The mean of the query and its best answers, of unit length, to search again with.

    Args:
        query: Unit vector, shape (dimension,).
        best: Unit vectors, shape (answers, dimension).

    Returns:
        Unit vector, shape (dimension,); the query itself where the mean vanishes and points nowhere.
    """
    mean = np.vstack([query, best]).mean(axis=0, dtype=np.float64)
    length = np.linalg.norm(mean)
    return query if length < np.finfo(np.float32).eps else (mean / length).astype(np.float32)
