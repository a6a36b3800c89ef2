"""The answer of routes that leave work to a job."""

from typing import Any, Final

from fastapi import Response, status

from service.jobs.records import JobRecord
from service.jobs.schemas import JobView

DELETION_JOB: Final[dict[int | str, dict[str, Any]]] = {
    202: {"model": JobView, "description": "The job that deletes them, and ends when they are in no file."}
}
"""Declares the answer of routes that delete, for their `responses=`."""


def accepted(job: JobRecord, response: Response) -> JobView:
    """Answer 202 with a job."""
    response.status_code = status.HTTP_202_ACCEPTED
    response.headers["Location"] = f"/jobs/{job.id}"
    return JobView.model_validate(job)
