"""Routes of the vehicles."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response, status

from service.access import Deleter, Enroller, Reader
from service.errors import ConflictError, InvalidValueError, MalformedRequestError, NotFoundError, UnavailableError
from service.json_bodies import JsonBody
from service.openapi import problems
from service.runtime import CurrentRuntime
from service.values import Name
from service.vehicles import changing, regrouping, service
from service.vehicles.addresses import require_own_segment, vehicle_named
from service.vehicles.schemas import (
    MergeView,
    NewVehicle,
    OneVehicleQuery,
    VehicleAddress,
    VehicleChangeView,
    VehicleCrops,
    VehicleMerge,
    VehiclePage,
    VehiclePatch,
    VehicleQuery,
    VehicleSplit,
    VehicleView,
)
from service.vehicles.sighting_schemas import SightingPage, SightingQuery
from service.vehicles.views import change_view, merge_view, sighting_view, vehicle_view

router = APIRouter(prefix="/vehicles", tags=["vehicles"])

# A path, because ids may hold slashes. What does not fit into an address goes into the query.
_ONE = "/{vehicle_id:path}"
VehiclePath = Annotated[
    Name, Path(description="The vehicle's id, percent-encoded; or ~ where the query has it.", examples=["taxi-0139"])
]
Address = Annotated[VehicleAddress, Query()]
_CHANGE = problems(MalformedRequestError, NotFoundError, InvalidValueError, UnavailableError)
_CONFLICTING = problems(MalformedRequestError, NotFoundError, ConflictError, InvalidValueError, UnavailableError)


@router.post(
    "",
    operation_id="create_vehicle",
    summary="Confirm that crops show one vehicle",
    status_code=status.HTTP_201_CREATED,
    responses=_CONFLICTING | {200: {"model": VehicleChangeView, "description": "There was such a vehicle already."}},
)
async def post_vehicle(
    runtime: CurrentRuntime, caller: Enroller, new: JsonBody[NewVehicle], response: Response
) -> VehicleChangeView:
    """Say that crops show one vehicle: they carry its id from now on, and searches by vehicle follow.

    Without a vehicle_id one is made, unless all the crops are confirmed to be one vehicle already. The same request
    again changes nothing. A crop that is confirmed to be another vehicle is a conflict that names it, and then nothing
    is changed; one that was only enrolled as another is taken over.
    """
    change = await changing.create_vehicle(runtime, caller, new)
    if not change.made:
        response.status_code = status.HTTP_200_OK
    return change_view(new.collection, change)


@router.get(
    "",
    operation_id="list_vehicles",
    summary="List the vehicles of a collection",
    responses=problems(NotFoundError, InvalidValueError, UnavailableError),
)
async def list_vehicles(
    runtime: CurrentRuntime, caller: Reader, query: Annotated[VehicleQuery, Query()]
) -> VehiclePage:
    """Vehicles that people confirmed, in the order of their ids; with `claimed` also what crops were enrolled as."""
    vehicles, cursor = await service.page_of_vehicles(runtime, caller, query)
    return VehiclePage(items=[vehicle_view(query.collection, vehicle) for vehicle in vehicles], next_cursor=cursor)


@router.post(
    "/merge",
    operation_id="merge_vehicles",
    summary="Make one vehicle of several",
    responses=_CHANGE,
)
async def post_merge(runtime: CurrentRuntime, caller: Enroller, merge: JsonBody[VehicleMerge]) -> MergeView:
    """Give the crops of vehicles to another, which they really show, and forget the others.

    Crops that were confirmed are, those that were only enrolled as one of them still are only that. What people said of
    the vehicle stays; what they said of the others is in the answer and in the audit log. Crops that are enrolled under
    an old id later are a claim to that id.
    """
    return merge_view(merge.collection, await regrouping.merge_vehicles(runtime, caller, merge))


@router.get(
    _ONE + "/sightings",
    operation_id="list_sightings",
    summary="List where a vehicle was seen, in time order",
    responses=problems(NotFoundError, InvalidValueError, UnavailableError),
)
async def list_sightings(
    request: Request,
    runtime: CurrentRuntime,
    caller: Reader,
    vehicle_id: VehiclePath,
    query: Annotated[SightingQuery, Query()],
) -> SightingPage:
    """The path of a vehicle over cameras. Crops that follow each other on one camera and track are one sighting.

    Each tells how long after the one before it came, and, where the cameras' places are known, how far that is and how
    fast the vehicle would have been.
    """
    require_own_segment(request.scope.get("raw_path", b""), "sightings")
    wanted = vehicle_named(vehicle_id, query.id)
    sightings, cursor = await service.page_of_sightings(runtime, caller, wanted, query)
    prefix = request.scope.get("root_path", "")
    return SightingPage(
        vehicle_id=wanted, items=[sighting_view(sighting, prefix) for sighting in sightings], next_cursor=cursor
    )


@router.post(
    _ONE + "/crops/remove",
    operation_id="remove_vehicle_crops",
    summary="Take crops off a vehicle",
    responses=_CHANGE,
)
async def post_removal(
    runtime: CurrentRuntime, caller: Enroller, vehicle_id: VehiclePath, where: Address, crops: JsonBody[VehicleCrops]
) -> VehicleChangeView:
    """Say that crops do not show a vehicle: they lose its id, whether it was confirmed or they were enrolled as it.

    Crops of other vehicles stay as they are. The vehicle stays, even without crops.
    """
    wanted = vehicle_named(vehicle_id, where.id)
    change = await changing.remove_crops(runtime, caller, where.collection, wanted, crops.crop_ids)
    return change_view(where.collection, change)


@router.post(
    _ONE + "/crops",
    operation_id="confirm_vehicle_crops",
    summary="Confirm that more crops show a vehicle",
    responses=_CONFLICTING,
)
async def post_crops(
    runtime: CurrentRuntime, caller: Enroller, vehicle_id: VehiclePath, where: Address, crops: JsonBody[VehicleCrops]
) -> VehicleChangeView:
    """Say that further crops show a vehicle that there is. The same request again changes nothing."""
    wanted = vehicle_named(vehicle_id, where.id)
    change = await changing.confirm_crops(runtime, caller, where.collection, wanted, crops.crop_ids)
    return change_view(where.collection, change)


@router.post(
    _ONE + "/split",
    operation_id="split_vehicle",
    summary="Make a vehicle of some of another's crops",
    status_code=status.HTTP_201_CREATED,
    responses=_CONFLICTING,
)
async def post_split(
    runtime: CurrentRuntime, caller: Enroller, vehicle_id: VehiclePath, where: Address, split: JsonBody[VehicleSplit]
) -> VehicleChangeView:
    """Say that some of the crops confirmed to be a vehicle show another one; the answer is that other one."""
    wanted = vehicle_named(vehicle_id, where.id)
    return change_view(
        where.collection, await regrouping.split_vehicle(runtime, caller, where.collection, wanted, split)
    )


@router.get(
    _ONE,
    operation_id="get_vehicle",
    summary="Get one vehicle",
    responses=problems(NotFoundError, InvalidValueError, UnavailableError),
)
async def get_vehicle(
    runtime: CurrentRuntime, caller: Reader, vehicle_id: VehiclePath, query: Annotated[OneVehicleQuery, Query()]
) -> VehicleView:
    """What people say of a vehicle, and what was seen of it."""
    wanted = vehicle_named(vehicle_id, query.id)
    found = await service.vehicle_by_id(runtime, caller, query.collection, wanted, claimed=query.claimed)
    return vehicle_view(query.collection, found)


@router.patch(
    _ONE,
    operation_id="update_vehicle",
    summary="Change what is said of a vehicle",
    responses=_CHANGE,
)
async def patch_vehicle(
    runtime: CurrentRuntime, caller: Enroller, vehicle_id: VehiclePath, where: Address, patch: JsonBody[VehiclePatch]
) -> VehicleView:
    """A merge patch (RFC 7396): what is absent stays, what is null is cleared; attributes are merged one by one.

    The id stays, as crops carry it.
    """
    wanted = vehicle_named(vehicle_id, where.id)
    changed = await changing.change_vehicle(runtime, caller, where.collection, wanted, patch)
    return vehicle_view(where.collection, changed)


@router.delete(
    _ONE,
    operation_id="delete_vehicle",
    summary="Forget a vehicle",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problems(NotFoundError, InvalidValueError, UnavailableError),
)
async def delete_vehicle(runtime: CurrentRuntime, caller: Deleter, vehicle_id: VehiclePath, where: Address) -> None:
    """Forget what people confirmed and said. No crop is deleted.

    Crops that were confirmed to be it carry no vehicle id any longer; those that were only enrolled as it still do.
    """
    await changing.delete_vehicle(runtime, caller, where.collection, vehicle_named(vehicle_id, where.id))
