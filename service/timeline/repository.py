"""Counts of crops by time of capture."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, func, literal, select
from sqlalchemy.ext.asyncio import AsyncSession

from index.contract import Filter
from service.database.tables import Collection, Crop
from service.gallery.filter_repository import conditions


class TimelineRepository:
    """Reads times of capture within one session."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def span(self, where: Filter) -> tuple[datetime | None, datetime | None]:
        """Earliest and latest capture of the crops that a filter leaves; None where no time is known."""
        query = _of_crops(where, func.min(Crop.captured_at), func.max(Crop.captured_at))
        earliest, latest = (await self._session.execute(query)).one()
        return earliest, latest

    async def without_time(self, where: Filter) -> int:
        """Crops whose time of capture is not known among those that the filter's other conditions leave."""
        others = replace(where, captured_from=None, captured_to=None)
        return await self._session.scalar(_of_crops(others, func.count()).where(Crop.captured_at.is_(None))) or 0

    async def counts(self, where: Filter, buckets: int) -> list[int]:
        """Crops in each of some equal parts of a filter's time window, both of whose ends it must have."""
        start, end = (func.extract("epoch", literal(time)) for time in (where.captured_from, where.captured_to))
        bucket = func.width_bucket(func.extract("epoch", Crop.captured_at), start, end, buckets).label("bucket")
        rows = (await self._session.execute(_of_crops(where, bucket, func.count()).group_by("bucket"))).all()
        found: dict[int, int] = dict(rows)
        return [found.get(number, 0) for number in range(1, buckets + 1)]


def _of_crops(where: Filter, *columns: ColumnElement[Any]) -> Select[*tuple[Any, ...]]:
    """Columns over the crops that a filter leaves."""
    query = select(*columns).select_from(Crop).join(Collection, Collection.id == Crop.collection_id)
    return query.where(*conditions(where))
