"""Routes that delete crops."""

from fastapi import APIRouter, Response, status

from service.access import Deleter
from service.deletion.schemas import DeletionAnswer, DeletionRequest, Preference
from service.deletion.service import delete_crop, delete_crops
from service.errors import InvalidValueError, MalformedRequestError, NotFoundError, UnavailableError
from service.gallery.endpoints import CropId
from service.jobs.accepted import DELETION_JOB, accepted
from service.jobs.schemas import JobView
from service.json_bodies import JsonBody
from service.openapi import problems
from service.runtime import CurrentRuntime, Runtime

router = APIRouter(prefix="/gallery", tags=["gallery"])


@router.post(
    "/delete",
    operation_id="delete_crops",
    summary="Delete crops by conditions",
    response_model=None,  # there are two, told apart by the status
    responses=problems(MalformedRequestError, NotFoundError, InvalidValueError, UnavailableError)
    | DELETION_JOB
    | {200: {"model": DeletionAnswer, "description": "They are in no file any longer, or were only counted."}},
)
async def post_deletion(
    runtime: CurrentRuntime,
    caller: Deleter,
    wanted: JsonBody[DeletionRequest],
    response: Response,
    prefer: Preference = None,
) -> DeletionAnswer | JobView:
    """Delete every crop that meets all conditions, or count them with `dry_run`.

    Which crops that are is decided now; those enrolled later stay. Up to 1,000 are deleted at once, more by a job,
    which is answered with 202. Embeddings, pictures, judgements and hits of watches go with them.
    """
    found = await delete_crops(runtime, caller, wanted, _patience(runtime, prefer))
    return found if isinstance(found, DeletionAnswer) else accepted(found, response)


@router.delete(
    "/{crop_id}",
    operation_id="delete_crop",
    summary="Delete one crop",
    status_code=status.HTTP_204_NO_CONTENT,
    response_model=None,
    responses=problems(NotFoundError, InvalidValueError, UnavailableError) | DELETION_JOB,
)
async def remove_crop(
    runtime: CurrentRuntime, caller: Deleter, crop_id: CropId, response: Response, prefer: Preference = None
) -> Response | JobView:
    """Delete a crop with its embedding and picture. Once answered, nothing answers it any more.

    204: it is in no file either, of no running process. 202: the job ends when that is so.
    """
    job = await delete_crop(runtime, caller, crop_id, _patience(runtime, prefer))
    return Response(status_code=status.HTTP_204_NO_CONTENT) if job is None else accepted(job, response)


def _patience(runtime: Runtime, prefer: str | None) -> float:
    """How long to wait for clean files, in seconds."""
    wishes = {wish.partition(";")[0].strip().lower() for wish in (prefer or "").split(",")}
    return 0.0 if "respond-async" in wishes else runtime.settings.deletion_wait_s
