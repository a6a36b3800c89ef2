"""The jobs that delete: in slices, each its own transaction, then until nothing is left in any file.

A slice is done when its rows are gone, then its pictures, then its note that there is something to do. Wherever this
ends, whoever takes the job up again begins with the slice that was not done.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from service.collections.images import count_images, remove_images
from service.collections.repository import CollectionRepository
from service.deletion.erasing import delete_with_pictures, in_no_file
from service.deletion.repository import DeletionRepository
from service.errors import UnavailableError
from service.jobs.handle import JobHandle
from service.jobs.repository import JobRepository
from service.runtime import Runtime

SLICE = 1000
"""Crops of one transaction."""
LONGEST_WAIT_S = 60.0
"""Others of its kind wait as long for a job that waits for files."""
_ASK_S = 0.5


async def delete_noted_crops(runtime: Runtime, job: JobHandle) -> Mapping[str, Any]:
    """Delete the crops that a job is about.

    Raises:
        JobEnded: There is no more to do.
        UnavailableError: A part is down.
    """
    async with runtime.database.reading() as session:
        left = await DeletionRepository(session).noted(job.job.id)
    await job.advance((job.total or 0) - left)
    sequence = await wait_for_files(runtime, job, await _delete_noted(runtime, job))
    return {"deleted": job.total, "sequence": sequence}


async def delete_whole_collection(runtime: Runtime, job: JobHandle) -> Mapping[str, Any]:
    """Delete a collection with all that is in it.

    Raises:
        JobEnded: There is no more to do.
        UnavailableError: A part is down.
    """
    collection_id = UUID(job.job.parameters["collection_id"])
    async with runtime.database.reading() as session:
        left = await DeletionRepository(session).count_of(collection_id)
    await job.advance(job.done, job.done + left)
    sequence = await _delete_noted(runtime, job)
    while await _is_there(runtime, job.job.id, collection_id):
        sequence = await _delete_noted(runtime, job) or sequence
    sequence = await wait_for_files(runtime, job, await _delete_noted(runtime, job) or sequence)
    return {"deleted": job.done, "sequence": sequence}


async def remove_collection_images(runtime: Runtime, job: JobHandle) -> Mapping[str, Any]:
    """Remove the pictures of a collection that is to keep none; its crops stay.

    Raises:
        ConflictError: The collection keeps pictures again; those that are left stay.
        JobEnded: There is no more to do.
        NotFoundError: The collection is gone.
        UnavailableError: A part is down.
    """
    collection_id = UUID(job.job.parameters["collection_id"])
    before = job.done
    await job.advance(before, before + await count_images(runtime.database, collection_id))
    await remove_images(runtime.database, runtime.store, collection_id, lambda more: job.advance(before + more))
    return {"removed": job.done}


async def _is_there(runtime: Runtime, job_id: UUID, collection_id: UUID) -> bool:
    """Delete a collection together with its last crops; where it has more, note the next. Whether it has more."""
    async with runtime.database.transaction() as session:
        deletion, collections = DeletionRepository(session), CollectionRepository(session)
        crop_ids = await deletion.next_of(collection_id, SLICE)
        if len(crop_ids) < SLICE:
            await collections.hold_enrolments()
            crop_ids = await deletion.next_of(collection_id, SLICE)
        await deletion.note_ids(job_id, crop_ids)
        if len(crop_ids) == SLICE:
            return True
        await collections.hold(collection_id)
        await deletion.delete_rows(crop_ids)
        await collections.delete(collection_id)
        await deletion.log_changes(collection_id, crop_ids, deleted=True)
        return False


async def _delete_noted(runtime: Runtime, job: JobHandle) -> int | None:
    """Delete the crops that are noted; the number of the last change, None where nothing was noted."""
    sequence = None
    while crop_ids := await _next_noted(runtime, job.job.id):
        sequence = await delete_with_pictures(runtime.database, runtime.store, crop_ids, runtime.follower.note_commit)
        async with runtime.database.transaction() as session:
            await DeletionRepository(session).strike_out(job.job.id, crop_ids)
        await job.advance(job.done + len(crop_ids))
    return sequence


async def _next_noted(runtime: Runtime, job_id: UUID) -> Sequence[UUID]:
    async with runtime.database.reading() as session:
        return await DeletionRepository(session).next_noted(job_id, SLICE)


async def wait_for_files(runtime: Runtime, job: JobHandle, sequence: int | None) -> int:
    """Wait until nothing is in any file. A process that ends is waited for no longer.

    Args:
        runtime: The parts of the process.
        job: The job; where it waits for longer than others can be kept waiting, it remembers what for.
        sequence: Change by which the last crop was deleted; None where that was done when the job was taken up.

    Raises:
        JobEnded: There is no more to do.
        UnavailableError: Something is in a file still, or the database does not answer.
    """
    sequence = sequence or job.job.parameters.get("sequence")
    if sequence is None:
        async with runtime.database.reading() as session:
            sequence = await DeletionRepository(session).head()
    end = time.monotonic() + LONGEST_WAIT_S
    while not await in_no_file(runtime, sequence):
        if time.monotonic() >= end:
            async with runtime.database.transaction() as session:
                parameters = {**job.job.parameters, "sequence": sequence}
                await JobRepository(session).change(job.job.id, parameters=parameters)
            raise UnavailableError(
                "What was deleted is in files of an index still; GET /index of each process says why."
            )
        await job.pause(_ASK_S)
    return sequence
