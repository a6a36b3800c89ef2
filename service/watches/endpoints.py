"""Routes of the watches."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, File, Path, Query, Request, status

from service.access import Searcher
from service.errors import (
    ConflictError,
    InvalidValueError,
    MalformedRequestError,
    ModelMismatchError,
    NotFoundError,
    OverloadedError,
    TooLargeError,
    UnavailableError,
    UndecodableImageError,
    UnsupportedImageError,
)
from service.forms import MULTIPART_FORM
from service.json_bodies import JsonBody
from service.openapi import problems
from service.runtime import CurrentRuntime
from service.watches import changing, making, service
from service.watches.requests import (
    DeliveryQuery,
    NewWatch,
    SecretRotation,
    WatchForm,
    WatchHitQuery,
    WatchPatch,
    WatchQuery,
)
from service.watches.schemas import (
    DeliveryPage,
    DeliveryView,
    NewWatchView,
    WatchHitPage,
    WatchPage,
    WatchView,
    WebhookSecret,
    WebhookTrial,
)

router = APIRouter(prefix="/watches", tags=["watches"])

WatchId = Annotated[UUID, Path(description="The watch.", examples=["019ab3d0-1b2c-7d3e-8f40-516273849506"])]
DeliveryId = Annotated[UUID, Path(description="The message.", examples=["019ab3d4-77ab-7012-8a3b-4c5d6e7f8091"])]
_READ = problems(NotFoundError, InvalidValueError, UnavailableError)
_CHANGE = problems(
    MalformedRequestError, NotFoundError, ConflictError, ModelMismatchError, InvalidValueError, UnavailableError
)


@router.post(
    "",
    operation_id="create_watch",
    summary="Watch for the vehicle of enrolled crops",
    status_code=status.HTTP_201_CREATED,
    responses=_CHANGE,
)
async def post_watch(runtime: CurrentRuntime, caller: Searcher, new: JsonBody[NewWatch]) -> NewWatchView:
    """Search, from now on, among all crops that come: each that meets the conditions and scores high enough is a hit.

    Hits are listed, and told to the webhook if there is one, signed with the secret that this answer shows once. The
    watch searches with the right of the key that made it or changed it last, and is over when that right is.
    """
    return await making.create_watch(runtime, caller, new)


@router.post(
    "/image",
    operation_id="create_watch_by_image",
    summary="Watch for a vehicle by its picture",
    status_code=status.HTTP_201_CREATED,
    dependencies=[MULTIPART_FORM],
    responses=problems(
        MalformedRequestError,
        NotFoundError,
        ConflictError,
        ModelMismatchError,
        TooLargeError,
        UnsupportedImageError,
        InvalidValueError,
        UndecodableImageError,
        OverloadedError,
        UnavailableError,
    ),
)
async def post_watch_by_image(
    request: Request, runtime: CurrentRuntime, caller: Searcher, form: Annotated[WatchForm, File()]
) -> NewWatchView:
    """As create_watch, for a vehicle that need not be enrolled. The pictures are not kept, only their vector is."""
    return await making.create_watch_by_image(runtime, request, caller, form)


@router.get(
    "",
    operation_id="list_watches",
    summary="List the watches",
    responses=problems(InvalidValueError, UnavailableError),
)
async def list_watches(runtime: CurrentRuntime, caller: Searcher, query: Annotated[WatchQuery, Query()]) -> WatchPage:
    """The watches of the collections that the key may use, newest first."""
    watches, cursor = await service.page_of_watches(runtime, caller, query)
    return WatchPage(items=watches, next_cursor=cursor)


@router.get("/{watch_id}", operation_id="get_watch", summary="Get one watch", responses=_READ)
async def get_watch(runtime: CurrentRuntime, caller: Searcher, watch_id: WatchId) -> WatchView:
    """What a watch looks for, whether it does so now, and how much it has found."""
    return await service.watch_by_id(runtime, caller, watch_id)


@router.patch("/{watch_id}", operation_id="update_watch", summary="Change a watch", responses=_CHANGE)
async def patch_watch(
    runtime: CurrentRuntime, caller: Searcher, watch_id: WatchId, patch: JsonBody[WatchPatch]
) -> WatchView:
    """A merge patch (RFC 7396): what is absent stays, what is null is cleared; attributes are merged one by one.

    What changes holds for crops that come from then on. The key of whoever changes a watch answers for it. A watch
    that is stale takes the model in use when it is given a threshold of that model.
    """
    return await changing.change_watch(runtime, caller, watch_id, patch)


@router.delete(
    "/{watch_id}",
    operation_id="delete_watch",
    summary="Delete a watch",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=_READ,
)
async def delete_watch(runtime: CurrentRuntime, caller: Searcher, watch_id: WatchId) -> None:
    """Forget a watch, its hits and their messages. No crop is deleted."""
    await changing.delete_watch(runtime, caller, watch_id)


@router.get("/{watch_id}/hits", operation_id="list_watch_hits", summary="List what a watch found", responses=_READ)
async def list_watch_hits(
    request: Request,
    runtime: CurrentRuntime,
    caller: Searcher,
    watch_id: WatchId,
    query: Annotated[WatchHitQuery, Query()],
) -> WatchHitPage:
    """Newest first. To see hits as they come, ask for those `after` the greatest number that you have.

    A hit goes with its crop when that is deleted.
    """
    prefix = request.scope.get("root_path", "")
    hits, cursor = await service.page_of_hits(runtime, caller, watch_id, query, prefix)
    return WatchHitPage(items=hits, next_cursor=cursor)


@router.get(
    "/{watch_id}/deliveries",
    operation_id="list_deliveries",
    summary="List the messages to a watch's webhook",
    responses=_READ,
)
async def list_deliveries(
    runtime: CurrentRuntime, caller: Searcher, watch_id: WatchId, query: Annotated[DeliveryQuery, Query()]
) -> DeliveryPage:
    """One for each hit that came while the watch had a webhook, newest first, with what became of it."""
    deliveries, cursor = await service.page_of_deliveries(runtime, caller, watch_id, query)
    return DeliveryPage(items=[DeliveryView.model_validate(one) for one in deliveries], next_cursor=cursor)


@router.post(
    "/{watch_id}/deliveries/{delivery_id}/retry",
    operation_id="retry_delivery",
    summary="Send a message again",
    responses=_READ,
)
async def post_retry(
    runtime: CurrentRuntime, caller: Searcher, watch_id: WatchId, delivery_id: DeliveryId
) -> DeliveryView:
    """Send a message now, with all attempts before it, whatever became of it. Its webhook-id stays the same."""
    return DeliveryView.model_validate(await service.retry_delivery(runtime, caller, watch_id, delivery_id))


@router.post(
    "/{watch_id}/test",
    operation_id="test_webhook",
    summary="Try a webhook out",
    responses=problems(NotFoundError, ConflictError, InvalidValueError, OverloadedError, UnavailableError),
)
async def post_test(runtime: CurrentRuntime, caller: Searcher, watch_id: WatchId) -> WebhookTrial:
    """Send the webhook a signed message of type watch.test, once, and say what came of it."""
    return await service.try_webhook(runtime, caller, watch_id)


@router.post(
    "/{watch_id}/secret",
    operation_id="rotate_webhook_secret",
    summary="Give a webhook a new secret",
    status_code=status.HTTP_201_CREATED,
    responses=problems(MalformedRequestError, NotFoundError, InvalidValueError, UnavailableError),
)
async def post_secret(
    runtime: CurrentRuntime, caller: Searcher, watch_id: WatchId, rotation: JsonBody[SecretRotation]
) -> WebhookSecret:
    """Make a new secret, shown this once. For a while messages carry two signatures, one by the old secret."""
    secret, until = await service.rotate_secret(runtime, caller, watch_id, rotation.overlap_s)
    return WebhookSecret(webhook_secret=secret, previous_valid_until=until)
