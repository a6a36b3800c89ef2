"""Vehicles as they are read: what people say of each, and what its crops add up to."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CompoundSelect, Row, Select, Subquery, func, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from index.contract import Scalar
from service.database.tables import Crop, Vehicle


@dataclass(frozen=True, slots=True, kw_only=True)
class VehicleSummary:
    """A vehicle and what was seen of it.

    Attributes:
        confirmed: Whether a person confirmed it; otherwise crops only claim it.
        label: What people call it; None where nobody has said.
        notes: What people wrote down of it.
        attributes: What people say of it.
        crops: Crops that a person confirmed to show it.
        claimed_crops: Crops that were only enrolled under its id.
        cameras: How many cameras took the confirmed crops; where it is only claimed, the claimed ones.
        first_captured_at: Earliest capture of the same crops; None where no time is known.
        last_captured_at: Latest capture of them.
        best_crop_id: The one of them with the largest picture, one whose picture is kept before others.
        created_at: When it was confirmed first; None where it is only claimed.
        updated_at: When people last changed it or its crops.
        created_by: Who confirmed it first.
    """

    vehicle_id: str
    confirmed: bool
    label: str | None
    notes: str | None
    attributes: Mapping[str, Scalar]
    crops: int
    claimed_crops: int
    cameras: int
    first_captured_at: datetime | None
    last_captured_at: datetime | None
    best_crop_id: UUID | None
    created_at: datetime | None
    updated_at: datetime | None
    created_by: str | None


class VehicleSummaryRepository:
    """Reads the vehicles of a collection within one session."""

    def __init__(self, session: AsyncSession, collection_id: UUID) -> None:
        self._session = session
        self._collection_id = collection_id

    async def one(self, vehicle_id: str, *, claimed: bool) -> VehicleSummary | None:
        """A vehicle.

        Args:
            vehicle_id: Its id.
            claimed: Whether one is meant, too, that crops only claim to be.

        Returns:
            None where there is none.
        """
        confirmed = self._confirmed().where(Vehicle.vehicle_id == vehicle_id)
        ids = confirmed if not claimed else confirmed.union(self._claimed().where(Crop.vehicle_id == vehicle_id))
        found = (await self._session.execute(self._summaries(ids))).one_or_none()
        return None if found is None else _summary(found)

    async def page(
        self, *, claimed: bool, limit: int, cursor: str | None = None
    ) -> tuple[list[VehicleSummary], str | None]:
        """Vehicles in the order of their ids.

        Args:
            claimed: Whether to list those, too, that crops only claim to be.
            limit: How many at most.
            cursor: `next_cursor` of the page before; None for the first page.

        Returns:
            The vehicles and the next page's cursor, None after the last page.
        """
        kinds = []
        for ids in (self._confirmed(), self._claimed()) if claimed else (self._confirmed(),):
            (column,) = ids.selected_columns
            wanted = ids if cursor is None else ids.where(column > cursor)
            # each on its own, so that either index is read in its order and no further than the page goes
            first = wanted.order_by(column).limit(limit + 1).subquery()
            kinds.append(select(first.c.vehicle_id))
        either = kinds[0].union(*kinds[1:]).subquery()
        page = select(either.c.vehicle_id).order_by(either.c.vehicle_id).limit(limit + 1)
        found = [_summary(row) for row in await self._session.execute(self._summaries(page))]
        return found[:limit], found[limit - 1].vehicle_id if len(found) > limit else None

    def _confirmed(self) -> Select[str]:
        return select(Vehicle.vehicle_id).where(Vehicle.collection_id == self._collection_id)

    def _claimed(self) -> Select[str | None]:
        claims = select(Crop.vehicle_id).where(Crop.collection_id == self._collection_id)
        return claims.where(Crop.vehicle_id.is_not(None)).distinct()

    def _summaries(self, which: Select[Any] | CompoundSelect[Any]) -> Select[*tuple[Any, ...]]:
        """Some vehicles in the order of their ids, with what was seen of each."""
        ids = which.subquery()
        vehicle = select(Vehicle).where(Vehicle.collection_id == self._collection_id).subquery()
        seen, best = self._seen(ids, vehicle), self._best(ids, vehicle)
        said = (vehicle.c[name] for name in ("label", "notes", "created_at", "updated_at", "created_by"))
        return (
            select(
                ids.c.vehicle_id,
                vehicle.c.vehicle_id.is_not(None).label("confirmed"),
                func.coalesce(vehicle.c.attributes, func.jsonb_build_object()).label("attributes"),
                *said,
                *seen.c,
                best.c.best_crop_id,
            )
            .select_from(ids)
            .outerjoin(vehicle, vehicle.c.vehicle_id == ids.c.vehicle_id)
            .join(seen, true())
            .outerjoin(best, true())
            .order_by(ids.c.vehicle_id)
        )

    def _seen(self, ids: Subquery, vehicle: Subquery) -> Any:  # noqa: ANN401 - a lateral subquery
        shown = Crop.vehicle_confirmed | vehicle.c.vehicle_id.is_(None)
        return (
            select(
                func.count().filter(Crop.vehicle_confirmed).label("crops"),
                func.count().filter(~Crop.vehicle_confirmed).label("claimed_crops"),
                func.count(Crop.camera_id.distinct()).filter(shown).label("cameras"),
                func.min(Crop.captured_at).filter(shown).label("first_captured_at"),
                func.max(Crop.captured_at).filter(shown).label("last_captured_at"),
            )
            .where(Crop.collection_id == self._collection_id, Crop.vehicle_id == ids.c.vehicle_id)
            .correlate(ids, vehicle)
            .lateral()
        )

    def _best(self, ids: Subquery, vehicle: Subquery) -> Any:  # noqa: ANN401 - a lateral subquery
        shown = Crop.vehicle_confirmed | vehicle.c.vehicle_id.is_(None)
        largest = (Crop.has_image.desc(), (Crop.width * Crop.height).desc(), Crop.id)
        return (
            select(Crop.id.label("best_crop_id"))
            .where(Crop.collection_id == self._collection_id, Crop.vehicle_id == ids.c.vehicle_id, shown)
            .order_by(*largest)
            .limit(1)
            .correlate(ids, vehicle)
            .lateral()
        )


def _summary(row: Row[*tuple[Any, ...]]) -> VehicleSummary:
    return VehicleSummary(**row._mapping)  # noqa: SLF001 - SQLAlchemy's public name of it
