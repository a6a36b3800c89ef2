"""Routes of the search."""

from typing import Annotated

from fastapi import APIRouter, File, Request

from service.access import Searcher
from service.errors import (
    IndexBehindError,
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
from service.search import service
from service.search.requests import CropSearch, EmbeddingSearch, SearchForm
from service.search.schemas import SearchAnswer

router = APIRouter(tags=["search"])

_OF_STORED = problems(
    MalformedRequestError, NotFoundError, ModelMismatchError, IndexBehindError, InvalidValueError, UnavailableError
)


@router.post(
    "/search",
    operation_id="search_by_image",
    summary="Find a vehicle by its picture",
    dependencies=[MULTIPART_FORM],
    responses=problems(
        MalformedRequestError,
        NotFoundError,
        ModelMismatchError,
        IndexBehindError,
        TooLargeError,
        UnsupportedImageError,
        InvalidValueError,
        UndecodableImageError,
        OverloadedError,
        UnavailableError,
    ),
)
async def search_by_image(
    request: Request, runtime: CurrentRuntime, caller: Searcher, form: Annotated[SearchForm, File()]
) -> SearchAnswer:
    """Find where else a vehicle was seen. All images must show the same vehicle.

    Conditions are applied inside the search: fewer than k hits means that fewer crops meet them. No hits is an answer
    like any other: `hits` is empty, `exhausted` is true and `candidates` says how many crops were compared.
    """
    return await service.search_by_image(runtime, request, caller, form)


@router.post(
    "/search/crop",
    operation_id="search_by_crop",
    summary="Find a vehicle by crops that are enrolled",
    responses=_OF_STORED,
)
async def search_by_crop(
    request: Request, runtime: CurrentRuntime, caller: Searcher, search: JsonBody[CropSearch]
) -> SearchAnswer:
    """Find where else the vehicle of enrolled crops was seen, and say which crops are not this one.

    The crops of the query are not answered, nor is what belongs to the same sighting: other crops of their tracks, and
    of their camera where one took them all; `exclude_same_track` and `exclude_same_camera` change that. Crops of
    `not_crop_ids` are left out with their tracks and, where a person confirmed whose they are, that vehicle; the query
    itself stays as it is.
    """
    return await service.search_by_crop(runtime, request, caller, search)


@router.post(
    "/search/embedding",
    operation_id="search_by_embedding",
    summary="Find a vehicle by its embedding",
    responses=_OF_STORED,
)
async def search_by_embedding(
    request: Request, runtime: CurrentRuntime, caller: Searcher, search: JsonBody[EmbeddingSearch]
) -> SearchAnswer:
    """Find where else a vehicle was seen, by an embedding that the caller made with the same model.

    `model_id` must be the one that the service has loaded (GET /model tells it, every answer too): vectors of two
    models cannot be compared, so another one is 409 model_mismatch.
    """
    return await service.search_by_embedding(runtime, request, caller, search)
