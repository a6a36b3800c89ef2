"""Rows of the vehicles, and what crops say of them: which vehicle each shows, and whether a person confirmed it."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from service.change_log_repository import ChangeLines
from service.database.ids import among
from service.database.tables import Crop, Judgement, Vehicle


@dataclass(frozen=True, slots=True)
class Identity:
    """Which vehicle a crop shows.

    Attributes:
        crop_id: The crop.
        vehicle_id: Its vehicle; None where nothing is known.
        confirmed: Whether a person confirmed it.
    """

    crop_id: UUID
    vehicle_id: str | None
    confirmed: bool

    @property
    def confirmed_id(self) -> str | None:
        """The vehicle that a person confirmed it to be; None where nobody did."""
        return self.vehicle_id if self.confirmed else None


class VehicleRepository(ChangeLines):
    """Reads and writes the vehicles of a collection within one session; commits nothing itself.

    Whoever changes them holds the row of their collection (`CollectionRepository.locked`), so that two never do at
    once; crops may still be changed by others meanwhile, so those to be changed are locked, in the order of their ids.
    """

    async def get(self, collection_id: UUID, vehicle_id: str) -> Vehicle | None:
        """The confirmed vehicle of that id; None where there is none."""
        return await self._session.get(Vehicle, (collection_id, vehicle_id))

    async def add(self, collection_id: UUID, vehicle_id: str, values: Mapping[str, Any]) -> None:
        """Make a vehicle that there is not yet, with values of further columns."""
        await self._session.execute(
            insert(Vehicle).values(collection_id=collection_id, vehicle_id=vehicle_id, **values)
        )

    async def change(self, collection_id: UUID, vehicle_id: str, values: Mapping[str, Any]) -> None:
        """Set columns of a vehicle, and note that it was changed now."""
        one = (Vehicle.collection_id == collection_id) & (Vehicle.vehicle_id == vehicle_id)
        await self._session.execute(update(Vehicle).where(one).values(**values, updated_at=func.now()))

    async def remove(self, collection_id: UUID, vehicle_id: str) -> None:
        """Remove a vehicle that no crop is confirmed to be. Judgements forget that they were about it."""
        one = (Vehicle.collection_id == collection_id) & (Vehicle.vehicle_id == vehicle_id)
        await self._session.execute(delete(Vehicle).where(one))

    async def lock_crops(self, collection_id: UUID, crop_ids: Iterable[UUID]) -> dict[UUID, Identity]:
        """What crops are, which nobody else changes or deletes until the end of the transaction.

        Returns:
            Those that the collection holds, by id.
        """
        return await self._locked(Crop.collection_id == collection_id, among(Crop.id, crop_ids))

    async def lock_crops_of(self, collection_id: UUID, vehicle_ids: Collection[str]) -> dict[UUID, Identity]:
        """Likewise of every crop that is said to show one of some vehicles, confirmed or not."""
        return await self._locked(Crop.collection_id == collection_id, Crop.vehicle_id.in_(vehicle_ids))

    async def assign(self, crop_ids: Iterable[UUID], vehicle_id: str) -> None:
        """Say that crops show a vehicle; whether that is confirmed stays as it is."""
        await self._set(crop_ids, vehicle_id=vehicle_id)

    async def confirm(self, crop_ids: Iterable[UUID], vehicle_id: str) -> None:
        """Say that crops show a vehicle, and that a person confirmed it."""
        await self._set(crop_ids, vehicle_id=vehicle_id, vehicle_confirmed=True)

    async def release(self, crop_ids: Iterable[UUID]) -> None:
        """Say nothing any longer of which vehicle crops show."""
        await self._set(crop_ids, vehicle_id=None, vehicle_confirmed=False)

    async def move_judgements(self, collection_id: UUID, vehicle_id: str, into: str) -> None:
        """Have what was judged of a vehicle hold for another."""
        about = (Judgement.collection_id == collection_id) & (Judgement.vehicle_id == vehicle_id)
        await self._session.execute(update(Judgement).where(about).values(vehicle_id=into))

    async def _locked(self, *which: ColumnElement[bool]) -> dict[UUID, Identity]:
        columns = select(Crop.id, Crop.vehicle_id, Crop.vehicle_confirmed).where(*which).order_by(Crop.id)
        rows = await self._session.execute(columns.with_for_update(key_share=True))
        return {row.id: Identity(row.id, row.vehicle_id, row.vehicle_confirmed) for row in rows}

    async def _set(self, crop_ids: Iterable[UUID], **values: Any) -> None:  # noqa: ANN401 - whatever a column holds
        await self._session.execute(
            update(Crop).where(among(Crop.id, crop_ids)).values(**values),
            execution_options={"synchronize_session": False},
        )
