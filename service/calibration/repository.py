"""Rows of calibrations."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from service.database.tables import Calibration, Collection

State = Literal["none", "stale", "valid"]
"""Whether a collection's scores are calibrated: not at all, for another model than its own, or as they are."""


_KEY = [Calibration.collection_id, Calibration.model_id]


@dataclass(frozen=True, slots=True)
class Standing:
    """How a collection stands.

    Attributes:
        state: See `State`.
        calibration: The one of its model; where that is stale, the latest of another; None where there is none.
    """

    state: State
    calibration: Calibration | None


class CalibrationRepository:
    """Reads and writes calibrations within one session; commits nothing itself."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def standing(self, collection: Collection) -> Standing:
        """How a collection stands."""
        query = select(Calibration).where(Calibration.collection_id == collection.id)
        own_first = (Calibration.model_id == collection.model_id).desc(), Calibration.created_at.desc()
        found = await self._session.scalar(query.order_by(*own_first).limit(1))
        if found is None:
            return Standing("none", None)
        return Standing("valid" if found.model_id == collection.model_id else "stale", found)

    async def put(self, collection_id: UUID, model_id: str, values: Mapping[str, Any]) -> None:
        """Set the calibration of a collection and model, in place of the one that there may be.

        Args:
            collection_id: The collection, which stays until the end of the transaction.
            model_id: The model whose scores it is about.
            values: All other columns by name, but the time.
        """
        row = insert(Calibration).values(collection_id=collection_id, model_id=model_id, **values)
        renewed = {name: row.excluded[name] for name in (*values, "created_at")}
        await self._session.execute(row.on_conflict_do_update(index_elements=_KEY, set_=renewed))

    async def remove(self, collection_id: UUID) -> bool:
        """Remove a collection's calibrations, those of other models too; whether there was one."""
        gone = delete(Calibration).where(Calibration.collection_id == collection_id)
        return (await self._session.scalars(gone.returning(Calibration.model_id))).first() is not None
