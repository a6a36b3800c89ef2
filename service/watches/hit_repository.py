"""What watches found, as it is listed."""

from typing import Final
from uuid import UUID

from sqlalchemy import select

from service.cursors import foreign_cursor, make_cursor, read_cursor
from service.database.engine import Session
from service.database.tables import WatchHit
from service.watches.records import HitRecord

HIT_COLUMNS: Final = (
    WatchHit.id,
    WatchHit.number,
    WatchHit.crop_id,
    WatchHit.score,
    WatchHit.sequence,
    WatchHit.created_at,
)
"""Those of `HitRecord`."""


class HitRepository:
    """Reads hits within one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def page(
        self, watch_id: UUID, *, limit: int, cursor: str | None, after: int | None
    ) -> tuple[list[HitRecord], str | None]:
        """Hits of a watch: newest first, or, after a number, oldest first.

        Returns:
            The hits and the next page's cursor, None after the last page.

        Raises:
            InvalidValueError: The cursor is none of ours.
        """
        query = select(*HIT_COLUMNS).where(WatchHit.watch_id == watch_id).limit(limit + 1)
        upward, place = (after is not None, after) if cursor is None else _read_place(cursor)
        if place is not None:
            query = query.where(WatchHit.number > place if upward else WatchHit.number < place)
        rows = await self._session.execute(query.order_by(WatchHit.number if upward else WatchHit.number.desc()))
        found = [HitRecord(**row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's public name of it
        more = len(found) > limit
        return found[:limit], _place(found[limit - 1].number, upward=upward) if more else None


def _place(number: int, *, upward: bool) -> str:
    return make_cursor("up" if upward else "down", str(number))


def _read_place(cursor: str) -> tuple[bool, int]:
    direction, number = read_cursor(cursor, 2)
    if direction not in ("up", "down") or number is None or not number.isascii() or not number.isdigit():
        raise foreign_cursor()
    place = int(number) if len(number) < 20 else 0  # noqa: PLR2004 - digits of 2^63
    if not 0 < place < 2**63:
        raise foreign_cursor()
    return direction == "up", place
