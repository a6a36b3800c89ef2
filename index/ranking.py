"""The k best rows for a query, exactly, and the same on every machine that holds the same crops.

FAISS computes inner products in float32, in an order that depends on its kernel, so the last bits of a score, and with
them the order of near ties, would depend on how a row was reached. Here those scores only narrow the field: every row
that could be among the k best within the rounding error is scored once more by one formula, and these scores decide,
equal ones by id.
"""

from dataclasses import dataclass
from typing import Final, Protocol

import faiss
import numpy as np
from numpy.typing import NDArray

from index.segments.rows import Columns

_DENSE_SHARE: Final = 1 / 3
_ROWS_AT_ONCE: Final = 4096


class Vectors(Protocol):
    """Vectors that can be searched, of a table or of a segment (see `index.codecs.contract.SegmentVectors`)."""

    def contenders(
        self, query: NDArray[np.float32], k: int, allowed: NDArray[np.bool_], candidates: int, *, exact: bool
    ) -> NDArray[np.int64]:
        """Rows among which the k best of the allowed rows are, or most likely are, ascending."""

    def held(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """The vectors held in the given rows, shape (len(rows), dimension)."""


class Rows(Protocol):
    """Rows of a table or a segment."""

    @property
    def columns(self) -> Columns:
        """Their columns."""

    @property
    def vectors(self) -> Vectors:
        """Their vectors."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """Rows, best first.

    Attributes:
        rows: Row numbers, shape (n,).
        scores: Their exact scores, float32, shape (n,).
    """

    rows: NDArray[np.int64]
    scores: NDArray[np.float32]


def best_rows(
    rows: Rows, query: NDArray[np.float32], k: int, allowed: NDArray[np.bool_], candidates: int, *, exact: bool
) -> Ranked:
    """The k best of the allowed rows, equal scores in ascending order of id.

    Args:
        rows: The rows, of a table or a segment.
        query: Unit vector, shape (dimension,).
        k: How many at most.
        allowed: Rows that may be answered, shape (rows,).
        candidates: How many are allowed.
        exact: Whether none of the k best may be missed.
    """
    if candidates <= k:
        found = np.flatnonzero(allowed)
    else:
        found = rows.vectors.contenders(query, k, allowed, candidates, exact=exact)
    scores = np.empty(len(found), dtype=np.float32)
    for start in range(0, len(found), _ROWS_AT_ONCE):
        block = slice(start, start + _ROWS_AT_ONCE)
        scores[block] = exact_scores(rows.vectors.held(found[block]), query)
    order = np.lexsort((rows.columns.id_low[found], rows.columns.id_high[found], -scores))[:k]
    return Ranked(found[order], scores[order])


def exact_scores(vectors: NDArray[np.float32], query: NDArray[np.float32]) -> NDArray[np.float32]:
    """Inner products of the query with each vector, rounded to float32 once and clipped to [-1, 1].

    A product of two float32 is exact in float64, and each row is summed on its own, so a score depends on the two
    vectors and on nothing else.

    Args:
        vectors: Shape (n, dimension).
        query: Shape (dimension,).
    """
    scores: NDArray[np.float32] = np.multiply(vectors, query, dtype=np.float64).sum(axis=1).astype(np.float32)
    return np.clip(scores, -1.0, 1.0)


def rounding_bound(dimension: int) -> float:
    """How far two float32 inner products of unit vectors may be apart from the exact ones, taken together.

    |error| <= d u for an inner product of d terms of unit vectors summed in any order (u = 2^-24; Higham, Accuracy and
    Stability of Numerical Algorithms, 2nd ed., eq. 3.5), once for each of the two; 1 % more covers lengths that are off
    by UNIT_TOLERANCE, four terms more the rounding of the exact scores.
    """
    return 2 * (1.01 * dimension + 4) * 2.0**-24


def near_best(
    embeddings: NDArray[np.float32], rows: NDArray[np.int64], query: NDArray[np.float32], k: int
) -> NDArray[np.int64]:
    """Rows that may be among the k best: those whose float32 score is within rounding of the k-th or better.

    Args:
        embeddings: Shape (rows, dimension), float32, in memory.
        rows: Candidates, ascending, more than k.
        query: Unit vector, shape (dimension,).
        k: How many are wanted.
    """
    # clipped before they are compared, because vectors whose length is off by a rounding tie at 1
    scores = np.clip(_float32_scores(embeddings, rows, query), -1.0, 1.0)
    kth = np.partition(scores, len(scores) - k)[len(scores) - k]
    near: NDArray[np.int64] = rows[scores >= kth - rounding_bound(embeddings.shape[1])]
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
