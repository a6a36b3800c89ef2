"""Which crops of a collection a request is about: the conditions that searching and listing share."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from index.contract import Filter
from service.gallery.schemas import DEFAULT_COLLECTION
from service.problems import invalid_field
from service.values import Name, Time, check_attributes, read_json


class Selection(BaseModel):
    """Conditions on crops; every one given must hold."""

    model_config = ConfigDict(extra="forbid")

    collection: Name = Field(DEFAULT_COLLECTION, description="The collection; nothing of another is ever answered.")
    camera_ids: list[Name] = Field([], max_length=1000, description="Cameras allowed; repeat the field. Absent: any.")
    exclude_camera_ids: list[Name] = Field([], max_length=1000, description="Cameras not allowed; repeat the field.")
    captured_from: Time | None = Field(
        None,
        alias="from",
        description="Start of the time window, itself inside. Crops without a time are in no window.",
    )
    captured_to: Time | None = Field(None, alias="to", description="End of the time window, itself outside.")
    vehicle_ids: list[Name] = Field(
        [], max_length=1000, description="Vehicle ids allowed; repeat the field. Absent: any."
    )
    attributes: str | None = Field(
        None,
        description="JSON object as text; each key must be present with an equal value.",
        examples=['{"colour": "red"}'],
    )

    def where(self) -> Filter:
        """The conditions as the index takes them.

        Raises:
            MalformedRequestError: `attributes` is not JSON.
            InvalidValueError: A condition makes no sense.
        """
        if self.captured_from and self.captured_to and self.captured_from >= self.captured_to:
            raise invalid_field("to", "must be later than from")
        return Filter(
            collection=self.collection,
            camera_ids=frozenset(self.camera_ids) or None,
            exclude_camera_ids=frozenset(self.exclude_camera_ids),
            captured_from=self.captured_from,
            captured_to=self.captured_to,
            vehicle_ids=frozenset(self.vehicle_ids) or None,
            attributes=self._attributes(),
        )

    def _attributes(self) -> dict[str, Any]:
        if self.attributes is None:
            return {}
        try:
            return check_attributes(read_json(self.attributes, "attributes"))
        except ValueError as error:
            raise invalid_field("attributes", str(error)) from error
