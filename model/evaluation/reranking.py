"""A second look at the best candidates of each query, and what it does to the ranks of its matches."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from model.evaluation.retrieval import QueryRow, Retrieval

Rescore = Callable[[NDArray[np.float32], str, NDArray[np.float32], NDArray[np.str_]], NDArray[np.float64]]
"""New scores of one query's best candidates, shape (T,), from the query's unit vector, shape (D,), its camera, the
candidates' unit vectors, best first, shape (T, D), and their cameras, shape (T,)."""

Reranking = Callable[[NDArray[np.float32], NDArray[np.str_]], Rescore]
"""A method of re-ranking, made ready for a gallery: its unit vectors, shape (G, D), and their cameras, shape (G,)."""

RERANK_TOP = 200
"""How many of the best candidates are ordered anew: what the service does unless told otherwise."""


def reranked(
    row: QueryRow, plain: NDArray[np.int64], retrieval: Retrieval, rescore: Rescore, top: int
) -> NDArray[np.int64]:
    """Ranks of a query's matches after its best candidates were ordered anew; the others keep their places behind.

    What a searcher can know, that a crop comes from the query's own camera, is left out before; what only labels tell,
    the junk of the benchmarks, takes part in the re-ranking and is taken out of the list after it, as the field's tools
    do.

    Args:
        row: The query.
        plain: Ranks of its matches by score alone, ascending.
        retrieval: Where embeddings and cameras are.
        rescore: The method.
        top: How many are ordered anew.

    Returns:
        Ranks from 1, ascending, as many as `plain` has.
    """
    best = best_candidates(row.scores, row.not_searched, top)
    camera = str(retrieval.query_cameras[row.number])
    scores = rescore(retrieval.query[row.number], camera, retrieval.gallery[best], retrieval.gallery_cameras[best])
    order = best[np.argsort(-scores, kind="stable")]
    order = order[~row.left_out[order]]
    within = np.flatnonzero(row.match[order]) + 1
    return np.concatenate([within, plain[plain > len(order)]])


def best_candidates(scores: NDArray[np.float32], not_searched: NDArray[np.bool_], top: int) -> NDArray[np.intp]:
    """Positions of the best candidates, best first, equal scores in the gallery's order, shape (at most top,)."""
    searched = np.flatnonzero(~not_searched)
    found = scores[searched]
    if len(found) > top:
        # Every candidate as good as the last that has a place; the sort then decides by position.
        enough = found >= np.partition(found, len(found) - top)[len(found) - top]
        searched, found = searched[enough], found[enough]
    return searched[np.argsort(-found, kind="stable")[:top]]
