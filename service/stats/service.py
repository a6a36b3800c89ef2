"""How much there is of what, and how the index stands."""

import math
from collections.abc import Mapping

from index.codecs import codec
from index.contract import CollectionStats as Indexed
from service.access import Caller
from service.errors import UnavailableError
from service.runtime import Runtime
from service.stats.repository import CollectionCounts, StatsRepository
from service.stats.schemas import CollectionStats, IndexedView, IndexStanding, StatsView


async def stats(runtime: Runtime, caller: Caller, *, limit: int, cursor: str | None) -> StatsView:
    """Counts of the collections that the caller sees."""
    async with runtime.database.reading() as session:
        counted, next_cursor = await StatsRepository(session).page(caller.collections, limit=limit, cursor=cursor)
    held = await _indexed(runtime)
    lag_s = runtime.follower.lag_s
    return StatsView(
        items=[_view(counts, held.get(counts.name)) for counts in counted],
        next_cursor=next_cursor,
        index=IndexStanding(ready=runtime.follower.loaded, lag_s=round(lag_s, 3) if math.isfinite(lag_s) else None),
    )


async def _indexed(runtime: Runtime) -> Mapping[str, Indexed]:
    """What the index holds; nothing while it is being built."""
    try:
        return (await runtime.follower.ask(lambda index: index.stats())).collections
    except UnavailableError:
        return {}


def _view(counts: CollectionCounts, held: Indexed | None) -> CollectionStats:
    index = None
    if held is not None:
        mode = "approximate" if codec(held.codec).approximate else "exact"
        index = IndexedView.model_validate(
            {"crops": held.crops, "codec": held.codec, "mode": mode, "dead": held.dead, "parts": held.parts}
        )
    return CollectionStats(
        name=counts.name,
        model_id=counts.model_id,
        crops=counts.crops,
        images=counts.images,
        cameras=counts.cameras,
        tracks=counts.tracks,
        vehicles=counts.vehicles,
        first_captured_at=counts.first_captured_at,
        last_captured_at=counts.last_captured_at,
        index=index,
    )
