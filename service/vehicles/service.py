"""Reading vehicles and where they were seen."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from service.access import Caller
from service.collections.repository import CollectionRepository
from service.database.engine import Session
from service.database.tables import Camera, Collection
from service.gallery.records import CropRecord
from service.gallery.repository import GalleryRepository
from service.runtime import Runtime
from service.vehicles.path import UNKNOWN, Leg, Place, leg
from service.vehicles.schemas import VehicleQuery
from service.vehicles.sighting_repository import SightingRepository, Stop
from service.vehicles.sighting_schemas import SightingQuery
from service.vehicles.summary_repository import VehicleSummary, VehicleSummaryRepository
from service.vehicles.work import no_vehicle


@dataclass(frozen=True, slots=True)
class Sighting:
    """What a camera saw of a vehicle in a row.

    Attributes:
        stop: Which crops.
        camera: The camera.
        best: The crop that shows it best.
        leg: The way from the sighting before.
    """

    stop: Stop
    camera: Camera
    best: CropRecord
    leg: Leg


async def page_of_vehicles(
    runtime: Runtime, caller: Caller, query: VehicleQuery
) -> tuple[list[VehicleSummary], str | None]:
    """One page of a collection's vehicles and the cursor of the next.

    Raises:
        ForbiddenError: The caller may not use the collection.
        NotFoundError: There is no such collection.
    """
    caller.enter(query.collection)
    async with runtime.database.reading() as session:
        vehicles = VehicleSummaryRepository(session, (await CollectionRepository(session).named(query.collection)).id)
        return await vehicles.page(claimed=query.claimed, limit=query.limit, cursor=query.cursor)


async def vehicle_by_id(
    runtime: Runtime, caller: Caller, collection: str, vehicle_id: str, *, claimed: bool
) -> VehicleSummary:
    """One vehicle.

    Raises:
        ForbiddenError: The caller may not use the collection.
        NotFoundError: There is no such collection or vehicle.
    """
    caller.enter(collection)
    async with runtime.database.reading() as session:
        return await _vehicle(
            session, await CollectionRepository(session).named(collection), vehicle_id, claimed=claimed
        )


async def page_of_sightings(
    runtime: Runtime, caller: Caller, vehicle_id: str, query: SightingQuery
) -> tuple[list[Sighting], str | None]:
    """One page of a vehicle's sightings in time order, and the cursor of the next.

    Raises:
        ForbiddenError: The caller may not use the collection.
        NotFoundError: There is no such collection or vehicle.
        InvalidValueError: The cursor is none of ours.
    """
    caller.enter(query.collection)
    async with runtime.database.reading() as session:
        collection = await CollectionRepository(session).named(query.collection)
        await _vehicle(session, collection, vehicle_id, claimed=query.claimed)
        sightings = SightingRepository(session, collection.id)
        stops, cursor = await sightings.page(
            vehicle_id,
            claimed=query.claimed,
            longest_gap=timedelta(seconds=query.longest_gap_s),
            limit=query.limit,
            cursor=query.cursor,
        )
        around = {stop.camera_id for stop in stops} | {stop.camera_before for stop in stops if stop.camera_before}
        cameras = await sightings.cameras(around)
        best = await GalleryRepository(session).many(stop.best_crop_id for stop in stops)
    return [_sighting(stop, cameras, best) for stop in stops], cursor


async def _vehicle(session: Session, collection: Collection, vehicle_id: str, *, claimed: bool) -> VehicleSummary:
    found = await VehicleSummaryRepository(session, collection.id).one(vehicle_id, claimed=claimed)
    if found is None:
        raise no_vehicle(vehicle_id)
    return found


def _sighting(stop: Stop, cameras: Mapping[str, Camera], best: Mapping[UUID, CropRecord]) -> Sighting:
    camera, way = cameras[stop.camera_id], UNKNOWN
    if stop.camera_before is not None:
        way = leg(stop.left_before, _place(cameras[stop.camera_before]), stop.first_captured_at, _place(camera))
    return Sighting(stop, camera, best[stop.best_crop_id], way)


def _place(camera: Camera) -> Place | None:
    if camera.latitude is None or camera.longitude is None:
        return None
    return Place(camera.latitude, camera.longitude)
