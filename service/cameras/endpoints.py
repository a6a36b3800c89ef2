"""Routes of the cameras."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, status

from service.access import Enroller, Reader
from service.cameras.schemas import CameraPage, CameraPatch, CameraQuery, CameraView, InCollection, NewCamera
from service.cameras.service import announce_camera, camera_by_id, change_camera, page_of_cameras
from service.errors import (
    ConflictError,
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

router = APIRouter(prefix="/cameras", tags=["cameras"])

# A path, because ids may hold slashes: those of a place and a lane, for one.
_ONE = "/{camera_id:path}"
CameraId = Annotated[Name, Path(description="The camera's id; may hold slashes.", examples=["gate-north"])]


@router.post(
    "",
    operation_id="create_camera",
    summary="Announce a camera",
    status_code=status.HTTP_201_CREATED,
    responses=problems(MalformedRequestError, ConflictError, ModelMismatchError, InvalidValueError, UnavailableError),
)
async def post_camera(runtime: CurrentRuntime, caller: Enroller, new: JsonBody[NewCamera]) -> CameraView:
    """Make a camera before its first crop, to say what it is called and where it stands.

    One that nothing is said of need not be announced: it appears at its first crop.
    """
    return CameraView.model_validate(await announce_camera(runtime, caller, new))


@router.get(
    "",
    operation_id="list_cameras",
    summary="List the cameras of a collection",
    responses=problems(NotFoundError, InvalidValueError, UnavailableError),
)
async def list_cameras(runtime: CurrentRuntime, caller: Reader, query: Annotated[CameraQuery, Query()]) -> CameraPage:
    """Cameras in the order of their ids, with the number of crops they hold and the time span they cover."""
    cameras, cursor = await page_of_cameras(runtime, caller, query.collection, limit=query.limit, cursor=query.cursor)
    return CameraPage(items=[CameraView.model_validate(camera) for camera in cameras], next_cursor=cursor)


@router.get(
    _ONE,
    operation_id="get_camera",
    summary="Get one camera",
    responses=problems(NotFoundError, InvalidValueError, UnavailableError),
)
async def get_camera(
    runtime: CurrentRuntime, caller: Reader, camera_id: CameraId, query: Annotated[InCollection, Query()]
) -> CameraView:
    """What a camera is called, where it stands and what it has seen."""
    return CameraView.model_validate(await camera_by_id(runtime, caller, query.collection, camera_id))


@router.patch(
    _ONE,
    operation_id="update_camera",
    summary="Change a camera",
    responses=problems(MalformedRequestError, NotFoundError, InvalidValueError, UnavailableError),
)
async def patch_camera(
    runtime: CurrentRuntime,
    caller: Enroller,
    camera_id: CameraId,
    query: Annotated[InCollection, Query()],
    patch: JsonBody[CameraPatch],
) -> CameraView:
    """A merge patch (RFC 7396): what is absent stays, what is null is cleared. The id stays, as crops carry it."""
    return CameraView.model_validate(await change_camera(runtime, caller, query.collection, camera_id, patch))
