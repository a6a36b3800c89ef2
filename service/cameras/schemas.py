"""What the cameras' routes take and answer."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from service.gallery.schemas import DEFAULT_COLLECTION
from service.values import Name

_CAMERA_EXAMPLE: JsonDict = {
    "camera_id": "gate-north",
    "crops": 418,
    "first_captured_at": "2026-11-02T06:12:09Z",
    "last_captured_at": "2026-11-23T08:30:00Z",
}


class CameraQuery(BaseModel):
    """Query of GET /cameras."""

    model_config = ConfigDict(extra="forbid")

    collection: Name = Field(DEFAULT_COLLECTION, description="The collection.")
    limit: int = Field(100, ge=1, le=1000, description="Cameras on a page at most.")
    cursor: Name | None = Field(None, description="next_cursor of the page before.")


class CameraView(BaseModel):
    """A camera and what it has seen."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"examples": [_CAMERA_EXAMPLE]})

    camera_id: str
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
