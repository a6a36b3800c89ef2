"""How vehicles and sightings are shown."""

from dataclasses import asdict

from service.gallery.schemas import CropView
from service.vehicles.changing import VehicleChange
from service.vehicles.schemas import MergeView, VehicleChangeView, VehicleView
from service.vehicles.service import Sighting
from service.vehicles.sighting_schemas import SightingCamera, SightingView
from service.vehicles.summary_repository import VehicleSummary


def vehicle_view(collection: str, vehicle: VehicleSummary) -> VehicleView:
    """A vehicle of a collection."""
    return VehicleView(collection=collection, **asdict(vehicle))


def change_view(collection: str, change: VehicleChange) -> VehicleChangeView:
    """A vehicle of a collection after a change."""
    return VehicleChangeView(
        vehicle=vehicle_view(collection, change.vehicle), changed_crops=change.changed_crops, sequence=change.sequence
    )


def merge_view(collection: str, change: VehicleChange) -> MergeView:
    """A vehicle of a collection after others were merged into it."""
    merged = [vehicle_view(collection, vehicle) for vehicle in change.merged]
    return MergeView(**dict(change_view(collection, change)), merged=merged)


def sighting_view(sighting: Sighting, prefix: str) -> SightingView:
    """A sighting; `prefix` is where the service is mounted."""
    stop, best = sighting.stop, sighting.best
    return SightingView(
        camera=SightingCamera.model_validate(sighting.camera),
        session_id=stop.session_id,
        track_id=stop.track_id,
        first_captured_at=stop.first_captured_at,
        last_captured_at=stop.last_captured_at,
        crops=stop.crops,
        confirmed_crops=stop.confirmed_crops,
        best_crop=CropView.model_validate(best),
        image_url=f"{prefix}/gallery/{best.id}/image" if best.has_image else None,
        **asdict(sighting.leg),
    )
