"""The job that builds the index of a process anew from the database."""

from collections.abc import Mapping
from typing import Any, Final

from service.jobs.handle import JobHandle
from service.runtime import Runtime

REASON: Final = "an administrator asked for it"
_LOOK_S: Final = 0.1


async def rebuild_index(runtime: Runtime, job: JobHandle) -> Mapping[str, Any]:
    """Build the index anew. Searches are answered 503 meanwhile: there need not be memory for two.

    Raises:
        JobEnded: There is no more to do; the index is built nevertheless.
        UnavailableError: The database does not answer.
    """
    follower = runtime.follower
    before, crops = follower.status().rebuild, follower.index.stats().crops if follower.loaded else None
    follower.withdraw(REASON)
    while (rebuild := follower.status().rebuild) is before or rebuild is None or not follower.loaded:
        await job.advance(follower.crops_read, crops)
        await job.pause(_LOOK_S)
    await job.advance(rebuild.crops, rebuild.crops)
    return {"crops": rebuild.crops, "seconds": rebuild.seconds}
