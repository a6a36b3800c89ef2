"""Counting crops by time of capture."""

from dataclasses import replace
from datetime import timedelta

from service.access import Caller
from service.collections.repository import CollectionRepository
from service.runtime import Runtime
from service.timeline.repository import TimelineRepository
from service.timeline.schemas import TimelineQuery, TimelineView

_RESOLUTION = timedelta(microseconds=1)


async def timeline(runtime: Runtime, caller: Caller, query: TimelineQuery) -> TimelineView:
    """The crops that meet the conditions by time of capture.

    Raises:
        ForbiddenError: The caller may not use the collection.
        NotFoundError: There is no such collection.
        InvalidValueError: A condition makes no sense.
    """
    where = query.where()
    caller.enter(where.collection)
    async with runtime.database.reading() as session:
        await CollectionRepository(session).named(where.collection)
        times = TimelineRepository(session)
        without_time = await times.without_time(where)
        earliest, latest = await times.span(where)
        if earliest is None or latest is None:
            return TimelineView(start=None, end=None, bucket_s=0, counts=[], without_time=without_time)
        start = where.captured_from or earliest
        # The window is half open, and the latest capture is in it.
        end = where.captured_to or latest + _RESOLUTION
        counts = await times.counts(replace(where, captured_from=start, captured_to=end), query.buckets)
    return TimelineView(
        start=start,
        end=end,
        bucket_s=(end - start).total_seconds() / query.buckets,
        counts=counts,
        without_time=without_time,
    )
