"""Rows of the keys."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime, Uuid, column, func, insert, select, update, values

from service.database.engine import Session
from service.database.tables import ApiKey
from service.keys.records import KeyRecord


class KeyRepository:
    """Reads and writes keys within one session; commits nothing itself."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def add(self, key: Mapping[str, Any]) -> KeyRecord:
        """Insert a key with these columns."""
        row = await self._session.scalars(insert(ApiKey).values(**key).returning(ApiKey))
        return _record(row.one())

    async def get(self, key_id: UUID) -> KeyRecord | None:
        """The key of that id; None where there is none."""
        row = await self._session.scalar(select(ApiKey).where(ApiKey.id == key_id))
        return None if row is None else _record(row)

    async def locked(self, key_id: UUID) -> KeyRecord | None:
        """As `get`; nobody else changes it until the end of the transaction."""
        row = await self._session.scalar(select(ApiKey).where(ApiKey.id == key_id).with_for_update(key_share=True))
        return None if row is None else _record(row)

    async def by_prefix(self, prefixes: Iterable[str]) -> dict[str, KeyRecord]:
        """The keys that have these prefixes, by prefix."""
        rows = await self._session.scalars(select(ApiKey).where(ApiKey.prefix.in_(list(prefixes))))
        return {row.prefix: _record(row) for row in rows}

    async def change(self, key_id: UUID, columns: Mapping[str, Any]) -> KeyRecord:
        """Set columns of a key that exists."""
        changed = update(ApiKey).where(ApiKey.id == key_id).values(**columns).returning(ApiKey)
        return _record((await self._session.scalars(changed, execution_options={"populate_existing": True})).one())

    async def page(self, *, limit: int, after: UUID | None) -> tuple[list[KeyRecord], UUID | None]:
        """Keys, newest first, and the id to go on after; None after the last page."""
        query = select(ApiKey).order_by(ApiKey.id.desc()).limit(limit + 1)
        if after is not None:
            query = query.where(ApiKey.id < after)
        found = [_record(row) for row in await self._session.scalars(query)]
        return found[:limit], found[limit - 1].id if len(found) > limit else None

    async def note_uses(self, uses: Mapping[UUID, datetime]) -> None:
        """Note when keys were last used; an earlier time than what is there changes nothing."""
        used = values(column("key_id", Uuid), column("at", DateTime(timezone=True)), name="used").data(
            # In one order everywhere: two processes that wait for each other's rows in turn would be a deadlock.
            sorted(uses.items())
        )
        later = func.greatest(ApiKey.last_used_at, used.c.at)
        await self._session.execute(
            update(ApiKey).where(ApiKey.id == used.c.key_id).values(last_used_at=later),
            execution_options={"synchronize_session": False},
        )


def _record(row: ApiKey) -> KeyRecord:
    columns = {name: getattr(row, name) for name in KeyRecord.__dataclass_fields__}
    bound = None if row.collections is None else frozenset(row.collections)
    return KeyRecord(**{**columns, "scopes": frozenset(row.scopes), "collections": bound})
