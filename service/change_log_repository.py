"""The change log: how whoever changes crops tells every index, and what of it is old enough to go."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Uuid, delete, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncSession

from service.database.tables import CHANGE_SEQUENCE, Change

CHANGE_LOG_LOCK = int.from_bytes(b"senet-ch")
"""Key of the advisory lock under which changes are numbered."""


class ChangeLines:
    """Writes lines of the change log within one session; commits nothing itself. Base of who changes crops."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def log_changes(self, collection_id: UUID, crop_ids: Iterable[UUID], *, deleted: bool) -> int:
        """Write a line of the change log for each crop. Call it last: from here to the commit, writers queue.

        A sequence gives out its numbers before the commit, so of two transactions the one with the smaller numbers may
        commit later, and whoever reads on from the greater number never sees them. Therefore numbers are given under a
        lock held until after the commit is visible: they are in commit order, and nothing ever appears behind a cursor.

        Args:
            collection_id: The collection of all the crops.
            crop_ids: Crops inserted, changed or deleted in this transaction.
            deleted: Whether they were deleted.

        Returns:
            The greatest number given; `head` where there was nothing to log.
        """
        ids = list(crop_ids)
        if not ids:
            return await self.head()
        await self._lock_log()
        crop_id = func.unnest(literal(ids, ARRAY(Uuid))).column_valued("crop_id")
        lines = select(CHANGE_SEQUENCE.next_value(), literal(collection_id, Uuid), crop_id, literal(deleted))
        columns = ["sequence", "collection_id", "crop_id", "deleted"]
        numbers = await self._session.scalars(insert(Change).from_select(columns, lines).returning(Change.sequence))
        return max(numbers)

    async def head(self) -> int:
        """Greatest number of the change log; 0 where it is empty."""
        return await self._session.scalar(select(func.max(Change.sequence))) or 0

    async def _log_expiry(self, collection_id: UUID, before: datetime) -> int:
        """Write the line by which every index forgets what a collection has from before a time; its number."""
        line = insert(Change).values(
            sequence=CHANGE_SEQUENCE.next_value(), collection_id=collection_id, deleted=True, expired_before=before
        )
        return (await self._session.scalars(line.returning(Change.sequence))).one()

    async def _lock_log(self) -> None:
        await self._session.execute(select(func.pg_advisory_xact_lock(CHANGE_LOG_LOCK)))


class ChangeLogRepository:
    """Trims the change log within one session; commits nothing itself."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def trim(self, keep: timedelta, limit: int) -> int:
        """Delete the oldest lines, up to the first that is to be kept.

        The newest line always stays: an index that is level with the log stands at it, and finds it there.

        Args:
            keep: How long lines are kept, by the database's clock.
            limit: How many are deleted at most.

        Returns:
            How many were deleted.
        """
        # Times are those of the transactions' beginnings, numbers are in the order of the commits: a line that is young
        # ends what may go, though older ones follow it.
        newest = select(func.max(Change.sequence)).scalar_subquery()
        young = select(func.min(Change.sequence)).where(Change.created_at >= func.now() - keep).scalar_subquery()
        old = select(Change.sequence).where(Change.sequence < func.coalesce(young, newest))
        oldest = old.order_by(Change.sequence).limit(limit)
        gone = await self._session.scalars(delete(Change).where(Change.sequence.in_(oldest)).returning(Change.sequence))
        return len(gone.all())
