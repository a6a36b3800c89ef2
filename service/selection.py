"""Which crops of a collection a request is about: the conditions that searching, listing and deleting share."""

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from index.contract import Filter, Scalar, Track
from service.gallery.schemas import DEFAULT_COLLECTION
from service.problems import invalid_field, validation_entry
from service.values import JSON_TEXT, Attributes, Name, Time, check_attributes, read_json

MOST_NAMES = 1000
_TRACKS_EXAMPLE = '[{"camera_id": "gate-north", "session_id": "2026-11-23", "track_id": "17"}]'


class TrackKey(BaseModel):
    """A track of a collection. Tracker ids repeat from camera to camera, and from one run of a tracker to the next."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    camera_id: Name = Field(description="The camera.", examples=["gate-north"])
    session_id: Name | None = Field(
        None, description="Recording or tracker run; absent: the track was enrolled without one.", examples=["2026-11"]
    )
    track_id: Name = Field(description="The tracker's id.", examples=["17"])


_TRACKS: TypeAdapter[list[TrackKey]] = TypeAdapter(Annotated[list[TrackKey], Field(max_length=MOST_NAMES)])


class _Conditions(BaseModel):
    """Conditions on crops that look the same in a form, a query and a JSON body; every one given must hold."""

    model_config = ConfigDict(extra="forbid")

    collection: Name = Field(DEFAULT_COLLECTION, description="The collection; nothing of another is ever answered.")
    captured_from: Time | None = Field(
        None,
        alias="from",
        description="Start of the time window, itself inside. Crops without a time are in no window.",
    )
    captured_to: Time | None = Field(None, alias="to", description="End of the time window, itself outside.")

    def _filter(
        self,
        *,
        camera_ids: Sequence[str] | None,
        exclude_camera_ids: Sequence[str] | None,
        vehicle_ids: Sequence[str] | None,
        exclude_vehicle_ids: Sequence[str] | None,
        tracks: Sequence[TrackKey] | None,
        exclude_tracks: Sequence[TrackKey] | None,
        attributes: dict[str, Scalar],
    ) -> Filter:
        if self.captured_from and self.captured_to and self.captured_from >= self.captured_to:
            raise invalid_field("to", "must be later than from")
        return Filter(
            collection=self.collection,
            camera_ids=frozenset(camera_ids) if camera_ids else None,
            exclude_camera_ids=frozenset(exclude_camera_ids or ()),
            captured_from=self.captured_from,
            captured_to=self.captured_to,
            tracks=frozenset(map(_track, tracks)) if tracks else None,
            exclude_tracks=frozenset(map(_track, exclude_tracks or ())),
            vehicle_ids=frozenset(vehicle_ids) if vehicle_ids else None,
            exclude_vehicle_ids=frozenset(exclude_vehicle_ids or ()),
            attributes=attributes,
        )


class Selection(_Conditions):
    """Conditions on crops in a form or a query; every one given must hold."""

    camera_ids: list[Name] = Field(
        [], max_length=MOST_NAMES, description="Cameras allowed; repeat the field. Absent: any."
    )
    exclude_camera_ids: list[Name] = Field(
        [], max_length=MOST_NAMES, description="Cameras not allowed; repeat the field."
    )
    tracks: str | None = Field(
        None,
        description="JSON list of tracks allowed, as text. Absent: any.",
        examples=[_TRACKS_EXAMPLE],
        json_schema_extra=JSON_TEXT,
    )
    exclude_tracks: str | None = Field(
        None,
        description="JSON list of tracks not allowed, as text.",
        examples=[_TRACKS_EXAMPLE],
        json_schema_extra=JSON_TEXT,
    )
    vehicle_ids: list[Name] = Field(
        [], max_length=MOST_NAMES, description="Vehicle ids allowed; repeat the field. Absent: any."
    )
    exclude_vehicle_ids: list[Name] = Field(
        [], max_length=MOST_NAMES, description="Vehicle ids not allowed; repeat the field."
    )
    attributes: str | None = Field(
        None,
        description="JSON object as text; each key must be present with an equal value.",
        examples=['{"colour": "red"}'],
        json_schema_extra=JSON_TEXT,
    )

    def where(self) -> Filter:
        """The conditions as the index takes them.

        Raises:
            MalformedRequestError: `attributes`, `tracks` or `exclude_tracks` is not JSON.
            InvalidValueError: A condition makes no sense.
        """
        return self._filter(
            camera_ids=self.camera_ids,
            exclude_camera_ids=self.exclude_camera_ids,
            vehicle_ids=self.vehicle_ids,
            exclude_vehicle_ids=self.exclude_vehicle_ids,
            tracks=_read_tracks(self.tracks, "tracks"),
            exclude_tracks=_read_tracks(self.exclude_tracks, "exclude_tracks"),
            attributes=_read_attributes(self.attributes),
        )


class SelectionBody(_Conditions):
    """Conditions on crops in a JSON body; every one given must hold. An empty list is refused: it allows nothing."""

    camera_ids: list[Name] | None = Field(
        None, min_length=1, max_length=MOST_NAMES, description="Cameras allowed. Absent: any."
    )
    exclude_camera_ids: list[Name] | None = Field(
        None, min_length=1, max_length=MOST_NAMES, description="Cameras not allowed."
    )
    tracks: list[TrackKey] | None = Field(
        None, min_length=1, max_length=MOST_NAMES, description="Tracks allowed. Absent: any."
    )
    exclude_tracks: list[TrackKey] | None = Field(
        None, min_length=1, max_length=MOST_NAMES, description="Tracks not allowed."
    )
    vehicle_ids: list[Name] | None = Field(
        None, min_length=1, max_length=MOST_NAMES, description="Vehicle ids allowed. Absent: any."
    )
    exclude_vehicle_ids: list[Name] | None = Field(
        None, min_length=1, max_length=MOST_NAMES, description="Vehicle ids not allowed."
    )
    attributes: Attributes = Field(
        default_factory=dict,
        description="Each key must be present with an equal value.",
        examples=[{"colour": "red"}],
    )

    def where(self) -> Filter:
        """The conditions as the index takes them.

        Raises:
            InvalidValueError: A condition makes no sense.
        """
        return self._filter(
            camera_ids=self.camera_ids,
            exclude_camera_ids=self.exclude_camera_ids,
            vehicle_ids=self.vehicle_ids,
            exclude_vehicle_ids=self.exclude_vehicle_ids,
            tracks=self.tracks,
            exclude_tracks=self.exclude_tracks,
            attributes=self.attributes,
        )


def _track(key: TrackKey) -> Track:
    return key.camera_id, key.session_id, key.track_id


def _read_attributes(text: str | None) -> dict[str, Scalar]:
    if text is None:
        return {}
    try:
        return check_attributes(read_json(text, "attributes"))
    except ValueError as error:
        raise invalid_field("attributes", str(error)) from error


def _read_tracks(text: str | None, field: str) -> list[TrackKey] | None:
    if text is None:
        return None
    value: Any = read_json(text, field)
    try:
        tracks = _TRACKS.validate_python(value)
    except ValidationError as error:
        raise invalid_field(field, validation_entry(error.errors()[0])["detail"]) from error
    if not tracks:
        raise invalid_field(field, "names no track; leave the field out instead")
    return tracks
