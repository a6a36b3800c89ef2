"""A FAISS index over the codes of a segment, mapped from a file, and the one pass that finds contenders in it.

The file is mapped, not read (`IO_FLAG_MMAP_IFC`), and nothing is ever added, so any number of threads may search. Each
search makes its own parameters: FAISS crashes when threads share an object of them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import faiss
import numpy as np
from numpy.typing import NDArray

from index.codecs.contract import CodecError

_MORE_THAN_ASKED: Final = 64
_GATHER_BELOW: Final = 1 / 500


class CodeFile:
    """Codes of a segment in a file that FAISS wrote.

    Args:
        path: The file.
        kinds: The FAISS class, or classes, of what it may hold.

    Raises:
        CodecError: It is missing, cut, or holds something else.
    """

    def __init__(self, path: Path, kinds: type | tuple[type, ...]) -> None:
        try:
            self.index: Any = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
        except RuntimeError as error:
            raise CodecError(f"{path} is no file of vectors that can be mapped: {_reason(error)}") from error
        if not isinstance(self.index, kinds):
            raise CodecError(f"{path} holds {type(self.index).__name__}, which this codec does not write")
        self.rows = int(self.index.ntotal)
        self.dimension = int(self.index.d)

    @property
    def codes_bytes(self) -> int:
        """What the codes take."""
        return self.rows * int(self.index.sa_code_size())

    def codes(self) -> NDArray[np.uint8]:
        """The codes in the file, shape (rows, code size): a view that is valid until `close`."""
        size = self.index.sa_code_size()
        codes: NDArray[np.uint8] = faiss.rev_swig_ptr(self.index.codes.data(), self.rows * size)
        codes.flags.writeable = False  # the pages are the file's
        return codes.reshape(self.rows, size)

    def decoded(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """The vectors that the codes of the given rows stand for, shape (len(rows), dimension)."""
        with one_thread():
            vectors: NDArray[np.float32] = self.index.reconstruct_batch(rows)
        return vectors

    def contenders(
        self, query: NDArray[np.float32], k: int, allowed: NDArray[np.bool_], candidates: int, error: float
    ) -> NDArray[np.int64]:
        """Allowed rows that may be among the k best; see `SegmentVectors.contenders`.

        Args:
            query: Unit vector.
            k: How many are wanted.
            allowed: Rows that may be answered.
            candidates: How many.
            error: The most by which a score computed here differs from that of the vector held.
        """
        if candidates <= k:
            return np.flatnonzero(allowed)
        if candidates < _GATHER_BELOW * self.rows:
            return self.among(np.flatnonzero(allowed), query, k, error)
        return self._scanned(query, k, allowed, candidates, error)

    def among(self, rows: NDArray[np.int64], query: NDArray[np.float32], k: int, error: float) -> NDArray[np.int64]:
        """Those of the given rows, in their order, that may be among the k best of them."""
        if len(rows) <= k:
            return rows
        scores = _inner_products(query, self.decoded(rows))
        return rows[clipped(scores) >= threshold_of(scores, k, error)]

    def _scanned(
        self, query: NDArray[np.float32], k: int, allowed: NDArray[np.bool_], candidates: int, error: float
    ) -> NDArray[np.int64]:
        asked = min(candidates, k + _MORE_THAN_ASKED)
        with one_thread(), selecting(allowed, candidates) as selector:
            parameters = None if selector is None else faiss.SearchParameters(sel=selector)  # type: ignore[call-arg]
            scores, found = own_method(self.index, "search")(query[None], asked, params=parameters)
            threshold = threshold_of(scores[0], k, error)
            if asked < candidates and clipped(scores[0, -1]) >= threshold:
                # the margin reaches beyond what was asked for
                below = np.nextafter(np.float32(threshold), np.float32(-np.inf)) if threshold > -1 else -np.inf
                wider = own_method(self.index, "range_search")
                _, scores, found = wider(query[None], float(below), params=parameters)
                scores, found = scores[None], found[None]
        near: NDArray[np.int64] = found[0][clipped(scores[0]) >= threshold]
        return np.sort(near)

    def close(self) -> None:
        """Let go of the file."""
        self.index = None


def write_codes(index: Any, path: Path) -> None:  # noqa: ANN401 - FAISS has no types
    """Write a FAISS index to a file.

    Raises:
        OSError: It cannot be written. FAISS' own file writer says nothing when the last bytes find no room.
    """
    with path.open("wb") as file:
        faiss.write_index(index, faiss.PyCallbackIOWriter(file.write))  # type: ignore[attr-defined]


def rounding(dimension: int) -> float:
    """The most by which an inner product of unit vectors computed in float32 differs from the exact score.

    |error| <= d u for d terms summed in any order (u = 2^-24; Higham, Accuracy and Stability of Numerical Algorithms,
    2nd ed., eq. 3.5); 2 % more covers lengths that are off by UNIT_TOLERANCE and what is rounded when a code is
    decoded, four terms more the rounding of the exact score.
    """
    return (1.02 * dimension + 4) * 2.0**-24


def scan_error(max_error: float, dimension: int) -> float:
    """The most by which the score of codes at most that far from what is held differs from the exact score."""
    return 1.002 * max_error + rounding(dimension)  # a query may be longer than 1 by UNIT_TOLERANCE


def own_method(index: Any, name: str) -> Any:  # noqa: ANN401 - FAISS has no types
    """A method of a FAISS index that takes what FAISS documents.

    `faiss.contrib.torch_utils`, which comes with pytorch-metric-learning, puts others in their place for the whole
    process: they take no parameters, so no selector either, and some answer tensors. It keeps the first ones under
    another name.
    """
    return getattr(index, f"{name}_numpy", None) or getattr(index, name)


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep FAISS from sharing out what one query leaves nothing to share of; the number is the calling thread's own."""
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(threads)


@contextmanager
def selecting(allowed: NDArray[np.bool_], candidates: int) -> Iterator[Any]:
    """A selector of the given rows, for one search; None where all are allowed."""
    if candidates == len(allowed):
        yield None
        return
    bits = np.packbits(allowed, bitorder="little")  # FAISS reads them through the pointer, so they live until the end
    yield faiss.IDSelectorBitmap(len(allowed), faiss.swig_ptr(bits))


def threshold_of(scores: NDArray[np.float32], k: int, error: float) -> float:
    """The score that a row must have here to be possibly among the k best: the error counts for it and for the k-th."""
    kth = np.partition(scores, len(scores) - k)[len(scores) - k]
    return float(clipped(kth)) - 2 * error


def clipped(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scores as exact ones are clipped: vectors whose lengths are off by a rounding tie at 1."""
    return np.clip(scores, -1.0, 1.0)


def _inner_products(query: NDArray[np.float32], vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    scores = np.empty(len(vectors), dtype=np.float32)
    faiss.fvec_inner_products_ny(  # type: ignore[attr-defined]
        faiss.swig_ptr(scores), faiss.swig_ptr(query), faiss.swig_ptr(vectors), vectors.shape[1], len(vectors)
    )
    return scores


def _reason(error: RuntimeError) -> str:
    """What FAISS says, without the place in its source."""
    return str(error).rpartition("Error: ")[2] or type(error).__name__
