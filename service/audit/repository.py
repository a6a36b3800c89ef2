"""The audit log: who searched what, when and why."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from service.access import Caller
from service.database.tables import AuditEntry


class AuditRepository:
    """Adds to the audit log within one session; there is no way to change or remove an entry."""

    def __init__(self, session: AsyncSession) -> None:
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
        """Add an entry.

        Args:
            caller: Who did it.
            action: What was done: the operation id, such as "search_by_image".
            collection: Name of the collection; None where it was about none or all.
            purpose: Why, in the caller's words; where absent, what the request's X-Purpose said.
            filter: The conditions, or what else was asked for, as JSON.
            crop_ids: The crops that were answered, best first, or that it was done to.
        """
        entry = {
            "action": action,
            "collection": collection,
            "request_id": caller.request_id,
            "purpose": caller.purpose if purpose is None else purpose,
            "filter": dict(filter or {}),
            "crop_ids": list(crop_ids),
            "key_id": caller.key_id,
            "key_name": caller.name,
        }
        await self._session.execute(insert(AuditEntry).values(id=uuid7(), **entry))
