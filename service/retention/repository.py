"""What is old enough to go."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from service.database.tables import Collection, Crop

RETENTION_LOCK = int.from_bytes(b"senet-rt")
"""Key of the advisory lock of the one process that lets crops expire."""
_RESOLUTION = timedelta(microseconds=1)
_DAY_S = 86_400


class Rule(NamedTuple):
    """The retention of a collection.

    Attributes:
        collection_id: The collection.
        name: Its name.
        before: What is from before this time is to go, by the database's clock.
    """

    collection_id: UUID
    name: str
    before: datetime


class RetentionRepository:
    """Reads for retention within one session."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def alone(self) -> bool:
        """Be the only process to let crops expire until the end of the transaction; false where another one is it."""
        return bool(await self._session.scalar(select(func.pg_try_advisory_xact_lock(RETENTION_LOCK))))

    async def collections(self) -> Sequence[UUID]:
        """The collections that do not keep crops for ever."""
        limited = select(Collection.id).where(Collection.retention_days.is_not(None))
        return (await self._session.scalars(limited.order_by(Collection.name))).all()

    async def rule(self, collection_id: UUID) -> Rule | None:
        """The retention of a collection as it is now; None where it keeps crops for ever."""
        age = func.make_interval(0, 0, 0, 0, 0, 0, Collection.retention_days * _DAY_S)
        rule = select(Collection.id, Collection.name, func.now() - age)
        found = await self._session.execute(
            rule.where(Collection.id == collection_id, Collection.retention_days.is_not(None))
        )
        row = found.one_or_none()
        return None if row is None else Rule(*row)

    async def step(self, rule: Rule, crops: int) -> datetime | None:
        """A time, no later than the rule's, before which about so many crops were captured; None where none was."""
        captured = Crop.captured_at.asc()
        old = select(Crop.captured_at).where(Crop.collection_id == rule.collection_id, Crop.captured_at < rule.before)
        oldest = await self._session.scalar(old.order_by(captured).limit(1))
        if oldest is None:
            return None
        last = await self._session.scalar(old.order_by(captured).offset(crops - 1).limit(1))
        return rule.before if last is None else min(last + _RESOLUTION, rule.before)

    async def without_time(self, rule: Rule, crops: int) -> Sequence[UUID]:
        """Crops without a time of capture that were enrolled before the rule's time, so many at most.

        They are looked for by their ids, which grow with time (UUIDv7), as nothing else of them is in an index.
        """
        # Retention may reach back to before 1970, from when no id is.
        bound = UUID(int=max(0, int(rule.before.timestamp() * 1000)) << 80)
        old = select(Crop.id).where(
            Crop.collection_id == rule.collection_id,
            Crop.id < bound,
            Crop.captured_at.is_(None),
            Crop.created_at < rule.before,
        )
        return (await self._session.scalars(old.order_by(Crop.id).limit(crops))).all()
