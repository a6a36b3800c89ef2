"""The last look at an answer before it leaves the index: does the filter really allow each crop?

Engines have been seen to ignore a selector without a word, and a crop of another camera's owner must never get out. So
every backend passes what its engine found through here, in plain Python that shares nothing with the way it searched.
"""

from collections.abc import Iterable

from index.attributes import json_equal
from index.contract import Filter, Hit, Sighting


class FilterLeakError(RuntimeError):
    """A search found a crop that its filter does not allow: a defect of the engine, never of the request."""


def checked_hits(hits: Iterable[Hit], where: Filter) -> list[Hit]:
    """The hits, all of them allowed.

    Raises:
        FilterLeakError: A hit is not allowed. Leaving it out would make the answer short without a word.
    """
    checked = list(hits)
    for hit in checked:
        if not allows(where, hit.sighting):
            raise FilterLeakError(f"crop {hit.sighting.id} is outside the filter of the search that found it")
    return checked


def allows(where: Filter, sighting: Sighting) -> bool:
    """Whether a filter allows a crop."""
    return (
        sighting.collection == where.collection
        and (where.camera_ids is None or sighting.camera_id in where.camera_ids)
        and sighting.camera_id not in where.exclude_camera_ids
        and _on_allowed_track(where, sighting)
        and (where.vehicle_ids is None or sighting.vehicle_id in where.vehicle_ids)
        and sighting.vehicle_id not in where.exclude_vehicle_ids
        and sighting.id not in where.exclude_ids
        and _in_window(where, sighting)
        and _has_attributes(where, sighting)
    )


def _on_allowed_track(where: Filter, sighting: Sighting) -> bool:
    if sighting.track is None:
        return where.tracks is None
    track = (sighting.camera_id, *sighting.track)
    return (where.tracks is None or track in where.tracks) and track not in where.exclude_tracks


def _in_window(where: Filter, sighting: Sighting) -> bool:
    if where.captured_from is None and where.captured_to is None:
        return True
    if sighting.captured_at is None:
        return False
    return (where.captured_from is None or where.captured_from <= sighting.captured_at) and (
        where.captured_to is None or sighting.captured_at < where.captured_to
    )


def _has_attributes(where: Filter, sighting: Sighting) -> bool:
    return all(
        key in sighting.attributes and json_equal(sighting.attributes[key], value)
        for key, value in where.attributes.items()
    )
