"""Statistics of a camera's embeddings that can be added to and taken from without drifting.

Sums of floats depend on the order of the additions and keep a residue of what was taken out again. These sums are of
integers: components are counted in units of 2^-20 (half precision resolves a typical component of a 512-d unit vector
to 2^-16), so adding and removing are exact, and two replicas that hold the same crops have the same statistics bit for
bit, however they came to hold them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from index.contract import CameraStatistics

_UNITS = float(2**20)
# 2^12 squares of at most 2^40.01 each add up to less than 2^53, up to which float64 is exact in integers
_ROWS_AT_ONCE = 4000


class Names(Protocol):
    """Names of cameras by code."""

    def __getitem__(self, code: int, /) -> str: ...


@dataclass(frozen=True, slots=True)
class CameraSums:
    """Exact sums over the embeddings of one camera.

    int64 holds the squares of 2^23 crops even if all of them pointed along one axis; real embeddings spread over their
    components and stay below that by orders of magnitude.

    Attributes:
        count: Crops counted.
        total: Sum of the components, shape (dimension,), int64, in units of 2^-20.
        squares: Sum of the squared components, shape (dimension,), int64, in units of 2^-40.
    """

    count: int
    total: NDArray[np.int64]
    squares: NDArray[np.int64]

    @classmethod
    def of(cls, embeddings: NDArray[np.float32], rows: NDArray[np.int64] | None = None) -> Self:
        """Sums over embeddings of shape (crops, dimension), or over the given rows of them."""
        rows = np.arange(len(embeddings)) if rows is None else rows
        total = np.zeros(embeddings.shape[1], dtype=np.int64)
        squares = np.zeros(embeddings.shape[1], dtype=np.int64)
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            counted = _counted(embeddings[rows[start : start + _ROWS_AT_ONCE]])
            total += counted.sum(axis=0, dtype=np.float64).astype(np.int64)
            squares += np.einsum("ij,ij->j", counted, counted, dtype=np.float64).astype(np.int64)
        return cls(len(rows), total, squares)

    def __add__(self, other: Self) -> Self:
        return type(self)(self.count + other.count, self.total + other.total, self.squares + other.squares)

    def __sub__(self, other: Self) -> Self:
        return type(self)(self.count - other.count, self.total - other.total, self.squares - other.squares)

    def statistics(self) -> CameraStatistics:
        """Mean and population standard deviation; at least one crop must be counted."""
        mean = self.total / self.count
        variance = np.maximum(self.squares / self.count - np.square(mean), 0.0)
        return CameraStatistics(
            count=self.count,
            mean=(mean / _UNITS).astype(np.float32),
            deviation=(np.sqrt(variance) / _UNITS).astype(np.float32),
        )


def camera_sums(embeddings: NDArray[np.float32], cameras: NDArray[np.int32], names: Names) -> Mapping[str, CameraSums]:
    """Sums of each camera.

    Args:
        embeddings: Shape (rows, dimension).
        cameras: Code of each row's camera, shape (rows,).
        names: What the codes mean.
    """
    if not len(cameras):
        return {}
    order = np.argsort(cameras, kind="stable")
    codes, counts = np.unique(cameras, return_counts=True)
    totals = np.zeros((len(codes), embeddings.shape[1]), dtype=np.int64)
    squares = np.zeros_like(totals)
    for start in range(0, len(order), _ROWS_AT_ONCE):
        # all cameras at once, because a segment of a day may have hundreds of few crops each
        rows = order[start : start + _ROWS_AT_ONCE]
        counted = _counted(embeddings[rows])
        seen, starts = np.unique(cameras[rows], return_index=True)
        places = np.searchsorted(codes, seen)
        totals[places] += np.add.reduceat(counted, starts, axis=0, dtype=np.float64).astype(np.int64)
        squares[places] += np.add.reduceat(np.square(counted, dtype=np.float64), starts, axis=0).astype(np.int64)
    return {
        names[code]: CameraSums(count, totals[place], squares[place])
        for place, (code, count) in enumerate(zip(codes.tolist(), counts.tolist(), strict=True))
    }


def _counted(embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
    # exact in float32: a power of two only moves the exponent, and whole numbers up to 2^24 are all there
    counted: NDArray[np.float32] = np.rint(embeddings * np.float32(_UNITS))
    return counted
