"""What the judgements' routes take and answer."""

from datetime import datetime
from typing import Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.config import JsonDict

from service.gallery.schemas import CROP_EXAMPLE, DEFAULT_COLLECTION
from service.values import Name

_QUERY_CROP = "019ab3c4-7a10-7c3e-8f52-6b1d90e4a7c5"
_EXAMPLE: JsonDict = {
    "id": "019ab3d0-11f2-7b44-a0c9-83e5d2f61b07",
    "collection": "default",
    "crop_id": CROP_EXAMPLE["id"],
    "query_crop_id": _QUERY_CROP,
    "vehicle_id": "taxi-0139",
    "same": True,
    "score": 0.8127,
    "model_id": "starter-3f6a2b9c8d10-5d1e77f0",
    "created_at": "2026-11-23T09:12:44.120000Z",
    "created_by": "operations",
}


class NewJudgement(BaseModel):
    """Body of POST /judgements."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"crop_id": CROP_EXAMPLE["id"], "query_crop_id": _QUERY_CROP, "same": False},
                {"crop_id": CROP_EXAMPLE["id"], "score": 0.8127, "same": True, "vehicle_id": "taxi-0139"},
            ]
        },
    )

    collection: Name = Field(DEFAULT_COLLECTION, description="The collection.")
    crop_id: UUID = Field(description="The hit.")
    query_crop_id: UUID | None = Field(None, description="The crop that was searched by, where it is enrolled.")
    score: float | None = Field(
        None,
        ge=-1,
        le=1,
        allow_inf_nan=False,
        description="The hit's score: required where the query is not enrolled, otherwise it is computed.",
    )
    model_id: Name | None = Field(
        None, description="The model of the score, as the search answered it; absent: the collection's own."
    )
    same: bool = Field(description="Whether both show one vehicle.")
    vehicle_id: Name | None = Field(
        None,
        description="The vehicle searched for. With same, the crops are confirmed to be it, which takes the scope "
        "enroll; otherwise searches for it leave the crop out.",
    )

    @model_validator(mode="after")
    def _say_what_is_needed(self) -> Self:
        if self.query_crop_id == self.crop_id:
            raise ValueError("crop_id and query_crop_id are the same crop")
        if self.query_crop_id is None and self.score is None:
            raise ValueError("score: is required where there is no query_crop_id")
        if self.query_crop_id is not None and (self.score is not None or self.model_id is not None):
            raise ValueError("score and model_id: are for queries that are not enrolled; that of two crops is computed")
        return self


class JudgementQuery(BaseModel):
    """Query of GET /judgements."""

    model_config = ConfigDict(extra="forbid")

    collection: Name = Field(DEFAULT_COLLECTION, description="The collection.")
    crop_id: UUID | None = Field(None, description="Only those about this crop, as the hit or as the query.")
    same: bool | None = Field(None, description="Only those that say so.")
    limit: int = Field(100, ge=1, le=1000, description="Judgements on a page at most.")
    cursor: UUID | None = Field(None, description="next_cursor of the page before.")


class JudgementView(BaseModel):
    """What a person said of a hit."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"examples": [_EXAMPLE]})

    id: UUID
    collection: str
    crop_id: UUID
    query_crop_id: UUID | None = Field(description="Null where the query was not enrolled.")
    vehicle_id: str | None = Field(description="The vehicle searched for; null where none was named, or it is gone.")
    same: bool
    score: float = Field(description="Cosine similarity of the two.")
    model_id: str = Field(description="The model of the score.")
    created_at: datetime
    created_by: str | None = Field(description="Name of the key.")


class JudgementPage(BaseModel):
    """One page of judgements, newest first."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_EXAMPLE], "next_cursor": _EXAMPLE["id"]}]})

    items: list[JudgementView]
    next_cursor: str | None = Field(description="Give it as `cursor` for the next page; null on the last.")
