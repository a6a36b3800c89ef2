"""Routes of the keys."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, status

from service.access import Admin, AnyCaller
from service.errors import ConflictError, InvalidValueError, MalformedRequestError, NotFoundError, UnavailableError
from service.json_bodies import JsonBody
from service.keys.schemas import KeyPage, KeyPatch, KeyQuery, KeyView, NewKey, NewKeyView, Rotation, SelfView
from service.keys.service import change_key, create_key, key_by_id, page_of_keys, revoke_key, rotate_key
from service.keys.views import key_view, new_key_view
from service.openapi import problems
from service.runtime import CurrentRuntime

router = APIRouter(prefix="/keys", tags=["keys"])

KeyId = Annotated[UUID, Path(description="The key's id.", examples=["019ab3c4-9e20-7a1b-8c3d-5e6f70819a2b"])]


@router.post(
    "",
    operation_id="create_key",
    summary="Make a key",
    status_code=status.HTTP_201_CREATED,
    responses=problems(MalformedRequestError, InvalidValueError, UnavailableError),
)
async def post_key(runtime: CurrentRuntime, caller: Admin, new: JsonBody[NewKey]) -> NewKeyView:
    """Make a key. Its text is in this answer and nowhere else: what is stored is its digest.

    Keys are managed with an admin's key that is bound to no collection.
    """
    return new_key_view(*await create_key(runtime.database, caller, new))


@router.get(
    "", operation_id="list_keys", summary="List the keys", responses=problems(InvalidValueError, UnavailableError)
)
async def list_keys(runtime: CurrentRuntime, caller: Admin, query: Annotated[KeyQuery, Query()]) -> KeyPage:
    """All keys, newest first, those that are no longer valid too."""
    found, cursor = await page_of_keys(runtime.database, caller, limit=query.limit, after=query.cursor)
    return KeyPage(items=[key_view(record) for record in found], next_cursor=cursor)


@router.get("/self", operation_id="get_own_key", summary="Ask who one is", responses=problems(InvalidValueError))
async def get_own_key(caller: AnyCaller) -> SelfView:
    """What the service takes the caller for, with any valid key. Where no key is asked for, everyone may do all."""
    return SelfView(
        key_id=caller.key_id,
        name=caller.name,
        scopes=sorted(caller.scopes),
        collections=None if caller.collections is None else sorted(caller.collections),
    )


@router.get(
    "/{key_id}",
    operation_id="get_key",
    summary="Get one key",
    responses=problems(NotFoundError, InvalidValueError, UnavailableError),
)
async def get_key(runtime: CurrentRuntime, caller: Admin, key_id: KeyId) -> KeyView:
    """What a key may do, until when, and when it was last used."""
    return key_view(await key_by_id(runtime.database, caller, key_id))


@router.patch(
    "/{key_id}",
    operation_id="update_key",
    summary="Change a key",
    responses=problems(MalformedRequestError, NotFoundError, ConflictError, InvalidValueError, UnavailableError),
)
async def patch_key(runtime: CurrentRuntime, caller: Admin, key_id: KeyId, patch: JsonBody[KeyPatch]) -> KeyView:
    """A merge patch (RFC 7396): what is absent stays, what is null is cleared. Every process knows after 5 seconds."""
    record = await change_key(runtime.database, caller, key_id, patch)
    runtime.keys.forget(record.prefix)
    return key_view(record)


@router.post(
    "/{key_id}/rotate",
    operation_id="rotate_key",
    summary="Replace a key",
    status_code=status.HTTP_201_CREATED,
    responses=problems(MalformedRequestError, NotFoundError, ConflictError, InvalidValueError, UnavailableError),
)
async def post_rotation(
    runtime: CurrentRuntime, caller: Admin, key_id: KeyId, wanted: JsonBody[Rotation]
) -> NewKeyView:
    """Make a key that may do the same. The old one stays valid for `overlap_s`, so that nobody is shut out meanwhile.

    Its last_used_at tells whether anybody still uses it.
    """
    old, new, text = await rotate_key(runtime.database, caller, key_id, wanted)
    runtime.keys.forget(old.prefix)
    return new_key_view(new, text)


@router.delete(
    "/{key_id}",
    operation_id="revoke_key",
    summary="Revoke a key",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problems(NotFoundError, InvalidValueError, UnavailableError),
)
async def remove_key(runtime: CurrentRuntime, caller: Admin, key_id: KeyId) -> None:
    """End a key for good: at once in the process that answers, within 5 seconds in every other. It stays listed."""
    record = await revoke_key(runtime.database, caller, key_id)
    runtime.keys.forget(record.prefix)
