"""The k best rows for a query, exactly, and the same on every machine that holds the same crops.

FAISS computes inner products in float32, in an order that depends on its kernel, so the last bits of a score, and with
them the order of near ties, would depend on how a row was reached. Here those scores only narrow the field: every row
that could be among the k best within the rounding error is scored once more by one formula, and these scores decide,
equal ones by id.
"""

import faiss
import numpy as np
from numpy.typing import NDArray

from index.table import Columns

_DENSE_SHARE = 1 / 3
_ROWS_AT_ONCE = 4096


def best_rows(
    columns: Columns, rows: NDArray[np.int64], query: NDArray[np.float32], k: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The k best of the given rows and their scores, best first, equal scores in ascending order of id.

    Args:
        columns: The collection.
        rows: Candidates, ascending.
        query: Unit vector, shape (dimension,).
        k: How many at most.

    Returns:
        Rows and scores, both of shape (min(k, candidates),).
    """
    if len(rows) > k:
        rows = _contenders(columns.embeddings, rows, query, k)
    scores = exact_scores(columns.embeddings, rows, query)
    order = np.lexsort((columns.id_low[rows], columns.id_high[rows], -scores))[:k]
    return rows[order], scores[order]


def exact_scores(
    embeddings: NDArray[np.float32], rows: NDArray[np.int64], query: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Inner products of the query with the given rows, rounded to float32 once and clipped to [-1, 1].

    A product of two float32 is exact in float64, and each row is summed on its own, so a score depends on the two
    vectors and on nothing else.
    """
    scores = np.empty(len(rows), dtype=np.float32)
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        block = embeddings[rows[start : start + _ROWS_AT_ONCE]]
        scores[start : start + len(block)] = np.multiply(block, query, dtype=np.float64).sum(axis=1)
    return np.clip(scores, -1.0, 1.0)


def _contenders(
    embeddings: NDArray[np.float32], rows: NDArray[np.int64], query: NDArray[np.float32], k: int
) -> NDArray[np.int64]:
    """Rows that may be among the k best: those whose float32 score is within rounding of the k-th or better."""
    # clipped before they are compared, because vectors whose length is off by a rounding tie at 1
    scores = np.clip(_float32_scores(embeddings, rows, query), -1.0, 1.0)
    kth = np.partition(scores, len(scores) - k)[len(scores) - k]
    # |error| <= d u for an inner product of d terms of unit vectors summed in any order (u = 2^-24; Higham, Accuracy
    # and Stability of Numerical Algorithms, 2nd ed., eq. 3.5), once for the k-th and once for the row; 1 % more covers
    # lengths that are off by UNIT_TOLERANCE, four terms more the rounding of the exact score
    rounding = 2 * (1.01 * embeddings.shape[1] + 4) * 2.0**-24
    near: NDArray[np.int64] = rows[scores >= kth - rounding]
    return near


def _float32_scores(
    embeddings: NDArray[np.float32], rows: NDArray[np.int64], query: NDArray[np.float32]
) -> NDArray[np.float32]:
    total, dimension = embeddings.shape
    if len(rows) < _DENSE_SHARE * total:
        return _scores_of_rows(embeddings, rows, query)
    # reading everything in order is faster than picking a third of it
    scores = np.empty(total, dtype=np.float32)
    faiss.fvec_inner_products_ny(  # type: ignore[attr-defined]
        faiss.swig_ptr(scores), faiss.swig_ptr(query), faiss.swig_ptr(embeddings), dimension, total
    )
    return scores[rows]


def _scores_of_rows(
    embeddings: NDArray[np.float32], rows: NDArray[np.int64], query: NDArray[np.float32]
) -> NDArray[np.float32]:
    scores = np.empty(len(rows), dtype=np.float32)
    threads = faiss.omp_get_max_threads()
    # FAISS shares this out by query, so a team of threads would have one at work and the others in its way; the number
    # belongs to the calling thread alone
    faiss.omp_set_num_threads(1)
    try:
        faiss.fvec_inner_products_by_idx(  # type: ignore[attr-defined]
            faiss.swig_ptr(scores),
            faiss.swig_ptr(query),
            faiss.swig_ptr(embeddings),
            faiss.swig_ptr(rows),
            embeddings.shape[1],
            1,
            len(rows),
        )
    finally:
        faiss.omp_set_num_threads(threads)
    return scores
