"""Announcing, reading and changing cameras."""

from collections.abc import Mapping
from typing import Any

from service.access import Caller
from service.audit.repository import AuditRepository
from service.cameras.repository import CameraRepository, CameraSummary
from service.cameras.schemas import CameraPatch, NewCamera
from service.collections.repository import CollectionRepository
from service.database.tables import Collection
from service.errors import ConflictError, NotFoundError
from service.problems import invalid_field
from service.runtime import Runtime

_PLACE = ("latitude", "longitude")


async def announce_camera(runtime: Runtime, caller: Caller, new: NewCamera) -> CameraSummary:
    """Make a camera before its first crop; its collection too, where that is missing.

    Raises:
        ForbiddenError: The caller may not use the collection.
        ConflictError: The collection has a camera of that id.
        InvalidValueError: Half a place.
    """
    caller.enter(new.collection)
    values = new.model_dump(exclude={"collection", "camera_id"})
    _require_whole_place(values)
    async with runtime.database.transaction() as session:
        collections, cameras = CollectionRepository(session), CameraRepository(session)
        collection = await collections.kept(new.collection)
        if collection is None:
            collection = await collections.ensure_collection(new.collection, runtime.embedder.model_id)
        if not await cameras.create(collection.id, new.camera_id, values):
            raise ConflictError(f"The collection has a camera {new.camera_id!r} already; PATCH it to change it.")
        said = {"camera_id": new.camera_id, **values}
        await AuditRepository(session).record(caller, "create_camera", new.collection, filter=said)
        return await _summary(cameras, collection, new.camera_id)


async def page_of_cameras(
    runtime: Runtime, caller: Caller, collection: str, *, limit: int, cursor: str | None
) -> tuple[list[CameraSummary], str | None]:
    """One page of a collection's cameras and the cursor of the next.

    Raises:
        ForbiddenError: The caller may not use the collection.
        NotFoundError: There is no such collection.
    """
    caller.enter(collection)
    async with runtime.database.reading() as session:
        found = await CollectionRepository(session).named(collection)
        return await CameraRepository(session).page(found.id, limit=limit, cursor=cursor)


async def camera_by_id(runtime: Runtime, caller: Caller, collection: str, camera_id: str) -> CameraSummary:
    """One camera.

    Raises:
        ForbiddenError: The caller may not use the collection.
        NotFoundError: There is no such collection or camera.
    """
    caller.enter(collection)
    async with runtime.database.reading() as session:
        return await _summary(
            CameraRepository(session), await CollectionRepository(session).named(collection), camera_id
        )


async def change_camera(
    runtime: Runtime, caller: Caller, collection: str, camera_id: str, patch: CameraPatch
) -> CameraSummary:
    """Apply a merge patch to a camera.

    Raises:
        ForbiddenError: The caller may not use the collection.
        NotFoundError: There is no such collection or camera.
        InvalidValueError: Half a place would be left.
    """
    caller.enter(collection)
    given = patch.model_dump(exclude_unset=True)
    async with runtime.database.transaction() as session:
        owner, cameras = await CollectionRepository(session).named(collection), CameraRepository(session)
        camera = await cameras.locked(owner.id, camera_id)
        if camera is None:
            raise _no_camera(camera_id)
        _require_whole_place({name: given.get(name, getattr(camera, name)) for name in _PLACE} | given)
        await cameras.change(owner.id, camera_id, given)
        said = {"camera_id": camera_id, **given}
        await AuditRepository(session).record(caller, "update_camera", collection, filter=said)
        return await _summary(cameras, owner, camera_id)


def _require_whole_place(values: Mapping[str, Any]) -> None:
    missing = [name for name in _PLACE if values.get(name) is None]
    if len(missing) == 1:
        (given,) = set(_PLACE) - set(missing)
        raise invalid_field(missing[0], f"must be given, or null, together with {given}")


async def _summary(cameras: CameraRepository, collection: Collection, camera_id: str) -> CameraSummary:
    found = await cameras.summary(collection.id, camera_id)
    if found is None:
        raise _no_camera(camera_id)
    return found


def _no_camera(camera_id: str) -> NotFoundError:
    return NotFoundError(f"The collection has no camera {camera_id!r}; a camera appears at its first crop.")
