"""What a follower reads: every crop as an index holds it, and the change log from a cursor on."""

from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from index.contract import Sighting, VectorError
from service.database.tables import Change, Collection, Crop, Embedding
from service.database.vectors import decode


@dataclass(frozen=True, slots=True)
class Changes:
    """A run of the change log, turned into what an index applies.

    Attributes:
        upserts: Crops named in the run that exist now and have an embedding of the model, as they are now.
        deletes: Crops named in the run that do not.
        last: Greatest number of the run; the cursor it was read from where the run is empty.
        head: Greatest number of the whole log when it was read.
    """

    upserts: list[Sighting]
    deletes: set[UUID]
    last: int
    head: int


class FollowerRepository:
    """Reads for one model within one session, which must be one snapshot (`Database.reading`)."""

    def __init__(self, session: AsyncSession, model_id: str) -> None:
        self._session = session
        self._model_id = model_id

    async def head(self) -> int:
        """Greatest number of the change log; 0 where it is empty."""
        return await self._session.scalar(select(func.max(Change.sequence))) or 0

    async def sightings(self, batch: int) -> AsyncGenerator[list[Sighting], None]:
        """Every crop with an embedding of the model, streamed through a cursor of the server.

        Whoever may leave before the end closes the generator (`contextlib.aclosing`), and with it the cursor.

        Args:
            batch: Crops fetched and yielded at a time; no more are held in memory.

        Raises:
            VectorError: A stored vector is broken.
        """
        result = await self._session.stream(self._query(), execution_options={"yield_per": batch})
        try:
            async for rows in result.partitions():
                yield [_sighting(row) for row in rows]
        finally:
            await result.close()

    async def changes_after(self, sequence: int, limit: int) -> Changes:
        """The next changes after a cursor.

        Only the last state of a crop counts, and that is its row: whatever the lines say in between, the index becomes
        equal to the snapshot. A row may be newer than the run's last line; its own line comes later.

        Args:
            sequence: The cursor: last number applied.
            limit: Lines at most.

        Raises:
            VectorError: A stored vector is broken.
        """
        head = await self.head()
        lines = select(Change.sequence, Change.crop_id).where(Change.sequence > sequence)
        run = (await self._session.execute(lines.order_by(Change.sequence).limit(limit))).all()
        named = {crop_id for _, crop_id in run}
        upserts = await self._existing(named) if named else []
        deletes = named - {sighting.id for sighting in upserts}
        return Changes(upserts, deletes, run[-1].sequence if run else sequence, head)

    async def _existing(self, crop_ids: Iterable[UUID]) -> list[Sighting]:
        rows = await self._session.execute(self._query().where(Crop.id.in_(crop_ids)))
        return [_sighting(row) for row in rows]

    def _query(self) -> Select[*tuple[Any, ...]]:
        """Crops with their embedding of this model; those without one are none of this index's business."""
        return (
            select(
                Crop.id,
                Collection.name,
                Crop.camera_id,
                Crop.captured_at,
                Crop.session_id,
                Crop.track_id,
                Crop.vehicle_id,
                Crop.attributes,
                Embedding.vector,
            )
            .join(Collection, Collection.id == Crop.collection_id)
            .join(Embedding, (Embedding.crop_id == Crop.id) & (Embedding.model_id == self._model_id))
        )


def _sighting(row: Row[*tuple[Any, ...]]) -> Sighting:
    try:
        embedding = decode(row.vector)
    except ValueError as error:
        raise VectorError(f"Crop {row.id}: {error}") from error
    return Sighting(
        id=row.id,
        collection=row.name,
        embedding=embedding,
        camera_id=row.camera_id,
        captured_at=row.captured_at,
        track=None if row.track_id is None else (row.session_id, row.track_id),
        vehicle_id=row.vehicle_id,
        attributes=row.attributes,
    )
