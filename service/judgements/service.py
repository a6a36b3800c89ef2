"""Judging hits: a word is remembered, and a yes to a vehicle confirms it."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from service.access import Caller
from service.audit.repository import AuditRepository
from service.calibration.pairs import LabelledPair
from service.calibration.scoring import scored
from service.collections.repository import CollectionRepository
from service.database.tables import Judgement
from service.errors import ConflictError, ForbiddenError, ModelMismatchError, NotFoundError
from service.judgements.repository import JudgementRepository
from service.judgements.schemas import JudgementQuery, NewJudgement
from service.runtime import Runtime
from service.vehicles.changing import confirm
from service.vehicles.repository import Identity
from service.vehicles.work import VehicleWork, vehicle_work


async def judge(runtime: Runtime, caller: Caller, new: NewJudgement) -> Judgement:
    """Remember what a person said of a hit. Where it is a yes to a vehicle, the crops are confirmed to be it.

    Raises:
        ForbiddenError: The caller may not use the collection, or not confirm vehicles.
        NotFoundError: There is no such collection, crop or vehicle.
        ConflictError: It contradicts what is confirmed.
        ModelMismatchError: The score is of another model than the collection's.
    """
    confirming = new.same and new.vehicle_id is not None
    if confirming and not caller.may("enroll"):
        raise ForbiddenError(
            "Confirming a vehicle takes the scope 'enroll'; leave vehicle_id out to judge the hit only."
        )
    async with vehicle_work(runtime, caller, new.collection) as work:
        ends = [new.crop_id] if new.query_crop_id is None else [new.crop_id, new.query_crop_id]
        crops = await work.crops(ends)
        said = new.model_dump(mode="json", exclude={"collection"}, exclude_none=True)
        if new.same and new.vehicle_id is not None:
            said["claimed"] = (await confirm(work, crops, new.vehicle_id)).claimed
        else:
            await _require_no_contradiction(work, crops, new)
        values = {**await _scored(work, new), "created_by": caller.name}
        judgement = await JudgementRepository(work.session).add(values)
        await AuditRepository(work.session).record(
            caller, "create_judgement", new.collection, filter=said, crop_ids=ends
        )
    return judgement


async def page_of_judgements(
    runtime: Runtime, caller: Caller, query: JudgementQuery
) -> tuple[list[Judgement], str | None]:
    """One page of a collection's judgements, newest first, and the cursor of the next.

    Raises:
        ForbiddenError: The caller may not use the collection.
        NotFoundError: There is no such collection.
    """
    caller.enter(query.collection)
    async with runtime.database.reading() as session:
        collection = await CollectionRepository(session).named(query.collection)
        return await JudgementRepository(session).page(
            collection.id, crop_id=query.crop_id, same=query.same, limit=query.limit, cursor=query.cursor
        )


async def take_back(runtime: Runtime, caller: Caller, judgement_id: UUID) -> None:
    """Forget a judgement. What it confirmed stays confirmed.

    Raises:
        NotFoundError: There is none of that id that the caller sees.
    """
    async with runtime.database.transaction() as session:
        judgements = JudgementRepository(session)
        found = await judgements.get(judgement_id)
        if found is None or not caller.sees(found[1]) or not await judgements.delete(judgement_id):
            raise NotFoundError(f"There is no judgement {judgement_id}; it may have gone with a crop of it.")
        judgement, collection = found
        ends = [crop_id for crop_id in (judgement.crop_id, judgement.query_crop_id) if crop_id is not None]
        said = {"vehicle_id": judgement.vehicle_id, "same": judgement.same, "score": judgement.score}
        await AuditRepository(session).record(caller, "delete_judgement", collection, filter=said, crop_ids=ends)


async def _scored(work: VehicleWork, new: NewJudgement) -> dict[str, Any]:
    """Columns of a judgement, but for who made it."""
    collection = work.collection
    values = new.model_dump(include={"crop_id", "query_crop_id", "vehicle_id", "same", "score"})
    if new.query_crop_id is not None:
        (pair,) = await scored(work.session, collection, [LabelledPair(new.query_crop_id, new.crop_id, new.same)])
        values["score"] = pair.score
    elif new.model_id not in (None, collection.model_id):
        raise ModelMismatchError(
            f"The score is of model {new.model_id!r}, the collection belongs to {collection.model_id}; search again."
        )
    return {**values, "collection_id": collection.id, "model_id": collection.model_id}


async def _require_no_contradiction(work: VehicleWork, crops: Mapping[UUID, Identity], new: NewJudgement) -> None:
    if new.vehicle_id is not None:
        await work.vehicle(new.vehicle_id)
    confirmed = crops[new.crop_id].confirmed_id
    other = new.vehicle_id if new.query_crop_id is None else crops[new.query_crop_id].confirmed_id
    if confirmed is None:
        return
    if new.same and other not in (None, confirmed):
        raise ConflictError(
            f"The crops are confirmed to be the vehicles {confirmed!r} and {other!r}; merge the two, or take one off."
        )
    if not new.same and confirmed in (other, new.vehicle_id):
        raise ConflictError(f"Crop {new.crop_id} is confirmed to be vehicle {confirmed!r}; take it off that one first.")
