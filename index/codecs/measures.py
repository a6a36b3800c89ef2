"""What a segment's codes are measured by: how far they are from the vectors they stand for, and what they take."""

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from index.codecs.contract import CodecError

_MORE = 1 + 1e-6
"""The distances are computed in float64; this covers their own rounding many times over."""


def largest_distance(decoded: NDArray[np.floating], held: NDArray[np.float32]) -> float:
    """The largest distance between a row as decoded and as held, both of shape (n, dimension)."""
    apart = np.subtract(decoded, held, dtype=np.float64)
    return float(np.sqrt(np.vecdot(apart, apart).max())) * _MORE


def write_max_error(folder: Path, codes: str, max_error: float) -> None:
    """Note the largest distance of a file of codes beside it."""
    _place(folder, codes).write_text(json.dumps({"max_error": max_error}), encoding="utf-8")


def read_max_error(folder: Path, codes: str) -> float:
    """The largest distance that was noted.

    Raises:
        CodecError: There is no such note, or it makes no sense.
    """
    place = _place(folder, codes)
    try:
        max_error = float(json.loads(place.read_text(encoding="utf-8"))["max_error"])
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise CodecError(f"{place} cannot be read: {error}") from error
    if not 0 <= max_error < 1:
        raise CodecError(f"{place} tells of an error of {max_error}, which no codec makes")
    return max_error


def size_of(folder: Path) -> int:
    """What the files in a folder take, in bytes."""
    return sum(file.stat().st_size for file in folder.iterdir())


def _place(folder: Path, codes: str) -> Path:
    return folder / f"{codes}.json"
