"""What the routes that delete take and answer."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import Header
from pydantic import BaseModel, ConfigDict, Field

from service.selection import SelectionBody

MOST_IDS = 1000

Preference = Annotated[
    str | None,
    Header(
        alias="Prefer",
        max_length=256,
        description="`respond-async` (RFC 7240): do not wait until the files are clean, answer 202 with the job.",
        examples=["respond-async"],
    ),
]
"""How long the caller is willing to wait."""


class DeletionRequest(SelectionBody):
    """Which crops are to be deleted: the conditions of a search, of which at least one must be given."""

    crop_ids: list[UUID] | None = Field(
        None, min_length=1, max_length=MOST_IDS, description="Only crops of these ids. Absent: any."
    )
    dry_run: bool = Field(default=False, description="Only count them.")

    def conditions(self) -> dict[str, Any]:
        """What was asked for besides the collection, as JSON."""
        return self.model_dump(mode="json", by_alias=True, exclude={"collection", "dry_run"}, exclude_defaults=True)


class DeletionAnswer(BaseModel):
    """What was deleted, or would be."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"count": 41, "dry_run": False, "sequence": 1207}]})

    count: int = Field(description="Crops deleted; with dry_run, those that would be.")
    dry_run: bool
    sequence: int = Field(description="Change by which they are deleted; with dry_run, the newest change.")
