"""Making, reading, changing and removing collections."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from service.access import Caller
from service.audit.repository import AuditRepository
from service.collections.repository import CollectionRepository, CollectionSummary, require_collection
from service.collections.schemas import CollectionPatch, NewCollection, QualityFloor
from service.deletion.service import begin_collection_deletion
from service.errors import ConflictError
from service.jobs.records import JobRecord
from service.problems import invalid_field, validation_entry
from service.runtime import Runtime


async def create_collection(runtime: Runtime, caller: Caller, new: NewCollection) -> CollectionSummary:
    """Make a collection of the loaded model.

    Raises:
        ForbiddenError: The caller may not use a collection of that name.
        ConflictError: There is one of that name.
    """
    caller.enter(new.name)
    settings = new.model_dump(exclude={"name", "quality_floor"}, exclude_unset=True)
    if new.quality_floor is not None:
        settings["quality_floor"] = new.quality_floor.model_dump(exclude_none=True)
    async with runtime.database.transaction() as session:
        collections = CollectionRepository(session)
        if not await collections.create(new.name, runtime.embedder.model_id, settings):
            raise ConflictError(f"There is a collection {new.name!r} already; PATCH it to change it.")
        await AuditRepository(session).record(caller, "create_collection", new.name, filter=settings)
        return await _summary(collections, new.name)


async def page_of_collections(
    runtime: Runtime, caller: Caller, *, limit: int, cursor: str | None
) -> tuple[list[CollectionSummary], str | None]:
    """One page of the collections that the caller sees, in the order of their names, and the cursor of the next."""
    async with runtime.database.reading() as session:
        return await CollectionRepository(session).page(caller.collections, limit=limit, cursor=cursor)


async def collection_by_name(runtime: Runtime, caller: Caller, name: str) -> CollectionSummary:
    """One collection.

    Raises:
        ForbiddenError: The caller may not use a collection of that name.
        NotFoundError: There is none.
    """
    caller.enter(name)
    async with runtime.database.reading() as session:
        return await _summary(CollectionRepository(session), name)


async def change_collection(runtime: Runtime, caller: Caller, name: str, patch: CollectionPatch) -> CollectionSummary:
    """Change what a collection keeps and refuses.

    Raises:
        ForbiddenError: The caller may not use a collection of that name.
        NotFoundError: There is none.
        InvalidValueError: The quality floor would leave nothing.
    """
    caller.enter(name)
    given = patch.model_dump(exclude_unset=True)
    async with runtime.database.transaction() as session:
        collections = CollectionRepository(session)
        if "keep_images" in given:
            # An enrolment that keeps its picture is there before this, or sees that none is kept.
            await collections.hold_enrolments()
        found = require_collection(await collections.locked(name), name)
        settings = given
        if "quality_floor" in given:
            settings = given | {"quality_floor": _merged(found.quality_floor, given["quality_floor"])}
        await collections.change(found.id, settings)
        await AuditRepository(session).record(caller, "update_collection", name, filter=given)
        summary = await _summary(collections, name)
    runtime.follower.wake()
    return summary


async def delete_collection(runtime: Runtime, caller: Caller, name: str) -> JobRecord | None:
    """Remove a collection with its cameras and all that was said of it.

    Returns:
        None where it held no crops and is gone; otherwise the job that deletes both.

    Raises:
        ForbiddenError: The caller may not use a collection of that name.
        NotFoundError: There is none.
        InvalidValueError: It asks why, and nothing was said.
    """
    job = None
    caller.enter(name)
    async with runtime.database.transaction() as session:
        collections = CollectionRepository(session)
        await collections.hold_enrolments()
        found = require_collection(await collections.locked(name), name)
        purpose = caller.purpose_for(name, required=found.require_purpose)
        if await collections.holds_crops(found.id):
            job = await begin_collection_deletion(session, caller, found)
        else:
            await collections.delete(found.id)
        await AuditRepository(session).record(caller, "delete_collection", name, purpose=purpose)
    if job is not None:
        runtime.jobs.wake()
    return job


async def _summary(collections: CollectionRepository, name: str) -> CollectionSummary:
    return require_collection(await collections.summary(name), name)


def _merged(floor: Mapping[str, Any], patch: Mapping[str, Any] | None) -> dict[str, Any]:
    """A merge patch (RFC 7396) of a quality floor.

    Raises:
        InvalidValueError: What comes out leaves nothing.
    """
    if patch is None:
        return {}
    try:
        merged = QualityFloor(**{**floor, **patch})
    except ValidationError as error:
        raise invalid_field("quality_floor", validation_entry(error.errors()[0])["detail"]) from error
    return merged.model_dump(exclude_none=True)
