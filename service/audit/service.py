"""Reading the audit log, page by page or all of it."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import UUID

from service.access import Caller
from service.audit.records import AuditConditions, Place
from service.audit.repository import AuditRepository
from service.audit.schemas import AuditQuery, AuditSelection, ExportQuery
from service.cursors import foreign_cursor, make_cursor, read_cursor
from service.database.engine import Database
from service.database.tables import AuditEntry

EXPORTED_AT_ONCE = 500
"""Entries read in one transaction: a client that reads slowly holds no connection."""


async def page_of_entries(database: Database, caller: Caller, query: AuditQuery) -> tuple[list[AuditEntry], str | None]:
    """One page of the entries that the caller sees, newest first, and the cursor of the next.

    Raises:
        ForbiddenError: The caller may not use the collection that it asks about.
        InvalidValueError: The cursor is none of ours.
    """
    which, after = _visible(caller, query), None if query.cursor is None else _place(query.cursor)
    async with database.reading() as session:
        found = await AuditRepository(session).page(which, limit=query.limit + 1, after=after)
    page = found[: query.limit]
    return page, make_cursor(page[-1].at.isoformat(), str(page[-1].id)) if len(found) > query.limit else None


async def exported_entries(database: Database, caller: Caller, query: ExportQuery) -> AsyncIterator[list[AuditEntry]]:
    """All entries that the caller sees, oldest first, in portions; what is added after the first is left out.

    That they were exported is an entry itself.

    Raises:
        ForbiddenError: The caller may not use the collection that it asks about. Raised before the first portion.
    """
    which = _visible(caller, query)
    now = datetime.now(UTC)
    if which.end is None or which.end > now:
        which = query.model_copy(update={"end": now}).conditions(caller.collections)
    asked = query.model_dump(mode="json", by_alias=True, exclude_none=True)
    async with database.transaction() as session:
        await AuditRepository(session).record(caller, "export_audit", query.collection, filter=asked)
    return _portions(database, which)


async def _portions(database: Database, which: AuditConditions) -> AsyncIterator[list[AuditEntry]]:
    after: Place | None = None
    while True:
        async with database.reading() as session:
            found = await AuditRepository(session).page(which, limit=EXPORTED_AT_ONCE, after=after, oldest_first=True)
        if found:
            yield found
        if len(found) < EXPORTED_AT_ONCE:
            return
        after = Place(found[-1].at, found[-1].id)


def _visible(caller: Caller, query: AuditSelection) -> AuditConditions:
    if query.collection is not None:
        caller.enter(query.collection)
    return query.conditions(caller.collections)


def _place(cursor: str) -> Place:
    at, entry_id = read_cursor(cursor, 2)
    try:
        time = datetime.fromisoformat(at or "")
        place = Place(time.astimezone(UTC), UUID(entry_id or ""))
    except (ValueError, OverflowError) as error:
        raise foreign_cursor() from error
    if time.tzinfo is None:
        raise foreign_cursor()
    return place
