"""What the gallery's routes take and answer."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal
from uuid import UUID

from fastapi import UploadFile
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo
from pydantic.config import JsonDict

from index.contract import Scalar
from service.values import JSON_TEXT, Attributes, BoundingBox, CollectionName, Name, Time

MAX_IMAGES = 64
DEFAULT_COLLECTION = "default"

# Examples hold no null: FastAPI leaves nulls out of the API description, also inside of examples.
CROP_EXAMPLE: JsonDict = {
    "id": "019ab3c4-5d6e-7f80-9a1b-2c3d4e5f6071",
    "collection": "default",
    "camera_id": "gate-north",
    "captured_at": "2026-11-23T08:30:00Z",
    "session_id": "2026-11-23",
    "track_id": "17",
    "vehicle_id": "taxi-0139",
    "external_id": "gate-north/2026-11-23/17-3.jpg",
    "attributes": {"colour": "red", "type": "van"},
    "bbox": [812.0, 340.0, 220.0, 160.0],
    "media_type": "image/jpeg",
    "width": 220,
    "height": 160,
    "created_at": "2026-11-23T08:30:02.417000Z",
    "has_image": True,
    "vehicle_confirmed": False,
}
_ENROLMENT_EXAMPLE: JsonDict = {
    "items": [
        {
            "index": 0,
            "status": "enrolled",
            "id": "019ab3c4-5d6e-7f80-9a1b-2c3d4e5f6071",
        },
        {
            "index": 1,
            "status": "rejected",
            "reason": "The file begins like image/jpeg but is damaged or cut short.",
            "code": "undecodable_image",
        },
    ],
    "sequence": 1207,
    "model_id": "starter-3f6a2b9c8d10-5d1e77f0",
}


def latest_time(clock_skew_s: float) -> dict[str, datetime]:
    """Context for validating `CropFields`: the latest time that is not in the future, clocks being what they are."""
    return {"latest": datetime.now(UTC) + timedelta(seconds=clock_skew_s)}


def _not_in_future(value: datetime | None, info: ValidationInfo) -> datetime | None:
    latest: datetime = info.context["latest"] if info.context else datetime.max.replace(tzinfo=UTC)
    if value is not None and value > latest:
        raise ValueError("lies in the future")
    return value


class CropFields(BaseModel):
    """What is said about one crop at enrolment."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    camera_id: Name = Field(description="The camera that saw the vehicle.", examples=["gate-north"])
    captured_at: Annotated[Time | None, AfterValidator(_not_in_future)] = Field(
        None, description="When, RFC 3339 with a time zone.", examples=["2026-11-23T08:30:00Z"]
    )
    session_id: Name | None = Field(None, description="Recording or tracker run in which track ids are unique.")
    track_id: Name | None = Field(
        None, description="The tracker's id; tracks are told apart by camera and session too."
    )
    vehicle_id: Name | None = Field(None, description="The vehicle's identity, where it is known.")
    external_id: Name | None = Field(
        None, description="The caller's own id, unique in the collection; makes a retry safe."
    )
    attributes: Attributes = Field(default_factory=dict, description="Flat JSON object.", examples=[{"colour": "red"}])
    bbox: BoundingBox | None = Field(None, description="[x, y, width, height] in pixels of the full frame.")


class CropPatch(BaseModel):
    """Body of PATCH /gallery/{crop_id}, a merge patch: what is absent stays, what is null is cleared."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"vehicle_id": "taxi-0139", "attributes": {"colour": "white", "type": None}}]},
    )

    captured_at: Time | None = Field(None, description="When, RFC 3339 with a time zone, not in the future.")
    session_id: Name | None = Field(None, description="Recording or tracker run in which track ids are unique.")
    track_id: Name | None = Field(None, description="The tracker's id.")
    vehicle_id: Name | None = Field(None, description="The vehicle's identity, where it is known.")
    external_id: Name | None = Field(None, description="The caller's own id, unique in the collection.")
    attributes: Attributes | None = Field(
        None, description="Attributes to set; one that is null is removed, null for all removes all."
    )
    bbox: BoundingBox | None = Field(None, description="[x, y, width, height] in pixels of the full frame.")


class EnrolmentForm(BaseModel):
    """The multipart form of POST /gallery. Fields hold for every image; `items` overrides them image by image."""

    model_config = ConfigDict(extra="forbid")

    images: list[UploadFile] = Field(
        min_length=1, max_length=MAX_IMAGES, description="1 to 64 vehicle crops: JPEG, PNG, WebP, BMP or TIFF."
    )
    items: str | None = Field(
        None,
        description="JSON list aligned with the images, an object (or null) for each, with any of the fields below.",
        examples=['[{"camera_id": "gate-north", "track_id": "17"}, {"camera_id": "gate-south"}]'],
        json_schema_extra=JSON_TEXT,
    )
    collection: CollectionName = Field(
        DEFAULT_COLLECTION, description="The collection to enroll in; appears at its first enrolment."
    )
    camera_id: str | None = Field(None, description="The camera that saw the vehicle; required here or in `items`.")
    captured_at: str | None = Field(
        None, description="When, RFC 3339 with a time zone, not in the future.", examples=["2026-11-23T08:30:00Z"]
    )
    session_id: str | None = Field(None, description="Recording or tracker run in which track ids are unique.")
    track_id: str | None = Field(None, description="The tracker's id; tracks are told apart by camera and session too.")
    vehicle_id: str | None = Field(None, description="The vehicle's identity, where it is known.")
    external_id: str | None = Field(
        None,
        description="The caller's own id, unique in the collection: the same again with the same image is a duplicate, "
        "with another image a conflict.",
    )
    attributes: str | None = Field(
        None,
        description="Flat JSON object as text.",
        examples=['{"colour": "red", "axles": 2}'],
        json_schema_extra=JSON_TEXT,
    )
    bbox: str | None = Field(
        None,
        description="JSON list [x, y, width, height] as text, pixels of the full frame.",
        examples=["[812, 340, 220, 160]"],
        json_schema_extra=JSON_TEXT,
    )


class EnrolledItem(BaseModel):
    """What became of one image."""

    index: int = Field(description="Position of the image in the request.", examples=[0])
    status: Literal["enrolled", "duplicate", "rejected"]
    id: UUID | None = Field(
        default=None, description="The crop's id; of a duplicate, that of the crop enrolled before."
    )
    reason: str | None = Field(default=None, description="Why it was rejected, in words.")
    code: str | None = Field(
        default=None, description="Why it was rejected, for programs.", examples=["undecodable_image"]
    )


class EnrolmentAnswer(BaseModel):
    """What became of every image, in the order of the request."""

    model_config = ConfigDict(json_schema_extra={"examples": [_ENROLMENT_EXAMPLE]})

    items: list[EnrolledItem]
    sequence: int = Field(description="Give it to a search as min_sequence to be sure that it sees these crops.")
    model_id: str = Field(description="The model that made the embeddings.")


class CropView(BaseModel):
    """One enrolled crop."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"examples": [CROP_EXAMPLE]})

    id: UUID
    collection: str
    camera_id: str
    captured_at: datetime | None
    session_id: str | None
    track_id: str | None
    vehicle_id: str | None
    external_id: str | None
    attributes: dict[str, Scalar]
    bbox: list[float] | None = Field(description="[x, y, width, height] in pixels of the full frame.")
    media_type: str = Field(description="Type of the image as it was enrolled.", examples=["image/jpeg"])
    width: int
    height: int
    created_at: datetime
    has_image: bool = Field(description="Whether its picture is kept; where not, only what was made of it is.")
    vehicle_confirmed: bool = Field(description="Whether a person has confirmed vehicle_id.")


class CropPage(BaseModel):
    """One page of crops, newest first."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"items": [CROP_EXAMPLE], "next_cursor": CROP_EXAMPLE["id"]}]}
    )

    items: list[CropView]
    next_cursor: str | None = Field(description="Give it as `cursor` for the next page; null on the last.")
