"""Confirming vehicles, and correcting what was confirmed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from service.access import Caller
from service.database.tables import Vehicle
from service.errors import ConflictError
from service.gallery.changing import merged_attributes
from service.runtime import Runtime
from service.vehicles.repository import Identity
from service.vehicles.schemas import NewVehicle, VehiclePatch
from service.vehicles.summary_repository import VehicleSummary
from service.vehicles.work import VehicleWork, vehicle_work

SAID = ("label", "notes", "attributes")
"""Columns that hold what people say of a vehicle."""
_NOTHING: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class VehicleChange:
    """What a change came to.

    Attributes:
        vehicle: The vehicle afterwards.
        changed_crops: How many crops were changed.
        sequence: Number of the last change of the log.
        made: Whether there was no such vehicle before.
        merged: The vehicles that are gone now, as they were.
    """

    vehicle: VehicleSummary
    changed_crops: int
    sequence: int
    made: bool = False
    merged: Sequence[VehicleSummary] = ()


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What came of confirming crops.

    Attributes:
        made: Whether the vehicle was made.
        claimed: What crops were enrolled as, where that was another vehicle, by crop.
    """

    made: bool
    claimed: Mapping[str, str]


async def create_vehicle(runtime: Runtime, caller: Caller, new: NewVehicle) -> VehicleChange:
    """Confirm that crops show one vehicle. Said again it changes nothing.

    Raises:
        ForbiddenError: The caller may not use the collection.
        NotFoundError: There is no such collection, or it does not hold one of the crops.
        ConflictError: A crop is confirmed to be another vehicle, or there is one of that id of which people say
            something else.
    """
    async with vehicle_work(runtime, caller, new.collection) as work:
        crops = await work.crops(new.crop_ids)
        vehicle_id = new.vehicle_id or _only_vehicle(crops) or str(uuid7())
        said = new.model_dump(include={*SAID})
        found = await confirm(work, crops, vehicle_id, said)
        if work.changed:
            asked = {"vehicle_id": vehicle_id, **said, "claimed": found.claimed}
            await work.record("create_vehicle", asked)
        summary = await work.summary(vehicle_id)
    return VehicleChange(vehicle=summary, changed_crops=len(work.changed), sequence=work.sequence, made=found.made)


async def confirm(
    work: VehicleWork, crops: Mapping[UUID, Identity], vehicle_id: str, said: Mapping[str, Any] = _NOTHING
) -> Confirmation:
    """Confirm that crops show a vehicle, which is made where there is none.

    Args:
        work: The transaction.
        crops: The crops, locked.
        vehicle_id: The vehicle.
        said: Label, notes and attributes, as far as they are given.

    Raises:
        ConflictError: See `create_vehicle`.
    """
    found = await work.vehicles.get(work.collection.id, vehicle_id)
    if found is None:
        values = {"attributes": {}, **said, "created_by": work.caller.name}
        await work.vehicles.add(work.collection.id, vehicle_id, values)
    else:
        _require_same(found, said)
    return Confirmation(found is None, await work.confirm(crops, vehicle_id))


async def confirm_crops(
    runtime: Runtime, caller: Caller, collection: str, vehicle_id: str, crop_ids: Sequence[UUID]
) -> VehicleChange:
    """Confirm that further crops show a vehicle.

    Raises:
        ForbiddenError: The caller may not use the collection.
        NotFoundError: There is no such collection or vehicle, or it does not hold one of the crops.
        ConflictError: A crop is confirmed to be another vehicle.
    """
    async with vehicle_work(runtime, caller, collection) as work:
        await work.vehicle(vehicle_id)
        crops = await work.crops(crop_ids)
        claimed = await work.confirm(crops, vehicle_id)
        if work.changed:
            await work.record("confirm_vehicle_crops", {"vehicle_id": vehicle_id, "claimed": claimed})
        summary = await work.summary(vehicle_id)
    return VehicleChange(vehicle=summary, changed_crops=len(work.changed), sequence=work.sequence)


async def remove_crops(
    runtime: Runtime, caller: Caller, collection: str, vehicle_id: str, crop_ids: Sequence[UUID]
) -> VehicleChange:
    """Take crops off a vehicle, those too that were only enrolled as it: nothing is known of them any longer.

    Crops that are not its own stay as they are.

    Raises:
        ForbiddenError: The caller may not use the collection.
        NotFoundError: There is no such collection or vehicle, or it does not hold one of the crops.
    """
    async with vehicle_work(runtime, caller, collection) as work:
        await work.vehicle(vehicle_id)
        crops = await work.crops(crop_ids)
        own = [crop.crop_id for crop in crops.values() if crop.vehicle_id == vehicle_id]
        await work.release(own, vehicle_id)
        if own:
            await work.record("remove_vehicle_crops", {"vehicle_id": vehicle_id})
        summary = await work.summary(vehicle_id)
    return VehicleChange(vehicle=summary, changed_crops=len(work.changed), sequence=work.sequence)


async def change_vehicle(
    runtime: Runtime, caller: Caller, collection: str, vehicle_id: str, patch: VehiclePatch
) -> VehicleSummary:
    """Apply a merge patch to what people say of a vehicle.

    Raises:
        ForbiddenError: The caller may not use the collection.
        NotFoundError: There is no such collection or vehicle.
        InvalidValueError: There would be too many attributes.
    """
    given = patch.model_dump(exclude_unset=True)
    async with vehicle_work(runtime, caller, collection) as work:
        vehicle = await work.vehicle(vehicle_id)
        values = dict(given)
        if "attributes" in values:
            values["attributes"] = merged_attributes(vehicle.attributes, values["attributes"])
        if values:
            await work.vehicles.change(work.collection.id, vehicle_id, values)
            await work.record("update_vehicle", {"vehicle_id": vehicle_id, **given})
        return await work.summary(vehicle_id)


async def delete_vehicle(runtime: Runtime, caller: Caller, collection: str, vehicle_id: str) -> None:
    """Forget a vehicle. Crops that were confirmed to be it stay, as crops of which nothing is known.

    Crops that were only enrolled as it go on saying so.

    Raises:
        ForbiddenError: The caller may not use the collection.
        NotFoundError: There is no such collection or vehicle.
        InvalidValueError: The collection asks why, and nothing was said.
    """
    async with vehicle_work(runtime, caller, collection) as work:
        caller.purpose_for(collection, required=work.collection.require_purpose)
        await work.vehicle(vehicle_id)
        crops = await work.vehicles.lock_crops_of(work.collection.id, [vehicle_id])
        before = await work.summary(vehicle_id)
        await work.release([crop.crop_id for crop in crops.values() if crop.confirmed], vehicle_id)
        await work.vehicles.remove(work.collection.id, vehicle_id)
        await work.record("delete_vehicle", told(before))


def _only_vehicle(crops: Mapping[UUID, Identity]) -> str | None:
    """The vehicle that all crops are confirmed to be; None where there is no such one."""
    vehicles = {crop.confirmed_id for crop in crops.values()}
    return vehicles.pop() if len(vehicles) == 1 else None


def _require_same(vehicle: Vehicle, said: Mapping[str, Any]) -> None:
    for name, value in said.items():
        if value and getattr(vehicle, name) != value:
            raise ConflictError(
                f"There is a vehicle {vehicle.vehicle_id!r} with other {name}; PATCH it to change them, or leave "
                f"{name} out."
            )


def told(vehicle: VehicleSummary) -> dict[str, Any]:
    """What the audit log keeps of a vehicle that is gone."""
    return {"vehicle_id": vehicle.vehicle_id, **{name: getattr(vehicle, name) for name in SAID}}
