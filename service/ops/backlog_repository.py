"""What waits in the database to be done."""

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from service.database.tables import Delivery, Job, PictureToRemove
from service.jobs.repository import OPEN


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits, of all collections.

    Attributes:
        jobs: Open jobs by kind, state, and whether they say why they had to wait.
        messages: Webhook messages that are pending and that were given up, by state.
        pictures: Pictures of deleted crops that are still to be removed.
    """

    jobs: dict[tuple[str, str, bool], int]
    messages: dict[str, int]
    pictures: int


class BacklogRepository:
    """Counts within one session."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def backlog(self) -> Backlog:
        """What waits now."""
        held_up = Job.error.is_not(None)
        jobs = select(Job.kind, Job.state, held_up, func.count()).where(Job.state.in_(OPEN))
        jobs = jobs.group_by(Job.kind, Job.state, held_up)
        messages = select(Delivery.state, func.count()).where(Delivery.state.in_(["pending", "dead"]))
        by_state = await self._session.execute(messages.group_by(Delivery.state))
        return Backlog(
            {(kind, state, waits): count for kind, state, waits, count in await self._session.execute(jobs)},
            {row.state: row[1] for row in by_state},
            await self._session.scalar(select(func.count()).select_from(PictureToRemove)) or 0,
        )
