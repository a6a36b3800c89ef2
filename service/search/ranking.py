"""From a query vector to ranked groups of crops: search, re-rank and group."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from index.contract import CameraStatistics, Filter, Hit, Hits, VectorIndex
from index.rerank.camera_normalization import normalized_embeddings
from index.rerank.grouping import GroupBy, best_groups
from index.rerank.k_reciprocal import k_reciprocal_scores
from index.rerank.query_expansion import query_expansion_scores
from index.rerank.rescoring import embeddings_of
from service.search.requests import Rerank


@dataclass(frozen=True, slots=True)
class Query:
    """What is searched for.

    Attributes:
        vector: Unit length, shape (dimension,), float32.
        camera_id: The camera that saw it; None where unknown.
        k: Groups at most.
        min_score: Lowest cosine similarity.
        group_by: What one hit is.
        rerank: How the best candidates are ordered anew.
        camera_normalization: Whether they are compared by normalised embeddings.
        rerank_candidates: How many of the best are ordered anew.
    """

    vector: NDArray[np.float32]
    camera_id: str | None
    k: int
    min_score: float | None
    group_by: GroupBy
    rerank: Rerank
    camera_normalization: bool
    rerank_candidates: int

    @property
    def reorders(self) -> bool:
        """Whether anything but the cosine similarity orders the answer."""
        return self.rerank != "none" or self.camera_normalization


@dataclass(frozen=True, slots=True)
class Ranked:
    """A crop found. `rerank_score` is None where it was not among the candidates ordered anew."""

    hit: Hit
    rerank_score: float | None


@dataclass(frozen=True, slots=True)
class Ranking:
    """The best groups.

    Attributes:
        groups: At most k, best first; each its crops looked at, best first.
        mode: How the index searched.
        candidates: Crops that the filter left.
        exhausted: Whether there are no other groups.
        reranked: Crops ordered anew.
        watermark: Change the index had reached.
    """

    groups: Sequence[Sequence[Ranked]]
    mode: Literal["exact", "approximate"]
    candidates: int
    exhausted: bool
    reranked: int
    watermark: int

    @property
    def best_score(self) -> float | None:
        """Highest cosine similarity among the groups as they are shown, wherever it stands; None without any."""
        return max((group[0].hit.score for group in self.groups), default=None)


def rank(index: VectorIndex, query: Query, where: Filter) -> Ranking:
    """The k best groups among the crops that the filter leaves, those of the candidates ordered anew first."""
    statistics = index.camera_statistics(where.collection) if query.camera_normalization else {}
    reranked = 0

    def search(depth: int, narrowed: Filter) -> Hits:
        return index.search(query.vector[np.newaxis], depth, narrowed)[0]

    def in_order(hits: Sequence[Hit]) -> list[Ranked]:
        nonlocal reranked
        if reranked:  # the candidates are the best of the first look
            return [Ranked(hit, None) for hit in hits]
        ranked = _reordered(query, hits, statistics)
        reranked = sum(entry.rerank_score is not None for entry in ranked)
        return ranked

    found = best_groups(
        search,
        where,
        query.k,
        query.group_by,
        in_order,
        min_score=query.min_score,
        depth=query.rerank_candidates if query.reorders else 1,
    )
    return Ranking(found.groups, found.mode, found.candidates, found.exhausted, reranked, found.watermark)


def _reordered(query: Query, hits: Sequence[Hit], statistics: Mapping[str, CameraStatistics]) -> list[Ranked]:
    """The best candidates in their new order, then the others in the order they had."""
    if not query.reorders or not hits:
        return [Ranked(hit, None) for hit in hits]
    best, rest = hits[: query.rerank_candidates], hits[query.rerank_candidates :]
    vector, candidates = query.vector, embeddings_of(best, len(query.vector))
    if query.camera_normalization:
        cameras = [query.camera_id, *(hit.sighting.camera_id for hit in best)]
        normalized = normalized_embeddings(np.vstack([vector, candidates]), cameras, statistics)
        vector, candidates = normalized[0], normalized[1:]
    scores = candidates.astype(np.float64) @ vector.astype(np.float64)
    order = np.argsort(-scores, kind="stable")  # the methods below take candidates best first
    if query.rerank == "k_reciprocal":
        scores[order] = k_reciprocal_scores(vector, candidates[order])
    elif query.rerank == "query_expansion":
        scores[order] = query_expansion_scores(vector, candidates[order])
    final = np.argsort(-scores, kind="stable")
    return [Ranked(best[place], float(scores[place])) for place in final] + [Ranked(hit, None) for hit in rest]
