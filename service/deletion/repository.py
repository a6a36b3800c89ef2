"""Crops on their way out: which ones, and their rows."""

from collections import defaultdict
from collections.abc import Collection as Group
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Select, Uuid, delete, func, literal, select
from sqlalchemy.dialects.postgresql import insert

from index.contract import Filter
from service.change_log_repository import ChangeLines
from service.crops.removal_repository import RemovalRepository
from service.database.ids import among
from service.database.tables import Collection, Crop, JobCrop
from service.gallery.filter_repository import conditions


class DeletionRepository(ChangeLines):
    """Finds and deletes crops within one session; commits nothing itself."""

    async def count(self, where: Filter, crop_ids: Group[UUID] | None) -> int:
        """How many crops there are.

        Args:
            where: Which.
            crop_ids: Only those of these; None for any.
        """
        return await self._session.scalar(_wanted(where, crop_ids, func.count())) or 0

    async def ids(self, where: Filter, crop_ids: Group[UUID] | None, limit: int) -> list[UUID]:
        """Ids of crops, in their order; see `count`."""
        wanted = _wanted(where, crop_ids, Crop.id).order_by(Crop.id).limit(limit)
        return list(await self._session.scalars(wanted))

    async def note(self, job_id: UUID, where: Filter, crop_ids: Group[UUID] | None) -> None:
        """Decide that these crops are what a job is about; see `count`."""
        wanted = _wanted(where, crop_ids, literal(job_id, Uuid), Crop.id)
        await self._session.execute(insert(JobCrop).from_select(["job_id", "crop_id"], wanted))

    async def note_ids(self, job_id: UUID, crop_ids: Sequence[UUID]) -> None:
        """Decide that these crops are what a job is about, whether they have a row or not."""
        if crop_ids:
            rows = [{"job_id": job_id, "crop_id": crop_id} for crop_id in crop_ids]
            await self._session.execute(insert(JobCrop).values(rows).on_conflict_do_nothing())

    async def noted(self, job_id: UUID) -> int:
        """How many crops a job has still to do with."""
        return await self._session.scalar(select(func.count()).where(JobCrop.job_id == job_id)) or 0

    async def next_noted(self, job_id: UUID, limit: int) -> list[UUID]:
        """The next crops that a job has to do with."""
        noted = select(JobCrop.crop_id).where(JobCrop.job_id == job_id).order_by(JobCrop.crop_id).limit(limit)
        return list(await self._session.scalars(noted))

    async def strike_out(self, job_id: UUID, crop_ids: Sequence[UUID]) -> None:
        """Note that a job is through with these crops."""
        await self._session.execute(delete(JobCrop).where(JobCrop.job_id == job_id, among(JobCrop.crop_id, crop_ids)))

    async def count_of(self, collection_id: UUID) -> int:
        """How many crops a collection has."""
        return await self._session.scalar(select(func.count()).where(Crop.collection_id == collection_id)) or 0

    async def next_of(self, collection_id: UUID, limit: int) -> list[UUID]:
        """The next crops of a collection."""
        ids = select(Crop.id).where(Crop.collection_id == collection_id).order_by(Crop.id).limit(limit)
        return list(await self._session.scalars(ids))

    async def delete(self, crop_ids: Sequence[UUID]) -> tuple[list[UUID], int]:
        """Delete crops, and tell every index. Call it last.

        Args:
            crop_ids: Those that have no row any longer are passed over.

        Returns:
            Those that had one, and the number of the last change; `head` where there were none.
        """
        deleted = await self.delete_rows(crop_ids)
        sequence = await self.head()
        for collection_id, gone in deleted.items():
            sequence = await self.log_changes(collection_id, gone, deleted=True)
        return [crop_id for gone in deleted.values() for crop_id in gone], sequence

    async def delete_rows(self, crop_ids: Sequence[UUID]) -> dict[UUID, list[UUID]]:
        """Delete crops with all that goes with them; those that had a row, by collection. No index hears of it.

        Their pictures are noted: whoever calls this removes them after the commit.
        """
        # In one order, so that two that delete the same crops do not wait for each other in turn.
        locked = select(Crop.id).where(among(Crop.id, crop_ids)).order_by(Crop.id).with_for_update().cte("locked")
        rows = delete(Crop).where(Crop.id.in_(select(locked.c.id))).returning(Crop.id, Crop.collection_id)
        deleted: defaultdict[UUID, list[UUID]] = defaultdict(list)
        for row in await self._session.execute(rows, execution_options={"synchronize_session": False}):
            deleted[row.collection_id].append(row.id)
        await RemovalRepository(self._session).note([crop_id for gone in deleted.values() for crop_id in gone])
        return deleted


def _wanted(where: Filter, crop_ids: Group[UUID] | None, *columns: Any) -> Select[*tuple[Any, ...]]:  # noqa: ANN401
    wanted = select(*columns).select_from(Crop).join(Collection, Collection.id == Crop.collection_id)
    wanted = wanted.where(*conditions(where))
    return wanted if crop_ids is None else wanted.where(among(Crop.id, crop_ids))
