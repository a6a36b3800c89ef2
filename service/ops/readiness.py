"""Whether each part of the process really works, found out by using it."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping

import numpy as np

from service.embedding import Lane
from service.errors import ServiceError, UnavailableError
from service.runtime import Runtime

PART_TIMEOUT_S = 10.0
MODEL_FRESH_S = 5.0
"""A forward pass this recent counts; under load the probe then costs nothing."""
LONGEST_LAG_S = 30.0

logger = logging.getLogger(__name__)


async def faults(runtime: Runtime) -> dict[str, str]:
    """The parts that do not work, each with a sentence; empty where the process is ready."""
    checks: Mapping[str, Callable[[Runtime], Awaitable[None]]] = {
        "model": _check_model,
        "database": _check_database,
        "index": _check_index,
        "crop_store": _check_store,
    }
    found = await asyncio.gather(*(_fault(part, check(runtime)) for part, check in checks.items()))
    return {part: fault for part, fault in zip(checks, found, strict=True) if fault is not None}


async def _fault(part: str, check: Awaitable[None]) -> str | None:
    try:
        await asyncio.wait_for(check, PART_TIMEOUT_S)
    except TimeoutError:
        return f"did not answer within {PART_TIMEOUT_S:.0f} s"
    except ServiceError as error:
        return error.detail
    except Exception:
        logger.exception("The readiness of %s could not be told", part)
        return "failed unexpectedly; the log says more"
    return None


async def _check_model(runtime: Runtime) -> None:
    """A real forward pass, through the queue that requests use, unless one succeeded just now."""
    if time.monotonic() - runtime.queue.last_success < MODEL_FRESH_S:
        return
    await probe_model(runtime, 1)


async def probe_model(runtime: Runtime, crops: int) -> None:
    """Embed grey crops.

    Raises:
        UnavailableError: The model gave no embedding.
    """
    side = runtime.embedder.image_size
    grey = np.full((side, side, 3), 127, dtype=np.uint8)
    results = await runtime.queue.embed([grey] * crops, Lane.SEARCH)
    if not all(isinstance(result, np.ndarray) for result in results):
        raise UnavailableError("gives no embeddings; the log says why")


async def _check_database(runtime: Runtime) -> None:
    await runtime.database.ping()


async def _check_index(runtime: Runtime) -> None:
    follower = runtime.follower
    if not follower.loaded:
        raise UnavailableError("is not loaded from the database yet; GET /index says why")
    if not follower.ready:
        raise UnavailableError("cannot apply the next change; the log says why")
    if follower.lag_s > LONGEST_LAG_S:
        raise UnavailableError(f"was last level with the database {follower.lag_s:.0f} s ago")


async def _check_store(runtime: Runtime) -> None:
    await runtime.store.check()
