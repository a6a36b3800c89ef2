"""How well and how fast a codec finds the nearest of real vectors, beside an exact scan of the vectors as given."""

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from index.codecs.contract import Codec, SegmentVectors
from index.ranking import exact_scores

_ROWS_AT_ONCE = 65536


@dataclass(frozen=True, slots=True)
class CodecFigures:
    """What was measured of one codec.

    Attributes:
        codec: Its name.
        scanned_bytes: What its fastest search reads, per vector, if it reads everything.
        memory_bytes: What all of its searches read, per vector: a codec whose fastest search may miss some of the best
            answers exactly from the half-precision vectors where a filter leaves few candidates, so they count too.
        disk_bytes: What its files take, per vector.
        recall: Share of the k nearest by exact scan of the vectors as given that are among the k it answers.
        milliseconds: Median time of a search on one thread, from query to ranked rows.
    """

    codec: str
    scanned_bytes: float
    memory_bytes: float
    disk_bytes: float
    recall: float
    milliseconds: float


def codec_figures(
    codec: Codec, vectors: NDArray[np.float32], queries: NDArray[np.float32], nearest: NDArray[np.int64]
) -> CodecFigures:
    """Write vectors as one segment with a codec, search it by its fastest way, and measure.

    Args:
        codec: The codec.
        vectors: Unit vectors, shape (n, dimension).
        queries: Unit vectors, shape (m, dimension).
        nearest: `nearest_rows` of the same vectors and queries, shape (m, k).
    """
    with tempfile.TemporaryDirectory(prefix="clip-senet-recall-") as folder:
        codec.write(codec.held(vectors), Path(folder))
        segment = codec.open(Path(folder))
        try:
            found, seconds = _search(segment, queries, nearest.shape[1])
            halves = 2 * segment.dimension if codec.approximate else 0
            return CodecFigures(
                codec=codec.name,
                scanned_bytes=segment.memory_bytes / segment.rows,
                memory_bytes=segment.memory_bytes / segment.rows + halves,
                disk_bytes=segment.disk_bytes / segment.rows,
                recall=float(np.mean([np.isin(*pair).mean() for pair in zip(nearest, found, strict=True)])),
                milliseconds=1e3 * float(np.median(seconds)),
            )
        finally:
            segment.close()


def nearest_rows(vectors: NDArray[np.float32], queries: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """The k rows nearest to each query by an exact scan, shape (m, min(k, n)), in no order.

    Args:
        vectors: Unit vectors, shape (n, dimension).
        queries: Unit vectors, shape (m, dimension).
        k: How many.
    """
    k = min(k, len(vectors))
    rows, scores = np.empty((len(queries), 0), np.int64), np.empty((len(queries), 0))
    for start in range(0, len(vectors), _ROWS_AT_ONCE):
        block = queries.astype(np.float64) @ vectors[start : start + _ROWS_AT_ONCE].T
        scores = np.concatenate([scores, block], axis=1)
        rows = np.concatenate([rows, np.tile(start + np.arange(block.shape[1]), (len(queries), 1))], axis=1)
        best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        rows, scores = np.take_along_axis(rows, best, axis=1), np.take_along_axis(scores, best, axis=1)
    return rows


def smallest_codec(figures: Sequence[CodecFigures], enough: float) -> CodecFigures | None:
    """The codec that takes the least memory of those whose recall is enough; None where none's is."""
    return min((one for one in figures if one.recall >= enough), key=lambda one: one.memory_bytes, default=None)


def _search(
    segment: SegmentVectors, queries: NDArray[np.float32], k: int
) -> tuple[list[NDArray[np.int64]], list[float]]:
    allowed = np.ones(segment.rows, dtype=np.bool_)
    found, seconds = [], []
    for query in queries:
        start = time.perf_counter()
        rows = segment.contenders(query, k, allowed, segment.rows, exact=False)
        scores = exact_scores(segment.held(rows), query)
        found.append(rows[np.argsort(-scores, kind="stable")[:k]])
        seconds.append(time.perf_counter() - start)
    return found, seconds
