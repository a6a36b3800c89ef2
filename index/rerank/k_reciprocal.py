"""Re-ranking with k-reciprocal encoding.

Zhong, Zheng, Cao, Li: "Re-ranking Person Re-identification with k-reciprocal Encoding", CVPR 2017, arXiv 1701.08398.
Where the paper leaves room, this does what the authors' released code does, because published figures come from it:
distances are squared Euclidean divided by the largest in the row, a point is its own first neighbour, the weights of a
point sum to one, and a neighbour's set joins when it shares strictly more than two thirds.
"""

import numpy as np
from numpy.typing import NDArray


def k_reciprocal_scores(
    query: NDArray[np.float32], candidates: NDArray[np.float32], *, k1: int = 20, k2: int = 6, lambda_: float = 0.3
) -> NDArray[np.float64]:
    """One minus the final distance (section 3.4) of each candidate, in [0, 1].

    Neighbours are looked for among the query and the candidates only, so candidates should be several times k1.

    Args:
        query: Unit vector, shape (dimension,).
        candidates: Unit vectors, shape (candidates, dimension), best first.
        k1: Neighbours that must be mutual (section 3.2).
        k2: Neighbours whose encodings are averaged (section 3.4); 1 averages nothing.
        lambda_: Share of the original distance in [0, 1]; 1 keeps the original order.

    Raises:
        ValueError: k1 or k2 is less than 1, or lambda_ is outside [0, 1].
    """
    if k1 < 1 or k2 < 1 or not 0 <= lambda_ <= 1:
        raise ValueError(f"k1 = {k1} and k2 = {k2} must be at least 1, lambda_ = {lambda_} in [0, 1]")
    distances = _distances(np.vstack([query, candidates]))
    neighbours = _neighbours_in_order(distances)
    encodings = _encodings(distances, neighbours, k1)
    nearest = neighbours[:, :k2].T
    averaged = sum(encodings[column] for column in nearest) / len(nearest)
    shared = np.minimum(averaged[0], averaged).sum(axis=1)
    jaccard = 1 - shared / (2 - shared)  # both rows sum to one: their maxima sum to two less the sum of their minima
    final: NDArray[np.float64] = (1 - lambda_) * jaccard + lambda_ * distances[0]
    return 1 - final[1:]


def _distances(points: NDArray[np.float32]) -> NDArray[np.float64]:
    """Squared Euclidean distances between unit vectors, each row divided by its largest."""
    doubles = points.astype(np.float64)
    squared = np.maximum(2 - 2 * (doubles @ doubles.T), 0).astype(np.float32)  # rounding makes equal pairs equal
    np.fill_diagonal(squared, 0)
    largest = squared.max(axis=1, keepdims=True)
    distances: NDArray[np.float64] = squared.astype(np.float64) / np.where(largest > 0, largest, 1)
    return distances


def _neighbours_in_order(distances: NDArray[np.float64]) -> NDArray[np.intp]:
    """For each point all points, nearest first, itself before any twin; equally near ones in the order given."""
    apart = distances.copy()
    np.fill_diagonal(apart, -1)
    return np.argsort(apart, axis=1, kind="stable")


def _encodings(distances: NDArray[np.float64], neighbours: NDArray[np.intp], k1: int) -> NDArray[np.float64]:
    """Each point as weights of its expanded k-reciprocal neighbours (sections 3.2 and 3.3), rows summing to one."""
    mutual = _mutual(neighbours, k1)
    close = _mutual(neighbours, int(np.around(k1 / 2)))
    shared = mutual.astype(np.float32) @ close.T.astype(np.float32)
    joins = mutual & (3 * shared > 2 * close.sum(axis=1))
    expanded = mutual | (joins.astype(np.float32) @ close.astype(np.float32) > 0)
    weights = np.where(expanded, np.exp(-distances), 0)
    encodings: NDArray[np.float64] = weights / weights.sum(axis=1, keepdims=True)
    return encodings


def _mutual(neighbours: NDArray[np.intp], k: int) -> NDArray[np.bool_]:
    """Which points are among each other's k nearest, themselves included."""
    near = np.zeros(neighbours.shape, dtype=np.bool_)
    np.put_along_axis(near, neighbours[:, : k + 1], values=True, axis=1)
    return near & near.T
