"""Rows of the audit log."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, insert, select, tuple_
from uuid_utils.compat import uuid7

from service.access import Caller
from service.audit.records import AuditConditions, NewEntry, Place
from service.database.engine import Session
from service.database.tables import AuditEntry


class AuditRepository:
    """Adds to the audit log and reads it, within one session; there is no way to change or remove an entry."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def record(
        self,
        caller: Caller,
        action: str,
        collection: str | None,
        *,
        purpose: str | None = None,
        filter: Mapping[str, Any] | None = None,  # noqa: A002 - the column's name, and the field's word for it
        crop_ids: Sequence[UUID] = (),
    ) -> None:
        """Add an entry; see `NewEntry`."""
        entry = NewEntry(
            caller=caller, action=action, collection=collection, purpose=purpose, filter=filter, crop_ids=crop_ids
        )
        await self.add([entry])

    async def add(self, entries: Iterable[NewEntry]) -> None:
        """Add entries."""
        await self._session.execute(insert(AuditEntry).values([_columns(entry) for entry in entries]))

    async def page(
        self, which: AuditConditions, *, limit: int, after: Place | None = None, oldest_first: bool = False
    ) -> list[AuditEntry]:
        """Entries in the order of their time, newest first unless told otherwise.

        Args:
            which: Which.
            limit: How many at most.
            after: Only those that come after this place.
            oldest_first: Turns the order round.
        """
        place = tuple_(AuditEntry.at, AuditEntry.id)
        query = select(AuditEntry).where(*_conditions(which)).limit(limit)
        if after is not None:
            here = tuple_(after.at, after.id)
            query = query.where(place > here if oldest_first else place < here)
        order = (AuditEntry.at, AuditEntry.id) if oldest_first else (AuditEntry.at.desc(), AuditEntry.id.desc())
        return list(await self._session.scalars(query.order_by(*order)))


def _columns(entry: NewEntry) -> dict[str, Any]:
    caller = entry.caller
    return {
        "id": uuid7(),
        "action": entry.action,
        "collection": entry.collection,
        "request_id": caller.request_id,
        "purpose": caller.purpose if entry.purpose is None else entry.purpose,
        "filter": dict(entry.filter or {}),
        "crop_ids": list(entry.crop_ids),
        "key_id": caller.key_id,
        "key_name": caller.name,
    }


def _conditions(which: AuditConditions) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if which.start is not None:
        found.append(AuditEntry.at >= which.start)
    if which.end is not None:
        found.append(AuditEntry.at < which.end)
    if which.action is not None:
        found.append(AuditEntry.action == which.action)
    if which.key_id is not None:
        found.append(AuditEntry.key_id == which.key_id)
    if which.collection is not None:
        found.append(AuditEntry.collection == which.collection)
    if which.crop_id is not None:
        found.append(AuditEntry.crop_ids.contains([which.crop_id]))
    if which.visible is not None:
        found.append(AuditEntry.collection.in_(sorted(which.visible)))
    return found
