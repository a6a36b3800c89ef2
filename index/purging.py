"""What is left of deleted crops in an index's files, and what tells how far that has been removed.

A row that is dead because its crop was changed is no such thing: the crop lives on in another row. So changing crops
of all days does not make every day be written anew when one crop is deleted.
"""

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final

import numpy as np

from index.parts import Part
from index.segments.files import StorageError
from index.segments.snapshots import SEGMENTS
from index.state import IndexState

_ROWS_AT_ONCE: Final = 4096


def unpurged(state: IndexState) -> list[tuple[str, Part]]:
    """Segments in whose files a deleted crop still is, with the names of their collections."""
    return [
        (name, part)
        for name, part in state.parts()
        if part.segment is not None and part.dead and any(not _is_alive(state, one) for one in _dead_ids(part))
    ]


def left_over(folder: Path, needed: Collection[str]) -> set[str]:
    """Names of what lies among the segments of an index's folder and is not needed.

    Args:
        folder: The index's folder.
        needed: Ids of segments.
    """
    segments = folder / SEGMENTS
    return {path.name for path in segments.iterdir()}.difference(needed) if segments.is_dir() else set()


def require_clean(folder: Path, needed: Collection[str]) -> None:
    """Check that nothing is left over.

    Raises:
        StorageError: Something could not be removed.
    """
    if left := left_over(folder, needed):
        raise StorageError(f"{len(left)} segments with deleted crops could not be removed from {folder / SEGMENTS}")


def _dead_ids(part: Part) -> Iterator[list[int]]:
    """Ids of the rows that hold no crop any longer, some at a time."""
    rows = np.flatnonzero(~part.live_mask())
    for block in np.array_split(rows, max(1, -(-len(rows) // _ROWS_AT_ONCE))):
        yield [part.rows.columns.id(row) for row in block.tolist()]


def _is_alive(state: IndexState, ids: list[int]) -> bool:
    """Whether each of these crops is in some row."""
    parts = {part.key: part for _, part in state.parts()}
    found = {parts[key].rows.columns.id(row) for _, key, rows in state.places_of(ids) for row in rows.tolist()}
    return found.issuperset(ids)
