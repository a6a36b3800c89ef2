"""Route of the stats."""

from typing import Annotated

from fastapi import APIRouter, Query

from service.access import Reader
from service.errors import InvalidValueError, UnavailableError
from service.openapi import problems
from service.runtime import CurrentRuntime
from service.stats.schemas import StatsQuery, StatsView
from service.stats.service import stats

router = APIRouter(tags=["operation"])


@router.get(
    "/stats",
    operation_id="get_stats",
    summary="Count what there is",
    responses=problems(InvalidValueError, UnavailableError),
)
async def get_stats(runtime: CurrentRuntime, caller: Reader, query: Annotated[StatsQuery, Query()]) -> StatsView:
    """Crops, pictures, cameras, tracks and vehicles of each collection that the key may use, and how the index stands.

    Everything is counted when it is asked for, about a second for a million crops: for people, not for a probe.
    """
    return await stats(runtime, caller, limit=query.limit, cursor=query.cursor)
