"""Deleting crops: acknowledged when they are in no answer, no picture store and no file of an index."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from service.access import Caller
from service.audit.repository import AuditRepository
from service.collections.repository import CollectionRepository
from service.crops.removal import remove_pictures
from service.database.engine import Session
from service.database.tables import Collection
from service.deletion.erasing import wait_until_in_no_file
from service.deletion.repository import DeletionRepository
from service.deletion.schemas import DeletionAnswer, DeletionRequest
from service.errors import InvalidValueError, NotFoundError
from service.gallery.repository import GalleryRepository
from service.jobs.records import JobRecord, NewJob
from service.jobs.repository import JobRepository
from service.runtime import Runtime

AT_ONCE = 1000
"""Crops deleted within a request at most; more are a job's work."""


@dataclass(frozen=True, slots=True)
class _Deleted:
    """Crops whose rows are gone.

    Attributes:
        collection: Name of their collection.
        crop_ids: The crops.
        sequence: Number of the change by which they went.
    """

    collection: str
    crop_ids: Sequence[UUID]
    sequence: int


async def delete_crop(runtime: Runtime, caller: Caller, crop_id: UUID, wait_s: float) -> JobRecord | None:
    """Delete a crop: when this returns, no search and no list answers it any more.

    Args:
        runtime: The parts of the process.
        caller: Who asks.
        crop_id: The crop.
        wait_s: How long to wait at most until it is in no file.

    Returns:
        None where it is in no file any longer; otherwise a job that ends when it is not.

    Raises:
        NotFoundError: There is none of that id that the caller sees.
        InvalidValueError: The collection asks why, and nothing was said.
    """
    async with runtime.database.transaction() as session:
        record = await GalleryRepository(session).get(crop_id)
        if record is None or not caller.sees(record.collection):
            raise _no_crop(crop_id)
        purpose = _purpose(caller, await CollectionRepository(session).named(record.collection))
        audit = AuditRepository(session)
        await audit.record(caller, "delete_crop", record.collection, purpose=purpose, crop_ids=[crop_id])
        deleted, sequence = await DeletionRepository(session).delete([crop_id])
        if not deleted:  # another one was faster
            raise _no_crop(crop_id)
    return await _erase(runtime, caller, _Deleted(record.collection, deleted, sequence), wait_s)


async def delete_crops(
    runtime: Runtime, caller: Caller, wanted: DeletionRequest, wait_s: float
) -> DeletionAnswer | JobRecord:
    """Delete the crops that meet conditions. Which ones that are is decided now: what is enrolled later stays.

    Args:
        runtime: The parts of the process.
        caller: Who asks.
        wanted: The conditions, and whether the crops are only to be counted.
        wait_s: How long to wait at most until they are in no file.

    Returns:
        How many there were, where they are in no file any longer; otherwise a job that ends when they are not.

    Raises:
        ForbiddenError: The caller may not use the collection.
        InvalidValueError: There is no condition, one makes no sense, or the collection asks why and nothing was said.
        NotFoundError: There is no such collection.
    """
    caller.enter(wanted.collection)
    asked = wanted.conditions()
    if not asked:
        raise InvalidValueError(
            "Deleting takes at least one condition besides the collection; to delete all of it, delete the collection."
        )
    where = wanted.where()
    async with runtime.database.transaction() as session:
        collection = await CollectionRepository(session).named(wanted.collection)
        deletion = DeletionRepository(session)
        if wanted.dry_run:
            count = await deletion.count(where, wanted.crop_ids)
            return DeletionAnswer(count=count, dry_run=True, sequence=await deletion.head())
        begun = await _begin(session, caller, wanted, asked, _purpose(caller, collection))
    if isinstance(begun, JobRecord):
        runtime.jobs.wake()
        return begun
    job = await _erase(runtime, caller, begun, wait_s)
    return job or DeletionAnswer(count=len(begun.crop_ids), dry_run=False, sequence=begun.sequence)


async def begin_collection_deletion(session: Session, caller: Caller, collection: Collection) -> JobRecord:
    """Ask for the deletion of a collection with all that is in it, whatever is enrolled until it is gone included.

    Whoever calls this wakes the runner of the jobs after the commit.

    Args:
        session: In which it is asked for.
        caller: Who asks.
        collection: The collection.
    """
    new = NewJob(
        kind="delete_collection",
        collection=collection.name,
        parameters={"collection_id": str(collection.id)},
        created_by=caller.name,
    )
    return await JobRepository(session).add(new)


async def _begin(
    session: Session, caller: Caller, wanted: DeletionRequest, asked: Mapping[str, Any], purpose: str | None
) -> JobRecord | _Deleted:
    """Delete crops if they are few, otherwise make them a job's, all those that there are now and no others."""
    deletion, audit = DeletionRepository(session), AuditRepository(session)
    where, collection = wanted.where(), wanted.collection
    crop_ids = await deletion.ids(where, wanted.crop_ids, AT_ONCE + 1)
    if len(crop_ids) <= AT_ONCE:
        counted = {**asked, "count": len(crop_ids)}
        await audit.record(caller, "delete_crops", collection, purpose=purpose, filter=counted, crop_ids=crop_ids)
        return _Deleted(collection, *await deletion.delete(crop_ids))
    jobs, parameters = JobRepository(session), {"filter": dict(asked)}
    job = await jobs.add(
        NewJob(kind="delete_crops", collection=collection, parameters=parameters, created_by=caller.name)
    )
    await deletion.note(job.id, where, wanted.crop_ids)
    job = await jobs.change(job.id, total=await deletion.noted(job.id))
    counted = {**asked, "count": job.total, "job_id": str(job.id)}
    await audit.record(caller, "delete_crops", collection, purpose=purpose, filter=counted)
    return job


async def _erase(runtime: Runtime, caller: Caller, deleted: _Deleted, wait_s: float) -> JobRecord | None:
    """Remove what is left of crops whose rows are gone; where that takes longer, the job that does it."""
    if not deleted.crop_ids:
        return None  # there is nothing to wait for, whatever others are deleting
    runtime.follower.note_commit(deleted.sequence)
    left = await remove_pictures(runtime.database, runtime.store, deleted.crop_ids)
    if not left and await wait_until_in_no_file(runtime, deleted.sequence, wait_s):
        return None
    async with runtime.database.transaction() as session:
        jobs = JobRepository(session)
        count = len(deleted.crop_ids)
        job = await jobs.add_to_erasure(deleted.collection, deleted.sequence, count, caller.name)
        await DeletionRepository(session).note_ids(job.id, left)
    runtime.jobs.wake()
    return job


def _purpose(caller: Caller, collection: Collection) -> str | None:
    return caller.purpose_for(collection.name, required=collection.require_purpose)


def _no_crop(crop_id: UUID) -> NotFoundError:
    return NotFoundError(f"There is no crop {crop_id}; it may have been deleted.")
