"""A segment's vectors that a device helps to search, with the answers that the CPU gives.

A device narrows the field as a codec does: it answers the rows nearest to a query, whatever the filter. Those that the
filter does not leave are dropped here, and where the rest does not prove that none of the k best is missing, the CPU
searches. So a filter is kept by this code alone, never by a selector that a build of FAISS may not know of.
"""

import math
import weakref
from typing import Final

import numpy as np
from numpy.typing import NDArray

from index.codecs.contract import SegmentVectors
from index.codecs.scanning import clipped, threshold_of
from index.gpu.accelerator import Accelerator
from index.gpu.copies import Copy, in_half_precision
from index.gpu.engine import MOST_ASKED
from index.gpu.searches import Found
from index.ranking import exact_scores

_MORE_THAN_ASKED: Final = 64
_FOR_UNEVEN_FILTERS: Final = 1.25
_MOST_ASKED_OF_GRAPH: Final = 512


class AcceleratedVectors:
    """Vectors of a segment and their copy on a device.

    Args:
        vectors: The vectors, which stay in use.
        accelerator: The device.
        approximate: Whether searches that need not be exact may miss some.
    """

    def __init__(self, vectors: SegmentVectors, accelerator: Accelerator, *, approximate: bool) -> None:
        self._vectors, self._accelerator = vectors, accelerator
        self.rows, self.dimension, self.max_error = vectors.rows, vectors.dimension, vectors.max_error
        self.memory_bytes, self.disk_bytes = vectors.memory_bytes, vectors.disk_bytes
        self._copy = Copy(vectors, approximate)
        accelerator.take(self._copy)
        # the last search of a segment that was rewritten ends at an unknown time
        weakref.finalize(self, accelerator.leave, self._copy).atexit = False

    def contenders(
        self, query: NDArray[np.float32], k: int, allowed: NDArray[np.bool_], candidates: int, *, exact: bool
    ) -> NDArray[np.int64]:
        """Allowed rows among which the k best are, or most likely are; see `SegmentVectors.contenders`."""
        near = self._by_device(query, k, allowed, candidates, exact=exact) if candidates > k else None
        self._accelerator.count(answered=near is not None)
        if near is None:
            return self._vectors.contenders(query, k, allowed, candidates, exact=exact)
        return near

    def held(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """The vectors in the given rows, never from the device."""
        return self._vectors.held(rows)

    def close(self) -> None:
        """Let go of the files. The accelerator is closed before."""
        self._vectors.close()

    def _by_device(
        self, query: NDArray[np.float32], k: int, allowed: NDArray[np.bool_], candidates: int, *, exact: bool
    ) -> NDArray[np.int64] | None:
        """Contenders, or None where the device cannot say or does not prove them."""
        loaded = self._copy.loaded
        if loaded is None or (exact and loaded.graph):
            return None
        asked = self._to_ask(k, candidates)
        if asked > (_MOST_ASKED_OF_GRAPH if loaded.graph else MOST_ASKED):
            return None
        rounded = in_half_precision(query)
        found = self._accelerator.search(self._copy, rounded, asked)
        if found is None:
            return None
        if found.scores is None:
            return self._likely(found, k, allowed)
        return self._proven(found.rows, found.scores, query, k, allowed=allowed, error=loaded.error(query, rounded))

    def _to_ask(self, k: int, candidates: int) -> int:
        """Rows to ask for so that, as a rule, enough of them are allowed."""
        wanted = k + _MORE_THAN_ASKED
        if candidates < self.rows:
            wanted = math.ceil(_FOR_UNEVEN_FILTERS * wanted * self.rows / candidates)
        return min(wanted, self.rows)

    def _likely(self, found: Found, k: int, allowed: NDArray[np.bool_]) -> NDArray[np.int64] | None:
        rows = np.unique(found.rows[(found.rows >= 0) & (found.rows < self.rows)])
        rows = rows[allowed[rows]]
        return rows if len(rows) >= k else None

    def _proven(
        self,
        rows: NDArray[np.int64],
        scores: NDArray[np.float32],
        query: NDArray[np.float32],
        k: int,
        *,
        allowed: NDArray[np.bool_],
        error: float,
    ) -> NDArray[np.int64] | None:
        if rows.min() < 0 or rows.max() >= self.rows or len(np.unique(rows)) < len(rows):
            self._accelerator.distrust("it answered rows twice, or such as there are not")
            return None
        if not np.isfinite(scores).all():
            self._accelerator.distrust("it answered scores that are no numbers")
            return None
        of_filter = allowed[rows]
        if np.count_nonzero(of_filter) < k:
            return None
        threshold = threshold_of(scores[of_filter], k, error)
        if len(rows) < self.rows and clipped(scores).min() >= threshold:
            return None  # rows that were not asked for may be within the margin
        best = of_filter & (clipped(scores) >= threshold)
        if np.abs(exact_scores(self.held(rows[best]), query) - clipped(scores[best])).max() <= error:
            return np.sort(rows[best])
        self._accelerator.distrust("its scores are further from the exact ones than its arithmetic explains")
        return None


def accelerated(vectors: SegmentVectors, accelerator: Accelerator, *, approximate: bool) -> SegmentVectors:
    """The vectors with a device's help, where there are enough of them.

    Args:
        vectors: Vectors of a segment.
        accelerator: The device.
        approximate: Whether their codec has searches that may miss some.
    """
    if not accelerator.worth_a_copy(vectors.rows):
        return vectors
    return AcceleratedVectors(vectors, accelerator, approximate=approximate)
