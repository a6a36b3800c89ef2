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
from service.vehicles.schemas import NewVehicle, VehicleMerge, VehiclePatch, VehicleSplit
from service.vehicles.summary_repository import VehicleSummary
from service.vehicles.work import VehicleWork, vehicle_work

_SAID = ("label", "notes", "attributes")


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
        made = await confirm(work, crops, vehicle_id, "create_vehicle", new.model_dump(include={*_SAID}))
        summary = await work.summary(vehicle_id)
    return VehicleChange(vehicle=summary, changed_crops=len(work.changed), sequence=work.sequence, made=made)


async def confirm(
    work: VehicleWork, crops: Mapping[UUID, Identity], vehicle_id: str, action: str, said: Mapping[str, Any]
) -> bool:
    """Confirm that crops show a vehicle, which is made where there is none.

    Args:
        work: The transaction.
        crops: The crops, locked.
        vehicle_id: The vehicle.
        action: Operation id, for the audit log.
        said: Label, notes and attributes, as far as they are given.

    Returns:
        Whether it was made.

    Raises:
        ConflictError: See `create_vehicle`.
    """
    found = await work.vehicles.get(work.collection.id, vehicle_id)
    if found is None:
        values = {"attributes": {}, **said, "created_by": work.caller.name}
        await work.vehicles.add(work.collection.id, vehicle_id, values)
    else:
        _require_same(found, said)
    claimed = await work.confirm(crops, vehicle_id)
    if work.changed:
        await work.record(action, {"vehicle_id": vehicle_id, **said, "claimed": claimed})
    return found is None


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
        await confirm(work, crops, vehicle_id, "confirm_vehicle_crops", {})
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


async def merge_vehicles(runtime: Runtime, caller: Caller, merge: VehicleMerge) -> VehicleChange:
    """Have the crops of vehicles be one vehicle's. What was confirmed is; what was only claimed is still that.

    Raises:
        ForbiddenError: The caller may not use the collection.
        NotFoundError: There is no such collection, or a vehicle is not there.
    """
    async with vehicle_work(runtime, caller, merge.collection) as work:
        await work.vehicle(merge.into)
        crops = await work.vehicles.lock_crops_of(work.collection.id, merge.merged)
        gone = [await work.summary(vehicle_id, claimed=True) for vehicle_id in merge.merged]
        await work.move(crops, merge.into)
        for vehicle in gone:
            await work.vehicles.move_judgements(work.collection.id, vehicle.vehicle_id, merge.into)
            await work.vehicles.remove(work.collection.id, vehicle.vehicle_id)
        await work.record("merge_vehicles", {"into": merge.into, "from": [_told(vehicle) for vehicle in gone]})
        summary = await work.summary(merge.into)
    return VehicleChange(vehicle=summary, changed_crops=len(work.changed), sequence=work.sequence, merged=gone)


async def split_vehicle(
    runtime: Runtime, caller: Caller, collection: str, vehicle_id: str, split: VehicleSplit
) -> VehicleChange:
    """Have some of a vehicle's confirmed crops be another one's, which is made.

    Returns:
        The change of the vehicle that was made.

    Raises:
        ForbiddenError: The caller may not use the collection.
        NotFoundError: There is no such collection or vehicle, or it does not hold one of the crops.
        ConflictError: A crop is not confirmed to be that vehicle, or there is a vehicle of the new id.
    """
    new_id = split.vehicle_id or str(uuid7())
    said = split.model_dump(include={*_SAID})
    async with vehicle_work(runtime, caller, collection) as work:
        await work.vehicle(vehicle_id)
        crops = await work.crops(split.crop_ids)
        _require_all_of(crops, vehicle_id)
        if await work.vehicles.get(work.collection.id, new_id):
            raise ConflictError(f"There is a vehicle {new_id!r} already; take the crops off and confirm them to be it.")
        await work.vehicles.add(work.collection.id, new_id, {**said, "created_by": caller.name})
        await work.move(crops, new_id)
        await work.vehicles.change(work.collection.id, vehicle_id, {})
        await work.record("split_vehicle", {"vehicle_id": vehicle_id, "new_vehicle_id": new_id, **said})
        summary = await work.summary(new_id)
    return VehicleChange(vehicle=summary, changed_crops=len(work.changed), sequence=work.sequence, made=True)


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
        await work.record("delete_vehicle", _told(before))


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


def _require_all_of(crops: Mapping[UUID, Identity], vehicle_id: str) -> None:
    other = next((crop for crop in crops.values() if crop.confirmed_id != vehicle_id), None)
    if other is None:
        return
    really = "no vehicle" if other.confirmed_id is None else f"vehicle {other.confirmed_id!r}"
    raise ConflictError(f"Crop {other.crop_id} is confirmed to be {really}, not {vehicle_id!r}.")


def _told(vehicle: VehicleSummary) -> dict[str, Any]:
    """What the audit log keeps of a vehicle that is gone."""
    return {"vehicle_id": vehicle.vehicle_id, **{name: getattr(vehicle, name) for name in _SAID}}
