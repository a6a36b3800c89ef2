"""Operational routes."""

from fastapi import APIRouter

import service
from service.errors import UnavailableError
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
    """Uses every part: a forward pass of the model, the database, the index and its lag, the crop store."""
    if found := await faults(runtime):
        raise UnavailableError(
            "Not ready: " + "; ".join(f"{part} {fault}" for part, fault in found.items()),
            errors=[{"code": "not_ready", "field": part, "detail": fault} for part, fault in found.items()],
            retry_after_s=5,
        )
    status = runtime.follower.status()
    return Readiness(
        model_id=runtime.embedder.model_id,
        index_sequence=status.sequence,
        index_lag_s=round(status.lag_s, 3),
        crops=runtime.follower.index.stats().crops,
        index=IndexView.model_validate(status),
    )
