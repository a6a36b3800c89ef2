"""Learning, showing and removing a collection's calibration."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any
from uuid import UUID

from service.access import Caller
from service.audit.repository import AuditRepository
from service.calibration.learning import Learnt, Wish, learn
from service.calibration.pair_repository import PairRepository
from service.calibration.pairs import LabelledPair, ScoredPair, tabulated
from service.calibration.repository import CalibrationRepository, Standing
from service.calibration.schemas import CalibrationRequest, PairLabel
from service.calibration.scoring import scored
from service.collections.repository import CollectionRepository, no_collection
from service.database.engine import Session
from service.database.tables import Collection
from service.errors import InvalidValueError, NotFoundError
from service.runtime import Runtime


async def calibrate(runtime: Runtime, caller: Caller, name: str, request: CalibrationRequest) -> Standing:
    """Learn what scores of a collection mean, in place of what was learnt before.

    Raises:
        ForbiddenError: The caller may not use the collection.
        NotFoundError: There is no such collection, or it does not hold a crop of a pair.
        ModelMismatchError: The collection's vectors come from another model than the one loaded.
        InvalidValueError: There are too few pairs, or their scores tell nothing.
    """
    caller.enter(name)
    if not request.pairs and not request.from_vehicles:
        raise InvalidValueError("There is nothing to learn from: send pairs, or from_vehicles.")
    async with runtime.database.reading() as session:
        collection = await CollectionRepository(session).named_of_model(name, runtime.embedder.model_id)
        pairs = await _labelled(session, collection, request)
    learnt = await asyncio.to_thread(_learn, pairs, Wish(request.false_match_rate, request.false_non_match_rate))
    async with runtime.database.transaction() as session:
        now = await CollectionRepository(session).locked(name)
        if now is None or now.id != collection.id:
            raise no_collection(name)
        calibrations = CalibrationRepository(session)
        values = _columns(learnt, request) | {"created_by": caller.name}
        # Under the model that the scores are of, which may be another by now: then it is stale at once.
        await calibrations.put(collection.id, collection.model_id, values)
        await AuditRepository(session).record(caller, "create_calibration", name, filter=_asked(request))
        return await calibrations.standing(now)


async def calibration_of(runtime: Runtime, caller: Caller, name: str) -> Standing:
    """What was learnt of a collection's scores.

    Raises:
        ForbiddenError: The caller may not use the collection.
        NotFoundError: There is no such collection, or nothing was learnt.
    """
    caller.enter(name)
    async with runtime.database.reading() as session:
        collection = await CollectionRepository(session).named(name)
        standing = await CalibrationRepository(session).standing(collection)
    if standing.calibration is None:
        raise _not_calibrated(name)
    return standing


async def remove_calibration(runtime: Runtime, caller: Caller, name: str) -> None:
    """Forget what was learnt of a collection's scores, for every model: searches carry no decision any longer.

    Raises:
        ForbiddenError: The caller may not use the collection.
        NotFoundError: There is no such collection, or nothing was learnt.
    """
    caller.enter(name)
    async with runtime.database.transaction() as session:
        collection = await CollectionRepository(session).named(name)
        if not await CalibrationRepository(session).remove(collection.id):
            raise _not_calibrated(name)
        await AuditRepository(session).record(caller, "delete_calibration", name)


async def _labelled(session: Session, collection: Collection, request: CalibrationRequest) -> list[ScoredPair]:
    """All pairs to learn from, each once; the request's own labels before what follows from others."""
    pairs = {_ends(pair): pair for pair in map(_pair, request.pairs)}
    not_enrolled: list[ScoredPair] = []
    if request.from_vehicles:
        known = PairRepository(session)
        judged, not_enrolled = await known.judged(collection.id, collection.model_id)
        for pair in judged + await known.of_vehicles(collection.id):
            pairs.setdefault(_ends(pair), pair)
    return await scored(session, collection, list(pairs.values())) + not_enrolled


def _pair(label: PairLabel) -> LabelledPair:
    return LabelledPair(label.crop_id, label.other_crop_id, label.same)


def _ends(pair: LabelledPair) -> frozenset[UUID]:
    return frozenset((pair.crop_id, pair.other_crop_id))


def _learn(pairs: Sequence[ScoredPair], wish: Wish) -> Learnt:
    return learn(tabulated(pairs), wish)


def _columns(learnt: Learnt, request: CalibrationRequest) -> dict[str, Any]:
    measured = {
        "area_under_curve": learnt.area_under_curve,
        "match_false_match_rate": learnt.match.false_match_rate,
        "match_true_match_rate": learnt.match.true_match_rate,
        "possible_false_non_match_rate": learnt.missed,
        "roc": [asdict(point) for point in learnt.roc],
    }
    return {
        "intercept": learnt.intercept,
        "slope": learnt.slope,
        "match_score": learnt.match_score,
        "possible_score": learnt.possible_score,
        "false_match_rate": request.false_match_rate,
        "false_non_match_rate": request.false_non_match_rate,
        "same_pairs": learnt.same,
        "different_pairs": learnt.different,
        "vehicles": learnt.vehicles,
        "measured": measured,
    }


def _asked(request: CalibrationRequest) -> dict[str, Any]:
    return request.model_dump(mode="json", exclude={"pairs"}) | {"pairs": len(request.pairs)}


def _not_calibrated(name: str) -> NotFoundError:
    return NotFoundError(f"The scores of the collection {name!r} are not calibrated.")
