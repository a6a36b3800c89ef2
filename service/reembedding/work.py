"""The job that moves a collection over to the loaded model."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from service.database.tables import Collection
from service.deletion.erasing import delete_with_pictures
from service.deletion.work import wait_for_files
from service.errors import NotFoundError
from service.jobs.handle import JobHandle
from service.reembedding.pictures import StoredPictures
from service.reembedding.service import Reembedding, crops_left
from service.runtime import Runtime


async def reembed_job_collection(runtime: Runtime, job: JobHandle) -> Mapping[str, Any]:
    """Move the collection of a job over to the loaded model.

    Raises:
        JobEnded: There is no more to do.
        NotFoundError: The collection is gone.
        InvalidValueError: Crops have no picture that can be read, and are not to be dropped.
        UnavailableError: A part is down.
    """
    name = await _name(runtime, UUID(job.job.parameters["collection_id"]))
    model_id = runtime.embedder.model_id
    sequence: int | None = None

    async def drop(crop_ids: list[UUID]) -> None:
        nonlocal sequence
        sequence = await delete_with_pictures(runtime.database, runtime.store, crop_ids, runtime.follower.note_commit)
        job.check()

    async def advance(more: int) -> None:
        await job.advance(job.done + more)

    await job.advance(job.done, job.done + await crops_left(runtime.database, name, model_id))
    reembedding = Reembedding(
        database=runtime.database,
        pictures=StoredPictures(runtime.store, runtime.preparer, runtime.queue),
        model_id=model_id,
        committed=runtime.follower.note_commit,
        advance=advance,
        drop=drop if job.job.parameters["drop_without_picture"] else None,
    )
    done = await reembedding.run(name)
    if sequence is not None or "sequence" in job.job.parameters:
        await wait_for_files(runtime, job, sequence)
    return done


async def _name(runtime: Runtime, collection_id: UUID) -> str:
    async with runtime.database.reading() as session:
        collection = await session.get(Collection, collection_id)
    if collection is None:
        raise NotFoundError("The collection is gone.")
    return collection.name
