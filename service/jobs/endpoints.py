"""Routes of the jobs."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response, status

from service.access import Admin, Deleter, Reader
from service.errors import ConflictError, InvalidValueError, MalformedRequestError, NotFoundError, UnavailableError
from service.jobs.accepted import accepted
from service.jobs.schemas import JobPage, JobQuery, JobRequest, JobView
from service.jobs.service import cancel_job, create_job, job_by_id, page_of_jobs
from service.openapi import problems
from service.runtime import CurrentRuntime

router = APIRouter(prefix="/jobs", tags=["jobs"])

JobId = Annotated[UUID, Path(description="The job's id.", examples=["019ab3c4-9d10-7c2e-8f55-6b0d1e2f3a4b"])]


@router.get(
    "",
    operation_id="list_jobs",
    summary="List long work",
    responses=problems(InvalidValueError, UnavailableError),
)
async def list_jobs(runtime: CurrentRuntime, caller: Reader, query: Annotated[JobQuery, Query()]) -> JobPage:
    """Jobs of the collections that the key may use, newest first. Those that have ended are kept for 30 days."""
    records, cursor = await page_of_jobs(runtime, caller, query)
    return JobPage(items=[JobView.model_validate(record) for record in records], next_cursor=cursor)


@router.post(
    "",
    operation_id="create_job",
    summary="Ask for long work",
    status_code=status.HTTP_202_ACCEPTED,
    responses=problems(MalformedRequestError, NotFoundError, ConflictError, InvalidValueError, UnavailableError),
)
async def post_job(runtime: CurrentRuntime, caller: Admin, wanted: JobRequest, response: Response) -> JobView:
    """Rebuild the index, remove a collection's pictures, or embed a collection with the loaded model.

    It is done in the background, and goes on after a restart.
    """
    return accepted(await create_job(runtime, caller, wanted), response)


@router.get(
    "/{job_id}",
    operation_id="get_job",
    summary="Get one job",
    responses=problems(NotFoundError, InvalidValueError, UnavailableError),
)
async def get_job(runtime: CurrentRuntime, caller: Reader, job_id: JobId) -> JobView:
    """How far it is, and what came of it."""
    return JobView.model_validate(await job_by_id(runtime, caller, job_id))


@router.post(
    "/{job_id}/cancel",
    operation_id="cancel_job",
    summary="Stop a job",
    responses=problems(NotFoundError, ConflictError, InvalidValueError, UnavailableError),
)
async def post_cancel(runtime: CurrentRuntime, caller: Deleter, job_id: JobId) -> JobView:
    """Stop it after the step that it is at. What it has done stays done.

    Jobs that do not delete need the scope admin. One that only waits for clean files is not to be stopped.
    """
    return JobView.model_validate(await cancel_job(runtime, caller, job_id))
