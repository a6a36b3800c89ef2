"""What the routes of the audit log take and answer."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.config import JsonDict

from service.audit.records import AuditConditions
from service.cursors import MAX_CURSOR
from service.values import Name, Time

_ENTRY_EXAMPLE: JsonDict = {
    "id": "019ab3c4-b222-7d3e-8f40-718293a4b5c6",
    "at": "2026-11-23T08:30:02.417000Z",
    "action": "search_by_image",
    "collection": "harbour",
    "key_id": "019ab3c4-9e20-7a1b-8c3d-5e6f70819a2b",
    "key_name": "investigations",
    "request_id": "019ab3c4-b221-7c2d-9e3f-60718293a4b5",
    "purpose": "case 2026-118",
    "filter": {"collection": "harbour", "k": 20, "from": "2026-11-23T06:00:00Z"},
    "crop_ids": ["019ab3c4-5d6e-7f80-9a1b-2c3d4e5f6071", "019ab3c4-7a10-7c3e-8f52-6b1d90e4a7c5"],
}


class AuditSelection(BaseModel):
    """Which entries of the audit log."""

    model_config = ConfigDict(extra="forbid")

    start: Time | None = Field(None, alias="from", description="Only entries of this time or later.")
    end: Time | None = Field(None, alias="to", description="Only entries before this time.")
    action: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[a-z_]+$")] | None = Field(
        None, description="Only what this operation did, by its operation id.", examples=["search_by_image"]
    )
    key_id: UUID | None = Field(None, description="Only what was done with this key.")
    collection: Name | None = Field(None, description="Only what was done in this collection.")
    crop_id: UUID | None = Field(
        None, description="Only what answered, showed or changed this crop, which may be deleted."
    )

    @model_validator(mode="after")
    def _require_a_window(self) -> Self:
        if self.start is not None and self.end is not None and self.start >= self.end:
            raise ValueError("from must be before to")
        return self

    def conditions(self, visible: frozenset[str] | None) -> AuditConditions:
        """As the log is asked, by someone who sees these collections; None for all."""
        names = ("start", "end", "action", "key_id", "collection", "crop_id")
        return AuditConditions(**{name: getattr(self, name) for name in names}, visible=visible)


class AuditQuery(AuditSelection):
    """Query of GET /audit."""

    limit: int = Field(100, ge=1, le=1000, description="Entries on a page at most.")
    cursor: str | None = Field(None, max_length=MAX_CURSOR, description="next_cursor of the page before.")


class ExportQuery(AuditSelection):
    """Query of GET /audit/export."""

    format: Literal["ndjson", "csv"] = Field("ndjson", description="An entry a line: as JSON, or as CSV with a header.")


class AuditEntryView(BaseModel):
    """An entry of the audit log."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"examples": [_ENTRY_EXAMPLE]})

    id: UUID
    at: datetime
    action: str = Field(description="What was done, by its operation id.")
    collection: str | None = Field(description="Null where it was about none or all.")
    key_id: UUID | None = Field(description="The key with which it was done; null where none was asked for.")
    key_name: str | None = Field(description="What the key was called then.")
    request_id: str | None = Field(description="X-Request-Id of the request.")
    purpose: str | None = Field(description="Why, in the caller's words.")
    filter: dict[str, Any] = Field(description="The conditions, or what else was asked for.")
    crop_ids: list[UUID] = Field(description="Crops that were answered, best first, or that it was done to.")


class AuditPage(BaseModel):
    """One page of the audit log, newest entries first."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"items": [_ENTRY_EXAMPLE], "next_cursor": "WyIyMDI2LTExLTIzIl0="}]}
    )

    items: list[AuditEntryView]
    next_cursor: str | None = Field(description="Give it as `cursor` for the next page; null on the last.")
