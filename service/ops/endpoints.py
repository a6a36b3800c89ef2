"""Operational routes."""

import math
from dataclasses import asdict

from fastapi import APIRouter

import service
from service.access import Reader
from service.errors import ForbiddenError, InvalidValueError, UnavailableError
from service.openapi import problems
from service.ops.readiness import faults
from service.ops.schemas import Health, IndexView, Readiness
from service.runtime import CurrentRuntime

router = APIRouter(tags=["operation"])


@router.get("/healthz", operation_id="get_health", summary="Is the process alive", responses=problems(guarded=False))
async def get_health() -> Health:
    """Answers as long as the process takes requests; says nothing about its parts."""
    return Health(version=service.__version__)


@router.get(
    "/readyz",
    operation_id="get_readiness",
    summary="Is every part ready",
    responses=problems(UnavailableError, guarded=False),
)
async def get_readiness(runtime: CurrentRuntime) -> Readiness:
    """Uses every part: a forward pass of the model, the database, the index and its lag, the crop store.

    No key is asked for, so nothing is told of what is stored; GET /index says more of the index.
    """
    if found := await faults(runtime):
        raise UnavailableError(
            "Not ready: " + "; ".join(f"{part} {fault}" for part, fault in found.items()),
            errors=[{"code": "not_ready", "field": part, "detail": fault} for part, fault in found.items()],
            retry_after_s=5,
        )
    return Readiness(model_id=runtime.embedder.model_id, index_lag_s=round(runtime.follower.lag_s, 3))


@router.get(
    "/index",
    operation_id="get_index",
    summary="How the index stands",
    responses=problems(InvalidValueError, UnavailableError),
)
async def get_index(runtime: CurrentRuntime, caller: Reader) -> IndexView:
    """How the index of the process that answers stands beside the database. It is one index for all collections.

    Therefore it takes a key that is bound to none of them.
    """
    if caller.collections is not None:
        raise ForbiddenError("The index holds every collection; a key that is bound to some cannot look at it.")
    status, crops = runtime.follower.status(), None
    if status.doubt is None:
        crops = (await runtime.follower.ask(lambda index: index.stats())).crops
    lag_s = round(status.lag_s, 3) if math.isfinite(status.lag_s) else None
    return IndexView.model_validate({**asdict(status), "crops": crops, "lag_s": lag_s})
