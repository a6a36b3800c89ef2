"""A job in the hands of whoever does it: what is to be done, how far it is, whether to stop."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias
from uuid import UUID

from service.database.engine import Database
from service.jobs.records import JobRecord
from service.jobs.repository import JobRepository

WRITTEN_EVERY_S = 0.5
"""Progress is written down no more often."""


class JobEnded(Exception):  # noqa: N818 - nothing went wrong
    """There is no more to do."""


class JobCancelled(JobEnded):
    """Somebody asked to stop."""


class JobLost(JobEnded):
    """It was taken for dead, and another process does it."""


class JobHandle:
    """One job, taken up.

    Args:
        database: The truth.
        job: The job as it was when it was taken up.
        run_id: What this one is called while it does it.

    Attributes:
        job: The job as it was when it was taken up; `done` and `total` are those of the handle.
    """

    def __init__(self, database: Database, job: JobRecord, run_id: UUID) -> None:
        self._database = database
        self._run_id = run_id
        self._written_at = time.monotonic()
        self._stop: JobEnded | None = JobCancelled() if job.cancel_requested else None
        self.job = job
        self.done = job.done
        self.total = job.total

    async def advance(self, done: int, total: int | None = None) -> None:
        """Tell how much is done. Call it between two steps, each of which is whole: the work may end here.

        Args:
            done: How much is done by now.
            total: How much there is to do, where that is known only now.

        Raises:
            JobEnded: There is no more to do.
            UnavailableError: The database does not answer.
        """
        fixed = total is not None and total != self.total
        self.done, self.total = done, self.total if total is None else total
        if fixed or time.monotonic() - self._written_at >= WRITTEN_EVERY_S:
            await self.beat()
        self.check()

    def check(self) -> None:
        """Go on only if somebody wants it.

        Raises:
            JobEnded: There is no more to do.
        """
        if self._stop is not None:
            raise self._stop

    async def beat(self) -> None:
        """Give a sign of life, and learn whether to stop.

        Raises:
            UnavailableError: The database does not answer.
        """
        self._written_at = time.monotonic()
        changes: dict[str, Any] = {"done": self.done, "total": self.total}
        if self.done > self.job.done:  # what kept it waiting does no longer
            changes["error"] = None
        async with self._database.transaction() as session:
            stop = await JobRepository(session).beat(self._run_id, **changes)
        if stop is None:
            self._stop = JobLost()
        elif stop:
            self._stop = JobCancelled()

    async def pause(self, seconds: float) -> None:
        """Wait, and stop waiting where there is no more to do.

        Raises:
            JobEnded: There is no more to do.
        """
        self.check()
        await asyncio.sleep(seconds)
        self.check()


Work: TypeAlias = Callable[[JobHandle], Awaitable[Mapping[str, Any]]]
"""Does a job, from its beginning or from wherever another one left it, and answers what came of it, as JSON."""
