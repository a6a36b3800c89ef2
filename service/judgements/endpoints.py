"""Routes of the judgements."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, status

from service.access import Reader, Searcher
from service.database.tables import Judgement
from service.errors import (
    ConflictError,
    InvalidValueError,
    MalformedRequestError,
    ModelMismatchError,
    NotFoundError,
    UnavailableError,
)
from service.json_bodies import JsonBody
from service.judgements import service
from service.judgements.schemas import JudgementPage, JudgementQuery, JudgementView, NewJudgement
from service.openapi import problems
from service.runtime import CurrentRuntime

router = APIRouter(prefix="/judgements", tags=["judgements"])

JudgementId = Annotated[
    UUID, Path(description="The judgement's id.", examples=["019ab3d0-11f2-7b44-a0c9-83e5d2f61b07"])
]


@router.post(
    "",
    operation_id="create_judgement",
    summary="Say whether a hit shows the vehicle",
    status_code=status.HTTP_201_CREATED,
    responses=problems(
        MalformedRequestError, NotFoundError, ConflictError, ModelMismatchError, InvalidValueError, UnavailableError
    ),
)
async def post_judgement(runtime: CurrentRuntime, caller: Searcher, new: JsonBody[NewJudgement]) -> JudgementView:
    """Confirm or reject a hit. Searches by the same crop leave out what was rejected; calibration learns from it.

    With vehicle_id a yes confirms the vehicle, which is made where there is none, and a no keeps the crop out of
    searches for it. Said again it is another judgement: the latest on a pair counts. What contradicts a confirmed
    vehicle is a conflict.
    """
    return _view(new.collection, await service.judge(runtime, caller, new))


@router.get(
    "",
    operation_id="list_judgements",
    summary="List the judgements of a collection",
    responses=problems(NotFoundError, InvalidValueError, UnavailableError),
)
async def list_judgements(
    runtime: CurrentRuntime, caller: Reader, query: Annotated[JudgementQuery, Query()]
) -> JudgementPage:
    """Judgements, newest first; those that a later one on the same pair overrules, too."""
    judgements, cursor = await service.page_of_judgements(runtime, caller, query)
    return JudgementPage(items=[_view(query.collection, judgement) for judgement in judgements], next_cursor=cursor)


@router.delete(
    "/{judgement_id}",
    operation_id="delete_judgement",
    summary="Take a judgement back",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problems(NotFoundError, InvalidValueError, UnavailableError),
)
async def remove_judgement(runtime: CurrentRuntime, caller: Searcher, judgement_id: JudgementId) -> None:
    """Forget a judgement, so that the one before on the same pair counts again. What it confirmed stays confirmed."""
    await service.take_back(runtime, caller, judgement_id)


def _view(collection: str, judgement: Judgement) -> JudgementView:
    columns = {name: getattr(judgement, name) for name in JudgementView.model_fields if name != "collection"}
    return JudgementView(collection=collection, **columns)
