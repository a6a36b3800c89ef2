"""What the routes of the jobs take and answer."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from service.jobs.records import Kind, State
from service.json_bodies import JsonBody
from service.values import Name

JOB_EXAMPLE: JsonDict = {
    "id": "019ab3c4-9d10-7c2e-8f55-6b0d1e2f3a4b",
    "kind": "delete_crops",
    "collection": "default",
    "parameters": {"filter": {"camera_ids": ["gate-north"]}},
    "state": "failed",
    "done": 61000,
    "total": 240318,
    "progress": 0.2538,
    "seconds_left": 31.5,
    "result": {"deleted": 61000, "sequence": 1207},
    "error": "The crop store cannot be used (Read-only file system).",
    "cancel_requested": False,
    "created_at": "2026-11-23T08:30:02.417000Z",
    "created_by": "operations",
    "started_at": "2026-11-23T08:30:02.731000Z",
    "finished_at": "2026-11-23T08:30:13.018000Z",
}


class JobView(BaseModel):
    """Long work and how far it is."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"examples": [JOB_EXAMPLE]})

    id: UUID
    kind: Kind
    collection: str | None = Field(description="The collection that it is about; null where it is about the service.")
    parameters: dict[str, Any] = Field(description="What was asked for.")
    state: State = Field(description="queued and running are open; the others are final.")
    done: int = Field(description="How much is done: crops, as a rule.")
    total: int | None = Field(description="How much there is to do; null while nobody knows.")
    progress: float | None = Field(description="Share that is done, 0 to 1; null while nobody knows.")
    seconds_left: float | None = Field(description="How long it will take at its pace so far; null while nobody knows.")
    result: dict[str, Any] | None = Field(description="What came of it, once it has succeeded.")
    error: str | None = Field(description="Why it failed, or why it waits, in a sentence.")
    cancel_requested: bool = Field(description="Whether somebody asked to stop it.")
    created_at: datetime
    created_by: str | None = Field(description="Name of the key with which it was asked for.")
    started_at: datetime | None
    finished_at: datetime | None


class JobPage(BaseModel):
    """One page of jobs, newest first."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"items": [JOB_EXAMPLE], "next_cursor": JOB_EXAMPLE["id"]}]}
    )

    items: list[JobView]
    next_cursor: str | None = Field(description="Give it as `cursor` for the next page; null on the last.")


class JobQuery(BaseModel):
    """Query of GET /jobs."""

    model_config = ConfigDict(extra="forbid")

    collection: Name | None = Field(None, description="Only jobs about this collection.")
    states: Sequence[State] = Field((), max_length=5, description="Only jobs in these states; repeat the field.")
    kinds: Sequence[Kind] = Field((), max_length=8, description="Only jobs of these kinds; repeat the field.")
    limit: int = Field(100, ge=1, le=1000, description="Jobs on a page at most.")
    cursor: str | None = Field(None, max_length=512, description="next_cursor of the page before.")


class RebuildRequest(BaseModel):
    """Build the index of the process that answers anew from the database."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["rebuild_index"]


class RemoveImagesRequest(BaseModel):
    """Remove the stored pictures of a collection; its crops and their vectors stay."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["remove_images"]
    collection: Name


class ReembedRequest(BaseModel):
    """Give a collection's crops vectors of the loaded model, made from their stored pictures, and switch it over."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["reembed_collection"]
    collection: Name
    drop_without_picture: bool = Field(
        default=False,
        description="Delete the crops whose pictures are not stored or cannot be read. Otherwise they keep the "
        "collection at its model, and the job says how many there are.",
    )


JobRequest = Annotated[
    JsonBody[RebuildRequest] | JsonBody[RemoveImagesRequest] | JsonBody[ReembedRequest], Field(discriminator="kind")
]
"""The body of POST /jobs."""
