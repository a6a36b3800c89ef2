"""The figures of an embedder on a test."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.datasets import RetrievalTest
from model.evaluation.embed import Advance, Embedded, ImageEmbedder, embed_test, need_unit_rows
from model.evaluation.ranking import EvaluationError, Ranking, match_ranks
from model.evaluation.reranking import RERANK_TOP, Reranking, reranked
from model.evaluation.retrieval import Retrieval, check_test, draws
from model.evaluation.scores import PairScores

PLAIN = "plain"
"""Name of the column ranked by cosine alone."""

RANKS = (1, 5, 10)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How well an embedder ranked a test.

    Attributes:
        rankings: By column, "plain" first: one ranking for each draw, of its queries in the list's order.
        types: For each draw the vehicle type of each query, shape (Q,).
        scores: Similarities of same and different vehicles among queries and candidates.
    """

    rankings: Mapping[str, tuple[Ranking, ...]]
    types: tuple[NDArray[np.str_], ...]
    scores: PairScores

    def figures(self, column: str = PLAIN) -> dict[str, dict[str, float]]:
        """Under "all" and under each vehicle type: queries, mAP, mINP, R1, R5, R10; shares are in percent.

        With several draws every number is the mean over the draws. A type without a query that has a match has no row.
        """
        rows = [_by_type(ranking, types) for ranking, types in zip(self.rankings[column], self.types, strict=True)]
        kinds = ["all", *sorted({kind for row in rows for kind in row} - {"all"})]
        return {kind: _mean([row[kind] for row in rows if kind in row]) for kind in kinds}

    def cmc(self, column: str = PLAIN, ranks: int = 50) -> NDArray[np.float64]:
        """Share of queries with a match at rank 1, 2, ... `ranks` or before, in [0, 1], shape (ranks,)."""
        curves = [[ranking.cmc(rank) for rank in range(1, ranks + 1)] for ranking in self.rankings[column]]
        mean: NDArray[np.float64] = np.mean(curves, axis=0)
        return mean


def evaluate(
    embedder: ImageEmbedder,
    test: RetrievalTest,
    rerankings: Mapping[str, Reranking] | None = None,
    *,
    rerank_top: int = RERANK_TOP,
    batch: int = 32,
) -> Evaluation:
    """Embed a test and rank it by cosine, under its rule.

    Args:
        embedder: What makes the embeddings.
        test: Queries, gallery and rule.
        rerankings: Further columns by name: methods that order the best candidates of each query anew.
        rerank_top: How many.
        batch: Crops embedded at once.

    Raises:
        DatasetError: A crop is not there or cannot be decoded.
        EvaluationError: A list is empty, no query has a match, or an embedding is no unit vector.
    """
    check_test(test)
    return evaluate_embedded(embed_test(embedder, test, batch=batch), test, rerankings, rerank_top=rerank_top)


def evaluate_embedded(
    embedded: Embedded,
    test: RetrievalTest,
    rerankings: Mapping[str, Reranking] | None = None,
    *,
    rerank_top: int = RERANK_TOP,
    advance: Advance | None = None,
) -> Evaluation:
    """Rank a test whose embeddings are there.

    Args:
        embedded: Embeddings of the test's lists.
        test: Queries, gallery and rule.
        rerankings: Further columns by name.
        rerank_top: How many of the best candidates of each query they order anew.
        advance: Told of queries done.

    Raises:
        EvaluationError: A list is empty, no query has a match, or the embeddings do not fit the lists or are no
            unit vectors.
    """
    check_test(test)
    for rows, crops in ((embedded.query, test.query), (embedded.gallery, test.gallery)):
        if rows.ndim != 2 or len(rows) != len(crops):  # noqa: PLR2004
            raise EvaluationError(
                f"Embeddings of shape {rows.shape} do not fit the {len(crops)} crops of {crops.name}."
            )
        need_unit_rows(rows, crops.items)
    scores, types = PairScores(), []
    rankings: dict[str, list[Ranking]] = {name: [] for name in (PLAIN, *(rerankings or {}))}
    for draw in draws(test):
        retrieval = Retrieval(test, embedded, draw)
        types.append(retrieval.query_types)
        for name, ranking in _rank(retrieval, rerankings or {}, rerank_top, scores, advance).items():
            rankings[name].append(ranking)
    return Evaluation({name: tuple(each) for name, each in rankings.items()}, tuple(types), scores)


def _rank(
    retrieval: Retrieval,
    rerankings: Mapping[str, Reranking],
    top: int,
    scores: PairScores,
    advance: Advance | None,
) -> dict[str, Ranking]:
    methods = {name: start(retrieval.gallery, retrieval.gallery_cameras) for name, start in rerankings.items()}
    ranks: dict[str, list[NDArray[np.int64]]] = {name: [] for name in (PLAIN, *methods)}
    for row in retrieval.rows():
        plain = match_ranks(row.scores, row.match, row.left_out)
        ranks[PLAIN].append(plain)
        for name, rescore in methods.items():
            ranks[name].append(reranked(row, plain, retrieval, rescore, top) if len(plain) else plain)
        counted = retrieval.pairs(row)
        scores.count(row.scores[counted], row.match[counted])
        if advance:
            advance(1)
    return {name: Ranking.of_ranks(each) for name, each in ranks.items()}


def _by_type(ranking: Ranking, types: NDArray[np.str_]) -> dict[str, dict[str, float]]:
    rows = {"all": _figures(ranking)}
    for kind in set(types.tolist()):
        chosen = ranking.of(types == kind)
        if chosen.counted.any():
            rows[kind] = _figures(chosen)
    return rows


def _figures(ranking: Ranking) -> dict[str, float]:
    return {
        "queries": int(ranking.counted.sum()),
        "mAP": 100 * ranking.mean_average_precision,
        "mINP": 100 * ranking.mean_inverse_negative_penalty,
        **{f"R{rank}": 100 * ranking.cmc(rank) for rank in RANKS},
    }


def _mean(rows: list[dict[str, float]]) -> dict[str, float]:
    if len(rows) == 1:
        return rows[0]
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
