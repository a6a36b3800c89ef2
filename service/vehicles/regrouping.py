"""Merging vehicles that are one, and splitting one that is two."""

from collections.abc import Mapping
from uuid import UUID

from uuid_utils.compat import uuid7

from service.access import Caller
from service.errors import ConflictError
from service.runtime import Runtime
from service.vehicles.changing import SAID, VehicleChange, told
from service.vehicles.repository import Identity
from service.vehicles.schemas import VehicleMerge, VehicleSplit
from service.vehicles.work import vehicle_work


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
        await work.record("merge_vehicles", {"into": merge.into, "from": [told(vehicle) for vehicle in gone]})
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
    said = split.model_dump(include={*SAID})
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


def _require_all_of(crops: Mapping[UUID, Identity], vehicle_id: str) -> None:
    other = next((crop for crop in crops.values() if crop.confirmed_id != vehicle_id), None)
    if other is None:
        return
    really = "no vehicle" if other.confirmed_id is None else f"vehicle {other.confirmed_id!r}"
    raise ConflictError(f"Crop {other.crop_id} is confirmed to be {really}, not {vehicle_id!r}.")
