"""Routes of the cameras."""

from typing import Annotated

from fastapi import APIRouter, Query

from service.access import Reader
from service.cameras.schemas import CameraPage, CameraQuery, CameraView
from service.cameras.service import page_of_cameras
from service.errors import InvalidValueError, NotFoundError, UnavailableError
from service.openapi import problems
from service.runtime import CurrentRuntime

router = APIRouter(prefix="/cameras", tags=["cameras"])


@router.get(
    "",
    operation_id="list_cameras",
    summary="List the cameras of a collection",
    responses=problems(NotFoundError, InvalidValueError, UnavailableError),
)
async def list_cameras(runtime: CurrentRuntime, caller: Reader, query: Annotated[CameraQuery, Query()]) -> CameraPage:
    """Cameras with the number of crops they hold and the time span they cover. A camera appears at its first crop."""
    cameras, cursor = await page_of_cameras(runtime, caller, query.collection, limit=query.limit, cursor=query.cursor)
    return CameraPage(items=[CameraView.model_validate(camera) for camera in cameras], next_cursor=cursor)
