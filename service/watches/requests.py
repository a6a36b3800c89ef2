"""What the watches' routes take."""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Self
from uuid import UUID

from fastapi import UploadFile
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic.config import JsonDict

from index.contract import Filter
from service.cursors import MAX_CURSOR
from service.search.requests import MAX_QUERY_CROPS
from service.selection import MOST_NAMES, Selection, SelectionBody, TrackKey
from service.values import PLAIN_TEXT, Attributes, Name, Time, plain_text
from service.watches.addresses import LONGEST_URL
from service.watches.records import DeliveryState, Threshold

_LARGEST_NUMBER: Final = 2**63 - 1
LONGEST_OVERLAP_S: Final = 30 * 86_400
_NEW_EXAMPLE: JsonDict = {
    "name": "taxi 139",
    "collection": "default",
    "crop_ids": ["019ab3c4-5d6e-7f80-9a1b-2c3d4e5f6071"],
    "decision": "possible",
    "exclude_camera_ids": ["depot"],
    "webhook_url": "https://dispatch.example.org/hooks/vehicles",
    "expires_at": "2026-12-24T00:00:00Z",
    "purpose": "case 2026-118",
}


def _each_once(crop_ids: list[UUID]) -> list[UUID]:
    twice = next((crop_id for place, crop_id in enumerate(crop_ids) if crop_id in crop_ids[:place]), None)
    if twice is not None:
        raise ValueError(f"must name each crop once; {twice} is there twice")
    return crop_ids


QueryCrops = Annotated[list[UUID], Field(min_length=1, max_length=MAX_QUERY_CROPS), AfterValidator(_each_once)]
Score = Annotated[float, Field(ge=-1, le=1, allow_inf_nan=False)]
WebhookUrl = Annotated[
    str,
    Field(
        min_length=1,
        max_length=LONGEST_URL,
        # What can be said of it without knowing which hosts may be told: service/watches/addresses.py judges.
        json_schema_extra={"pattern": r"^[Hh][Tt][Tt][Pp][Ss]?://[0-9A-Za-z._~:%\[\]-]+([/?][!$-;=?-\[\]_a-z~]*)?#?$"},
    ),
]
Names = Annotated[list[Name], Field(min_length=1, max_length=MOST_NAMES)]
Tracks = Annotated[list[TrackKey], Field(min_length=1, max_length=MOST_NAMES)]


class _Watching(BaseModel):
    """What a new watch says besides its query and its conditions."""

    name: Name = Field(description="What people call it.", examples=["taxi 139"])
    min_score: Score | None = Field(None, description="Lowest cosine similarity of a hit. Give this or `decision`.")
    decision: Threshold | None = Field(
        None, description="What a hit must be at least by the collection's calibration, as it is when a crop comes."
    )
    webhook_url: WebhookUrl | None = Field(
        None, description="Where each hit is sent; absent: hits are only listed.", examples=["https://example.org/hook"]
    )
    expires_at: Time | None = Field(None, description="When it ends; absent: when it is deleted.")
    paused: bool = Field(default=False, description="Whether it is to look at nothing yet.")
    purpose: (
        Annotated[str, Field(min_length=1, max_length=1000, json_schema_extra=PLAIN_TEXT), AfterValidator(plain_text)]
        | None
    ) = Field(None, description="Why; kept in the audit log, also with every hit.", examples=["case 2026-118"])

    @model_validator(mode="after")
    def _say_the_threshold_once(self) -> Self:
        if (self.min_score is None) == (self.decision is None):
            raise ValueError("give one of min_score and decision: from where on is a crop a hit?")
        return self


class NewWatch(_Watching, SelectionBody):
    """Body of POST /watches."""

    model_config = ConfigDict(json_schema_extra={"examples": [_NEW_EXAMPLE]})

    crop_ids: QueryCrops = Field(
        description="1 to 16 crops of the collection that show ONE vehicle; their embeddings are averaged."
    )
    exclude_same_track: bool = Field(
        default=True, description="Leave out the tracks of crop_ids, which are the same sighting."
    )


class WatchForm(_Watching, Selection):
    """The multipart form of POST /watches/image."""

    images: list[UploadFile] = Field(
        min_length=1,
        max_length=MAX_QUERY_CROPS,
        description="1 to 16 crops of ONE vehicle; their embeddings are averaged, the pictures are not kept.",
    )


class WatchPatch(BaseModel):
    """Body of PATCH /watches/{watch_id}, a merge patch: what is absent stays, what is null is cleared."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"paused": True}, {"min_score": 0.8}]})

    # Made by a factory, a default is in no description: none of these four can be null.
    name: Name = Field(default_factory=str, description="What people call it.")
    crop_ids: QueryCrops = Field(
        default_factory=list, description="Other crops to look for, in place of the query that it has."
    )
    exclude_same_track: bool = Field(default_factory=bool, description="Leave out the tracks of crop_ids.")
    min_score: Score | None = Field(None, description="In place of whatever was asked of a score before.")
    decision: Threshold | None = Field(None, description="In place of whatever was asked of a score before.")
    webhook_url: WebhookUrl | None = Field(None, description="Where hits are sent, those that still wait included.")
    expires_at: Time | None = Field(None, description="When it ends.")
    paused: bool = Field(default_factory=bool, description="What is enrolled while it is paused is never looked at.")
    captured_from: Time | None = Field(None, alias="from", description="Start of the time window, itself inside.")
    captured_to: Time | None = Field(None, alias="to", description="End of the time window, itself outside.")
    camera_ids: Names | None = Field(None, description="Cameras allowed.")
    exclude_camera_ids: Names | None = Field(None, description="Cameras not allowed.")
    tracks: Tracks | None = Field(None, description="Tracks allowed.")
    exclude_tracks: Tracks | None = Field(None, description="Tracks not allowed.")
    vehicle_ids: Names | None = Field(None, description="Vehicle ids allowed.")
    exclude_vehicle_ids: Names | None = Field(None, description="Vehicle ids not allowed.")
    attributes: Attributes | None = Field(None, description="Each key must be present with an equal value.")

    @model_validator(mode="after")
    def _leave_what_is_needed(self) -> Self:
        thresholds = {"min_score", "decision"} & self.model_fields_set
        if thresholds and (self.min_score is None) == (self.decision is None):
            raise ValueError("give one of min_score and decision: from where on is a crop a hit?")
        return self

    def conditions(self) -> dict[str, Any]:
        """The conditions that it changes, as JSON; null where one is cleared."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True, include=set(CONDITIONS))


CONDITIONS: Final = (
    "captured_from",
    "captured_to",
    "camera_ids",
    "exclude_camera_ids",
    "tracks",
    "exclude_tracks",
    "vehicle_ids",
    "exclude_vehicle_ids",
    "attributes",
)
"""Fields that say which crops may be hits."""


SAID: Final = ("name", "min_score", "decision", "webhook_url", "expires_at", "paused")
"""Fields of every watch that are columns as they are."""


class WatchQuery(BaseModel):
    """Query of GET /watches."""

    model_config = ConfigDict(extra="forbid")

    collection: Name | None = Field(None, description="Only those of this collection. Absent: of all that you may use.")
    limit: int = Field(100, ge=1, le=1000, description="Watches on a page at most.")
    cursor: str | None = Field(None, max_length=MAX_CURSOR, description="next_cursor of the page before.")


class WatchHitQuery(BaseModel):
    """Query of GET /watches/{watch_id}/hits."""

    model_config = ConfigDict(extra="forbid")

    after: int | None = Field(
        None,
        ge=0,
        le=_LARGEST_NUMBER,
        description="Only hits with a greater number, oldest first: ask again with the greatest that you have, and no "
        "hit is missed. Absent: all, newest first.",
    )
    limit: int = Field(100, ge=1, le=1000, description="Hits on a page at most.")
    cursor: str | None = Field(None, max_length=MAX_CURSOR, description="next_cursor of the page before.")


class DeliveryQuery(BaseModel):
    """Query of GET /watches/{watch_id}/deliveries."""

    model_config = ConfigDict(extra="forbid")

    state: DeliveryState | None = Field(None, description="Only those in this state; `dead` are those given up.")
    limit: int = Field(100, ge=1, le=1000, description="Deliveries on a page at most.")
    cursor: str | None = Field(None, max_length=MAX_CURSOR, description="next_cursor of the page before.")


class SecretRotation(BaseModel):
    """Body of POST /watches/{watch_id}/secret."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"overlap_s": 86400}]})

    overlap_s: float = Field(
        86_400.0,
        ge=0,
        le=LONGEST_OVERLAP_S,
        allow_inf_nan=False,
        description="For how long messages are signed with the old secret, too, in seconds; 0 if others know it.",
    )


def stored_conditions(where: Filter) -> dict[str, Any]:
    """A filter's conditions, without its collection, as a JSON body of a search has them."""
    tracks = {name: _tracks(getattr(where, name)) for name in ("tracks", "exclude_tracks")}
    names = ("camera_ids", "exclude_camera_ids", "vehicle_ids", "exclude_vehicle_ids")
    found: dict[str, Any] = {
        "from": where.captured_from and where.captured_from.isoformat(),
        "to": where.captured_to and where.captured_to.isoformat(),
        **{name: sorted(getattr(where, name) or ()) for name in names},
        **tracks,
        "attributes": dict(where.attributes),
    }
    return {name: value for name, value in found.items() if value}


def read_conditions(collection: str, conditions: Mapping[str, Any]) -> Filter:
    """The filter of conditions as `stored_conditions` writes them.

    Raises:
        InvalidValueError: They make no sense together.
    """
    return SelectionBody.model_validate({**conditions, "collection": collection}).where()


def _tracks(tracks: frozenset[tuple[str, str | None, str]] | None) -> list[dict[str, str | None]]:
    found = sorted(tracks or (), key=lambda track: (track[0], track[1] or "", track[2]))
    return [{"camera_id": camera, "session_id": session, "track_id": track} for camera, session, track in found]
