"""Crops and their embeddings: enrolled, read, deleted."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError

from index.contract import Filter
from service.change_log_repository import ChangeLines
from service.crops.removal_repository import RemovalRepository
from service.cursors import foreign_cursor
from service.database.ids import among
from service.database.tables import Collection, Crop, Embedding, Installation
from service.database.vectors import encode
from service.errors import ExternalIdConflictError
from service.gallery.filter_repository import ANY_ROW, RowConditions, conditions
from service.gallery.records import CropRecord, NewCrop

UNIQUE_VIOLATION = "23505"
"""SQLSTATE."""


class GalleryRepository(ChangeLines):
    """Reads and writes crops within one session; commits nothing itself."""

    async def by_external_ids(self, collection_id: UUID, external_ids: Iterable[str]) -> dict[str, Crop]:
        """The crops of a collection that have one of these external ids, by external id."""
        wanted = Crop.external_id.in_(list(external_ids))
        found = await self._session.scalars(select(Crop).where(Crop.collection_id == collection_id, wanted))
        return {crop.external_id: crop for crop in found if crop.external_id is not None}

    async def add(self, crops: Sequence[NewCrop]) -> set[UUID]:
        """Insert crops and their embeddings.

        Args:
            crops: Crops whose cameras exist.

        Returns:
            Ids really inserted. The others have an external id that another crop took first, possibly a moment ago in
            another transaction: `by_external_ids` tells which crop.

        Raises:
            ValueError: An embedding is not a finite vector of unit length.
        """
        if not crops:
            return set()
        vectors = {crop.id: encode(crop.embedding) for crop in crops}
        # Sorted for the same reason as the cameras: an external id being inserted elsewhere is waited for.
        rows = [_columns(crop) for crop in sorted(crops, key=lambda crop: crop.external_id or "")]
        new = insert(Crop).values(rows)
        new = new.on_conflict_do_nothing(index_elements=[Crop.collection_id, Crop.external_id])
        inserted = set(await self._session.scalars(new.returning(Crop.id)))
        if inserted:
            embeddings = [
                {"crop_id": crop.id, "model_id": crop.model_id, "vector": vectors[crop.id]}
                for crop in crops
                if crop.id in inserted
            ]
            await self._session.execute(insert(Embedding).values(embeddings))
        return inserted

    async def locked(self, crop_id: UUID) -> CropRecord | None:
        """The crop of that id, which nobody else changes until the end of the transaction; None where there is none."""
        wanted = _records().where(Crop.id == crop_id).with_for_update(of=Crop, key_share=True)
        found = (await self._session.execute(wanted)).one_or_none()
        return None if found is None else _record(found)

    async def change(self, crop_id: UUID, values: Mapping[str, Any]) -> None:
        """Set columns of a crop.

        Raises:
            ExternalIdConflictError: Its new external id is that of another crop of the collection.
        """
        try:
            async with self._session.begin_nested():
                await self._session.execute(update(Crop).where(Crop.id == crop_id).values(**values))
        except IntegrityError as error:
            if "external_id" not in values or getattr(error.orig, "sqlstate", None) != UNIQUE_VIOLATION:
                raise
            raise ExternalIdConflictError("external_id: is taken by another crop of the collection") from error

    async def delete(self, crop_id: UUID) -> Crop | None:
        """Delete a crop and its embeddings; the crop as it was, None where there was none."""
        return await self._session.scalar(delete(Crop).where(Crop.id == crop_id).returning(Crop))

    async def expire(self, collection_id: UUID, before: datetime) -> tuple[list[UUID], int]:
        """Delete every crop of a collection captured before a time, with one line of the change log. Call it last.

        The index forgets by that line whatever it holds from before the time. So the line must come after every crop
        that is deleted and before every crop that stays. What is there now, possibly much, is deleted while others
        write; what they have committed meanwhile, next to nothing, is deleted under the lock of the log.

        Args:
            collection_id: The collection.
            before: The time, aware; itself not before. Crops without a time of capture stay.

        Returns:
            Which were deleted and the number of the line; `head` where none was and no line was written.
        """
        old = (Crop.collection_id == collection_id) & (Crop.captured_at < before)
        deleted = await self._delete_all(old)
        await self._lock_log()
        deleted += await self._delete_all(old)
        if not deleted:
            return [], await self.head()
        return deleted, await self._log_expiry(collection_id, before)

    async def _delete_all(self, which: ColumnElement[bool]) -> list[UUID]:
        deleted = delete(Crop).where(which).returning(Crop.id)
        gone = list(await self._session.scalars(deleted, execution_options={"synchronize_session": False}))
        await RemovalRepository(self._session).note(gone)
        return gone

    async def get(self, crop_id: UUID) -> CropRecord | None:
        """The crop of that id; None where there is none."""
        return (await self.many([crop_id])).get(crop_id)

    async def many(self, crop_ids: Iterable[UUID]) -> dict[UUID, CropRecord]:
        """The crops of these ids that exist, by id."""
        rows = await self._session.execute(_records().where(Crop.id.in_(list(crop_ids))))
        return {record.id: record for record in map(_record, rows)}

    async def with_image(self, crop_ids: Iterable[UUID]) -> set[UUID]:
        """Which of these ids have a row that says that their picture is kept."""
        return set(await self._session.scalars(select(Crop.id).where(among(Crop.id, crop_ids), Crop.has_image)))

    async def count_images(self, collection_id: UUID) -> int:
        """Crops of a collection that have their picture."""
        images = select(func.count()).where(Crop.collection_id == collection_id, Crop.has_image)
        return await self._session.scalar(images) or 0

    async def ids_with_image(self, collection_id: UUID, limit: int, after: UUID | None) -> list[UUID]:
        """The next crops of a collection that have their picture, oldest first."""
        wanted = select(Crop.id).where(Crop.collection_id == collection_id, Crop.has_image)
        if after is not None:
            wanted = wanted.where(Crop.id > after)
        return list(await self._session.scalars(wanted.order_by(Crop.id).limit(limit)))

    async def forget_images(self, crop_ids: Iterable[UUID]) -> None:
        """Note that these crops have no picture. No index knows of pictures, so there is nothing to log."""
        await self._session.execute(
            update(Crop).where(Crop.id.in_(list(crop_ids))).values(has_image=False),
            execution_options={"synchronize_session": False},
        )

    async def installation(self) -> UUID:
        """Identity of this database; it stays the same when the database is moved or restored."""
        return (await self._session.scalars(select(Installation.id))).one()

    async def page(
        self, where: Filter, *, limit: int, cursor: str | None = None, rows: RowConditions = ANY_ROW
    ) -> tuple[list[CropRecord], str | None]:
        """Crops of a collection, newest first.

        Args:
            where: Which crops; the same conditions as in a search.
            limit: How many at most.
            cursor: `next_cursor` of the page before; None for the first page.
            rows: What is asked of them besides.

        Returns:
            The crops and the next page's cursor, None after the last page. Rows inserted or deleted meanwhile never
            make another row appear twice or be left out.

        Raises:
            InvalidValueError: The cursor is none of ours.
        """
        query = _records().where(*conditions(where), *rows.conditions())
        if cursor is not None:
            query = query.where(Crop.id < _parse_cursor(cursor))
        found = await self._session.execute(query.order_by(Crop.id.desc()).limit(limit + 1))
        records = [_record(row) for row in found]
        return records[:limit], str(records[limit - 1].id) if len(records) > limit else None


def _columns(crop: NewCrop) -> dict[str, Any]:
    """The crop's own row."""
    names = (column.key for column in Crop.__table__.columns if column.key != "created_at")
    row = {name: getattr(crop, name) for name in names}
    return {**row, "attributes": dict(crop.attributes), "bbox": None if crop.bbox is None else list(crop.bbox)}


def _records() -> Select[*tuple[Any, ...]]:
    return select(*Crop.__table__.columns, Collection.name.label("collection")).join(
        Collection, Collection.id == Crop.collection_id
    )


def _record(row: Row[*tuple[Any, ...]]) -> CropRecord:
    return CropRecord(**row._mapping)  # noqa: SLF001 - SQLAlchemy's public name of it


def _parse_cursor(cursor: str) -> UUID:
    try:
        return UUID(cursor)
    except ValueError as error:
        raise foreign_cursor() from error
