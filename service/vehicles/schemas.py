"""What the vehicles' routes take and answer."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.config import JsonDict

from index.contract import Scalar
from service.cursors import MAX_CURSOR
from service.gallery.schemas import CROP_EXAMPLE, DEFAULT_COLLECTION, CropView
from service.values import Attributes, Name, Notes

MOST_CROPS = 1000
MOST_MERGED = 100
_ID = "taxi-0139"
_SAID: JsonDict = {
    "label": "Taxi 139",
    "notes": "Left rear door is dented.",
    "attributes": {"colour": "red", "type": "van"},
}
VEHICLE_EXAMPLE: JsonDict = {
    "vehicle_id": _ID,
    "collection": "default",
    "confirmed": True,
    **_SAID,
    "crops": 12,
    "claimed_crops": 3,
    "cameras": 4,
    "first_captured_at": "2026-11-22T17:02:40Z",
    "last_captured_at": "2026-11-23T08:30:03Z",
    "best_crop_id": CROP_EXAMPLE["id"],
    "created_at": "2026-11-23T09:12:44.120000Z",
    "updated_at": "2026-11-23T09:15:02.874000Z",
    "created_by": "operations",
}
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
_CHANGE_EXAMPLE: JsonDict = {"vehicle": VEHICLE_EXAMPLE, "changed_crops": 2, "sequence": 1209}

CropIds = Annotated[list[UUID], Field(min_length=1, max_length=MOST_CROPS)]


class OfCollection(BaseModel):
    """Query that says whose vehicles are meant."""

    model_config = ConfigDict(extra="forbid")

    collection: Name = Field(DEFAULT_COLLECTION, description="The collection.")


class VehicleAddress(OfCollection):
    """Query of every route of one vehicle."""

    id: Name | None = Field(
        None,
        description="The vehicle's id, where the address has ~ in its place, as ids with `.` or `..` between slashes "
        "and some ids with slashes need.",
    )


class OneVehicleQuery(VehicleAddress):
    """Query of GET /vehicles/{vehicle_id}."""

    claimed: bool = Field(default=False, description="Also one that crops were only enrolled as.")


class VehicleQuery(OfCollection):
    """Query of GET /vehicles."""

    claimed: bool = Field(default=False, description="Also those that crops were only enrolled as.")
    limit: int = Field(100, ge=1, le=1000, description="Vehicles on a page at most.")
    cursor: Name | None = Field(None, description="next_cursor of the page before.")


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


class _Said(BaseModel):
    """What people say of a vehicle."""

    model_config = ConfigDict(extra="forbid")

    label: Name | None = Field(None, description="What people call it.", examples=["Taxi 139"])
    notes: Notes | None = Field(None, description="Whatever is worth writing down.")


class _NewVehicle(_Said):
    crop_ids: CropIds = Field(description="Crops of the collection that show it.")
    vehicle_id: Name | None = Field(None, description="Its id; one is made where none is given.", examples=[_ID])
    attributes: Attributes = Field(default_factory=dict, description="Flat JSON object.")


class NewVehicle(_NewVehicle):
    """Body of POST /vehicles."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"crop_ids": [CROP_EXAMPLE["id"]], "vehicle_id": _ID, **_SAID}]}
    )

    collection: Name = Field(DEFAULT_COLLECTION, description="The collection.")


class VehicleSplit(_NewVehicle):
    """Body of POST /vehicles/{vehicle_id}/split: the vehicle that some of its crops really show."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"crop_ids": [CROP_EXAMPLE["id"]], "vehicle_id": "taxi-0140"}]}
    )


class VehiclePatch(_Said):
    """Body of PATCH /vehicles/{vehicle_id}, a merge patch: what is absent stays, what is null is cleared."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"notes": "Repaired.", "attributes": {"colour": "white", "type": None}}]}
    )

    attributes: Attributes | None = Field(
        None, description="Attributes to set; one that is null is removed, null for all removes all."
    )


class VehicleCrops(BaseModel):
    """Body of the routes that confirm or remove a vehicle's crops."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"crop_ids": [CROP_EXAMPLE["id"]]}]})

    crop_ids: CropIds = Field(description="Crops of the collection.")


class VehicleMerge(BaseModel):
    """Body of POST /vehicles/merge."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"into": _ID, "from": ["taxi-0140"]}]},
    )

    collection: Name = Field(DEFAULT_COLLECTION, description="The collection.")
    into: Name = Field(description="The confirmed vehicle that stays.", examples=[_ID])
    merged: list[Name] = Field(
        alias="from",
        min_length=1,
        max_length=MOST_MERGED,
        description="The vehicles that are the same one, confirmed or only claimed.",
    )

    @model_validator(mode="after")
    def _name_each_vehicle_once(self) -> Self:
        named = [self.into, *self.merged]
        if len(set(named)) < len(named):
            raise ValueError("into and from name a vehicle twice")
        return self


class VehicleView(BaseModel):
    """A vehicle and what was seen of it."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"examples": [VEHICLE_EXAMPLE]})

    vehicle_id: str
    collection: str
    confirmed: bool = Field(description="Whether a person confirmed it; otherwise crops were only enrolled as it.")
    label: str | None = Field(description="What people call it; null where nobody has said.")
    notes: str | None
    attributes: dict[str, Scalar]
    crops: int = Field(description="Crops that a person confirmed to show it.")
    claimed_crops: int = Field(description="Crops that were enrolled as it and that nobody has confirmed.")
    cameras: int = Field(description="Cameras that took its crops: the confirmed ones, if it is confirmed.")
    first_captured_at: datetime | None = Field(description="Of the same crops.")
    last_captured_at: datetime | None
    best_crop_id: UUID | None = Field(description="The one of them with the largest picture; null without any.")
    created_at: datetime | None = Field(description="When it was first confirmed; null where it is only claimed.")
    updated_at: datetime | None = Field(description="When people last changed it or its crops.")
    created_by: str | None = Field(description="Name of the key that first confirmed it.")


class VehiclePage(BaseModel):
    """One page of vehicles in the order of their ids."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [VEHICLE_EXAMPLE], "next_cursor": _ID}]})

    items: list[VehicleView]
    next_cursor: str | None = Field(description="Give it as `cursor` for the next page; null on the last.")


class VehicleChangeView(BaseModel):
    """A vehicle after its crops were changed."""

    model_config = ConfigDict(json_schema_extra={"examples": [_CHANGE_EXAMPLE]})

    vehicle: VehicleView
    changed_crops: int = Field(description="Crops that this changed; 0 where all was so already.")
    sequence: int = Field(description="Give it to a search as min_sequence to be sure that it sees this.")


class MergeView(VehicleChangeView):
    """A vehicle after others were merged into it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [_CHANGE_EXAMPLE | {"merged": [VEHICLE_EXAMPLE | {"vehicle_id": "taxi-0140", "crops": 2}]}]
        }
    )

    merged: list[VehicleView] = Field(description="The others as they were; the audit log keeps them, too.")


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
        json_schema_extra={"examples": [{"vehicle_id": _ID, "items": [_SIGHTING_EXAMPLE], "next_cursor": "WyJhIl0="}]}
    )

    vehicle_id: str
    items: list[SightingView]
    next_cursor: str | None = Field(description="Give it as `cursor` for the next page; null on the last.")
