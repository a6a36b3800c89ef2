"""What the route of a vehicle's sightings takes and answers."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from service.cursors import MAX_CURSOR
from service.gallery.schemas import CROP_EXAMPLE, CropView
from service.vehicles.schemas import VEHICLE_ID_EXAMPLE, OneVehicleQuery

_SIGHTING_EXAMPLE: JsonDict = {
    "camera": {"camera_id": "gate-north", "name": "North gate, inbound", "latitude": 53.5413, "longitude": 9.9841},
    "session_id": "2026-11-23",
    "track_id": "17",
    "first_captured_at": "2026-11-23T08:29:58Z",
    "last_captured_at": "2026-11-23T08:30:03Z",
    "crops": 4,
    "confirmed_crops": 4,
    "best_crop": CROP_EXAMPLE,
    "image_url": f"/gallery/{CROP_EXAMPLE['id']}/image",
    "gap_s": 431.0,
    "distance_m": 5120.4,
    "speed_kmh": 42.8,
    "implausible": False,
}


class SightingQuery(OneVehicleQuery):
    """Query of GET /vehicles/{vehicle_id}/sightings."""

    claimed: bool = Field(default=False, description="Also by crops that were only enrolled as it.")
    longest_gap_s: float = Field(
        300.0,
        ge=0,
        le=31_536_000,
        allow_inf_nan=False,
        description="Seconds without a crop after which a new sighting begins, on the same camera and track, too.",
    )
    limit: int = Field(100, ge=1, le=1000, description="Sightings on a page at most.")
    cursor: str | None = Field(None, max_length=MAX_CURSOR, description="next_cursor of the page before.")


class SightingCamera(BaseModel):
    """The camera of a sighting, and where it stands."""

    model_config = ConfigDict(from_attributes=True)

    camera_id: str
    name: str | None
    latitude: float | None = Field(description="Degrees north, WGS 84; null where its place is not known.")
    longitude: float | None = Field(description="Degrees east, WGS 84; null where its place is not known.")


class SightingView(BaseModel):
    """What a camera saw of a vehicle in a row, and the way there from the sighting before."""

    model_config = ConfigDict(json_schema_extra={"examples": [_SIGHTING_EXAMPLE]})

    camera: SightingCamera
    session_id: str | None
    track_id: str | None
    first_captured_at: datetime | None = Field(description="Null where its crops have no time; such come last.")
    last_captured_at: datetime | None
    crops: int
    confirmed_crops: int = Field(description="How many of the crops a person confirmed.")
    best_crop: CropView = Field(description="The one with the largest picture.")
    image_url: str | None = Field(description="Its picture; null where none is kept.")
    gap_s: float | None = Field(
        description="Seconds since the sighting before; null of the first and where a time is not known."
    )
    distance_m: float | None = Field(
        description="Metres from the camera before on the straight line; null where a place is not known."
    )
    speed_kmh: float | None = Field(
        description="What the two come to; null where one is missing or no time passed in between."
    )
    implausible: bool | None = Field(
        description="Whether it would have gone faster than 200 km/h, even if both cameras see 100 m far. A hint at a "
        "wrong crop, place or clock, not a decision. Null where it cannot be said."
    )


class SightingPage(BaseModel):
    """One page of a vehicle's sightings in time order."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"vehicle_id": VEHICLE_ID_EXAMPLE, "items": [_SIGHTING_EXAMPLE], "next_cursor": "WyJhIl0="}]
        }
    )

    vehicle_id: str
    items: list[SightingView]
    next_cursor: str | None = Field(description="Give it as `cursor` for the next page; null on the last.")
