"""Asking for long work, looking at it, and stopping it."""

from typing import Any
from uuid import UUID

from service.access import Caller
from service.audit.repository import AuditRepository
from service.collections.repository import CollectionRepository
from service.database.engine import Session
from service.database.tables import Collection
from service.errors import ConflictError, ForbiddenError, NotFoundError
from service.jobs.records import JobRecord, NewJob
from service.jobs.repository import OPEN, JobRepository
from service.jobs.schemas import JobQuery, RebuildRequest, ReembedRequest, RemoveImagesRequest
from service.runtime import Runtime

_OF_DELETERS = {"delete_crops", "delete_collection"}
"""Kinds of work that whoever may delete may stop."""


def sees_job(caller: Caller, job: JobRecord) -> bool:
    """Whether a job exists for a caller: work on the service itself only for one bound to no collection."""
    return caller.collections is None if job.collection is None else caller.sees(job.collection)


async def page_of_jobs(runtime: Runtime, caller: Caller, query: JobQuery) -> tuple[list[JobRecord], str | None]:
    """One page of the jobs that a caller sees, newest first, and the cursor of the next.

    Raises:
        ForbiddenError: The caller may not use the collection that it asks about.
        InvalidValueError: The cursor is none of ours.
    """
    if query.collection is not None:
        caller.enter(query.collection)
    async with runtime.database.reading() as session:
        return await JobRepository(session).page(
            limit=query.limit,
            cursor=query.cursor,
            collections=caller.collections,
            collection=query.collection,
            states=query.states,
            kinds=query.kinds,
        )


async def job_by_id(runtime: Runtime, caller: Caller, job_id: UUID) -> JobRecord:
    """One job.

    Raises:
        NotFoundError: There is none of that id that the caller sees.
    """
    async with runtime.database.reading() as session:
        job = await JobRepository(session).get(job_id)
    if job is None or not sees_job(caller, job):
        raise _no_job(job_id)
    return job


async def cancel_job(runtime: Runtime, caller: Caller, job_id: UUID) -> JobRecord:
    """Stop a job: at once where it waits, after the step that it is at where it is being done.

    Raises:
        NotFoundError: There is none of that id that the caller sees.
        ForbiddenError: It does not delete, and the caller is no administrator.
        ConflictError: It has ended already, and not because it was cancelled, or has nothing left to delete.
    """
    async with runtime.database.transaction() as session:
        jobs = JobRepository(session)
        job = await jobs.get(job_id, lock=True)
        if job is None or not sees_job(caller, job):
            raise _no_job(job_id)
        if job.kind not in _OF_DELETERS and not caller.may("admin"):
            raise ForbiddenError(f"Only a key with the scope admin may cancel a job of kind {job.kind}.")
        if job.state == "cancelled":
            return job
        if job.state not in OPEN:
            raise ConflictError(f"The job has {job.state} already; there is nothing left to cancel.")
        if job.kind == "delete_crops" and "filter" not in job.parameters:
            raise ConflictError("The crops are deleted already; the job only waits until they are in no file.")
        await AuditRepository(session).record(caller, "cancel_job", job.collection, filter={"job_id": str(job_id)})
        return await jobs.cancel(job)


async def create_job(
    runtime: Runtime, caller: Caller, wanted: RebuildRequest | RemoveImagesRequest | ReembedRequest
) -> JobRecord:
    """Ask for long work.

    Raises:
        ForbiddenError: The caller may not use the collection, or is bound to some and asks for work on the service.
        NotFoundError: There is no such collection.
        ConflictError: Pictures are to be removed from a collection that keeps them.
    """
    parameters = wanted.model_dump(exclude={"kind", "collection"})
    async with runtime.database.transaction() as session:
        if isinstance(wanted, RebuildRequest):
            if caller.collections is not None:
                raise ForbiddenError("The index holds every collection; a key that is bound to some cannot rebuild it.")
            new = NewJob(kind=wanted.kind, created_by=caller.name, process_id=runtime.process_id)
        else:
            collection = await _collection(session, caller, wanted)
            # by its id: another collection may have the name by the time that the job is done
            parameters["collection_id"] = str(collection.id)
            if isinstance(wanted, ReembedRequest):
                parameters["model_id"] = runtime.embedder.model_id
            new = NewJob(kind=wanted.kind, collection=wanted.collection, parameters=parameters, created_by=caller.name)
        job = await JobRepository(session).add(new)
        asked: dict[str, Any] = {"kind": job.kind, "job_id": str(job.id), **parameters}
        await AuditRepository(session).record(caller, "create_job", job.collection, filter=asked)
    runtime.jobs.wake()
    return job


async def _collection(session: Session, caller: Caller, wanted: RemoveImagesRequest | ReembedRequest) -> Collection:
    caller.enter(wanted.collection)
    collection = await CollectionRepository(session).named(wanted.collection)
    if isinstance(wanted, RemoveImagesRequest) and collection.keep_images:
        raise ConflictError(
            f"The collection {wanted.collection!r} keeps pictures; turn keep_images off first, so that none are added "
            "while they are removed."
        )
    return collection


def _no_job(job_id: UUID) -> NotFoundError:
    return NotFoundError(f"There is no job {job_id}; one that has ended is kept for 30 days.")
