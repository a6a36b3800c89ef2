"""Entries of the audit log: what is written, what is asked for, what is read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from service.access import Caller


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEntry:
    """What somebody did.

    Attributes:
        caller: Who.
        action: What: the operation id, such as "search_by_image".
        collection: Name of the collection; None where it was about none or all.
        purpose: Why; where absent, what the request's X-Purpose said.
        filter: The conditions, or what else was asked for, as JSON.
        crop_ids: The crops that were answered, best first, or that it was done to.
    """

    caller: Caller
    action: str
    collection: str | None
    purpose: str | None = None
    filter: Mapping[str, Any] | None = None
    crop_ids: Sequence[UUID] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditConditions:
    """Which entries. What is None is not asked for.

    Attributes:
        start: At this time or later.
        end: Before this time.
        action: The operation id.
        key_id: The key with which it was done.
        collection: Name of the collection.
        crop_id: A crop that was answered, or that it was done to.
        visible: Names of the collections whose entries may be seen; None for all, entries about none of them included.
    """

    start: datetime | None = None
    end: datetime | None = None
    action: str | None = None
    key_id: UUID | None = None
    collection: str | None = None
    crop_id: UUID | None = None
    visible: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the log an entry stands: entries of one time are in the order of their ids."""

    at: datetime
    id: UUID
