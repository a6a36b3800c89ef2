"""Camera normalisation: each camera's own look taken out of its embeddings at test time.

Song, Park, Lee: "Exploring the Camera Bias of Person Re-identification", ICLR 2025, arXiv 2502.10195: an embedding less
the mean of its camera's embeddings, over their standard deviation, component by component. No training, no labels.

A raw embedding and a normalised one do not live in the same space, so there is no leaving a single camera out: a camera
with too few crops to know its statistics, and a query of unknown camera, take those of the whole collection. Where even
the collection has too few crops, nothing is normalised.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from index.contract import CameraStatistics

MIN_CROPS = 32
"""Crops below which a camera's mean and deviation are not trusted."""

_LEAST_SHARE = 0.1
# A component that hardly varies on one camera would otherwise outweigh all others for whatever comes next from there.


def normalized_embeddings(
    embeddings: NDArray[np.float32],
    cameras: Sequence[str | None],
    statistics: Mapping[str, CameraStatistics],
    *,
    min_crops: int = MIN_CROPS,
) -> NDArray[np.float32]:
    """Embeddings less their camera's mean, over its deviation, scaled to unit length.

    Args:
        embeddings: Unit vectors, shape (n, dimension).
        cameras: Camera of each; None where unknown.
        statistics: Statistics of the cameras of one collection.
        min_crops: Crops below which a camera takes the statistics of the whole collection.

    Returns:
        Unit vectors, shape (n, dimension); zero where an embedding equals its camera's mean. The embeddings themselves
        where the whole collection has fewer than min_crops crops.
    """
    if sum(one.count for one in statistics.values()) < max(min_crops, 1):
        return embeddings
    whole = pooled(statistics.values())
    normalized = np.empty(embeddings.shape, dtype=np.float64)
    for row, camera in enumerate(cameras):
        own = None if camera is None else statistics.get(camera)
        normalized[row] = _standardized(embeddings[row], own if own and own.count >= min_crops else whole, whole)
    lengths = np.linalg.norm(normalized, axis=1, keepdims=True)
    return (normalized / np.where(lengths > 0, lengths, 1)).astype(np.float32)


def pooled(statistics: Iterable[CameraStatistics]) -> CameraStatistics:
    """Statistics over the crops of all given cameras together; at least one crop must be counted."""
    parts = list(statistics)
    counts = np.array([one.count for one in parts], dtype=np.float64)
    means = np.array([one.mean for one in parts], dtype=np.float64)
    deviations = np.array([one.deviation for one in parts], dtype=np.float64)
    mean = np.average(means, axis=0, weights=counts)
    variance = np.average(np.square(deviations) + np.square(means - mean), axis=0, weights=counts)
    return CameraStatistics(int(counts.sum()), mean.astype(np.float32), np.sqrt(variance).astype(np.float32))


def _standardized(
    embedding: NDArray[np.float32], own: CameraStatistics, whole: CameraStatistics
) -> NDArray[np.float64]:
    deviation = np.maximum(own.deviation, _LEAST_SHARE * whole.deviation).astype(np.float64)
    standardized = np.zeros(len(embedding))  # a component that is the same in the whole collection tells nothing apart
    np.divide(embedding - own.mean, deviation, out=standardized, where=deviation > 0)
    return standardized
