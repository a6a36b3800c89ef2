"""The audit log: who searched what, when and why."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from service.database.tables import AuditEntry


class AuditRepository:
    """Adds to the audit log within one session; there is no way to change or remove an entry."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def record(
        self,
        action: str,
        collection: str,
        purpose: str | None,
        filter: Mapping[str, Any],  # noqa: A002 - the column's name, and the field's word for it
        crop_ids: Sequence[UUID],
    ) -> None:
        """Add an entry.

        Args:
            action: What was done, such as "search_by_image".
            collection: Name of the collection.
            purpose: Why, in the caller's words.
            filter: The conditions, as JSON.
            crop_ids: The crops that were answered, best first.
        """
        entry = {"action": action, "collection": collection, "purpose": purpose, "filter": dict(filter)}
        await self._session.execute(insert(AuditEntry).values(id=uuid7(), crop_ids=list(crop_ids), **entry))
