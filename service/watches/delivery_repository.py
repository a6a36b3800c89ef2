"""The messages of hits: due, sent, given up."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, exists, func, literal, select, true, update
from sqlalchemy.ext.asyncio import AsyncSession

from service.database.tables import Collection as CollectionRow
from service.database.tables import Delivery, Watch, WatchHit
from service.watches.hit_repository import HIT_COLUMNS
from service.watches.records import DeliveryRecord, DeliveryState, HitRecord
from service.watches.repository import id_cursor


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A message that is to be sent now, and is nobody else's for a while.

    Attributes:
        id: The delivery.
        attempt: Number of this attempt, from 1.
        hit: What was found.
        webhook_url: Where it goes.
        secrets: What it is signed with, the newest first.
        key_id: The key that answers for the watch.
    """

    id: UUID
    attempt: int
    hit: HitRecord
    watch_id: UUID
    watch_name: str
    collection_id: UUID
    collection: str
    model_id: str
    webhook_url: str
    secrets: Sequence[str]
    key_id: UUID | None


class DeliveryRepository:
    """Reads and writes within one session; commits nothing itself."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def page(
        self, watch_id: UUID, *, state: DeliveryState | None, limit: int, cursor: str | None
    ) -> tuple[list[DeliveryRecord], str | None]:
        """Messages of a watch, newest first, and the next page's cursor, None after the last page.

        Raises:
            InvalidValueError: The cursor is none of ours.
        """
        query = _deliveries().where(Delivery.watch_id == watch_id)
        if state is not None:
            query = query.where(Delivery.state == state)
        if cursor is not None:
            query = query.where(Delivery.id < id_cursor(cursor))
        rows = await self._session.execute(query.order_by(Delivery.id.desc()).limit(limit + 1))
        found = [_delivery(row) for row in rows]
        return found[:limit], str(found[limit - 1].id) if len(found) > limit else None

    async def retry(self, watch_id: UUID, delivery_id: UUID) -> DeliveryRecord | None:
        """Let a message of a watch be sent from the beginning, whatever became of it; None where there is none."""
        anew = (
            update(Delivery)
            .where(Delivery.id == delivery_id, Delivery.watch_id == watch_id)
            .values(state="pending", attempts=0, next_attempt_at=func.now(), delivered_at=None)
        )
        await self._session.execute(anew)
        query = _deliveries().where(Delivery.id == delivery_id, Delivery.watch_id == watch_id)
        row = (await self._session.execute(query)).one_or_none()
        return None if row is None else _delivery(row)

    async def take_due(self, *, limit: int, of_each: int, besides: Collection[UUID], lease: timedelta) -> list[Due]:
        """Take messages that are due, none of which anybody else sends before the lease is over.

        Args:
            limit: How many at most.
            of_each: How many of one watch at most, so that a receiver that hangs does not hold up the others.
            besides: Watches that have their share already.
            lease: How long whoever takes them has for it.
        """
        now = func.now()
        waiting = (Delivery.state == "pending") & (Delivery.next_attempt_at <= now)
        if not await self._session.scalar(select(exists().where(waiting))):
            return []
        own = (
            select(Delivery.id, Delivery.next_attempt_at)
            .where(waiting, Delivery.watch_id == Watch.id)
            .order_by(Delivery.next_attempt_at)
            .limit(of_each)
            .with_for_update(skip_locked=True)
            .lateral()
        )
        first = (
            select(own.c.id)
            .select_from(Watch)
            .join(own, onclause=true())
            .where(~Watch.paused, Watch.webhook_url.is_not(None), Watch.id.not_in(besides))
            .order_by(own.c.next_attempt_at)
            .limit(limit)
        )
        ids = list(await self._session.scalars(first))
        if not ids:
            return []
        taken = update(Delivery).where(Delivery.id.in_(ids))
        await self._session.execute(
            taken.values(attempts=Delivery.attempts + 1, next_attempt_at=now + lease, last_attempt_at=now),
            execution_options={"synchronize_session": False},
        )
        return [_due(row) for row in await self._session.execute(_dues().where(Delivery.id.in_(ids)))]

    async def settle(self, delivery_id: UUID, attempt: int, values: dict[str, Any]) -> None:
        """Note what came of an attempt, unless somebody has begun another one meanwhile.

        Args:
            delivery_id: The message.
            attempt: Number of the attempt.
            values: Columns to set.
        """
        mine = (Delivery.id == delivery_id) & (Delivery.attempts == attempt) & (Delivery.state == "pending")
        await self._session.execute(update(Delivery).where(mine).values(**values))


def retry_at(pause_s: float) -> dict[str, Any]:
    """Columns of a message that is tried again after a pause."""
    return {"next_attempt_at": func.now() + literal(timedelta(seconds=pause_s))}


def given_up() -> dict[str, Any]:
    """Columns of a message that is not tried again."""
    return {"state": "dead", "next_attempt_at": None}


def delivered() -> dict[str, Any]:
    """Columns of a message that arrived."""
    return {"state": "delivered", "next_attempt_at": None, "delivered_at": func.now()}


def _deliveries() -> Select[*tuple[Any, ...]]:
    return select(*Delivery.__table__.columns, WatchHit.crop_id).join(WatchHit, WatchHit.id == Delivery.hit_id)


def _delivery(row: Row[*tuple[Any, ...]]) -> DeliveryRecord:
    return DeliveryRecord(**row._mapping)  # noqa: SLF001 - SQLAlchemy's public name of it


def _dues() -> Select[*tuple[Any, ...]]:
    previous = func.coalesce(Watch.previous_secret_until > func.now(), False)
    return (
        select(
            Delivery.id.label("delivery_id"),
            Delivery.attempts.label("attempt"),
            *HIT_COLUMNS,
            Watch.id.label("watch_id"),
            Watch.name.label("watch_name"),
            Watch.collection_id,
            Watch.model_id,
            Watch.webhook_url,
            Watch.webhook_secret,
            Watch.previous_secret,
            previous.label("previous_valid"),
            Watch.key_id,
            CollectionRow.name.label("collection"),
        )
        .join(WatchHit, WatchHit.id == Delivery.hit_id)
        .join(Watch, Watch.id == Delivery.watch_id)
        .join(CollectionRow, CollectionRow.id == Watch.collection_id)
    )


def _due(row: Row[*tuple[Any, ...]]) -> Due:
    columns: dict[str, Any] = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name of it
    hit = HitRecord(**{name: columns.pop(name) for name in HitRecord.__dataclass_fields__})
    newest, previous, valid = (columns.pop(name) for name in ("webhook_secret", "previous_secret", "previous_valid"))
    return Due(id=columns.pop("delivery_id"), hit=hit, secrets=[newest, previous] if valid else [newest], **columns)
