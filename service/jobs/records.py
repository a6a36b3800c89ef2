"""A job as it is asked for, and as it is read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypeAlias, get_args
from uuid import UUID

Kind: TypeAlias = Literal["delete_crops", "delete_collection", "remove_images", "reembed_collection", "rebuild_index"]
State: TypeAlias = Literal["queued", "running", "succeeded", "failed", "cancelled"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """Work to be done.

    Attributes:
        kind: What is to be done.
        collection: Name of the collection that it is about; None where it is about the service.
        parameters: What the kind needs to know, as JSON; whoever sees the job sees it.
        created_by: Who asked for it.
        total: How much there is to do, where that is known.
        process_id: The only process that may do it; None for any.
    """

    kind: Kind
    collection: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    created_by: str | None = None
    total: int | None = None
    process_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRecord:
    """A job as it is now.

    Attributes:
        run_id: Whoever does it, another one each time that it is taken up; None where nobody has.
        run_at: When it was last taken up.
        run_done: How much was done then.
        read_at: When this was read, by the database's clock.
    """

    id: UUID
    kind: Kind
    collection: str | None
    parameters: Mapping[str, Any]
    state: State
    done: int
    total: int | None
    result: Mapping[str, Any] | None
    error: str | None
    cancel_requested: bool
    created_at: datetime
    created_by: str | None
    started_at: datetime | None
    finished_at: datetime | None
    process_id: UUID | None
    run_id: UUID | None
    run_at: datetime | None
    run_done: int
    read_at: datetime

    @property
    def progress(self) -> float | None:
        """Share that is done, 0 to 1; None where nobody knows how much there is to do."""
        if self.state == "succeeded":
            return 1.0
        return None if not self.total else min(1.0, self.done / self.total)

    @property
    def seconds_left(self) -> float | None:
        """How long it will take at the pace it has had since it was last taken up; None where nobody can tell."""
        if self.state != "running" or self.run_at is None or self.total is None or self.done <= self.run_done:
            return None
        pace = (self.read_at - self.run_at).total_seconds() / (self.done - self.run_done)
        return max(0.0, (self.total - self.done) * pace)
