"""Runners: every job is done to its end, once, whatever becomes of those who do it."""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from service.database.engine import Database
from service.errors import NotFoundError, UnavailableError
from service.jobs.handle import JobHandle, Work
from service.jobs.records import JobRecord, Kind, NewJob
from service.jobs.repository import JobRepository
from service.jobs.runner import JobRhythm, JobRunner
from service.processes.repository import ProcessRepository

RHYTHM = JobRhythm(poll_s=0.02, beat_s=0.02, lost_s=0.5, retry_s=0.05)

Run = Callable[..., JobRunner]


@pytest.fixture(autouse=True)
def _written_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.jobs.handle.WRITTEN_EVERY_S", 0)


@pytest.fixture
async def run(database: Database) -> AsyncIterator[Run]:
    """Starts a runner that does some kinds of work; all are stopped at the end."""
    runners = []

    def start(process_id: UUID | None = None, model_id: str | None = None, **work: Work) -> JobRunner:
        runners.append(JobRunner(database, process_id or uuid4(), model_id, RHYTHM))
        kinds: Mapping[Kind, Work] = work  # type: ignore[assignment]
        runners[-1].start(kinds)
        return runners[-1]

    yield start
    for runner in runners:
        await runner.stop()


async def add(database: Database, kind: Kind = "delete_crops", **fields: Any) -> UUID:
    async with database.transaction() as session:
        return (await JobRepository(session).add(NewJob(kind=kind, **fields))).id


async def read(database: Database, job_id: UUID) -> JobRecord:
    async with database.reading() as session:
        job = await JobRepository(session).get(job_id)
    assert job is not None
    return job


async def until(database: Database, job_id: UUID, condition: Callable[[JobRecord], bool]) -> JobRecord:
    async with asyncio.timeout(10):
        while not condition(job := await read(database, job_id)):  # noqa: ASYNC110 - seen from outside, as by a client
            await asyncio.sleep(0.01)
    return job


async def ended(database: Database, job_id: UUID) -> JobRecord:
    return await until(database, job_id, lambda job: job.finished_at is not None)


async def do(database: Database, statement: str, **values: Any) -> None:
    async with database.transaction() as session:
        await session.execute(text(statement), values)


def in_steps(total: int, pace_s: float = 0.0, told: list[int] | None = None) -> Work:
    """Counts to a total, from wherever it was left."""

    async def work(job: JobHandle) -> Mapping[str, Any]:
        await job.advance(job.done, total)
        while job.done < total:
            await asyncio.sleep(pace_s)
            if told is not None:
                told.append(job.done)
            await job.advance(job.done + 1)
        return {"counted": job.done}

    return work


async def test_a_job_is_done(database: Database, run: Run) -> None:
    job_id = await add(database, collection="c", parameters={"a": 1}, created_by="somebody")
    run(delete_crops=in_steps(5))
    job = await ended(database, job_id)
    assert (job.state, job.done, job.total, job.progress, job.error) == ("succeeded", 5, 5, 1.0, None)
    assert job.result == {"counted": 5}
    assert (job.collection, job.parameters, job.created_by) == ("c", {"a": 1}, "somebody")
    assert job.started_at is not None
    assert job.finished_at is not None
    assert job.created_at <= job.started_at <= job.finished_at


async def test_progress_and_what_is_left_of_the_time(database: Database, run: Run) -> None:
    job_id = await add(database)
    assert (await read(database, job_id)).progress is None
    run(delete_crops=in_steps(100, pace_s=0.02))
    job = await until(database, job_id, lambda job: job.done >= 20)
    assert job.state == "running"
    assert job.progress == job.done / 100
    assert job.run_at is not None
    spent = (job.read_at - job.run_at).total_seconds()
    assert job.seconds_left == pytest.approx(spent * (100 - job.done) / job.done)


async def test_what_goes_wrong_is_said_in_a_sentence(
    database: Database, run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    async def refuse(_: JobHandle) -> Mapping[str, Any]:
        raise NotFoundError("There is no collection 'c'.")

    async def fail(_: JobHandle) -> Mapping[str, Any]:
        raise KeyError("secret of the implementation")

    refused, failed = await add(database), await add(database, "remove_images")
    with caplog.at_level(logging.CRITICAL + 1, "service.jobs.runner"):
        run(delete_crops=refuse, remove_images=fail)
        jobs = [await ended(database, one) for one in (refused, failed)]
    assert [job.state for job in jobs] == ["failed", "failed"]
    assert jobs[0].error == "There is no collection 'c'."
    assert jobs[1].error == "An error that nobody expected; the log of the service says more."


async def test_a_job_waits_for_a_part_that_is_down(database: Database, run: Run) -> None:
    down = [True]
    attempts = []

    async def work(job: JobHandle) -> Mapping[str, Any]:
        attempts.append(job.done)
        await job.advance(3, 9)
        if down[0]:
            raise UnavailableError("The crop store is full.")
        return {}

    job_id = await add(database)
    run(delete_crops=work)
    job = await until(database, job_id, lambda job: job.error is not None)
    assert (job.state, job.error, job.done) == ("queued", "The crop store is full.", 3)
    down[0] = False
    job = await ended(database, job_id)
    assert (job.state, job.error) == ("succeeded", None)
    assert attempts[:2] == [0, 3]


async def test_a_waiting_job_is_cancelled_at_once(database: Database, run: Run) -> None:
    job_id = await add(database)
    async with database.transaction() as session:
        jobs = JobRepository(session)
        waiting = await jobs.get(job_id, lock=True)
        assert waiting is not None
        assert (await jobs.cancel(waiting)).state == "cancelled"
    told: list[int] = []
    run(delete_crops=in_steps(3, told=told))
    await asyncio.sleep(0.1)
    assert ((await read(database, job_id)).state, told) == ("cancelled", [])


async def test_a_running_job_is_cancelled_between_two_steps(database: Database, run: Run) -> None:
    job_id = await add(database)
    run(delete_crops=in_steps(10_000, pace_s=0.01))
    await until(database, job_id, lambda job: job.done > 2)
    async with database.transaction() as session:
        jobs = JobRepository(session)
        running = await jobs.get(job_id, lock=True)
        assert running is not None
        assert (await jobs.cancel(running)).state == "running"
    job = await ended(database, job_id)
    assert (job.state, job.cancel_requested, job.result) == ("cancelled", True, None)
    assert 2 < job.done < 10_000


async def test_what_a_killed_process_leaves_is_taken_up(database: Database, run: Run) -> None:
    job_id = await add(database)
    await do(
        database,
        "UPDATE jobs SET state = 'running', run_id = gen_random_uuid(), done = 7, started_at = now(), "
        "heartbeat_at = now() - interval '1 minute'",
    )
    told: list[int] = []
    run(delete_crops=in_steps(10, told=told))
    assert (await ended(database, job_id)).state == "succeeded"
    assert told == [7, 8, 9]


async def test_what_a_living_process_does_is_not_taken_up(database: Database, run: Run) -> None:
    """However long a step of it takes."""
    job_id = await add(database)
    told: list[int] = []
    run(delete_crops=in_steps(2, pace_s=2 * RHYTHM.lost_s, told=told))
    await until(database, job_id, lambda job: job.state == "running")
    run(delete_crops=in_steps(2, told=told))
    assert (await ended(database, job_id)).state == "succeeded"
    assert told == [0, 1]


async def test_who_was_taken_for_dead_stops_and_says_nothing(database: Database, run: Run) -> None:
    job_id = await add(database)
    told: list[int] = []
    runner = run(delete_crops=in_steps(10_000, pace_s=0.01, told=told))
    await until(database, job_id, lambda job: job.done > 2)
    await do(database, "UPDATE jobs SET run_id = gen_random_uuid(), heartbeat_at = now() + interval '1 hour'")
    before = await read(database, job_id)
    async with asyncio.timeout(5):
        while runner._running:  # noqa: ASYNC110 - nothing tells that it has stopped
            await asyncio.sleep(0.01)
    assert len(told) < 10_000
    after = await read(database, job_id)
    assert (after.state, after.run_id, after.done) == ("running", before.run_id, before.done)


async def test_a_process_that_ends_gives_back_what_it_does(database: Database, run: Run) -> None:
    job_id = await add(database)
    told: list[int] = []
    runner = run(delete_crops=in_steps(30, pace_s=0.01, told=told))
    await until(database, job_id, lambda job: job.done > 5)
    await runner.stop()
    job = await read(database, job_id)
    assert (job.state, job.error) == ("queued", None)
    run(delete_crops=in_steps(30, told=told))
    assert (await ended(database, job_id)).result == {"counted": 30}
    assert set(told) == set(range(30))


async def test_one_of_a_kind_at_a_time_and_no_kind_holds_up_another(database: Database, run: Run) -> None:
    at_once: Counter[Kind] = Counter()
    most: Counter[Kind] = Counter()
    let_go = asyncio.Event()

    async def work(job: JobHandle) -> Mapping[str, Any]:
        kind = job.job.kind
        at_once[kind] += 1
        most[kind] = max(most[kind], at_once[kind])
        if kind == "delete_collection":
            await let_go.wait()
        await asyncio.sleep(0.02)
        at_once[kind] -= 1
        return {}

    slow = [await add(database, "delete_collection") for _ in range(2)]
    quick = [await add(database, "remove_images") for _ in range(3)]
    run(delete_collection=work, remove_images=work)
    for job_id in quick:
        await ended(database, job_id)
    assert (await read(database, slow[0])).state == "running"
    let_go.set()
    for job_id in slow:
        await ended(database, job_id)
    assert most == {"delete_collection": 1, "remove_images": 1}


async def test_a_job_that_cannot_be_done_holds_up_no_other_and_says_why_throughout(
    database: Database, run: Run
) -> None:
    """Not even one of its kind, and while it is tried again neither."""
    attempts, asked_again = [], asyncio.Event()

    async def work(job: JobHandle) -> Mapping[str, Any]:
        if job.job.collection == "stuck":
            attempts.append(job.job.error)
            if len(attempts) > 2:
                asked_again.set()
                await asyncio.sleep(0.2)
            raise UnavailableError("The store cannot be used.")
        return {}

    stuck = await add(database, collection="stuck")
    others = [await add(database, collection="another") for _ in range(3)]
    run(delete_crops=work)
    for job_id in others:
        assert (await ended(database, job_id)).state == "succeeded"
    await asyncio.wait_for(asked_again.wait(), 10)
    job = await until(database, stuck, lambda job: job.state == "running")
    assert job.error == "The store cannot be used."
    assert attempts[:3] == [None, *["The store cannot be used."] * 2]


async def test_what_kept_a_job_waiting_is_forgotten_when_it_gets_further(database: Database, run: Run) -> None:
    attempts, let_go = [], asyncio.Event()

    async def work(job: JobHandle) -> Mapping[str, Any]:
        attempts.append(job)
        if len(attempts) == 1:
            raise UnavailableError("The store cannot be used.")
        await job.advance(1, 2)
        await let_go.wait()
        return {}

    job_id = await add(database)
    run(delete_crops=work)
    job = await until(database, job_id, lambda job: job.done == 1)
    assert (job.state, job.error) == ("running", None)
    let_go.set()
    assert (await ended(database, job_id)).error is None


async def test_a_job_for_a_model_waits_for_a_process_that_has_it(database: Database, run: Run) -> None:
    def by(process: str) -> Work:
        async def work(_: JobHandle) -> Mapping[str, Any]:
            return {"by": process}

        return work

    for_new = await add(database, "reembed_collection", parameters={"model_id": "new"})
    for_any = await add(database, "reembed_collection")
    run(model_id="old", reembed_collection=by("old"))
    run(reembed_collection=by("none"))
    await ended(database, for_any)
    await asyncio.sleep(0.1)
    assert (await read(database, for_new)).state == "queued"
    run(model_id="new", reembed_collection=by("new"))
    assert (await ended(database, for_new)).result == {"by": "new"}


async def test_several_processes_do_each_job_once(database: Database, run: Run) -> None:
    done: Counter[UUID] = Counter()

    async def work(job: JobHandle) -> Mapping[str, Any]:
        await asyncio.sleep(0.005)
        done[job.job.id] += 1
        return {}

    jobs = [await add(database) for _ in range(30)]
    for _ in range(3):
        run(delete_crops=work)
    for job_id in jobs:
        await ended(database, job_id)
    assert done == Counter(jobs)


async def test_a_job_of_one_process_is_done_by_that_one_or_by_nobody(database: Database, run: Run) -> None:
    mine, gone = uuid4(), uuid4()
    async with database.transaction() as session:
        await ProcessRepository(session).appear(mine, "here", 0)
    job_id, abandoned = (
        await add(database, "rebuild_index", process_id=mine),
        await add(database, "rebuild_index", process_id=gone),
    )
    other: list[int] = []
    run(rebuild_index=in_steps(2, told=other))
    failed = await ended(database, abandoned)
    assert failed.state == "failed"
    assert "has ended" in (failed.error or "")
    assert (await read(database, job_id)).state == "queued"
    run(mine, rebuild_index=in_steps(2))
    assert (await ended(database, job_id)).state == "succeeded"
    assert other == []


async def test_a_job_can_be_looked_at_for_thirty_days(database: Database, run: Run) -> None:
    old, young, waiting = await add(database), await add(database), await add(database, "rebuild_index")
    await do(
        database,
        "UPDATE jobs SET state = 'succeeded', finished_at = now() - CASE WHEN id = :old THEN interval '30 days 1 hour' "
        "ELSE interval '29 days' END WHERE id <> :waiting",
        old=old,
        waiting=waiting,
    )
    run(delete_crops=in_steps(1))
    async with asyncio.timeout(5):
        while True:
            async with database.reading() as session:
                left = {job.id for job in (await JobRepository(session).page(limit=10))[0]}
            if left == {young, waiting}:
                return
            await asyncio.sleep(0.01)


async def test_a_job_ends_though_the_database_was_away(
    database: Database, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How it ended cannot be written down: it is done again, as if its process had died."""
    job_id = await add(database)
    told: list[int] = []
    end = JobRepository.end
    away = [True]

    async def fail_once(jobs: JobRepository, *arguments: Any, **options: Any) -> None:
        if away.pop() if away else False:
            raise UnavailableError("The database does not answer.")
        await end(jobs, *arguments, **options)

    monkeypatch.setattr(JobRepository, "end", fail_once)
    run(delete_crops=in_steps(3, told=told))
    job = await ended(database, job_id)
    assert (job.state, job.result, told) == ("succeeded", {"counted": 3}, [0, 1, 2])
    assert job.run_at is not None
    assert job.started_at is not None
    assert job.run_at - job.started_at >= timedelta(seconds=RHYTHM.lost_s)
