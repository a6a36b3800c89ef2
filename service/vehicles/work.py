"""One change of a collection's vehicles: alone in the collection, and followed by every index."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from service.access import Caller
from service.audit.repository import AuditRepository
from service.collections.repository import CollectionRepository, require_collection
from service.database.engine import Session
from service.database.tables import Collection, Vehicle
from service.errors import ConflictError, NotFoundError
from service.runtime import Runtime
from service.vehicles.repository import Identity, VehicleRepository
from service.vehicles.summary_repository import VehicleSummary, VehicleSummaryRepository


class VehicleWork:
    """A transaction that changes vehicles of one collection; nobody else does so meanwhile.

    Args:
        session: The transaction.
        collection: The collection, locked.
        caller: Who does it.

    Attributes:
        vehicles: The rows.
        changed: Crops changed so far.
        sequence: Number of the last change, once the work is done.
    """

    def __init__(self, session: Session, collection: Collection, caller: Caller) -> None:
        self.session = session
        self.collection = collection
        self.caller = caller
        self.vehicles = VehicleRepository(session)
        self.changed: set[UUID] = set()
        self.sequence = 0

    async def vehicle(self, vehicle_id: str) -> Vehicle:
        """A confirmed vehicle.

        Raises:
            NotFoundError: There is none of that id.
        """
        found = await self.vehicles.get(self.collection.id, vehicle_id)
        if found is None:
            raise no_vehicle(vehicle_id)
        return found

    async def summary(self, vehicle_id: str, *, claimed: bool = False) -> VehicleSummary:
        """A vehicle as it is now.

        Raises:
            NotFoundError: There is none of that id.
        """
        summaries = VehicleSummaryRepository(self.session, self.collection.id)
        found = await summaries.one(vehicle_id, claimed=claimed)
        if found is None:
            raise no_vehicle(vehicle_id)
        return found

    async def crops(self, crop_ids: Iterable[UUID]) -> Mapping[UUID, Identity]:
        """What crops are, which nobody else changes until the end.

        Raises:
            NotFoundError: The collection does not hold one of them.
        """
        wanted = list(crop_ids)
        found = await self.vehicles.lock_crops(self.collection.id, wanted)
        missing = next((crop_id for crop_id in wanted if crop_id not in found), None)
        if missing is not None:
            raise NotFoundError(
                f"The collection {self.collection.name!r} holds no crop {missing}; it may have been deleted."
            )
        return found

    async def confirm(self, crops: Mapping[UUID, Identity], vehicle_id: str) -> dict[str, str]:
        """Say that crops show a vehicle which there is.

        Returns:
            What crops were enrolled as until now, where that was another vehicle, by crop.

        Raises:
            ConflictError: One is confirmed to be another vehicle.
        """
        taken = [crop for crop in crops.values() if crop.confirmed_id not in (None, vehicle_id)]
        if taken:
            raise _confirmed_otherwise(taken)
        new = {crop_id: crop.vehicle_id for crop_id, crop in crops.items() if crop.confirmed_id is None}
        await self.vehicles.confirm(new, vehicle_id)
        await self._note(vehicle_id, list(new))
        return {str(crop_id): old for crop_id, old in new.items() if old is not None and old != vehicle_id}

    async def release(self, crops: Iterable[UUID], vehicle_id: str) -> None:
        """Say nothing any longer of which vehicle crops show, which were one's."""
        released = list(crops)
        await self.vehicles.release(released)
        await self._note(vehicle_id, released)

    async def move(self, crops: Iterable[UUID], vehicle_id: str) -> None:
        """Say that crops of other vehicles show this one; those that were confirmed are, and no others."""
        moved = list(crops)
        await self.vehicles.assign(moved, vehicle_id)
        await self._note(vehicle_id, moved)

    async def record(self, action: str, said: Mapping[str, Any]) -> None:
        """Add an entry to the audit log, with the crops that were changed."""
        await AuditRepository(self.session).record(
            self.caller, action, self.collection.name, filter=said, crop_ids=sorted(self.changed)
        )

    async def _note(self, vehicle_id: str, crop_ids: Sequence[UUID]) -> None:
        if crop_ids:
            await self.vehicles.change(self.collection.id, vehicle_id, {})
            self.changed.update(crop_ids)


@asynccontextmanager
async def vehicle_work(runtime: Runtime, caller: Caller, collection: str) -> AsyncIterator[VehicleWork]:
    """Change vehicles of a collection; what the block did is committed at its end, and then followed by the index.

    Raises:
        ForbiddenError: The caller may not use the collection.
        NotFoundError: There is no such collection.
    """
    caller.enter(collection)
    async with runtime.database.transaction() as session:
        found = require_collection(await CollectionRepository(session).locked(collection), collection)
        work = VehicleWork(session, found, caller)
        yield work
        work.sequence = await work.vehicles.log_changes(found.id, work.changed, deleted=False)
    runtime.follower.note_commit(work.sequence)


def no_vehicle(vehicle_id: str) -> NotFoundError:
    """The error for a vehicle that does not exist."""
    return NotFoundError(
        f"The collection has no confirmed vehicle {vehicle_id!r}; POST /vehicles confirms one, and claimed=true shows "
        "what crops were enrolled as."
    )


def _confirmed_otherwise(crops: Sequence[Identity]) -> ConflictError:
    entries = [
        {
            "code": ConflictError.code,
            "field": "crop_ids",
            "crop_id": str(crop.crop_id),
            "vehicle_id": crop.vehicle_id,
            "detail": f"Crop {crop.crop_id} is confirmed to be vehicle {crop.vehicle_id!r}.",
        }
        for crop in crops
    ]
    return ConflictError(f"{entries[0]['detail']} Take it off that vehicle first, or merge the two.", errors=entries)
