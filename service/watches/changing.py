"""Changing and deleting watches."""

from typing import Any
from uuid import UUID

from service.access import Caller
from service.audit.repository import AuditRepository
from service.database.engine import Session
from service.errors import ModelMismatchError
from service.gallery.changing import merged_attributes
from service.problems import invalid_field
from service.runtime import Runtime
from service.watches.admission import (
    check_fields,
    loaded_collection,
    require_calibration,
    require_crops,
    without_address,
)
from service.watches.records import WatchRecord
from service.watches.repository import WatchRepository
from service.watches.requests import SAID, WatchPatch, read_conditions, stored_conditions
from service.watches.schemas import WatchView
from service.watches.service import seen, shown


async def change_watch(runtime: Runtime, caller: Caller, watch_id: UUID, patch: WatchPatch) -> WatchView:
    """Apply a merge patch to a watch; whoever does answers for it from then on.

    Raises:
        NotFoundError: There is none of that id that the caller sees, or its collection does not hold a crop.
        ModelMismatchError: It was made of pictures with another model, or its collection is of another one.
        ConflictError: The scores are not calibrated and a decision is wanted.
        InvalidValueError: It would make no sense, the webhook may not be told, or a purpose is wanted.
    """
    check_fields(runtime, patch.webhook_url, patch.expires_at)
    loaded = runtime.embedder.model_id
    async with runtime.database.transaction() as session:
        watches = WatchRepository(session)
        models = {loaded, (await seen(session, caller, watch_id)).model_id}
        heads = {model_id: await watches.hold_evaluation(model_id) for model_id in sorted(models)}
        watch = await seen(session, caller, watch_id, lock=True)
        values = await _changes(runtime, session, caller, watch, patch)
        restarts = values.get("model_id", watch.model_id) != watch.model_id or (watch.paused and not values["paused"])
        if restarts:
            values["sequence"] = heads[loaded]
        await watches.change(watch_id, values, restarts=restarts)
        if patch.crop_ids:
            await watches.replace_crops(watch_id, patch.crop_ids)
        asked = without_address(patch.model_dump(mode="json", by_alias=True, exclude_unset=True))
        await AuditRepository(session).record(
            caller,
            "update_watch",
            watch.collection,
            purpose=values.get("purpose"),
            filter={"watch_id": str(watch_id), **asked},
            crop_ids=patch.crop_ids,
        )
        return await shown(runtime, session, await seen(session, caller, watch_id))


async def delete_watch(runtime: Runtime, caller: Caller, watch_id: UUID) -> None:
    """Delete a watch with all that it found; crops stay.

    Raises:
        NotFoundError: There is none of that id that the caller sees.
    """
    async with runtime.database.transaction() as session:
        watch = await seen(session, caller, watch_id, lock=True)
        await WatchRepository(session).delete(watch_id)
        said = {"watch_id": str(watch_id), "name": watch.name}
        await AuditRepository(session).record(caller, "delete_watch", watch.collection, filter=said)


async def _changes(
    runtime: Runtime, session: Session, caller: Caller, watch: WatchRecord, patch: WatchPatch
) -> dict[str, Any]:
    """Columns as the patch has them."""
    values = patch.model_dump(exclude_unset=True, include={*SAID, "exclude_same_track"})
    values = {"paused": watch.paused, **values, "key_id": caller.key_id, "filter": _merged(watch, patch)}
    if {"min_score", "decision"} & values.keys():
        values |= {"min_score": patch.min_score, "decision": patch.decision}
    if not patch.crop_ids and not {"min_score", "decision"} & values.keys():
        return values
    collection = await loaded_collection(runtime, session, watch.collection, keep=False)
    if watch.model_id != collection.model_id:
        _require_renewable(watch, patch)
        values["model_id"] = collection.model_id
    if patch.crop_ids:
        wanted = collection.require_purpose
        values |= {"vector": None, "purpose": caller.purpose_for(watch.collection, required=wanted)}
    if not watch.from_images or patch.crop_ids:
        await require_crops(session, collection, patch.crop_ids or watch.crop_ids)
    if values.get("decision", watch.decision if "min_score" not in values else None) is not None:
        await require_calibration(session, collection)
    return values


def _require_renewable(watch: WatchRecord, patch: WatchPatch) -> None:
    """Refuse to compare what two models made with each other."""
    if watch.from_images and not patch.crop_ids:
        raise ModelMismatchError(
            f"The watch was made of pictures with the model {watch.model_id}, and the pictures were not kept; make it "
            "anew, or give it crops."
        )
    if watch.min_score is not None and patch.min_score is None and patch.decision is None:
        raise invalid_field("min_score", f"is one of the model {watch.model_id}; say it anew, or a decision instead")


def _merged(watch: WatchRecord, patch: WatchPatch) -> dict[str, Any]:
    """The conditions as the patch has them."""
    conditions = {**watch.filter, **patch.conditions()}
    if "attributes" in patch.model_fields_set:
        conditions["attributes"] = merged_attributes(watch.filter.get("attributes", {}), patch.attributes)
    left = {name: value for name, value in conditions.items() if value is not None}
    return stored_conditions(read_conditions(watch.collection, left))
