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
        count = len(embeddings) if rows is None else len(rows)
        total = np.zeros(embeddings.shape[1], dtype=np.int64)
        squares = np.zeros(embeddings.shape[1], dtype=np.int64)
        for start in range(0, count, _ROWS_AT_ONCE):
            some = slice(start, start + _ROWS_AT_ONCE)
            # turned to float64 before it is added up: doing that on the way takes NumPy five times as long
            counted = _counted(embeddings[some if rows is None else rows[some]]).astype(np.float64)
            total += counted.sum(axis=0).astype(np.int64)
            squares += np.einsum("ij,ij->j", counted, counted).astype(np.int64)
        return cls(count, total, squares)

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
    codes = np.unique(cameras)
    if not len(codes):
        return {}
    order = np.argsort(cameras, kind="stable")
    ends = np.searchsorted(cameras[order], codes, side="right")
    rows = np.split(order, ends[:-1])
    return {names[code]: CameraSums.of(embeddings, some) for code, some in zip(codes.tolist(), rows, strict=True)}


def _counted(embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
    # exact in float32: a power of two only moves the exponent, and whole numbers up to 2^24 are all there
    counted: NDArray[np.float32] = np.rint(embeddings * np.float32(_UNITS))
    return counted
