"""What a follower reads: every crop as an index holds it, the change log from a cursor on, and what all adds up to."""

from collections.abc import AsyncGenerator
from collections.abc import Collection as Group
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import BigInteger, ColumnElement, Row, Select, Subquery, Text, Uuid, cast, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY, BIT
from sqlalchemy.ext.asyncio import AsyncSession

from service.database.copying import copied_rows
from service.database.tables import Change, Collection, Crop, Embedding, Installation
from service.follower_rows import NO_TIME, crop_id

FINGERPRINTS = 2**64
"""Fingerprints are numbers of 64 bits: without sign in an index, with one in SQL."""


class Line(NamedTuple):
    """A line of the change log, at which an index can stand.

    Attributes:
        sequence: Its number.
        mark: What it says and when it was written. In a database restored from a backup other lines come to have the
            numbers of lines that were lost; by this they are told apart.
    """

    sequence: int
    mark: str


ORIGIN = Line(0, "")
"""Before the first line."""


@dataclass(frozen=True, slots=True)
class Changes:
    """A run of the change log.

    Attributes:
        rows: Crops named in the run that exist now and have an embedding of the model, as they are now; see
            `follower_rows.sightings`.
        deletes: Crops named in the run that do not.
        expired: By collection, a time before which every crop captured was deleted in the run.
        last: The run's last line.
    """

    rows: list[bytes]
    deletes: set[UUID]
    expired: dict[str, datetime]
    last: Line


class Totals(NamedTuple):
    """What the crops of one collection add up to; `fingerprint` is the sum of theirs, modulo 2^64."""

    crops: int
    fingerprint: int


class FollowerRepository:
    """Reads for one model within one session, which must be one snapshot (`Database.reading`)."""

    def __init__(self, session: AsyncSession, model_id: str) -> None:
        self._session = session
        self._model_id = model_id

    async def installation(self) -> UUID:
        """Identity of the database; it stays the same when the database is moved or restored."""
        return (await self._session.scalars(select(Installation.id))).one()

    async def codecs(self) -> dict[str, str]:
        """The collections that have a codec of their own, and which."""
        chosen = select(Collection.name, Collection.codec).where(Collection.codec.is_not(None))
        return {name: codec for name, codec in await self._session.execute(chosen) if codec is not None}

    async def head(self) -> int:
        """Greatest number of the change log; 0 where it is empty."""
        return await self._session.scalar(select(func.max(Change.sequence))) or 0

    async def first(self) -> int | None:
        """Smallest number that the change log still has; None where it is empty."""
        return await self._session.scalar(select(func.min(Change.sequence)))

    async def line(self, sequence: int) -> Line | None:
        """The line of that number; None where the log has none."""
        row = (await self._session.execute(_lines().where(Change.sequence == sequence))).one_or_none()
        return None if row is None else _line(row)

    async def crops(self, batch: int) -> AsyncGenerator[list[bytes], None]:
        """Every crop with an embedding of the model, as `follower_rows.sightings` takes them.

        Whoever may leave before the end closes the generator (`contextlib.aclosing`).

        Args:
            batch: Crops yielded at a time; no more are held in memory.

        Raises:
            UnavailableError: The database is gone.
        """
        rows: list[bytes] = []
        async with aclosing(copied_rows(self._session, self._packed(self._crops()))) as stream:
            async for row in stream:
                rows.append(row)
                if len(rows) == batch:
                    yield rows
                    rows = []
        if rows:
            yield rows

    async def changes_after(self, sequence: int, limit: int) -> Changes | None:
        """The next changes after a cursor; None where there are none.

        Only the last state of a crop counts, and that is its row: whatever the lines say in between, the index becomes
        equal to the snapshot. A row may be newer than the run's last line; its own line comes later. What has expired
        is forgotten first, so that a crop which exists stays, on whichever side of that line its own line is.

        Args:
            sequence: The cursor: last number applied.
            limit: Lines at most.
        """
        lines = _lines().where(Change.sequence > sequence).order_by(Change.sequence).limit(limit)
        run = (await self._session.execute(lines)).all()
        if not run:
            return None
        named = {line.crop_id for line in run if line.crop_id is not None}
        rows = await self._existing(named)
        expired: dict[str, datetime] = {}
        for line in run:
            if line.expired_before is not None and line.name is not None:
                expired[line.name] = max(line.expired_before, expired.get(line.name, line.expired_before))
        return Changes(rows, named - set(map(crop_id, rows)), expired, _line(run[-1]))

    async def totals(self) -> dict[str, Totals]:
        """What the crops add up to, by name of their collection. It reads every row."""
        crops = self._crops().subquery()
        sums = select(crops.c.name, func.count(), func.sum(_fingerprint(crops))).group_by(crops.c.name)
        found = await self._session.execute(sums)
        return {name: Totals(count, int(fingerprint) % FINGERPRINTS) for name, count, fingerprint in found}

    async def _existing(self, crop_ids: Group[UUID]) -> list[bytes]:
        if not crop_ids:
            return []
        wanted = self._crops().where(Crop.id == func.any(literal(list(crop_ids), ARRAY(Uuid))))
        return [row async for row in copied_rows(self._session, self._packed(wanted))]

    def _crops(self) -> Select[*tuple[Any, ...]]:
        """Crops with their embedding of this model; those without one are none of this index's business.

        `rest` is all that an index holds of a crop, but for its id, its time and its vector.
        """
        microseconds = cast(func.extract("epoch", Crop.captured_at) * 1_000_000, BigInteger)
        rest = func.jsonb_build_array(
            Collection.name, Crop.camera_id, Crop.session_id, Crop.track_id, Crop.vehicle_id, Crop.attributes
        )
        return (
            select(
                Crop.id,
                Collection.name,
                func.coalesce(microseconds, NO_TIME).label("time"),
                Embedding.vector,
                cast(rest, Text).label("rest"),
            )
            .join(Collection, Collection.id == Crop.collection_id)
            .join(Embedding, (Embedding.crop_id == Crop.id) & (Embedding.model_id == self._model_id))
        )

    @staticmethod
    def _packed(query: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
        """Crops in the columns that `follower_rows` takes apart."""
        crops = query.subquery()
        return select(crops.c.id, crops.c.time, _fingerprint(crops), crops.c.vector, crops.c.rest)


def _fingerprint(crops: Subquery) -> ColumnElement[int]:
    """64 bits of the SHA-256 of all that an index holds of a crop.

    It is made here and nowhere else, so that what is loaded, what is changed and what is compared have the same.
    """
    text = func.concat_ws(" ", crops.c.id, crops.c.time, crops.c.rest)
    content = crops.c.vector.op("||")(func.convert_to(text, "UTF8"))
    bits = literal("x").op("||")(func.encode(func.substr(func.sha256(content), 1, 8), "hex"))
    return cast(cast(bits, BIT(64)), BigInteger)


def _lines() -> Select[*tuple[Any, ...]]:
    return select(Change.sequence, Change.crop_id, Change.expired_before, Change.created_at, Collection.name).outerjoin(
        Collection, Collection.id == Change.collection_id
    )


def _line(row: Row[*tuple[Any, ...]]) -> Line:
    subject = row.crop_id or row.expired_before.isoformat()
    return Line(row.sequence, f"{row.created_at.isoformat()} {subject}")
