"""Route of the timeline."""

from typing import Annotated

from fastapi import APIRouter, Query

from service.access import Reader
from service.errors import InvalidValueError, MalformedRequestError, NotFoundError, UnavailableError
from service.openapi import problems
from service.runtime import CurrentRuntime
from service.timeline.schemas import TimelineQuery, TimelineView
from service.timeline.service import timeline

router = APIRouter(tags=["gallery"])


@router.get(
    "/timeline",
    operation_id="get_timeline",
    summary="Count crops by time of capture",
    responses=problems(MalformedRequestError, NotFoundError, InvalidValueError, UnavailableError),
)
async def get_timeline(
    runtime: CurrentRuntime, caller: Reader, query: Annotated[TimelineQuery, Query()]
) -> TimelineView:
    """How many of the crops that meet every condition were captured when, in equal parts of the time asked for.

    Where `from` or `to` is absent, the earliest or latest capture among them takes its place.
    """
    return await timeline(runtime, caller, query)
