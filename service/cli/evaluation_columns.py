"""The service's own second looks, as `clip-senet evaluate` hands them to the evaluation."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from index.camera_sums import CameraSums
from index.rerank.camera_normalization import MIN_CROPS, normalized_embeddings
from index.rerank.k_reciprocal import k_reciprocal_scores
from index.rerank.query_expansion import query_expansion_scores

if TYPE_CHECKING:
    from model.datasets import Rule
    from model.evaluation import Reranking, Rescore

SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "k_reciprocal": {"k1": 20, "k2": 6, "lambda_": 0.3},
    "query_expansion": {"top_n": 5},
    "camera_normalization": {"min_crops": MIN_CROPS},
}
"""Parameters of each column, by its name."""


def columns_for(rule: "Rule") -> "dict[str, Reranking]":
    """The columns beside the plain one. A test that knows no cameras has none normalised by them."""
    columns: dict[str, Reranking] = {"k_reciprocal": _k_reciprocal, "query_expansion": _query_expansion}
    if rule != "one_per_vehicle":
        columns["camera_normalization"] = _camera_normalization
    return columns


def _k_reciprocal(_gallery: NDArray[np.float32], _cameras: NDArray[np.str_]) -> "Rescore":
    return lambda query, _camera, best, _best_cameras: k_reciprocal_scores(query, best, **SETTINGS["k_reciprocal"])


def _query_expansion(_gallery: NDArray[np.float32], _cameras: NDArray[np.str_]) -> "Rescore":
    return lambda query, _camera, best, _best_cameras: query_expansion_scores(
        query, best, **SETTINGS["query_expansion"]
    )


def _camera_normalization(gallery: NDArray[np.float32], cameras: NDArray[np.str_]) -> "Rescore":
    names = np.unique(cameras).tolist()
    statistics = {name: CameraSums.of(gallery[cameras == name]).statistics() for name in names}

    def rescore(
        query: NDArray[np.float32], camera: str, best: NDArray[np.float32], best_cameras: NDArray[np.str_]
    ) -> NDArray[np.float64]:
        rows = np.vstack([query, best])
        normalized = normalized_embeddings(
            rows,
            [name or None for name in (camera, *best_cameras.tolist())],
            statistics,
            **SETTINGS["camera_normalization"],
        ).astype(np.float64)
        scores: NDArray[np.float64] = normalized[1:] @ normalized[0]
        return scores

    return rescore
