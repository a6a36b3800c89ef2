"""Pairs that follow from what people confirmed: the vehicles of a collection, and their judgements of hits."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, groupby
from typing import Final
from uuid import UUID

import numpy as np
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from service.calibration.pairs import LabelledPair, ScoredPair
from service.database.tables import Crop, Judgement

MOST_PAIRS: Final = 20_000
"""Of each kind."""
_CROPS_PER_VEHICLE: Final = 12
_MOST_CROPS: Final = 50_000
_SEED: Final = 241


@dataclass(frozen=True, slots=True)
class _Seen:
    crop_id: UUID
    vehicle_id: str
    camera_id: str


class PairRepository:
    """Reads labelled pairs within one session.

    Pairs of one vehicle are crops confirmed to be the same vehicle, of different cameras, and pairs of crops that were
    judged to be the same. Pairs of two are crops confirmed to be different vehicles, of different cameras, drawn at
    random. Pairs that were judged to be different are not among them: they stood at the top of a list, the most alike
    of thousands, and a threshold over such pairs would tell nothing about all the others.
    """

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def of_vehicles(self, collection_id: UUID) -> list[LabelledPair]:
        """Pairs of confirmed vehicles, at most `MOST_PAIRS` of each kind; the same while nothing changes."""
        seen = await self._seen(collection_id)
        random = np.random.default_rng(_SEED)
        return _same(seen, random) + _different(seen, random)

    async def judged(self, collection_id: UUID, model_id: str) -> tuple[list[LabelledPair], list[ScoredPair]]:
        """Pairs judged to be the same: those of two enrolled crops, and those of a query that is not enrolled.

        The latest word on two crops counts. A score that a judgement brought counts for the model it is of only.
        """
        query = (
            select(Judgement)
            .where(Judgement.collection_id == collection_id)
            .order_by(Judgement.id.desc())
            .limit(MOST_PAIRS)
        )
        enrolled: dict[frozenset[UUID], LabelledPair] = {}
        others: list[ScoredPair] = []
        for word in await self._session.scalars(query):
            if word.query_crop_id is not None:
                pair = LabelledPair(word.query_crop_id, word.crop_id, word.same)
                enrolled.setdefault(frozenset((word.query_crop_id, word.crop_id)), pair)
            elif word.same and word.model_id == model_id:
                others.append(ScoredPair(word.id, word.crop_id, same=True, score=word.score))
        return [pair for pair in enrolled.values() if pair.same], others

    async def _seen(self, collection_id: UUID) -> list[_Seen]:
        """Confirmed crops, by vehicle: a few of each, spread over its cameras."""
        of_camera = func.row_number().over(partition_by=(Crop.vehicle_id, Crop.camera_id), order_by=Crop.id)
        confirmed = (
            select(Crop.id, Crop.vehicle_id, Crop.camera_id, of_camera.label("turn"))
            .where(Crop.collection_id == collection_id, Crop.vehicle_confirmed, Crop.vehicle_id.is_not(None))
            .subquery()
        )
        place = func.row_number().over(
            partition_by=confirmed.c.vehicle_id, order_by=(confirmed.c.turn, confirmed.c.camera_id)
        )
        placed = select(confirmed.c.id, confirmed.c.vehicle_id, confirmed.c.camera_id, place.label("place")).subquery()
        query = (
            select(placed.c.id, placed.c.vehicle_id, placed.c.camera_id)
            .where(placed.c.place <= _CROPS_PER_VEHICLE)
            .order_by(placed.c.vehicle_id, placed.c.id)
            .limit(_MOST_CROPS)
        )
        return [_Seen(*row) for row in await self._session.execute(query)]


def _same(seen: Sequence[_Seen], random: np.random.Generator) -> list[LabelledPair]:
    pairs = [
        LabelledPair(one.crop_id, other.crop_id, same=True)
        for _, crops in groupby(seen, key=lambda crop: crop.vehicle_id)
        for one, other in combinations(crops, 2)
        if one.camera_id != other.camera_id
    ]
    chosen = random.permutation(len(pairs))[:MOST_PAIRS]
    return [pairs[place] for place in sorted(chosen)]


def _different(seen: Sequence[_Seen], random: np.random.Generator) -> list[LabelledPair]:
    if not seen:
        return []
    ends = np.sort(random.integers(len(seen), size=(8 * MOST_PAIRS, 2)), axis=1)
    drawn = np.unique(ends, axis=0)
    pairs = [
        LabelledPair(seen[one].crop_id, seen[other].crop_id, same=False)
        for one, other in drawn[random.permutation(len(drawn))]
        if seen[one].vehicle_id != seen[other].vehicle_id and seen[one].camera_id != seen[other].camera_id
    ]
    return pairs[:MOST_PAIRS]
