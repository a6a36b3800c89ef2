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
from service.openapi import problems
from service.runtime import CurrentRuntime
from service.search import service
from service.search.requests import SearchForm
from service.search.schemas import SearchAnswer

router = APIRouter(tags=["search"])


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
