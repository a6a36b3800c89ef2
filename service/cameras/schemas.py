"""What the cameras' routes take and answer."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from service.gallery.schemas import DEFAULT_COLLECTION
from service.values import CollectionName, Name

_CAMERA_EXAMPLE: JsonDict = {
    "camera_id": "gate-north",
    "name": "North gate, inbound",
    "latitude": 53.5413,
    "longitude": 9.9841,
    "created_at": "2026-11-02T06:12:11Z",
    "crops": 418,
    "first_captured_at": "2026-11-02T06:12:09Z",
    "last_captured_at": "2026-11-23T08:30:00Z",
}

Latitude = Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False)]
Longitude = Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)]


class InCollection(BaseModel):
    """Query that says which collection's camera is meant."""

    model_config = ConfigDict(extra="forbid")

    collection: Name = Field(DEFAULT_COLLECTION, description="The collection.")


class CameraQuery(InCollection):
    """Query of GET /cameras."""

    limit: int = Field(100, ge=1, le=1000, description="Cameras on a page at most.")
    cursor: Name | None = Field(None, description="next_cursor of the page before.")


class CameraPatch(BaseModel):
    """Body of PATCH /cameras/{camera_id}, a merge patch: what is absent stays, what is null is cleared."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"name": "North gate", "latitude": 53.5413, "longitude": 9.9841}]},
    )

    name: Name | None = Field(None, description="What people call it.", examples=["North gate, inbound"])
    latitude: Latitude | None = Field(None, description="Degrees north, WGS 84; goes with the longitude.")
    longitude: Longitude | None = Field(None, description="Degrees east, WGS 84; goes with the latitude.")


class NewCamera(CameraPatch):
    """Body of POST /cameras."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"camera_id": "gate-north", "latitude": 53.5413, "longitude": 9.9841}]}
    )

    collection: CollectionName = Field(DEFAULT_COLLECTION, description="The collection; appears where it is missing.")
    camera_id: Name = Field(description="What crops will call it.", examples=["gate-north"])


class CameraView(BaseModel):
    """A camera and what it has seen."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"examples": [_CAMERA_EXAMPLE]})

    camera_id: str
    name: str | None = Field(description="What people call it; null where nobody has said.")
    latitude: float | None = Field(description="Degrees north, WGS 84; null where its place is not known.")
    longitude: float | None = Field(description="Degrees east, WGS 84; null where its place is not known.")
    created_at: datetime = Field(description="When it appeared or was announced.")
    crops: int = Field(description="Crops that it holds now.")
    first_captured_at: datetime | None
    last_captured_at: datetime | None


class CameraPage(BaseModel):
    """One page of cameras in the order of their ids."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"items": [_CAMERA_EXAMPLE], "next_cursor": "gate-north"}]}
    )

    items: list[CameraView]
    next_cursor: str | None = Field(description="Give it as `cursor` for the next page; null on the last.")
