"""Rows of the pictures that are to be removed."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Uuid, delete, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncSession

from service.database.ids import among
from service.database.tables import PictureToRemove


class RemovalRepository:
    """Reads and writes within one session; commits nothing itself."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def note(self, crop_ids: Sequence[UUID]) -> None:
        """Note the pictures of crops that are being deleted, in the transaction that deletes their rows."""
        if crop_ids:
            among = select(func.unnest(literal(list(crop_ids), ARRAY(Uuid))))
            new = insert(PictureToRemove).from_select(["crop_id"], among)
            await self._session.execute(new.on_conflict_do_nothing())

    async def next_noted(self, after: UUID, limit: int) -> list[UUID]:
        """The next crops after one whose pictures are noted."""
        noted = select(PictureToRemove.crop_id).where(PictureToRemove.crop_id > after)
        return list(await self._session.scalars(noted.order_by(PictureToRemove.crop_id).limit(limit)))

    async def strike_out(self, crop_ids: Sequence[UUID]) -> None:
        """Forget the pictures of these crops: they are gone."""
        if crop_ids:
            gone = delete(PictureToRemove).where(among(PictureToRemove.crop_id, crop_ids))
            await self._session.execute(gone, execution_options={"synchronize_session": False})
