"""Rows of the jobs: made, taken up, kept alive, ended, read."""

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any, cast
from uuid import UUID

from sqlalchemy import ColumnElement, CursorResult, Row, Select, delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from service.database.tables import Job, JobCrop, Process
from service.errors import InvalidValueError
from service.jobs.records import JobRecord, Kind, NewJob, State

OPEN: tuple[State, ...] = ("queued", "running")
_READ = (
    *(column for name, column in Job.__table__.columns.items() if name not in {"heartbeat_at", "retry_at"}),
    func.now().label("read_at"),
)


class JobRepository:
    """Reads and writes jobs within one session; commits nothing itself."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, new: NewJob) -> JobRecord:
        """Make a job, which some process takes up once this is committed."""
        row = {
            "id": uuid7(),
            "kind": new.kind,
            "collection": new.collection,
            "parameters": dict(new.parameters),
            "state": "queued",
            "done": 0,
            "total": new.total,
            "cancel_requested": False,
            "created_by": new.created_by,
            "process_id": new.process_id,
            "run_done": 0,
        }
        added = await self._session.execute(insert(Job).values(row).returning(*_READ))
        return _record(added.one())

    async def add_to_erasure(self, collection: str, sequence: int, crops: int, created_by: str) -> JobRecord:
        """The job that ends when deleted crops of a collection are in no file: one that waits already, or a new one.

        Args:
            collection: Name of the collection.
            sequence: Change by which the crops were deleted.
            crops: How many they are.
            created_by: Who deleted them; a job is shared with nobody else.
        """
        waiting = (
            select(Job.id, Job.parameters)
            .where(Job.kind == "delete_crops", Job.state == "queued", Job.parameters.has_key("sequence"))
            .where(Job.collection == collection, Job.created_by == created_by, ~Job.parameters.has_key("filter"))
            .order_by(Job.id.desc())
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        found = (await self._session.execute(waiting)).one_or_none()
        if found is None:
            new = NewJob(
                kind="delete_crops", collection=collection, parameters={"sequence": sequence}, created_by=created_by
            )
            job_id, before = (await self.add(new)).id, 0
        else:
            job_id, before = found.id, found.parameters["sequence"]
        count = func.coalesce(Job.total, 0) + crops
        return await self.change(job_id, parameters={"sequence": max(sequence, before)}, done=count, total=count)

    async def change(self, job_id: UUID, **values: Any) -> JobRecord:  # noqa: ANN401 - columns of a job
        """Set columns of a job that is there."""
        changed = await self._session.execute(update(Job).where(Job.id == job_id).values(**values).returning(*_READ))
        return _record(changed.one())

    async def get(self, job_id: UUID, *, lock: bool = False) -> JobRecord | None:
        """The job of that id; None where there is none.

        Args:
            job_id: The job.
            lock: Whether nobody else may change it until the end of the transaction.
        """
        query = select(*_READ).where(Job.id == job_id)
        row = (await self._session.execute(query.with_for_update() if lock else query)).one_or_none()
        return None if row is None else _record(row)

    async def page(
        self,
        *,
        limit: int,
        cursor: str | None = None,
        collections: Collection[str] | None = None,
        collection: str | None = None,
        states: Sequence[State] = (),
        kinds: Sequence[Kind] = (),
    ) -> tuple[list[JobRecord], str | None]:
        """Jobs, newest first.

        Args:
            limit: How many at most.
            cursor: `next_cursor` of the page before; None for the first page.
            collections: Only jobs of these collections; None for all, those of no collection included.
            collection: Only jobs of this collection.
            states: Only jobs in one of these states; empty for all.
            kinds: Only jobs of these kinds; empty for all.

        Returns:
            The jobs and the next page's cursor, None after the last page.

        Raises:
            InvalidValueError: The cursor is none of ours.
        """
        query: Select[*tuple[Any, ...]] = select(*_READ)
        if collections is not None:
            query = query.where(Job.collection.in_(collections))
        if collection is not None:
            query = query.where(Job.collection == collection)
        if states:
            query = query.where(Job.state.in_(states))
        if kinds:
            query = query.where(Job.kind.in_(kinds))
        if cursor is not None:
            query = query.where(Job.id < _parse_cursor(cursor))
        rows = await self._session.execute(query.order_by(Job.id.desc()).limit(limit + 1))
        records = [_record(row) for row in rows]
        return records[:limit], str(records[limit - 1].id) if len(records) > limit else None

    async def take(
        self, kinds: Collection[str], process_id: UUID, model_id: str | None, run_id: UUID, lost: timedelta
    ) -> JobRecord | None:
        """Take up a job that waits, or whose process has given no sign of life for too long.

        It is the oldest one; a job that could not be done stands behind those that came before it is tried again.

        Args:
            kinds: Kinds that the caller can do now.
            process_id: The caller's process.
            model_id: The model that it has loaded: a job for another one waits for a process that has that.
            run_id: What the caller is called while it does it.
            lost: How long without a sign of life a process is taken for dead.

        Returns:
            The job; None where there is nothing to do.
        """
        dead = (Job.state == "running") & (Job.heartbeat_at < func.now() - lost)
        of_process = or_(Job.process_id.is_(None), Job.process_id == process_id)
        of_model = or_(~Job.parameters.has_key("model_id"), Job.parameters["model_id"].astext == model_id)
        waits = (Job.state == "queued") & (func.coalesce(Job.retry_at, func.now()) <= func.now())
        oldest = (
            select(Job.id)
            .where(Job.kind.in_(kinds), of_process, of_model, or_(waits, dead))
            .order_by(func.coalesce(Job.retry_at, Job.created_at), Job.id)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        taken = (
            update(Job)
            .where(Job.id == oldest.scalar_subquery())
            .values(
                state="running",
                run_id=run_id,
                run_at=func.now(),
                run_done=Job.done,
                started_at=func.coalesce(Job.started_at, func.now()),
                heartbeat_at=func.now(),
            )
        )
        row = (await self._session.execute(taken.returning(*_READ))).one_or_none()
        return None if row is None else _record(row)

    async def beat(self, run_id: UUID, **changes: Any) -> bool | None:  # noqa: ANN401 - columns of a job
        """Give a sign of life, and write down what has changed.

        Args:
            run_id: Who does the job.
            changes: New values of the job's columns.

        Returns:
            Whether the job is to be cancelled; None where it is no longer this one's.
        """
        alive = update(Job).where(_done_by(run_id)).values(heartbeat_at=func.now(), **changes)
        return await self._session.scalar(alive.returning(Job.cancel_requested))

    async def release(self, run_id: UUID) -> None:
        """Give a job back, because this process ends: whoever is next takes it up."""
        await self._session.execute(update(Job).where(_done_by(run_id)).values(state="queued", run_id=None))

    async def put_off(self, run_id: UUID, reason: str, pause: timedelta) -> None:
        """Give a job back that cannot be done now: it is taken up again after a pause.

        Args:
            run_id: Who does the job.
            reason: Why it could not be done.
            pause: How long until it is tried again.
        """
        given_back = {"state": "queued", "run_id": None, "error": reason, "retry_at": func.now() + pause}
        await self._session.execute(update(Job).where(_done_by(run_id)).values(given_back))

    async def end(self, run_id: UUID, state: State, *, result: Mapping[str, Any] | None, error: str | None) -> None:
        """End a job, if it still is this one's, and forget which crops it was about."""
        ended = {"state": state, "result": result, "error": error, "finished_at": func.now(), "run_id": None}
        job_id = await self._session.scalar(update(Job).where(_done_by(run_id)).values(ended).returning(Job.id))
        await self._session.execute(delete(JobCrop).where(JobCrop.job_id == job_id))

    async def cancel(self, job: JobRecord) -> JobRecord:
        """Cancel a job that waits, or ask whoever does it to stop.

        Args:
            job: Open, and locked by `get`.
        """
        values: dict[str, Any] = {"cancel_requested": True}
        if job.state == "queued":
            values |= {"state": "cancelled", "finished_at": func.now()}
            await self._session.execute(delete(JobCrop).where(JobCrop.job_id == job.id))
        return await self.change(job.id, **values)

    async def fail_abandoned(self, reason: str) -> int:
        """End the jobs that only a process could do which is gone; how many there were."""
        gone = Job.process_id.is_not(None) & Job.process_id.not_in(select(Process.id))
        failed = {"state": "failed", "error": reason, "finished_at": func.now(), "run_id": None}
        result = await self._session.execute(update(Job).where(Job.state.in_(OPEN), gone).values(failed))
        return cast("CursorResult[Any]", result).rowcount

    async def forget(self, keep: timedelta) -> int:
        """Delete the jobs that ended longer ago; how many there were."""
        result = await self._session.execute(delete(Job).where(Job.finished_at < func.now() - keep))
        return cast("CursorResult[Any]", result).rowcount


def _done_by(run_id: UUID) -> ColumnElement[bool]:
    return (Job.run_id == run_id) & (Job.state == "running")


def _record(row: Row[*tuple[Any, ...]]) -> JobRecord:
    return JobRecord(**row._mapping)  # noqa: SLF001 - SQLAlchemy's public name of it


def _parse_cursor(cursor: str) -> UUID:
    try:
        return UUID(cursor)
    except ValueError as error:
        raise InvalidValueError("The cursor is not one of this service; start again without it.") from error
