"""Append-only columns: readers keep the view they took while one writer appends behind its end.

A view is never written again: the writer fills only rows past the end of every view handed out, and when the storage is
full it moves to a larger one and leaves the old one to its readers. So a reader needs no lock.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

_FIRST_CAPACITY = 64

Value = TypeVar("Value")


class GrowingArray:
    """An array that grows at its end, doubling its storage when full.

    Args:
        dtype: Type of the elements.
        width: Elements per row; None for a one-dimensional array.
    """

    def __init__(self, dtype: DTypeLike, width: int | None = None) -> None:
        self._rest = () if width is None else (width,)
        self._storage: NDArray[Any] = np.empty((0, *self._rest), dtype=dtype)
        self._size = 0

    def __len__(self) -> int:
        return self._size

    @property
    def nbytes(self) -> int:
        """What the storage takes, unused room included."""
        return self._storage.nbytes

    def reserve(self, rows: int) -> None:
        """Make room, so that appending that many rows cannot fail."""
        needed = self._size + rows
        if needed <= len(self._storage):
            return
        larger = np.empty((max(needed, 2 * len(self._storage), _FIRST_CAPACITY), *self._rest), self._storage.dtype)
        larger[: self._size] = self._storage[: self._size]
        self._storage = larger

    def extend(self, rows: NDArray[Any]) -> None:
        """Append rows."""
        self.reserve(len(rows))
        self._storage[self._size : self._size + len(rows)] = rows
        self._size += len(rows)

    def view(self) -> NDArray[Any]:
        """The rows held now, read-only; later appends neither change nor lengthen it."""
        view = self._storage[: self._size]
        view.flags.writeable = False
        return view


class Vocabulary(Generic[Value]):
    """Numbers the distinct values of a column: 0, 1, 2 ... in the order they were first seen."""

    def __init__(self) -> None:
        self._codes: dict[Any, int] = {}
        self._values: list[Value] = []

    def __len__(self) -> int:
        return len(self._values)

    def __getitem__(self, code: int) -> Value:
        return self._values[code]

    def encode(self, value: Value) -> int:
        """The code of a value; a value not seen before gets the next one."""
        code = self._codes.get(value)
        if code is None:
            code = len(self._values)
            self._values.append(value)
            # last, so that a reader who finds the code also finds what belongs to it
            self._codes[value] = code
        return code

    def encode_all(self, values: Sequence[Value]) -> NDArray[np.int32]:
        """Codes of all values, shape (len(values),)."""
        codes = list(map(self._codes.get, values))
        if None in codes:
            codes = list(map(self.encode, values))
        return np.array(codes, dtype=np.int32)

    def codes(self, values: Iterable[Value]) -> NDArray[np.int32]:
        """Codes of those of the values that were seen."""
        found = map(self._codes.get, values)
        return np.array([code for code in found if code is not None], dtype=np.int32)

    def among(self, codes: NDArray[np.int32]) -> NDArray[np.bool_]:
        """A table over all codes: True at the given ones."""
        table = np.zeros(len(self), dtype=np.bool_)
        table[codes] = True
        return table
