"""What the vehicles' routes take and answer."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.config import JsonDict

from index.contract import Scalar
from service.gallery.schemas import CROP_EXAMPLE, DEFAULT_COLLECTION
from service.values import Attributes, Name, Notes

MOST_CROPS = 1000
MOST_MERGED = 100
VEHICLE_ID_EXAMPLE = "taxi-0139"
_SAID: JsonDict = {
    "label": "Taxi 139",
    "notes": "Left rear door is dented.",
    "attributes": {"colour": "red", "type": "van"},
}
VEHICLE_EXAMPLE: JsonDict = {
    "vehicle_id": VEHICLE_ID_EXAMPLE,
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


class _Said(BaseModel):
    """What people say of a vehicle."""

    model_config = ConfigDict(extra="forbid")

    label: Name | None = Field(None, description="What people call it.", examples=["Taxi 139"])
    notes: Notes | None = Field(None, description="Whatever is worth writing down.")


class _NewVehicle(_Said):
    crop_ids: CropIds = Field(description="Crops of the collection that show it.")
    vehicle_id: Name | None = Field(
        None, description="Its id; one is made where none is given.", examples=[VEHICLE_ID_EXAMPLE]
    )
    attributes: Attributes = Field(default_factory=dict, description="Flat JSON object.")


class NewVehicle(_NewVehicle):
    """Body of POST /vehicles."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"crop_ids": [CROP_EXAMPLE["id"]], "vehicle_id": VEHICLE_ID_EXAMPLE, **_SAID}]}
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
        json_schema_extra={"examples": [{"into": VEHICLE_ID_EXAMPLE, "from": ["taxi-0140"]}]},
    )

    collection: Name = Field(DEFAULT_COLLECTION, description="The collection.")
    into: Name = Field(description="The confirmed vehicle that stays.", examples=[VEHICLE_ID_EXAMPLE])
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

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"items": [VEHICLE_EXAMPLE], "next_cursor": VEHICLE_ID_EXAMPLE}]}
    )

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
