"""What a follower reads: every crop as an index holds it, the change log from a cursor on, and what all adds up to."""

import hashlib
from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Row,
    Select,
    Subquery,
    Text,
    cast,
    func,
    literal,
    literal_column,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import BIT
from sqlalchemy.ext.asyncio import AsyncSession

from service.database.binary import binary_row
from service.database.ids import among
from service.database.tables import Change, Collection, Crop, Embedding, Installation
from service.follower_rows import PackedCrops

FINGERPRINTS = 2**64
"""Fingerprints are numbers of 64 bits: without sign in an index, with one in SQL."""


class Line(NamedTuple):
    """A line of the change log, at which an index can stand.

    Attributes:
        sequence: Its number.
        mark: A digest of what it says and when it was written. In a database restored from a backup other lines come to
            have the numbers of lines that were lost; by this they are told apart. A digest, because it is kept in files
            and a line may name a crop that is deleted.
    """

    sequence: int
    mark: str


ORIGIN = Line(0, "")
"""Before the first line."""


@dataclass(frozen=True, slots=True)
class Changes:
    """A run of the change log.

    Attributes:
        crops: Crops named in the run that exist now and have an embedding of the model, as they are now; None where
            there are none.
        deletes: Crops named in the run that do not.
        expired: By collection, a time before which every crop captured was deleted in the run.
        last: The run's last line.
    """

    crops: PackedCrops | None
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

    async def crops(self, batch: int) -> AsyncGenerator[PackedCrops, None]:
        """Every crop with an embedding of the model, in the order of their ids.

        Whoever may leave before the end closes the generator (`contextlib.aclosing`).

        Args:
            batch: Crops yielded at a time at most; no more are held in memory.

        Raises:
            UnavailableError: The database is gone.
        """
        after, last = UUID(int=0), await self._id_after(UUID(int=0), batch)
        while last is not None:
            # said of both tables, so that each is read along its index from one id to the other
            some = (Crop.id > after, Crop.id <= last, Embedding.crop_id > after, Embedding.crop_id <= last)
            # PostgreSQL takes a range of UUIDs that lies within one bin of their statistics for a single row, and would
            # read one table's whole range anew for each row of the other's.
            await self._let_loops_be_nested(allowed=False)
            crops = await self._packed(*some)
            await self._let_loops_be_nested(allowed=True)  # other queries of the transaction look up single rows
            if crops is not None:
                yield crops
            after, last = last, await self._id_after(last, batch)

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
        crops = await self.existing(named)
        expired: dict[str, datetime] = {}
        for line in run:
            if line.expired_before is not None and line.name is not None:
                expired[line.name] = max(line.expired_before, expired.get(line.name, line.expired_before))
        gone = named.difference(() if crops is None else crops.ids())
        return Changes(crops, gone, expired, _line(run[-1]))

    async def existing(self, crop_ids: Iterable[UUID]) -> PackedCrops | None:
        """Those of some crops that exist and have an embedding of the model; None where there are none."""
        ids = list(crop_ids)
        return await self._packed(among(Crop.id, ids)) if ids else None

    async def totals(self) -> dict[str, Totals]:
        """What the crops add up to, by name of their collection. It reads every row."""
        crops = self._crops().subquery()
        sums = select(crops.c.name, func.count(), func.sum(_fingerprint(crops))).group_by(crops.c.name)
        found = await self._session.execute(sums)
        return {name: Totals(count, int(fingerprint) % FINGERPRINTS) for name, count, fingerprint in found}

    async def _id_after(self, crop_id: UUID, crops: int) -> UUID | None:
        """The id that many crops after another, or the last; None where none follows."""
        following = select(Crop.id).where(Crop.id > crop_id).order_by(Crop.id).limit(crops).subquery()
        # not max(), which there is none of for a UUID before PostgreSQL 18
        return await self._session.scalar(select(following.c.id).order_by(following.c.id.desc()).limit(1))

    async def _let_loops_be_nested(self, *, allowed: bool) -> None:
        await self._session.execute(text(f"SET LOCAL enable_nestloop = {'on' if allowed else 'off'}"))

    async def _packed(self, *some: ColumnElement[bool]) -> PackedCrops | None:
        """Some crops; None where there are none with an embedding of the model."""
        crops = self._crops().where(*some).order_by(Crop.id).subquery()
        fixed = func.uuid_send(crops.c.id).op("||")(func.timestamptz_send(crops.c.time))
        nothing: ColumnElement[bytes] = literal_column("''::bytea")
        query = select(
            func.string_agg(fixed.op("||")(func.int8send(_fingerprint(crops))), nothing),
            func.string_agg(crops.c.vector, nothing),
            _listed(func.octet_length(crops.c.vector)),
            *(_listed(crops.c[name]) for name in ("name", "camera_id", "session_id", "track_id", "vehicle_id")),
            _listed(crops.c.attributes),
        )
        row = await binary_row(self._session, query)
        return None if row[0] is None else PackedCrops(*row)

    def _crops(self) -> Select[*tuple[Any, ...]]:
        """Crops with their embedding of this model; those without one are none of this index's business."""
        return (
            select(
                Crop.id,
                Collection.name,
                func.coalesce(Crop.captured_at, literal_column("'-infinity'::timestamptz")).label("time"),
                Embedding.vector,
                Crop.camera_id,
                Crop.session_id,
                Crop.track_id,
                Crop.vehicle_id,
                cast(Crop.attributes, Text).label("attributes"),
            )
            .join(Collection, Collection.id == Crop.collection_id)
            .join(Embedding, (Embedding.crop_id == Crop.id) & (Embedding.model_id == self._model_id))
        )


def _listed(column: ColumnElement[Any]) -> ColumnElement[str]:
    return cast(func.json_agg(column), Text)


def _fingerprint(crops: Subquery) -> ColumnElement[int]:
    """64 bits of the SHA-256 of all that an index holds of a crop.

    It is made here and nowhere else, so that what is loaded, what is changed and what is compared have the same.
    """
    names = ("name", "camera_id", "session_id", "track_id", "vehicle_id", "attributes")
    rest = cast(func.json_build_array(*(crops.c[name] for name in names)), Text)
    fixed = func.uuid_send(crops.c.id).op("||")(func.timestamptz_send(crops.c.time)).op("||")(crops.c.vector)
    content = fixed.op("||")(func.convert_to(rest, "UTF8"))
    bits = literal("x").op("||")(func.encode(func.substr(func.sha256(content), 1, 8), "hex"))
    return cast(cast(bits, BIT(64)), BigInteger)


def _lines() -> Select[*tuple[Any, ...]]:
    return select(Change.sequence, Change.crop_id, Change.expired_before, Change.created_at, Collection.name).outerjoin(
        Collection, Collection.id == Change.collection_id
    )


def _line(row: Row[*tuple[Any, ...]]) -> Line:
    subject = row.crop_id or row.expired_before.isoformat()
    return Line(row.sequence, hashlib.sha256(f"{row.created_at.isoformat()} {subject}".encode()).hexdigest())
