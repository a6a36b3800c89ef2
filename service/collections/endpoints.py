"""Routes of the collections."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response, status

from service.access import Admin, DeletingAdmin, Reader
from service.collections.repository import CollectionSummary
from service.collections.schemas import (
    CollectionPage,
    CollectionPatch,
    CollectionQuery,
    CollectionView,
    NewCollection,
)
from service.collections.service import (
    change_collection,
    collection_by_name,
    create_collection,
    delete_collection,
    page_of_collections,
)
from service.errors import ConflictError, InvalidValueError, MalformedRequestError, NotFoundError, UnavailableError
from service.jobs.accepted import DELETION_JOB, accepted
from service.jobs.schemas import JobView
from service.json_bodies import JsonBody
from service.openapi import problems
from service.runtime import CurrentRuntime, Runtime
from service.values import Name

router = APIRouter(prefix="/collections", tags=["collections"])

CollectionPath = Annotated[Name, Path(description="The collection's name.", examples=["harbour"])]


@router.post(
    "",
    operation_id="create_collection",
    summary="Make a collection",
    status_code=status.HTTP_201_CREATED,
    responses=problems(MalformedRequestError, ConflictError, InvalidValueError, UnavailableError),
)
async def post_collection(runtime: CurrentRuntime, caller: Admin, new: JsonBody[NewCollection]) -> CollectionView:
    """Make a collection of the loaded model before its first crop, to say what it keeps and refuses.

    One that nothing is said of need not be made: it appears at its first enrolment.
    """
    return _view(runtime, await create_collection(runtime, caller, new))


@router.get(
    "",
    operation_id="list_collections",
    summary="List the collections",
    responses=problems(InvalidValueError, UnavailableError),
)
async def list_collections(
    runtime: CurrentRuntime, caller: Reader, query: Annotated[CollectionQuery, Query()]
) -> CollectionPage:
    """The collections that the key may use, in the order of their names."""
    found, cursor = await page_of_collections(runtime, caller, limit=query.limit, cursor=query.cursor)
    return CollectionPage(items=[_view(runtime, one) for one in found], next_cursor=cursor)


@router.get(
    "/{name}",
    operation_id="get_collection",
    summary="Get one collection",
    responses=problems(NotFoundError, InvalidValueError, UnavailableError),
)
async def get_collection(runtime: CurrentRuntime, caller: Reader, name: CollectionPath) -> CollectionView:
    """What a collection keeps and refuses, and how much it holds."""
    return _view(runtime, await collection_by_name(runtime, caller, name))


@router.patch(
    "/{name}",
    operation_id="update_collection",
    summary="Change a collection",
    responses=problems(MalformedRequestError, NotFoundError, InvalidValueError, UnavailableError),
)
async def patch_collection(
    runtime: CurrentRuntime, caller: Admin, name: CollectionPath, patch: JsonBody[CollectionPatch]
) -> CollectionView:
    """A merge patch (RFC 7396): what is absent stays, what is null is cleared; the quality floor is merged as well.

    A shorter retention deletes what is older within minutes. Pictures that are there when keep_images is turned off
    stay until they are removed. A higher floor holds for what is enrolled from then on.
    """
    return _view(runtime, await change_collection(runtime, caller, name, patch))


@router.delete(
    "/{name}",
    operation_id="delete_collection",
    summary="Delete a collection",
    status_code=status.HTTP_204_NO_CONTENT,
    response_model=None,
    responses=problems(NotFoundError, InvalidValueError, UnavailableError) | DELETION_JOB,
)
async def remove_collection(
    runtime: CurrentRuntime, caller: DeletingAdmin, name: CollectionPath, response: Response
) -> Response | JobView:
    """Delete a collection with its cameras, vehicles, watches and calibrations.

    204 where it held no crops. Otherwise 202: a job deletes them, those that are enrolled meanwhile included.
    """
    job = await delete_collection(runtime, caller, name)
    return Response(status_code=status.HTTP_204_NO_CONTENT) if job is None else accepted(job, response)


def _view(runtime: Runtime, found: CollectionSummary) -> CollectionView:
    loaded = found.model_id == runtime.embedder.model_id
    return CollectionView.model_validate(
        {name: getattr(found, name) for name in found.__dataclass_fields__} | {"model_loaded": loaded}
    )
