"""Vectors rounded to half precision without drifting.

A vector is held as its half-precision codes divided by their length. That length is not quite 1, so rounding what is
held to half precision again may give other codes, and a segment rewritten again and again would wander. So codes are
looked for that lead back to the very vector given, and only a vector that no codes lead to is rounded.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from index.halves import STORED, unit_of

# Codes q of a vector whose length is off by at most 0.001 have a length L within 0.0015 of 1 (rounding adds 2^-11), and
# the vector held is q / L. Scaled by any s within 2^-13 of L, each component is nearer to its q than to any other
# number of half precision, which are 2^-12 of q away at least from where rounding changes. A grid of scales 2^-12
# apart has such an s for every L. 1 itself is tried before, by rounding; then the nearest to 1, where nearly all are.
_SCALES: Final = tuple(np.float32(1 + step * 2.0**-12) for near in range(1, 8) for step in sorted({-near, near}))
_ROWS_AT_ONCE: Final = 512
"""Few enough that a block in float64 stays in a core's own cache, which makes all of this twice as fast."""
_FIRST_COMPONENTS: Final = 16


def rounded(vectors: NDArray[np.float32]) -> tuple[NDArray[np.float16], NDArray[np.float32]]:
    """Codes in half precision and what is held in them, which is the given vector where it was held before.

    Args:
        vectors: Shape (n, dimension), lengths within `index.contract.UNIT_TOLERANCE` of 1.

    Returns:
        Codes and held vectors, `index.halves.unit_of` of the codes, both of shape (n, dimension).
    """
    codes, held = np.empty(vectors.shape, dtype=STORED), np.empty(vectors.shape, dtype=np.float32)
    lost = []
    for start in range(0, len(vectors), _ROWS_AT_ONCE):
        block = slice(start, start + _ROWS_AT_ONCE)
        codes[block] = vectors[block]
        held[block] = unit_of(codes[block])[0]
        lost.append(start + np.flatnonzero((held[block] != vectors[block]).any(axis=1)))
    for rows in _some(np.concatenate(lost) if lost else np.empty(0, dtype=np.int64)):
        _lead_back(codes, held, vectors, rows)
    return codes, held


def codes_of(held: NDArray[np.float32]) -> tuple[NDArray[np.float16], float]:
    """Codes of vectors that are held: what these codes hold is the given vectors, bit for bit.

    Args:
        held: Shape (n, dimension), at least one.

    Returns:
        The codes, and no less than the largest distance between one and its vector.

    Raises:
        ValueError: One is nothing that is held.
    """
    codes = held.astype(STORED)
    again, lengths = unit_of(codes)
    if not np.array_equal(again, held):
        codes, _ = rounded(held)
        again, lengths = unit_of(codes)
        if not np.array_equal(again, held):
            raise ValueError("These are no held vectors: write what `held` answers.")
    # codes of length L are L - 1 away from what is held, but for the rounding of the latter to float32
    return codes, float(np.abs(lengths - 1).max()) + 2.0**-23


def _lead_back(
    codes: NDArray[np.float16], held: NDArray[np.float32], vectors: NDArray[np.float32], lost: NDArray[np.int64]
) -> None:
    """Replace, in place, codes in the lost rows by such that lead back to their vectors, where there are any."""
    first = vectors[lost, :_FIRST_COMPONENTS]
    for scale in _SCALES:
        if not len(lost):
            return
        promising = np.flatnonzero(_all_off_by_one_factor(first, scale))
        if not len(promising):
            continue
        rows = lost[promising]
        found = (vectors[rows] * scale).astype(STORED)
        same = (unit_of(found)[0] == vectors[rows]).all(axis=1)
        codes[rows[same]], held[rows[same]] = found[same], vectors[rows[same]]
        lost, first = np.delete(lost, promising[same]), np.delete(first, promising[same], axis=0)


def _some(rows: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    return (rows[start : start + _ROWS_AT_ONCE] for start in range(0, len(rows), _ROWS_AT_ONCE))


def _all_off_by_one_factor(components: NDArray[np.float32], scale: np.float32) -> NDArray[np.bool_]:
    """Which rows may have codes at this scale: there all components are off by the same factor, the codes' length.

    A vector that was never rounded gives itself away by its first components, which spares it the whole computation.
    """
    codes = (components * scale).astype(STORED).astype(np.float32)
    factors = np.full_like(components, np.nan)
    np.divide(codes, components, out=factors, where=components != 0)
    # two roundings to float32 in each factor, 2^-24 apiece; a row of zeros only has no factors and stays in the running
    apart: NDArray[np.bool_] = np.fmax.reduce(factors, axis=1) - np.fmin.reduce(factors, axis=1) > 2.0**-21
    return ~apart
