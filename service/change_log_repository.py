"""The change log as a whole: what of it is old enough to go."""

from datetime import timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from service.database.tables import Change


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
