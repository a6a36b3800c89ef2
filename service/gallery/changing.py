"""Changing what is said of a crop."""

import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from index.contract import Scalar
from service.access import Caller
from service.audit.repository import AuditRepository
from service.errors import ConflictError
from service.gallery.records import CropRecord
from service.gallery.repository import GalleryRepository
from service.gallery.schemas import CropPatch, latest_time
from service.gallery.service import no_crop
from service.problems import invalid_field
from service.runtime import Runtime
from service.values import check_attributes


async def change_crop(runtime: Runtime, caller: Caller, crop_id: UUID, patch: CropPatch) -> CropRecord:
    """Apply a merge patch to a crop; when this returns, the lists show it, and this process's searches wait for it.

    Raises:
        NotFoundError: There is none of that id that the caller sees.
        ConflictError: A person has confirmed another vehicle id than the patch has.
        ExternalIdConflictError: The new external id is that of another crop of the collection.
        InvalidValueError: The new time lies in the future, or there would be too many attributes.
    """
    if patch.captured_at is not None and patch.captured_at > latest_time(runtime.settings.clock_skew_s)["latest"]:
        raise invalid_field("captured_at", "lies in the future")
    async with runtime.database.transaction() as session:
        gallery = GalleryRepository(session)
        crop = await gallery.locked(crop_id)
        if crop is None or not caller.sees(crop.collection):
            raise no_crop(crop_id)
        values = {name: new for name, new in _wanted(crop, patch).items() if _differ(getattr(crop, name), new)}
        if "vehicle_id" in values and crop.vehicle_confirmed:
            raise ConflictError(
                f"Crop {crop_id} is confirmed to be vehicle {crop.vehicle_id!r}; take it off that vehicle first."
            )
        if not values:
            return crop
        await gallery.change(crop_id, values)
        asked = patch.model_dump(mode="json", exclude_unset=True)
        await AuditRepository(session).record(caller, "update_crop", crop.collection, filter=asked, crop_ids=[crop_id])
        changed = (await gallery.many([crop_id]))[crop_id]
        sequence = await gallery.log_changes(crop.collection_id, [crop_id], deleted=False)
    runtime.follower.note_commit(sequence)
    return changed


def _wanted(crop: CropRecord, patch: CropPatch) -> dict[str, Any]:
    """Columns as the patch has them, attributes merged (RFC 7396)."""
    values = patch.model_dump(exclude_unset=True)
    if "attributes" not in values:
        return values
    return values | {"attributes": merged_attributes(crop.attributes, values["attributes"])}


def merged_attributes(attributes: Mapping[str, Scalar], patch: Mapping[str, Scalar] | None) -> dict[str, Scalar]:
    """A merge patch (RFC 7396) of attributes: one that is null is removed, null for all removes all.

    Raises:
        InvalidValueError: There would be too many.
    """
    if patch is None:
        return {}
    merged = {name: value for name, value in attributes.items() if name not in patch}
    merged |= {name: value for name, value in patch.items() if value is not None}
    try:
        return check_attributes(merged)
    except ValueError as error:
        raise invalid_field("attributes", str(error)) from error


def _differ(old: Any, new: Any) -> bool:  # noqa: ANN401 - whatever a column holds
    """Whether two values differ; 1 and true do, in attributes."""
    if isinstance(old, dict):
        return json.dumps(old, sort_keys=True) != json.dumps(new, sort_keys=True)
    return bool(old != new)
