"""Rows of the watches."""

from collections.abc import Collection as Group
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, Select, delete, exists, func, literal, select, update
from sqlalchemy.dialects.postgresql import aggregate_order_by, insert

from service.cursors import foreign_cursor
from service.database.engine import Session
from service.database.tables import Calibration, Change, Collection, Delivery, Watch, WatchCrop, WatchCursor
from service.watches.records import WatchRecord

_SECRETS: Final = {"vector", "webhook_secret", "previous_secret", "previous_secret_until", "started_at"}


class WatchRepository:
    """Reads and writes watches within one session; commits nothing itself."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def hold_evaluation(self, model_id: str) -> int:
        """Keep the watches of a model from being evaluated until the end of the transaction; the log's last number.

        Whoever makes a watch or changes what it looks at calls this first. What is enrolled later has a greater number
        and is not evaluated before the change is there, so the new state of a watch begins at this line and nothing of
        what follows is missed.
        """
        head = select(func.coalesce(func.max(Change.sequence), 0))
        first = insert(WatchCursor).values(model_id=model_id, sequence=0, revision=0, read_at=func.now())
        # without a watch nobody has moved the cursor on, and nobody has missed anything
        held = first.on_conflict_do_update(
            index_elements=[WatchCursor.model_id], set_={"revision": WatchCursor.revision + 1}
        )
        await self._session.execute(held)
        begun = await self._session.scalar(head) or 0
        if not await self._session.scalar(select(exists().where(Watch.model_id == model_id))):
            skipped = update(WatchCursor).where(WatchCursor.model_id == model_id)
            await self._session.execute(skipped.values(sequence=begun, read_at=func.now()))
        return begun

    async def count(self, collection_id: UUID) -> int:
        """Watches of a collection."""
        counted = select(func.count()).select_from(Watch).where(Watch.collection_id == collection_id)
        return await self._session.scalar(counted) or 0

    async def add(self, watch_id: UUID, values: Mapping[str, Any], crop_ids: Iterable[UUID]) -> None:
        """Make a watch.

        Args:
            watch_id: Its id.
            values: Its other columns; it begins now.
            crop_ids: The crops that it looks for, which are kept from being deleted until the end of the transaction.
        """
        await self._session.execute(insert(Watch).values(id=watch_id, started_at=func.now(), **values))
        await self._add_crops(watch_id, crop_ids)

    async def change(self, watch_id: UUID, values: Mapping[str, Any], *, restarts: bool = False) -> None:
        """Set columns of a watch; one that restarts begins now."""
        begun = {"started_at": func.now()} if restarts else {}
        await self._session.execute(
            update(Watch).where(Watch.id == watch_id).values(**values, **begun, updated_at=func.now())
        )

    async def replace_crops(self, watch_id: UUID, crop_ids: Iterable[UUID]) -> None:
        """Let a watch look for other crops."""
        await self._session.execute(delete(WatchCrop).where(WatchCrop.watch_id == watch_id))
        await self._add_crops(watch_id, crop_ids)

    async def rotate_secret(self, watch_id: UUID, secret: str, overlap: timedelta) -> datetime | None:
        """Give a watch a new secret; until when the old one is valid, None where it no longer is."""
        until = func.now() + literal(overlap) if overlap else None
        rotated = update(Watch).where(Watch.id == watch_id)
        rotated = rotated.values(
            webhook_secret=secret,
            previous_secret=Watch.webhook_secret if overlap else None,
            previous_secret_until=until,
            updated_at=func.now(),
        )
        return await self._session.scalar(rotated.returning(Watch.previous_secret_until))

    async def delete(self, watch_id: UUID) -> None:
        """Delete a watch with its hits and deliveries."""
        await self._session.execute(delete(Watch).where(Watch.id == watch_id))

    async def get(self, watch_id: UUID, *, lock: bool = False) -> WatchRecord | None:
        """The watch of that id; None where there is none.

        Args:
            watch_id: The watch.
            lock: Whether nobody else may change it until the end of the transaction.
        """
        if lock:
            await self._session.execute(
                select(Watch.id).where(Watch.id == watch_id).with_for_update(of=Watch, key_share=True)
            )
        row = (await self._session.execute(_records().where(Watch.id == watch_id))).one_or_none()
        return None if row is None else _record(row)

    async def secrets(self, watch_id: UUID) -> list[str]:
        """The secrets that are valid now, the newest first; empty where there is no such watch."""
        query = select(Watch.webhook_secret, Watch.previous_secret, Watch.previous_secret_until > func.now())
        found = (await self._session.execute(query.where(Watch.id == watch_id))).one_or_none()
        if found is None:
            return []
        newest, previous, valid = found
        return [newest, previous] if previous is not None and valid else [newest]

    async def page(
        self, collections: Group[str] | None, *, limit: int, cursor: str | None = None
    ) -> tuple[list[WatchRecord], str | None]:
        """Watches, newest first.

        Args:
            collections: Only those of these collections; None for all.
            limit: How many at most.
            cursor: `next_cursor` of the page before; None for the first page.

        Returns:
            The watches and the next page's cursor, None after the last page.

        Raises:
            InvalidValueError: The cursor is none of ours.
        """
        query = _records().order_by(Watch.id.desc()).limit(limit + 1)
        if collections is not None:
            query = query.where(Collection.name.in_(collections))
        if cursor is not None:
            query = query.where(Watch.id < id_cursor(cursor))
        found = [_record(row) for row in await self._session.execute(query)]
        return found[:limit], str(found[limit - 1].id) if len(found) > limit else None

    async def _add_crops(self, watch_id: UUID, crop_ids: Iterable[UUID]) -> None:
        if rows := [{"watch_id": watch_id, "crop_id": crop_id} for crop_id in crop_ids]:
            await self._session.execute(insert(WatchCrop).values(rows))


def id_cursor(cursor: str) -> UUID:
    """The id that a cursor is.

    Raises:
        InvalidValueError: It is none.
    """
    try:
        return UUID(cursor)
    except ValueError as error:
        raise foreign_cursor() from error


def _records() -> Select[*tuple[Any, ...]]:
    crops = select(func.array_agg(aggregate_order_by(WatchCrop.crop_id, WatchCrop.crop_id)))
    dead = select(func.count()).where(Delivery.watch_id == Watch.id, Delivery.state == "dead")
    calibrated = exists().where(
        Calibration.collection_id == Watch.collection_id, Calibration.model_id == Watch.model_id
    )
    own = (column for name, column in Watch.__table__.columns.items() if name not in _SECRETS)
    return select(
        *own,
        Watch.vector.is_not(None).label("from_images"),
        Collection.name.label("collection"),
        Collection.model_id.label("collection_model_id"),
        crops.where(WatchCrop.watch_id == Watch.id).scalar_subquery().label("crop_ids"),
        dead.scalar_subquery().label("dead_deliveries"),
        calibrated.label("calibrated"),
        func.now().label("read_at"),
    ).join(Collection, Collection.id == Watch.collection_id)


def _record(row: Row[*tuple[Any, ...]]) -> WatchRecord:
    columns: dict[str, Any] = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name of it
    crop_ids: Sequence[UUID] = columns.pop("crop_ids") or []
    return WatchRecord(**columns, crop_ids=crop_ids)
