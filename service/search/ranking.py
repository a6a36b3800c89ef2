"""From a query vector to ranked groups of crops: search, re-rank, group, and go deeper until there are enough."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from index.contract import CameraStatistics, Filter, Hit, Sighting, VectorIndex
from index.rerank.camera_normalization import normalized_embeddings
from index.rerank.k_reciprocal import k_reciprocal_scores
from index.rerank.query_expansion import query_expansion_scores
from index.rerank.rescoring import embeddings_of
from service.search.schemas import GroupBy, Rerank

_CROPS_PER_GROUP = 4
"""How many crops a group is first expected to have."""
_DEEPER = 4
"""How much further each next look goes, where groups turn out larger."""


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


def rank(index: VectorIndex, query: Query, where: Filter) -> Ranking:
    """The k best groups among the crops that the filter leaves.

    The index is asked for more and more crops until they make one group more than k, which tells whether the k are
    all, or none is left that reaches `min_score`.
    """
    depth = query.k + 1 if query.group_by == "crop" else (query.k + 1) * _CROPS_PER_GROUP
    if query.reorders:
        depth = max(depth, query.rerank_candidates)
    while True:
        found = index.search(query.vector, depth, where)
        reached = [hit for hit in found.hits if query.min_score is None or hit.score >= query.min_score]
        complete = found.exhausted or len(reached) < len(found.hits)
        groups: dict[object, list[Ranked]] = {}
        statistics = index.camera_statistics(where.collection) if query.camera_normalization else {}
        ranked = _reordered(query, reached, statistics)
        for entry in ranked:
            groups.setdefault(_group_key(entry.hit.sighting, query.group_by), []).append(entry)
        if len(groups) > query.k or complete:
            return Ranking(
                groups=list(groups.values())[: query.k],
                mode=found.mode,
                candidates=found.candidates,
                exhausted=len(groups) <= query.k,
                reranked=sum(entry.rerank_score is not None for entry in ranked),
                watermark=found.watermark,
            )
        depth *= _DEEPER


def _group_key(sighting: Sighting, group_by: GroupBy) -> object:
    if group_by == "track" and sighting.track is not None:
        return sighting.camera_id, sighting.track
    if group_by == "vehicle" and sighting.vehicle_id is not None:
        return sighting.vehicle_id
    return sighting.id


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
