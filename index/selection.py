"""From a filter to the rows of a part that it leaves, on the columns alone."""

from collections import defaultdict
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, Final, Protocol
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from index.contract import Filter, Track
from index.parts import Part
from index.sightings import halves_of
from index.times import UNKNOWN_TIME, microseconds

_FEW_CODES: Final = 4
"""Up to how many codes a column is compared with one by one, which is faster than looking every row up in a table."""

_Mask = NDArray[np.bool_]


class _Words(Protocol):
    """What the codes of a column mean."""

    def among(self, codes: NDArray[np.int32]) -> _Mask:
        """A table over all codes: True at the given ones."""


@dataclass(frozen=True, slots=True)
class Selection:
    """The rows of a part that a filter leaves.

    Attributes:
        part: The part.
        candidates: How many rows.
        mask: Which, shape (rows,); None for all rows of the part.
    """

    part: Part
    candidates: int
    mask: _Mask | None

    def allowed(self) -> _Mask:
        """Which rows, shape (rows,)."""
        return np.ones(len(self.part.rows), dtype=np.bool_) if self.mask is None else self.mask


def selected(part: Part, where: Filter) -> Selection | None:
    """Rows that hold a crop the filter allows; None where there are none.

    Conditions that a part's bounds and words decide as a whole cost nothing per row.

    Args:
        part: A part of the collection that the filter names.
        where: The filter.
    """
    if not _may_overlap(part, where):
        return None
    masks: list[_Mask] = []
    if not _by_words(part, where, masks):
        return None
    masks += _by_time(part, where)
    if where.exclude_ids:
        masks += _without_ids(part, where.exclude_ids)
    if part.live is not None:
        masks.append(part.live)
    if not masks:
        return Selection(part, len(part.rows), None)
    mask = masks[0] if len(masks) == 1 else np.logical_and.reduce(masks)
    candidates = int(np.count_nonzero(mask))
    return Selection(part, candidates, mask) if candidates else None


def _may_overlap(part: Part, where: Filter) -> bool:
    if where.captured_from is None and where.captured_to is None:
        return True
    if part.times is None:
        return False
    first, last = part.times
    return (where.captured_from is None or microseconds(where.captured_from) <= last) and (
        where.captured_to is None or first < microseconds(where.captured_to)
    )


def _by_words(part: Part, where: Filter, masks: list[_Mask]) -> bool:
    """Add the masks of all conditions on words; False where a condition holds for no row."""
    columns, words = part.rows.columns, part.rows.words
    required: list[tuple[NDArray[np.int32], NDArray[np.int32], _Words]] = [
        (column, vocabulary.codes(names), vocabulary)
        for names, vocabulary, column in (
            (where.camera_ids, words.cameras, columns.cameras),
            (where.vehicle_ids, words.vehicles, columns.vehicles),
        )
        if names is not None
    ]
    required += [
        (columns.attributes, words.attributes.holding(key, value), words.attributes)
        for key, value in where.attributes.items()
    ]
    on_tracks = None if where.tracks is None else _on_tracks(part, where.tracks)
    if any(not len(codes) for _, codes, _ in required) or (where.tracks is not None and on_tracks is None):
        return False
    masks += [_in(*condition) for condition in required]
    masks += [] if on_tracks is None else [on_tracks]
    for names, vocabulary, column in (
        (where.exclude_camera_ids, words.cameras, columns.cameras),
        (where.exclude_vehicle_ids, words.vehicles, columns.vehicles),
    ):
        if names and len(codes := vocabulary.codes(names)):
            masks.append(~_in(column, codes, vocabulary))
    if where.exclude_tracks and (mask := _on_tracks(part, where.exclude_tracks)) is not None:
        masks.append(~mask)
    return True


def _in(column: NDArray[np.int32], codes: NDArray[np.int32], vocabulary: _Words) -> _Mask:
    if len(codes) <= _FEW_CODES:
        mask: _Mask = column == codes[0]
        for code in codes[1:]:
            mask |= column == code
        return mask
    found: _Mask = vocabulary.among(codes)[column]
    return found


def _on_tracks(part: Part, tracks: AbstractSet[Track]) -> _Mask | None:
    """Rows on one of the tracks; None where the part has no such row by its words alone."""
    columns, words = part.rows.columns, part.rows.words
    of_camera: dict[str, list[tuple[str | None, str]]] = defaultdict(list)
    for camera_id, session_id, track_id in tracks:
        of_camera[camera_id].append((session_id, track_id))
    on_one: _Mask | None = None
    for camera_id, names in of_camera.items():
        camera, codes = words.cameras.codes([camera_id]), words.tracks.codes(names)
        if len(camera) and len(codes):
            mask = _in(columns.tracks, codes, words.tracks)
            mask &= columns.cameras == camera[0]
            on_one = mask if on_one is None else on_one | mask
    return on_one


def _by_time(part: Part, where: Filter) -> list[_Mask]:
    if where.captured_from is None and where.captured_to is None:
        return []
    times, masks = part.rows.columns.times, []
    first, last = part.times or (0, 0)
    if where.captured_from is not None and (first < (start := microseconds(where.captured_from))):
        masks.append(times >= start)
    if where.captured_to is not None and (last >= (end := microseconds(where.captured_to))):
        masks.append(times < end)
    if not part.all_timed:
        masks.append(times != UNKNOWN_TIME)
    return masks


def _without_ids(part: Part, ids: AbstractSet[UUID]) -> list[_Mask]:
    numbers = sorted(one.int for one in ids if part.ids[0] <= one.int <= part.ids[1])
    rows: NDArray[Any] = part.rows_of(numbers, *halves_of(numbers)) if numbers else np.empty(0, dtype=np.int64)
    if not len(rows):
        return []
    mask = np.ones(len(part.rows), dtype=np.bool_)
    mask[rows] = False
    return [mask]
