"""Making watches."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from starlette.requests import Request
from uuid_utils.compat import uuid7

from index.contract import Filter
from service.access import Caller
from service.audit.repository import AuditRepository
from service.database.engine import Session
from service.database.tables import Collection
from service.database.vectors import encode
from service.disconnect import unless_gone
from service.embedding import Lane
from service.errors import ConflictError
from service.runtime import Runtime
from service.search.images import embedded, prepared
from service.search.question import mean_vector
from service.watches.admission import (
    check_fields,
    loaded_collection,
    require_calibration,
    require_crops,
    without_address,
)
from service.watches.repository import WatchRepository
from service.watches.requests import SAID, NewWatch, WatchForm, stored_conditions
from service.watches.schemas import NewWatchView
from service.watches.service import seen, shown
from service.watches.signing import new_secret

MOST_WATCHES: Final = 10_000
"""Of a collection: each is compared with each new crop."""


@dataclass(frozen=True, slots=True)
class _Query:
    """What a new watch looks for.

    Attributes:
        action: Operation id, for the audit log.
        crop_ids: Crops; empty where it was made of pictures.
        exclude_same_track: Whether their tracks are left out.
        vector: Of the pictures, as stored; None where it was made of crops.
    """

    action: str
    crop_ids: Sequence[UUID] = ()
    exclude_same_track: bool = False
    vector: bytes | None = None


async def create_watch(runtime: Runtime, caller: Caller, new: NewWatch) -> NewWatchView:
    """Make a watch for the vehicle of enrolled crops.

    Raises:
        ForbiddenError: The caller may not use the collection.
        NotFoundError: There is no such collection, or it does not hold one of the crops.
        ModelMismatchError: The collection's vectors come from another model.
        ConflictError: Its scores are not calibrated and a decision is wanted, or it has too many watches.
        InvalidValueError: Conditions make no sense, the webhook may not be told, or a purpose is wanted.
    """
    where = new.where()
    check_fields(runtime, new.webhook_url, new.expires_at)
    async with runtime.database.transaction() as session:
        collection, purpose = await _enter(runtime, session, caller, new, keep=True)
        await require_crops(session, collection, new.crop_ids)
        query = _Query("create_watch", new.crop_ids, exclude_same_track=new.exclude_same_track)
        watch_id, secret = await _add(session, caller, collection, new, where=where, purpose=purpose, query=query)
        return await _made(runtime, session, caller, watch_id, secret)


async def create_watch_by_image(runtime: Runtime, request: Request, caller: Caller, form: WatchForm) -> NewWatchView:
    """Make a watch for the vehicle of pictures, of which only the vector is kept.

    Raises:
        ServiceError: As `create_watch`; or an image cannot be read, or the model is busy.
    """
    where = form.where()
    check_fields(runtime, form.webhook_url, form.expires_at)
    async with runtime.database.reading() as session:
        await _enter(runtime, session, caller, form, keep=False)  # refused before any work
    with runtime.queue.admit(Lane.SEARCH, len(form.images)):
        crops = await unless_gone(request, prepared(runtime, form.images))
        vector = mean_vector(await unless_gone(request, embedded(runtime, crops)), "images")
    async with runtime.database.transaction() as session:
        collection, purpose = await _enter(runtime, session, caller, form, keep=True)
        query = _Query("create_watch_by_image", vector=encode(vector))
        watch_id, secret = await _add(session, caller, collection, form, where=where, purpose=purpose, query=query)
        return await _made(runtime, session, caller, watch_id, secret)


async def _add(
    session: Session,
    caller: Caller,
    collection: Collection,
    new: NewWatch | WatchForm,
    *,
    where: Filter,
    purpose: str | None,
    query: _Query,
) -> tuple[UUID, str]:
    """Make a watch; its id and its secret."""
    watches, watch_id, secret = WatchRepository(session), uuid7(), new_secret()
    if new.decision is not None:
        await require_calibration(session, collection)
    begun = await watches.hold_evaluation(collection.model_id)
    if await watches.count(collection.id) >= MOST_WATCHES:
        raise ConflictError(f"A collection may have {MOST_WATCHES} watches; delete some that are over.")
    row = {
        **{name: getattr(new, name) for name in SAID},
        "exclude_same_track": query.exclude_same_track,
        "vector": query.vector,
        "collection_id": collection.id,
        "model_id": collection.model_id,
        "filter": stored_conditions(where),
        "webhook_secret": secret,
        "sequence": begun,
        "purpose": purpose,
        "key_id": caller.key_id,
        "created_by": caller.name,
    }
    await watches.add(watch_id, row, query.crop_ids)
    asked = new.model_dump(mode="json", by_alias=True, exclude={"images", "purpose", "crop_ids"}, exclude_none=True)
    await AuditRepository(session).record(
        caller,
        query.action,
        collection.name,
        purpose=purpose,
        filter={"watch_id": str(watch_id), **without_address(asked)},
        crop_ids=query.crop_ids,
    )
    return watch_id, secret


async def _made(runtime: Runtime, session: Session, caller: Caller, watch_id: UUID, secret: str) -> NewWatchView:
    made = await shown(runtime, session, await seen(session, caller, watch_id))
    return NewWatchView(**made.model_dump(by_alias=True), webhook_secret=secret)


async def _enter(
    runtime: Runtime, session: Session, caller: Caller, asked: NewWatch | WatchForm, *, keep: bool
) -> tuple[Collection, str | None]:
    """The collection, and why it is to be searched; `keep` as in `loaded_collection`."""
    caller.enter(asked.collection)
    collection = await loaded_collection(runtime, session, asked.collection, keep=keep)
    return collection, caller.purpose_for(asked.collection, required=collection.require_purpose, given=asked.purpose)
