"""From a filter to the rows it leaves, on the columns alone."""

from collections import defaultdict
from collections.abc import Set as AbstractSet
from datetime import datetime
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from index.contract import Filter, Track
from index.table import UNKNOWN_TIME, Snapshot, microseconds


def selected_rows(snapshot: Snapshot, where: Filter) -> NDArray[np.int64]:
    """Rows that hold a crop the filter allows, ascending, shape (candidates,).

    Args:
        snapshot: The collection that the filter names.
        where: The filter.
    """
    columns, words = snapshot.columns, snapshot.vocabularies
    mask = snapshot.live.copy()
    if where.camera_ids is not None:
        mask &= words.cameras.among(words.cameras.codes(where.camera_ids))[columns.cameras]
    if where.exclude_camera_ids:
        mask &= ~words.cameras.among(words.cameras.codes(where.exclude_camera_ids))[columns.cameras]
    if where.vehicle_ids is not None:
        mask &= words.vehicles.among(words.vehicles.codes(where.vehicle_ids))[columns.vehicles]
    if where.exclude_vehicle_ids:
        mask &= ~words.vehicles.among(words.vehicles.codes(where.exclude_vehicle_ids))[columns.vehicles]
    if where.tracks is not None:
        mask &= _on_tracks(snapshot, where.tracks)
    if where.exclude_tracks:
        mask &= ~_on_tracks(snapshot, where.exclude_tracks)
    for key, value in where.attributes.items():
        mask &= words.attributes.among(words.attributes.holding(key, value))[columns.attributes]
    if where.captured_from is not None or where.captured_to is not None:
        mask &= _in_window(columns.times, where.captured_from, where.captured_to)
    if where.exclude_ids:
        mask[_rows_of(snapshot, where.exclude_ids)] = False
    return np.flatnonzero(mask)


def _on_tracks(snapshot: Snapshot, tracks: AbstractSet[Track]) -> NDArray[np.bool_]:
    columns, words = snapshot.columns, snapshot.vocabularies
    of_camera: dict[str, list[tuple[str | None, str]]] = defaultdict(list)
    for camera_id, session_id, track_id in tracks:
        of_camera[camera_id].append((session_id, track_id))
    on_one = np.zeros(len(columns.tracks), dtype=np.bool_)
    for camera_id, names in of_camera.items():
        named = words.tracks.among(words.tracks.codes(names))[columns.tracks]
        on_one |= named & words.cameras.among(words.cameras.codes([camera_id]))[columns.cameras]
    return on_one


def _in_window(
    times: NDArray[np.int64], captured_from: datetime | None, captured_to: datetime | None
) -> NDArray[np.bool_]:
    inside: NDArray[np.bool_] = times != UNKNOWN_TIME
    if captured_from is not None:
        inside &= times >= microseconds(captured_from)
    if captured_to is not None:
        inside &= times < microseconds(captured_to)
    return inside


def _rows_of(snapshot: Snapshot, ids: AbstractSet[UUID]) -> list[int]:
    # the lower half of a UUID is random in practice, so it leaves next to nothing for the full comparison
    low = np.array([one.int & (2**64 - 1) for one in ids], dtype=np.uint64)
    similar = np.flatnonzero(np.isin(snapshot.columns.id_low, low))
    return [row for row in similar.tolist() if snapshot.id(row) in ids]
