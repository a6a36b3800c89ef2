"""Reading watches, what they found and what became of its messages; trying webhooks out."""

import time
from datetime import datetime, timedelta
from uuid import UUID

from uuid_utils.compat import uuid7

from service.access import Caller
from service.audit.repository import AuditRepository
from service.collections.repository import CollectionRepository
from service.database.engine import Session
from service.errors import ConflictError, NotFoundError
from service.gallery.repository import GalleryRepository
from service.runtime import Runtime
from service.watches.delivery_repository import DeliveryRepository
from service.watches.hit_repository import HitRepository
from service.watches.payload import trial_message
from service.watches.records import DeliveryRecord, WatchRecord
from service.watches.repository import WatchRepository
from service.watches.requests import DeliveryQuery, WatchHitQuery, WatchQuery
from service.watches.rights_repository import RightsRepository
from service.watches.schemas import WatchHitView, WatchView, WebhookTrial
from service.watches.signing import new_secret
from service.watches.threshold_repository import ThresholdRepository
from service.watches.views import hit_view, watch_view


async def page_of_watches(runtime: Runtime, caller: Caller, query: WatchQuery) -> tuple[list[WatchView], str | None]:
    """One page of the watches that a caller sees, newest first, and the cursor of the next.

    Raises:
        ForbiddenError: The caller may not use the collection that it asks about.
        InvalidValueError: The cursor is none of ours.
    """
    collections = caller.collections
    if query.collection is not None:
        caller.enter(query.collection)
        collections = frozenset({query.collection})
    async with runtime.database.reading() as session:
        watches, cursor = await WatchRepository(session).page(collections, limit=query.limit, cursor=query.cursor)
        return await _views(runtime, session, watches), cursor


async def watch_by_id(runtime: Runtime, caller: Caller, watch_id: UUID) -> WatchView:
    """One watch.

    Raises:
        NotFoundError: There is none of that id that the caller sees.
    """
    async with runtime.database.reading() as session:
        return await shown(runtime, session, await seen(session, caller, watch_id))


async def page_of_hits(
    runtime: Runtime, caller: Caller, watch_id: UUID, query: WatchHitQuery, prefix: str
) -> tuple[list[WatchHitView], str | None]:
    """One page of what a watch found, and the cursor of the next.

    Args:
        runtime: The parts of the process.
        caller: Who asks.
        watch_id: The watch.
        query: Which hits.
        prefix: Where the service is mounted.

    Raises:
        NotFoundError: There is no watch of that id that the caller sees.
        InvalidValueError: The cursor is none of ours.
    """
    async with runtime.database.reading() as session:
        watch = await seen(session, caller, watch_id)
        hits, cursor = await HitRepository(session).page(
            watch_id, limit=query.limit, cursor=query.cursor, after=query.after
        )
        crops = await GalleryRepository(session).many(hit.crop_id for hit in hits)
        thresholds = await ThresholdRepository(session).of_collections([watch.collection_id])
    own = thresholds.get((watch.collection_id, watch.model_id))
    return [hit_view(hit, crops, own, prefix) for hit in hits], cursor


async def page_of_deliveries(
    runtime: Runtime, caller: Caller, watch_id: UUID, query: DeliveryQuery
) -> tuple[list[DeliveryRecord], str | None]:
    """One page of a watch's messages, newest first, and the cursor of the next.

    Raises:
        NotFoundError: There is no watch of that id that the caller sees.
        InvalidValueError: The cursor is none of ours.
    """
    async with runtime.database.reading() as session:
        await seen(session, caller, watch_id)
        return await DeliveryRepository(session).page(
            watch_id, state=query.state, limit=query.limit, cursor=query.cursor
        )


async def retry_delivery(runtime: Runtime, caller: Caller, watch_id: UUID, delivery_id: UUID) -> DeliveryRecord:
    """Let a message be sent from the beginning, whatever became of it.

    Raises:
        NotFoundError: There is no such watch that the caller sees, or it has no such message.
    """
    async with runtime.database.transaction() as session:
        watch = await seen(session, caller, watch_id)
        delivery = await DeliveryRepository(session).retry(watch_id, delivery_id)
        if delivery is None:
            raise NotFoundError(f"The watch has no delivery {delivery_id}; it goes with the crop that it tells of.")
        said = {"watch_id": str(watch_id), "delivery_id": str(delivery_id)}
        await AuditRepository(session).record(caller, "retry_delivery", watch.collection, filter=said)
    runtime.watching.deliverer.wake()
    return delivery


async def try_webhook(runtime: Runtime, caller: Caller, watch_id: UUID) -> WebhookTrial:
    """Send a message to a watch's webhook that says nothing, now and once.

    Raises:
        NotFoundError: There is no watch of that id that the caller sees.
        ConflictError: It has no webhook.
        OverloadedError: Others are being tried out.
    """
    async with runtime.database.transaction() as session:
        watch = await seen(session, caller, watch_id)
        if watch.webhook_url is None:
            raise ConflictError("The watch has no webhook_url; PATCH it to give it one.")
        secrets = await WatchRepository(session).secrets(watch_id)
        said = {"watch_id": str(watch_id)}
        await AuditRepository(session).record(caller, "test_webhook", watch.collection, filter=said)
    webhook_id, begun = str(uuid7()), time.perf_counter()
    message = trial_message(watch.id, watch.name, watch.collection)
    outcome = await runtime.watching.sender.try_out(
        watch.webhook_url, webhook_id, message, secrets, collection=watch.collection
    )
    return WebhookTrial(
        delivered=outcome.delivered,
        webhook_id=webhook_id,
        status=outcome.status,
        error=outcome.error,
        took_ms=round(1000 * (time.perf_counter() - begun), 1),
    )


async def rotate_secret(
    runtime: Runtime, caller: Caller, watch_id: UUID, overlap_s: float
) -> tuple[str, datetime | None]:
    """Give a watch a new secret.

    Returns:
        Its text, and until when messages are signed with the old one, too.

    Raises:
        NotFoundError: There is no watch of that id that the caller sees.
    """
    async with runtime.database.transaction() as session:
        watch = await seen(session, caller, watch_id)
        secret = new_secret()
        until = await WatchRepository(session).rotate_secret(watch_id, secret, timedelta(seconds=overlap_s))
        said = {"watch_id": str(watch_id), "overlap_s": overlap_s}
        await AuditRepository(session).record(caller, "rotate_webhook_secret", watch.collection, filter=said)
    return secret, until


async def seen(session: Session, caller: Caller, watch_id: UUID, *, lock: bool = False) -> WatchRecord:
    """The watch of that id.

    Args:
        session: The unit of work.
        caller: Who asks.
        watch_id: The watch.
        lock: Whether nobody else may change it, or delete its collection, until the end of the transaction.

    Raises:
        NotFoundError: There is none that the caller sees.
    """
    if lock:
        # The collection before the watch: whoever deletes it with its watches locks in that order.
        await CollectionRepository(session).kept((await seen(session, caller, watch_id)).collection)
    watch = await WatchRepository(session).get(watch_id, lock=lock)
    if watch is None or not caller.sees(watch.collection):
        raise NotFoundError(f"There is no watch {watch_id}; it may have been deleted.")
    return watch


async def shown(runtime: Runtime, session: Session, watch: WatchRecord) -> WatchView:
    """A watch as it is shown."""
    return (await _views(runtime, session, [watch]))[0]


async def _views(runtime: Runtime, session: Session, watches: list[WatchRecord]) -> list[WatchView]:
    permitted = await RightsRepository(session).permitted((watch.key_id, watch.collection) for watch in watches)
    model_id = runtime.embedder.model_id
    return [watch_view(one, model_id, permitted=(one.key_id, one.collection) in permitted) for one in watches]
