"""The runner of a process: takes up jobs, keeps them alive, ends them."""

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from service.database.engine import Database
from service.errors import ServiceError, UnavailableError
from service.jobs.handle import JobCancelled, JobEnded, JobHandle, Work
from service.jobs.records import JobRecord, Kind, State
from service.jobs.repository import JobRepository
from service.tasks import ended

logger = logging.getLogger(__name__)

KEPT = timedelta(days=30)
"""How long a job that has ended can be looked at."""
_TIDIED_EVERY_S = 60.0
_ABANDONED = "The process whose index this job was about has ended; its start brings its index up to date."


@dataclass(frozen=True, slots=True)
class JobRhythm:
    """How often a runner does what, in seconds.

    Attributes:
        poll_s: Between two looks for jobs when nothing wakes it.
        beat_s: Between two signs of life of a job.
        lost_s: How long without one a process is taken for dead. Several times `beat_s`.
        retry_s: How long a job waits where a part of the service was down.
    """

    poll_s: float = 1.0
    beat_s: float = 5.0
    lost_s: float = 30.0
    retry_s: float = 5.0


@dataclass(frozen=True, slots=True)
class _Ending:
    """How an attempt at a job ended; "queued" is not for good."""

    state: State
    result: Mapping[str, Any] | None = None
    error: str | None = None


class JobRunner:
    """Does the jobs of the kinds that it is given, of each kind one at a time.

    A process that ends gives back what it does; what a process leaves that is killed, another takes up, or the same
    one when it has started again. So every kind of work goes on from whatever is done already.

    Args:
        database: The truth.
        process_id: This process.
        model_id: The model that it has loaded; jobs for other models are left to others.
        rhythm: How often what is done.
    """

    def __init__(
        self, database: Database, process_id: UUID, model_id: str | None = None, rhythm: JobRhythm | None = None
    ) -> None:
        self._database = database
        self._process_id = process_id
        self._model_id = model_id
        self._work: Mapping[Kind, Work] = {}
        self._rhythm = rhythm or JobRhythm()
        self._running: dict[Kind, asyncio.Task[None]] = {}
        self._task: asyncio.Task[None] | None = None
        self._woken = asyncio.Event()
        self._tidied_at = -math.inf

    def start(self, work: Mapping[Kind, Work]) -> None:
        """Begin, in the background.

        Args:
            work: What does a job, by its kind.
        """
        self._work = work
        self._task = asyncio.create_task(self._look_for_jobs(), name="job runner")

    async def stop(self) -> None:
        """End. What is being done is given back, less the step that it is at."""
        if self._task is not None:
            await ended(self._task, *self._running.values())
            self._task = None

    def wake(self) -> None:
        """Look for jobs now."""
        self._woken.set()

    async def _look_for_jobs(self) -> None:
        while True:
            try:
                await self._tidy()
                while await self._take_up():
                    pass
            except UnavailableError as error:
                logger.warning("No job could be taken up: %s", error.detail)
            except Exception:
                logger.exception("No job could be taken up")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._rhythm.poll_s):
                    await self._woken.wait()
            self._woken.clear()

    async def _take_up(self) -> bool:
        """Take up one job, if there is one that can be done beside those that are being done."""
        free = [kind for kind in self._work if kind not in self._running]
        if not free:
            return False
        run_id = uuid4()
        async with self._database.transaction() as session:
            lost = timedelta(seconds=self._rhythm.lost_s)
            job = await JobRepository(session).take(free, self._process_id, self._model_id, run_id, lost)
        if job is None:
            return False
        task = asyncio.create_task(self._do(job, run_id), name=f"job {job.id}")
        self._running[job.kind] = task
        task.add_done_callback(lambda _: self._let_go(job.kind))
        return True

    def _let_go(self, kind: Kind) -> None:
        del self._running[kind]
        self.wake()

    async def _do(self, job: JobRecord, run_id: UUID) -> None:
        handle = JobHandle(self._database, job, run_id)
        beating = asyncio.create_task(self._keep_alive(handle))
        ending: _Ending | None = None
        try:
            ending = await self._attempt(handle)
        except asyncio.CancelledError:
            ending = _Ending("queued")
            raise
        finally:
            await ended(beating)
            if ending is not None:
                await self._write_down(run_id, handle, ending)

    async def _attempt(self, handle: JobHandle) -> _Ending | None:
        """Do a job; how it ended, None where it is another process's business."""
        job = handle.job
        try:
            handle.check()
            return _Ending("succeeded", await self._work[job.kind](handle))
        except JobCancelled:
            return _Ending("cancelled")
        except JobEnded:
            logger.warning("Job %s (%s) was taken up by another process", job.id, job.kind)
            return None
        except UnavailableError as error:
            logger.warning("Job %s (%s) waits: %s", job.id, job.kind, error.detail)
            return _Ending("queued", error=error.detail)
        except ServiceError as error:
            return _Ending("failed", error=error.detail)
        except Exception:
            logger.exception("Job %s (%s) met an error that nobody expected", job.id, job.kind)
            return _Ending("failed", error="An error that nobody expected; the log of the service says more.")

    async def _write_down(self, run_id: UUID, handle: JobHandle, ending: _Ending) -> None:
        """End a job or give it back. Where that cannot be written down, it is taken up as if this process had died."""
        try:
            try:
                await self._write(run_id, handle, ending)
            except UnavailableError:
                if ending.error is None:
                    raise
                await asyncio.sleep(self._rhythm.retry_s)  # the database is what was down, and may be back
                await self._write(run_id, handle, ending)
        except UnavailableError as error:
            logger.warning("How job %s ended could not be written down: %s", handle.job.id, error.detail)

    async def _write(self, run_id: UUID, handle: JobHandle, ending: _Ending) -> None:
        async with self._database.transaction() as session:
            jobs = JobRepository(session)
            await jobs.beat(run_id, done=handle.done, total=handle.total)
            if ending.state != "queued":
                await jobs.end(run_id, ending.state, result=ending.result, error=ending.error)
            elif ending.error is None:
                await jobs.release(run_id)
            else:
                await jobs.put_off(run_id, ending.error, timedelta(seconds=self._rhythm.retry_s))

    async def _keep_alive(self, handle: JobHandle) -> None:
        while True:
            await asyncio.sleep(self._rhythm.beat_s)
            try:
                await handle.beat()
            except UnavailableError as error:
                logger.warning("Job %s gave no sign of life: %s", handle.job.id, error.detail)

    async def _tidy(self) -> None:
        if time.monotonic() - self._tidied_at < _TIDIED_EVERY_S:
            return
        self._tidied_at = time.monotonic()
        async with self._database.transaction() as session:
            jobs = JobRepository(session)
            await jobs.forget(KEPT)
            await jobs.fail_abandoned(_ABANDONED)
