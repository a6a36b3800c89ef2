"""Arrays packed into one file, mapped into memory as one.

A file for each array would cost a descriptor and a mapping each, and an index of a year has hundreds of segments of two
dozen arrays. What the arrays are stands outside the file, among what is sealed with it.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_ALIGNMENT: Final = 64


@dataclass(frozen=True, slots=True)
class ArrayPlace:
    """Where an array lies in the file.

    Attributes:
        dtype: Type of its elements, as NumPy writes it, byte order included.
        shape: Its shape.
        offset: Byte at which it begins.
    """

    dtype: str
    shape: Sequence[int]
    offset: int


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> dict[str, ArrayPlace]:
    """Write arrays into a new file and tell where each lies."""
    places = {}
    with path.open("xb") as file:
        for name, array in arrays.items():
            file.write(b"\0" * (-file.tell() % _ALIGNMENT))
            places[name] = ArrayPlace(array.dtype.str, list(array.shape), file.tell())
            file.write(np.ascontiguousarray(array).data.cast("B") if array.size else b"")
    return places


def map_arrays(path: Path, places: Mapping[str, ArrayPlace]) -> dict[str, NDArray[Any]]:
    """Map a file that `write_arrays` wrote; read-only arrays that take no memory until they are read."""
    whole = np.memmap(path, dtype=np.uint8, mode="r")
    return {
        name: np.frombuffer(whole, np.dtype(place.dtype), math.prod(place.shape), place.offset).reshape(place.shape)
        if math.prod(place.shape)
        else np.empty(place.shape, dtype=place.dtype)
        for name, place in places.items()
    }
