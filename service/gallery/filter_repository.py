"""The filter of a search, in SQL, and what only rows know."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sqlalchemy import ColumnElement, false, func, not_, or_, tuple_

from index.contract import Filter, Track
from service.database.tables import Collection, Crop


@dataclass(frozen=True, slots=True, kw_only=True)
class RowConditions:
    """Conditions on crops that no index knows of. None means "any".

    Attributes:
        external_id: The crop that has it.
        has_vehicle: Whether it has a vehicle id, claimed or confirmed.
        vehicle_confirmed: Whether a person has confirmed its vehicle id.
        has_image: Whether its picture is kept.
    """

    external_id: str | None = None
    has_vehicle: bool | None = None
    vehicle_confirmed: bool | None = None
    has_image: bool | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """In SQL."""
        found = []
        if self.external_id is not None:
            found.append(Crop.external_id == self.external_id)
        if self.has_vehicle is not None:
            found.append(Crop.vehicle_id.is_not(None) if self.has_vehicle else Crop.vehicle_id.is_(None))
        if self.vehicle_confirmed is not None:
            found.append(Crop.vehicle_confirmed.is_(self.vehicle_confirmed))
        if self.has_image is not None:
            found.append(Crop.has_image.is_(self.has_image))
        return found


ANY_ROW = RowConditions()
"""No condition."""


def conditions(where: Filter) -> list[ColumnElement[bool]]:
    """A filter in SQL, on crops joined with their collections; true of exactly the crops of which it is in an index."""
    conditions = [Collection.name == where.collection, *_of_camera_and_track(where), *_of_vehicle(where)]
    if where.captured_from is not None:
        conditions.append(Crop.captured_at >= where.captured_from)
    if where.captured_to is not None:
        conditions.append(Crop.captured_at < where.captured_to)
    if where.attributes:
        conditions.append(Crop.attributes.contains(dict(where.attributes)))
    if where.exclude_ids:
        conditions.append(Crop.id.not_in(where.exclude_ids))
    return conditions


def _of_camera_and_track(where: Filter) -> Iterator[ColumnElement[bool]]:
    if where.camera_ids is not None:
        yield Crop.camera_id.in_(where.camera_ids)
    if where.exclude_camera_ids:
        yield Crop.camera_id.not_in(where.exclude_camera_ids)
    if where.tracks is not None:
        yield on_tracks(where.tracks)
    if where.exclude_tracks:
        # NULL where a crop lacks a track or a session that is asked for: it is on none of them then
        yield not_(func.coalesce(on_tracks(where.exclude_tracks), false()))


def _of_vehicle(where: Filter) -> Iterator[ColumnElement[bool]]:
    if where.vehicle_ids is not None:
        yield Crop.vehicle_id.in_(where.vehicle_ids)
    if where.exclude_vehicle_ids:
        yield Crop.vehicle_id.is_(None) | Crop.vehicle_id.not_in(where.exclude_vehicle_ids)


def on_tracks(tracks: Iterable[Track]) -> ColumnElement[bool]:
    """Whether a crop is on one of some tracks; may be NULL where it lacks a track or a session."""
    found = list(tracks)
    in_sessions = [track for track in found if track[1] is not None]
    sessionless = [(camera_id, track_id) for camera_id, session_id, track_id in found if session_id is None]
    return or_(
        tuple_(Crop.camera_id, Crop.session_id, Crop.track_id).in_(in_sessions),
        Crop.session_id.is_(None) & tuple_(Crop.camera_id, Crop.track_id).in_(sessionless),
    )
