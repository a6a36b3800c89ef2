"""What the tracks' routes take and answer."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from service.cursors import MAX_CURSOR
from service.gallery.schemas import CROP_EXAMPLE, DEFAULT_COLLECTION, CropView
from service.selection import Selection, TrackKey
from service.values import Name

_TRACK_EXAMPLE: JsonDict = {
    "camera_id": "gate-north",
    "session_id": "2026-11-23",
    "track_id": "17",
    "crops": 4,
    "first_captured_at": "2026-11-23T08:29:58Z",
    "last_captured_at": "2026-11-23T08:30:03Z",
    "span_s": 5.0,
    "vehicle_ids": ["taxi-0139"],
    "best_crop_id": CROP_EXAMPLE["id"],
}


class TrackQuery(Selection):
    """Query of GET /tracks: tracks of which at least one crop meets every condition."""

    session_id: Name | None = Field(None, description="Only tracks of this recording or tracker run.")
    limit: int = Field(100, ge=1, le=1000, description="Tracks on a page at most.")
    cursor: str | None = Field(None, max_length=MAX_CURSOR, description="next_cursor of the page before.")


class OneTrackQuery(TrackKey):
    """Query of GET /tracks/one: which track, and which page of its crops."""

    collection: Name = Field(DEFAULT_COLLECTION, description="The collection.")
    limit: int = Field(100, ge=1, le=1000, description="Crops on a page at most.")
    cursor: str | None = Field(None, max_length=MAX_CURSOR, description="next_cursor of the page before.")


class TrackSummaryView(BaseModel):
    """One vehicle on one camera, as its tracker followed it."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"examples": [_TRACK_EXAMPLE]})

    camera_id: str
    session_id: str | None
    track_id: str
    crops: int = Field(description="Crops on it now.")
    first_captured_at: datetime | None
    last_captured_at: datetime | None
    span_s: float | None = Field(description="Seconds between the two; null where no time is known.")
    vehicle_ids: list[str] = Field(description="Vehicle ids of its crops; several mean that they disagree.")
    best_crop_id: UUID = Field(description="The crop with the largest picture.")


class TrackPage(BaseModel):
    """One page of tracks in the order of camera, session and track id."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_TRACK_EXAMPLE], "next_cursor": "WyJhIl0="}]})

    items: list[TrackSummaryView]
    next_cursor: str | None = Field(description="Give it as `cursor` for the next page; null on the last.")


class TrackDetail(BaseModel):
    """A track and a page of its crops in the order of their capture, those without a time last."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"track": _TRACK_EXAMPLE, "best_crop": CROP_EXAMPLE, "items": [CROP_EXAMPLE], "next_cursor": "WyJhIl0="}
            ]
        }
    )

    track: TrackSummaryView
    best_crop: CropView
    items: list[CropView]
    next_cursor: str | None = Field(description="Give it as `cursor` for the next page; null on the last.")
