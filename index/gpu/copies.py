"""A segment's vectors copied to a device, in half precision, and checked there before any search relies on them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from index.codecs.contract import SegmentVectors
from index.codecs.measures import largest_distance
from index.codecs.scanning import rounding, scan_error
from index.gpu.engine import DeviceIndex, Engine
from index.ranking import exact_scores

_ROWS_AT_ONCE: Final = 8192
_PROBES: Final = 64
_FOUND_BY_GRAPH: Final = 0.95
_DEVICE_ROUNDING: Final = 4
"""Tensor cores cut off where a CPU rounds and keep few bits more than float32 (Fasi et al., PeerJ Computer Science
7:e330, 2021), so a sum may be off by some times what `rounding` allows."""


class UnfitError(Exception):
    """A device does not find what was copied to it."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What is known of vectors on a device. Their index is the owning thread's alone.

    Attributes:
        graph: Whether it may miss some of the nearest.
        max_error: The largest distance between a vector there and as it is held.
        memory_bytes: What it takes there.
    """

    graph: bool
    max_error: float
    memory_bytes: int

    def error(self, query: NDArray[np.float32], rounded: NDArray[np.float32]) -> float:
        """The most by which a score of the device differs from the exact one.

        Args:
            query: Unit vector.
            rounded: What the device was given of it.
        """
        moved = self.max_error + float(np.linalg.norm(query.astype(np.float64) - rounded))
        return scan_error(moved, len(query)) + (_DEVICE_ROUNDING - 1) * rounding(len(query))


@dataclass(eq=False, slots=True)
class Copy:
    """A segment's place on a device, empty until there was time and room to fill it.

    Attributes:
        source: The vectors; None once nobody searches them any longer.
        approximate: Whether a graph may answer searches that need not be exact.
        loaded: What is on the device; None while nothing is.
    """

    source: SegmentVectors | None
    approximate: bool
    loaded: Loaded | None = None


def in_half_precision(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """The nearest vectors that half precision has."""
    return vectors.astype(np.float16).astype(np.float32)


def load(
    engine: Engine, source: SegmentVectors, room: int, *, graph: bool, stopping: Callable[[], bool]
) -> tuple[DeviceIndex, Loaded] | None:
    """Copy a segment's vectors to a device.

    Args:
        engine: The device, of the calling thread.
        source: The vectors; not read any longer when the device is at work.
        room: Bytes it may take there.
        graph: Whether a graph is wanted.
        stopping: Whether to give up.

    Returns:
        None where there is no room, or it was given up.

    Raises:
        UnfitError: The device does not find the vectors by themselves.
    """
    size_of = engine.graph_bytes if graph else engine.flat_bytes
    needed = size_of(source.rows, source.dimension)
    if needed > room:
        return None
    codes, largest = np.empty((source.rows, source.dimension), dtype=np.float16), 0.0
    for start in range(0, source.rows, _ROWS_AT_ONCE):
        if stopping():
            return None
        held = source.held(np.arange(start, min(start + _ROWS_AT_ONCE, source.rows)))
        codes[start : start + len(held)] = held
        largest = max(largest, largest_distance(codes[start : start + len(held)], held))
    if graph and (built := engine.graph(codes)) is not None:
        loaded = Loaded(graph=True, max_error=largest, memory_bytes=needed)
        if _share_found(built, loaded, codes) >= _FOUND_BY_GRAPH:
            return built, loaded
    flat, loaded = engine.flat(codes), Loaded(graph=False, max_error=largest, memory_bytes=needed)
    if (share := _share_found(flat, loaded, codes)) < 1:
        raise UnfitError(f"of the vectors copied to the device it finds {share:.0%}")
    return flat, loaded


def _share_found(index: DeviceIndex, loaded: Loaded, codes: NDArray[np.float16]) -> float:
    """The share of some vectors that are found when they are looked up by themselves."""
    queries = codes[np.linspace(0, len(codes) - 1, min(_PROBES, len(codes)), dtype=np.int64)].astype(np.float32)
    _, found = index.search(queries, 1)
    hits = 0
    for query, row in zip(queries, found[:, 0].tolist(), strict=True):
        if 0 <= row < len(codes):
            # a copy, or one as near as rounding can tell, will do
            score, own = exact_scores(np.stack([codes[row].astype(np.float32), query]), query)
            hits += bool(score >= own - 2 * loaded.error(query, query))
    return hits / len(queries)
