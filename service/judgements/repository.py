"""Rows of judgements, and what follows from them for searches."""

from collections.abc import Collection as Group
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import Subquery, delete, or_, select, union_all
from sqlalchemy.dialects.postgresql import distinct_on, insert
from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from service.database.tables import Collection, Crop, Judgement


class JudgementRepository:
    """Reads and writes judgements within one session; commits nothing itself."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, values: Mapping[str, Any]) -> Judgement:
        """Add a judgement, with values of every column but id and time. Its crops are locked."""
        row = insert(Judgement).values(id=uuid7(), **values).returning(Judgement)
        return (await self._session.scalars(row)).one()

    async def page(
        self, collection_id: UUID, *, crop_id: UUID | None, same: bool | None, limit: int, cursor: UUID | None
    ) -> tuple[list[Judgement], str | None]:
        """Judgements of a collection, newest first.

        Args:
            collection_id: The collection.
            crop_id: Only those about this crop, as the hit or as the query; None for any.
            same: Only those that say so; None for any.
            limit: How many at most.
            cursor: `next_cursor` of the page before; None for the first page.

        Returns:
            The judgements and the next page's cursor, None after the last page.
        """
        query = select(Judgement).where(Judgement.collection_id == collection_id)
        if crop_id is not None:
            query = query.where(or_(Judgement.crop_id == crop_id, Judgement.query_crop_id == crop_id))
        if same is not None:
            query = query.where(Judgement.same.is_(same))
        if cursor is not None:
            query = query.where(Judgement.id < cursor)
        found = list(await self._session.scalars(query.order_by(Judgement.id.desc()).limit(limit + 1)))
        return found[:limit], str(found[limit - 1].id) if len(found) > limit else None

    async def get(self, judgement_id: UUID) -> tuple[Judgement, str] | None:
        """The judgement of that id and the name of its collection; None where there is none."""
        query = select(Judgement, Collection.name).join(Collection, Collection.id == Judgement.collection_id)
        row = (await self._session.execute(query.where(Judgement.id == judgement_id))).one_or_none()
        return None if row is None else (row[0], row[1])

    async def delete(self, judgement_id: UUID) -> bool:
        """Delete a judgement; whether there was one."""
        gone = delete(Judgement).where(Judgement.id == judgement_id).returning(Judgement.id)
        return await self._session.scalar(gone) is not None

    async def rejected(self, collection_id: UUID, crop_ids: Group[UUID], vehicle_ids: Group[str]) -> set[UUID]:
        """Crops that people said do not show the vehicle of some crops.

        The latest word on a crop counts, whichever of them it was about; confirming that it shows the vehicle counts
        more than any.

        Args:
            collection_id: The collection.
            crop_ids: Crops that show one vehicle.
            vehicle_ids: What they are confirmed to be.
        """
        words = _words(collection_id, crop_ids, vehicle_ids)
        latest = select(words).ext(distinct_on(words.c.crop_id)).order_by(words.c.crop_id, words.c.id.desc()).subquery()
        shown = Crop.vehicle_confirmed & Crop.vehicle_id.in_(vehicle_ids)
        query = select(Crop.id).join(latest, latest.c.crop_id == Crop.id)
        return set(await self._session.scalars(query.where(~latest.c.same, Crop.id.not_in(crop_ids), ~shown)))


def _words(collection_id: UUID, crop_ids: Group[UUID], vehicle_ids: Group[str]) -> Subquery:
    """What was said of other crops and one of these crops or vehicles, whichever of two was the query."""
    of_collection = Judgement.collection_id == collection_id
    of_hits = select(Judgement.id, Judgement.crop_id, Judgement.same).where(
        of_collection, or_(Judgement.query_crop_id.in_(crop_ids), Judgement.vehicle_id.in_(vehicle_ids))
    )
    of_queries = select(Judgement.id, Judgement.query_crop_id, Judgement.same).where(
        of_collection, Judgement.crop_id.in_(crop_ids), Judgement.query_crop_id.is_not(None)
    )
    return union_all(of_hits, of_queries).subquery()
