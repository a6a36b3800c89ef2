"""Operational routes."""

import math
from dataclasses import asdict

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST

import service
from service.access import Caller, Reader
from service.errors import ForbiddenError, InvalidValueError, UnavailableError
from service.openapi import problems
from service.ops.metrics import crops_in_index, exposition
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
    _require_unbound(caller)
    status = runtime.follower.status()
    crops = await crops_in_index(runtime, status)
    lag_s = round(status.lag_s, 3) if math.isfinite(status.lag_s) else None
    return IndexView.model_validate({**asdict(status), "crops": crops, "lag_s": lag_s})


@router.get(
    "/metrics",
    operation_id="get_metrics",
    summary="Figures for Prometheus",
    response_class=Response,
    responses=problems(InvalidValueError, UnavailableError)
    | {200: {"description": "The figures.", "content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def get_metrics(request: Request, runtime: CurrentRuntime, caller: Reader) -> Response:
    """Requests by route and status, the index, what waits for the model, jobs, webhooks, and the process itself.

    They are those of the process that answers, and count all collections. Therefore it takes a key that is bound to
    none of them.
    """
    _require_unbound(caller)
    return Response(await exposition(runtime, request.app.state.request_metrics), media_type=CONTENT_TYPE_LATEST)


def _require_unbound(caller: Caller) -> None:
    if caller.collections is not None:
        raise ForbiddenError("This is about every collection; a key that is bound to some cannot look at it.")
