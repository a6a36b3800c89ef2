"""Routes of the calibration."""

from typing import Annotated

from fastapi import APIRouter, Path, status

from service.access import Admin, Reader
from service.calibration import service
from service.calibration.repository import Standing
from service.calibration.schemas import CalibrationRequest, CalibrationView
from service.database.tables import Calibration
from service.errors import (
    InvalidValueError,
    MalformedRequestError,
    ModelMismatchError,
    NotFoundError,
    UnavailableError,
)
from service.json_bodies import JsonBody
from service.openapi import problems
from service.runtime import CurrentRuntime
from service.values import Name

router = APIRouter(prefix="/collections/{name}/calibration", tags=["calibration"])

CollectionPath = Annotated[Name, Path(description="The collection's name.", examples=["harbour"])]


@router.post(
    "",
    operation_id="create_calibration",
    summary="Learn what scores mean",
    status_code=status.HTTP_201_CREATED,
    responses=problems(MalformedRequestError, NotFoundError, ModelMismatchError, InvalidValueError, UnavailableError),
)
async def create_calibration(
    runtime: CurrentRuntime, caller: Admin, name: CollectionPath, request: JsonBody[CalibrationRequest]
) -> CalibrationView:
    """Learn from labelled pairs which scores of a collection are a match, and how probable a hit is.

    What was learnt before is replaced. It holds for the model that the collection has now: with another model it is
    stale, and searches carry no decision until it is learnt anew. Too few pairs, or scores that do not tell one vehicle
    from two, are refused.
    """
    return _view(name, await service.calibrate(runtime, caller, name, request))


@router.get(
    "",
    operation_id="get_calibration",
    summary="Get what scores mean",
    responses=problems(NotFoundError, InvalidValueError, UnavailableError),
)
async def get_calibration(runtime: CurrentRuntime, caller: Reader, name: CollectionPath) -> CalibrationView:
    """From which score on a hit is a match, from how many pairs that was learnt, and how well it holds."""
    return _view(name, await service.calibration_of(runtime, caller, name))


@router.delete(
    "",
    operation_id="delete_calibration",
    summary="Forget what scores mean",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problems(NotFoundError, InvalidValueError, UnavailableError),
)
async def delete_calibration(runtime: CurrentRuntime, caller: Admin, name: CollectionPath) -> None:
    """Forget what was learnt: searches of the collection carry no decision any longer."""
    await service.remove_calibration(runtime, caller, name)


def _view(name: str, standing: Standing) -> CalibrationView:
    columns = {column.name: getattr(standing.calibration, column.name) for column in Calibration.__table__.columns}
    return CalibrationView.model_validate({**columns, "collection": name, "state": standing.state})
