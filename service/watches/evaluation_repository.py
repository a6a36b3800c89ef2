"""What an evaluation reads, and what it writes: the change log, the watches of a model, the hits and their messages."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import Uuid, exists, func, literal, or_, select, update
from sqlalchemy.dialects.postgresql import ARRAY, insert
from uuid_utils.compat import uuid7

from service.database.engine import Session
from service.database.ids import among
from service.database.tables import (
    ApiKey,
    Change,
    Crop,
    Delivery,
    Embedding,
    Watch,
    WatchCrop,
    WatchCursor,
    WatchHit,
)
from service.database.tables import Collection as CollectionRow
from service.watches.comparing import QueryCrop, WatchedQuery

LONGEST_TRANSACTION: Final = timedelta(minutes=1)
"""How much earlier than its line of the log a crop may say that it was enrolled: a row has the time at which its
transaction began. An idle one is ended sooner (`service.database.engine`)."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far the watches of a model have read the log.

    Attributes:
        sequence: The last line that was read.
        revision: Grows with each change of a watch.
        read_at: When that line was written, or an earlier time; what follows it was committed later.
    """

    sequence: int
    revision: int
    read_at: datetime


class LogLine(NamedTuple):
    """A line of the change log. `created_at` is when its transaction began."""

    sequence: int
    collection_id: UUID
    crop_id: UUID | None
    deleted: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Found:
    """A crop that a watch found. `sequence` is its line of the log."""

    watch_id: UUID
    crop_id: UUID
    score: float
    sequence: int


@dataclass(frozen=True, slots=True)
class Receiver:
    """A watch that found something, locked."""

    id: UUID
    collection: str
    sequence: int
    started_at: datetime
    hits: int
    webhook_url: str | None
    purpose: str | None
    key_id: UUID | None
    key_name: str | None


class EvaluationRepository:
    """Reads and writes for the watches of one model within one session; commits nothing itself."""

    def __init__(self, session: Session, model_id: str) -> None:
        self._session = session
        self._model_id = model_id

    async def behind(self) -> bool:
        """Whether there is a watch of the model, and a line that was not read for it."""
        head = select(func.max(Change.sequence)).scalar_subquery()
        waiting = exists().where(WatchCursor.model_id == self._model_id, WatchCursor.sequence < head)
        return bool(await self._session.scalar(select(waiting & exists().where(Watch.model_id == self._model_id))))

    async def take_cursor(self) -> Cursor | None:
        """The cursor, which is this transaction's alone from now on; None where another's it is."""
        wanted = select(WatchCursor.sequence, WatchCursor.revision, WatchCursor.read_at)
        mine = wanted.where(WatchCursor.model_id == self._model_id).with_for_update(skip_locked=True)
        row = (await self._session.execute(mine)).one_or_none()
        return None if row is None else Cursor(*row)

    async def move_cursor(self, sequence: int, read_at: datetime) -> None:
        """Note that all lines up to this one have been read."""
        moved = update(WatchCursor).where(WatchCursor.model_id == self._model_id)
        await self._session.execute(moved.values(sequence=sequence, read_at=read_at))

    async def span(self) -> tuple[int, int]:
        """The first and the last line that the log has; 0 and 0 where it has none."""
        row = (await self._session.execute(select(func.min(Change.sequence), func.max(Change.sequence)))).one()
        return row[0] or 0, row[1] or 0

    async def lines_after(self, sequence: int, limit: int) -> list[LogLine]:
        """The next lines."""
        lines = select(Change.sequence, Change.collection_id, Change.crop_id, Change.deleted, Change.created_at)
        following = lines.where(Change.sequence > sequence).order_by(Change.sequence).limit(limit)
        return [LogLine(*row) for row in await self._session.execute(following)]

    async def deleted_since(self, sequence: int) -> bool:
        """Whether a crop was deleted after a line."""
        return bool(await self._session.scalar(select(exists().where(Change.sequence > sequence, Change.deleted))))

    async def crops_since(self, collections: Collection[UUID], since: datetime, after: UUID, limit: int) -> list[UUID]:
        """The next crops of these collections, in the order of their ids, that were enrolled since a time."""
        wanted = select(Crop.id).where(
            Crop.id > after, Crop.collection_id.in_(collections), Crop.created_at >= since - LONGEST_TRANSACTION
        )
        return list(await self._session.scalars(wanted.order_by(Crop.id).limit(limit)))

    async def watches(self) -> list[WatchedQuery]:
        """What the watches of the model look for, of all that are not paused or over."""
        columns = (Watch.id, Watch.vector, Watch.filter, Watch.exclude_same_track, Watch.min_score, Watch.decision)
        query = (
            select(Watch.collection_id, CollectionRow.name, *columns)
            .join(CollectionRow, CollectionRow.id == Watch.collection_id)
            .where(Watch.model_id == self._model_id, CollectionRow.model_id == self._model_id, ~Watch.paused)
            .where(or_(Watch.expires_at.is_(None), Watch.expires_at > func.now()))
        )
        return [WatchedQuery(*row) for row in await self._session.execute(query)]

    async def query_crops(self) -> list[QueryCrop]:
        """The crops that watches of the model look for."""
        query = (
            select(WatchCrop.watch_id, Crop.id, Crop.camera_id, Crop.session_id, Crop.track_id, Embedding.vector)
            .join(Crop, Crop.id == WatchCrop.crop_id)
            .join(Embedding, (Embedding.crop_id == Crop.id) & (Embedding.model_id == self._model_id))
            .join(Watch, (Watch.id == WatchCrop.watch_id) & (Watch.model_id == self._model_id))
            .where(~Watch.paused)
        )
        return [QueryCrop(*row) for row in await self._session.execute(query)]

    async def new_crops(self, crop_ids: Iterable[UUID]) -> dict[UUID, datetime]:
        """Those crops that are there, kept from being deleted until the end of the transaction: when they came."""
        wanted = select(Crop.id, Crop.created_at).where(among(Crop.id, crop_ids)).order_by(Crop.id)
        rows = await self._session.execute(wanted.with_for_update(read=True, key_share=True))
        return {row.id: row.created_at for row in rows}

    async def receivers(self, watch_ids: Iterable[UUID]) -> dict[UUID, Receiver]:
        """Those watches that still look for something, locked until the end of the transaction."""
        own = Receiver.__dataclass_fields__.keys() - {"collection", "key_name"}
        query = (
            select(*(getattr(Watch, name) for name in own))
            .add_columns(CollectionRow.name.label("collection"), ApiKey.name.label("key_name"))
            .join(CollectionRow, CollectionRow.id == Watch.collection_id)
            .outerjoin(ApiKey, ApiKey.id == Watch.key_id)
            .where(among(Watch.id, watch_ids), Watch.model_id == self._model_id)
            .where(~Watch.paused, or_(Watch.expires_at.is_(None), Watch.expires_at > func.now()))
            .order_by(Watch.id)
            .with_for_update(of=Watch, key_share=True)
        )
        rows = await self._session.execute(query)
        return {row.id: Receiver(**row._mapping) for row in rows}  # noqa: SLF001 - SQLAlchemy's public name of it

    async def known(self, found: Sequence[Found]) -> set[tuple[UUID, UUID]]:
        """Those of some pairs of watch and crop that are hits already."""
        watch_ids, crop_ids = [one.watch_id for one in found], [one.crop_id for one in found]
        unnested = func.unnest(literal(watch_ids, ARRAY(Uuid)), literal(crop_ids, ARRAY(Uuid)))
        pairs = unnested.table_valued("watch_id", "crop_id").render_derived()
        query = select(WatchHit.watch_id, WatchHit.crop_id).join(
            pairs, (WatchHit.watch_id == pairs.c.watch_id) & (WatchHit.crop_id == pairs.c.crop_id)
        )
        return {(watch_id, crop_id) for watch_id, crop_id in await self._session.execute(query)}

    async def add_hits(self, found: Sequence[Found], receivers: dict[UUID, Receiver]) -> None:
        """Write hits down, numbered, and a message for each whose watch has a webhook."""
        numbers = Counter({watch_id: receiver.hits for watch_id, receiver in receivers.items()})
        hits, deliveries = [], []
        for one in found:
            numbers[one.watch_id] += 1
            hit = {
                "id": uuid7(),
                "watch_id": one.watch_id,
                "number": numbers[one.watch_id],
                "crop_id": one.crop_id,
                "score": one.score,
                "sequence": one.sequence,
            }
            hits.append(hit)
            if receivers[one.watch_id].webhook_url is not None:
                deliveries.append({"id": uuid7(), "watch_id": one.watch_id, "hit_id": hit["id"]})
        await self._session.execute(insert(WatchHit), hits)
        if deliveries:
            fresh = insert(Delivery).values(state="pending", attempts=0, next_attempt_at=func.now())
            await self._session.execute(fresh, deliveries)
        for watch_id in {one.watch_id for one in found}:
            counted = update(Watch).where(Watch.id == watch_id).values(hits=numbers[watch_id])
            await self._session.execute(counted, execution_options={"synchronize_session": False})
