"""What the watches' routes answer."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from index.contract import Scalar
from service.calibration.decisions import Decision
from service.gallery.schemas import CROP_EXAMPLE, CropView
from service.selection import TrackKey
from service.watches.records import DeliveryState, State, Threshold

_WATCH: JsonDict = {
    "id": "019ab3d0-1b2c-7d3e-8f40-516273849506",
    "name": "taxi 139",
    "collection": "default",
    "made_of": "crops",
    "crop_ids": [CROP_EXAMPLE["id"]],
    "exclude_same_track": True,
    "decision": "possible",
    "exclude_camera_ids": ["depot"],
    "attributes": {},
    "webhook_url": "https://dispatch.example.org/hooks/vehicles",
    "paused": False,
    "model_id": "starter-3f6a2b9c8d10-5d1e77f0",
    "sequence": 1207,
    "created_at": "2026-11-23T08:31:00.125000Z",
    "created_by": "operations",
    "updated_at": "2026-11-23T08:31:00.125000Z",
    "expires_at": "2026-12-24T00:00:00Z",
}
WATCH_EXAMPLE: JsonDict = {**_WATCH, "state": "active", "hits": 3, "dead_deliveries": 0}
_STALE_EXAMPLE: JsonDict = {
    **WATCH_EXAMPLE,
    "state": "stale",
    "explanation": "It was made with the model starter-3f6a2b9c8d10-5d1e77f0, which is not the one in use.",
}
_NEW_EXAMPLE: JsonDict = {
    **WATCH_EXAMPLE,
    "hits": 0,
    "webhook_secret": "whsec_" + "A" * 43 + "=",
}
_HIT_EXAMPLE: JsonDict = {
    "id": "019ab3d4-77aa-7bbc-8cdd-9eef00112233",
    "number": 3,
    "score": 0.8311,
    "decision": "match",
    "sequence": 1311,
    "found_at": "2026-11-23T09:02:11.480000Z",
    "crop": CROP_EXAMPLE,
    "image_url": f"/gallery/{CROP_EXAMPLE['id']}/image",
}
_DELIVERY_EXAMPLE: JsonDict = {
    "id": "019ab3d4-77ab-7012-8a3b-4c5d6e7f8091",
    "hit_id": _HIT_EXAMPLE["id"],
    "crop_id": CROP_EXAMPLE["id"],
    "state": "pending",
    "attempts": 2,
    "next_attempt_at": "2026-11-23T09:02:42.002000Z",
    "last_attempt_at": "2026-11-23T09:02:22.001000Z",
    "last_status": 503,
    "last_error": "The receiver answered 503.",
    "created_at": "2026-11-23T09:02:11.480000Z",
}


class WatchView(BaseModel):
    """A standing search. Its secret is never in an answer but the one that made it."""

    model_config = ConfigDict(serialize_by_alias=True, json_schema_extra={"examples": [WATCH_EXAMPLE, _STALE_EXAMPLE]})

    id: UUID
    name: str
    collection: str
    state: State = Field(
        description="Only crops that come while it is active are compared with it. Stale: made with another model than "
        "the one in use. Ended: the crops that it looked for were deleted. Forbidden: the key that answers for it may "
        "no longer search. Uncalibrated: it goes by a calibration that there is not."
    )
    explanation: str | None = Field(None, description="Why it is not active, and what to do; null where it is.")
    made_of: Literal["crops", "images"]
    crop_ids: list[UUID] = Field(description="The crops that it looks for and that are still there.")
    exclude_same_track: bool = Field(description="Whether crops on the tracks of crop_ids are left out.")
    min_score: float | None = Field(None, description="Lowest cosine similarity of a hit; null where decision says it.")
    decision: Threshold | None = Field(
        None, description="What a hit must be at least by the calibration; null where min_score says it."
    )
    captured_from: datetime | None = Field(None, alias="from", description="Start of the time window.")
    captured_to: datetime | None = Field(None, alias="to", description="End of the time window, itself outside.")
    camera_ids: list[str] | None = Field(None, description="Cameras allowed; null: any.")
    exclude_camera_ids: list[str] | None = Field(None, description="Cameras not allowed.")
    tracks: list[TrackKey] | None = Field(None, description="Tracks allowed; null: any.")
    exclude_tracks: list[TrackKey] | None = Field(None, description="Tracks not allowed.")
    vehicle_ids: list[str] | None = Field(None, description="Vehicle ids allowed; null: any.")
    exclude_vehicle_ids: list[str] | None = Field(None, description="Vehicle ids not allowed.")
    attributes: dict[str, Scalar] = Field({}, description="Each key must be present with an equal value.")
    webhook_url: str | None = Field(description="Where each hit is sent; null: hits are only listed.")
    paused: bool
    model_id: str = Field(description="The model that its vector and its threshold belong to.")
    sequence: int = Field(description="Crops of changes up to this one are not compared with it.")
    hits: int = Field(description="Crops that it has found, those included that are deleted by now.")
    dead_deliveries: int = Field(description="Messages to the webhook that were given up.")
    created_at: datetime
    created_by: str | None = Field(description="Name of the key that made it.")
    updated_at: datetime
    expires_at: datetime | None = Field(description="When it ends; null: when it is deleted.")


class NewWatchView(WatchView):
    """A watch that was just made."""

    model_config = ConfigDict(serialize_by_alias=True, json_schema_extra={"examples": [_NEW_EXAMPLE]})

    webhook_secret: str = Field(
        description="What messages to the webhook are signed with; shown this once. POST /watches/{watch_id}/secret "
        "makes another."
    )


class WatchPage(BaseModel):
    """One page of watches, newest first."""

    model_config = ConfigDict(
        serialize_by_alias=True,
        json_schema_extra={"examples": [{"items": [WATCH_EXAMPLE], "next_cursor": WATCH_EXAMPLE["id"]}]},
    )

    items: list[WatchView]
    next_cursor: str | None = Field(description="Give it as `cursor` for the next page; null on the last.")


class WatchHitView(BaseModel):
    """A crop that a watch found."""

    model_config = ConfigDict(json_schema_extra={"examples": [_HIT_EXAMPLE]})

    id: UUID
    number: int = Field(description="Counts the hits of the watch from 1; the greatest that you have is `after`.")
    score: float = Field(description="Cosine similarity of crop and watch when it was found, in [-1, 1].")
    decision: Decision | None = Field(description="What the score means by the calibration of now; null without one.")
    sequence: int = Field(description="Change by which the crop came.")
    found_at: datetime
    crop: CropView
    image_url: str | None = Field(description="Address of its picture, relative to this service; null: none is kept.")


class WatchHitPage(BaseModel):
    """One page of hits."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"items": [_HIT_EXAMPLE], "next_cursor": "WyJkb3duIiwgIjMiXQ=="}]}
    )

    items: list[WatchHitView]
    next_cursor: str | None = Field(description="Give it as `cursor` for the next page; null on the last.")


class DeliveryView(BaseModel):
    """The message of a hit on its way to the webhook."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"examples": [_DELIVERY_EXAMPLE]})

    id: UUID = Field(description="What the receiver sees as webhook-id, in every attempt.")
    hit_id: UUID
    crop_id: UUID
    state: DeliveryState = Field(description="Dead: given up after the last attempt, or because nobody wants it.")
    attempts: int
    next_attempt_at: datetime | None = Field(None, description="Null where there is none to come.")
    last_attempt_at: datetime | None = Field(None, description="Null before the first.")
    last_status: int | None = Field(description="What the receiver answered last; null where it did not.")
    last_error: str | None = Field(description="Why the last attempt failed; null where it did not.")
    created_at: datetime
    delivered_at: datetime | None = Field(None, description="Null where it has not arrived.")


class DeliveryPage(BaseModel):
    """One page of messages, newest first."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"items": [_DELIVERY_EXAMPLE], "next_cursor": _DELIVERY_EXAMPLE["id"]}]}
    )

    items: list[DeliveryView]
    next_cursor: str | None = Field(description="Give it as `cursor` for the next page; null on the last.")


class WebhookTrial(BaseModel):
    """What came of trying a webhook out."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "delivered": False,
                    "webhook_id": "019ab3d8-0a1b-7c2d-8e3f-405162738495",
                    "status": 401,
                    "error": "The receiver answered 401.",
                    "took_ms": 38.4,
                }
            ]
        }
    )

    delivered: bool
    webhook_id: str = Field(description="What the receiver saw as webhook-id.")
    status: int | None = Field(description="What it answered; null where it did not.")
    error: str | None = Field(description="Why the message does not count as received; null where it does.")
    took_ms: float


class WebhookSecret(BaseModel):
    """A new secret of a webhook."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "webhook_secret": "whsec_" + "B" * 43 + "=",
                    "previous_valid_until": "2026-11-24T08:31:00.125000Z",
                }
            ]
        }
    )

    webhook_secret: str = Field(description="Shown this once.")
    previous_valid_until: datetime | None = Field(
        description="Until when messages are signed with the old secret, too; null where they no longer are."
    )
