"""What the route of the stats takes and answers."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from service.collections.schemas import CodecName
from service.values import Name

_EXAMPLE: JsonDict = {
    "items": [
        {
            "name": "harbour",
            "model_id": "starter-3f6a2b9c8d10-5d1e77f0",
            "crops": 41830,
            "images": 41830,
            "cameras": 12,
            "tracks": 9120,
            "vehicles": 310,
            "first_captured_at": "2026-08-25T00:00:04Z",
            "last_captured_at": "2026-11-23T08:30:00Z",
            "index": {"crops": 41830, "codec": "sq8", "mode": "exact", "dead": 12, "parts": 91},
        }
    ],
    "next_cursor": "harbour",
    "index": {"ready": True, "lag_s": 0.231},
}


class StatsQuery(BaseModel):
    """Query of GET /stats."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(100, ge=1, le=1000, description="Collections on a page at most.")
    cursor: Name | None = Field(None, description="next_cursor of the page before.")


class IndexedView(BaseModel):
    """A collection in the index of the process that answers."""

    crops: int
    codec: CodecName = Field(description="How its vectors are kept.")
    mode: Literal["exact", "approximate"] = Field(
        description="Whether the best hits are found for sure, or only nearly always."
    )
    dead: int = Field(description="Rows of deleted or changed crops that still take room; no search sees them.")
    parts: int = Field(description="Parts that a search without a time window looks through.")


class CollectionStats(BaseModel):
    """How much a collection holds."""

    name: str
    model_id: str
    crops: int
    images: int = Field(description="Crops whose picture is kept.")
    cameras: int
    tracks: int
    vehicles: int = Field(description="Vehicles that a person has confirmed.")
    first_captured_at: datetime | None
    last_captured_at: datetime | None
    index: IndexedView | None = Field(description="Null where the index holds none of its crops.")


class IndexStanding(BaseModel):
    """The index of the process that answers; GET /index says more."""

    ready: bool = Field(description="Whether searches are answered.")
    lag_s: float | None = Field(
        description="Seconds since it was last known to hold everything committed; null before the first time."
    )


class StatsView(BaseModel):
    """One page of collections in the order of their names, and how the index stands."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    items: list[CollectionStats]
    next_cursor: str | None = Field(description="Give it as `cursor` for the next page; null on the last.")
    index: IndexStanding
