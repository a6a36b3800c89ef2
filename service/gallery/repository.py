"""Rows of the gallery: collections, cameras, crops, their embeddings, and the change log that every index follows."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, CursorResult, Row, Select, Uuid, delete, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from index.contract import Filter, Scalar
from service.database.tables import CHANGE_SEQUENCE, Camera, Change, Collection, Crop, Embedding, Installation
from service.database.vectors import encode
from service.errors import InvalidValueError, ModelMismatchError

CHANGE_LOG_LOCK = int.from_bytes(b"senet-ch")
"""Key of the advisory lock under which changes are numbered."""
MODEL_SWITCH_LOCK = int.from_bytes(b"senet-md")
"""Key of the advisory lock that enrolments share and that whoever gives a collection another model has alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCrop:
    """A crop to enrol, its embedding included.

    Attributes:
        id: UUIDv7, so that ids grow with time.
        attributes: Flat JSON attributes.
        bbox: Box in the camera's frame (x, y, width, height), pixels; None where unknown.
        image_sha256: SHA-256 of the uploaded bytes, 32 bytes.
        width: Pixels of the picture as shown (EXIF turned).
        height: Pixels of the picture as shown.
        model_id: The model of the embedding.
        embedding: Unit-length vector, shape (dimension,), float32.
        has_image: Whether its picture is in the crop store.
        vehicle_confirmed: Whether a person has confirmed vehicle_id.
    """

    id: UUID
    collection_id: UUID
    camera_id: str
    captured_at: datetime | None = None
    session_id: str | None = None
    track_id: str | None = None
    vehicle_id: str | None = None
    external_id: str | None = None
    attributes: Mapping[str, Scalar]
    bbox: Sequence[float] | None = None
    image_sha256: bytes
    media_type: str
    width: int
    height: int
    model_id: str
    embedding: NDArray[np.float32]
    has_image: bool = True
    vehicle_confirmed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CropRecord:
    """A crop as read: its columns and the name of its collection."""

    id: UUID
    collection_id: UUID
    collection: str
    camera_id: str
    captured_at: datetime | None
    session_id: str | None
    track_id: str | None
    vehicle_id: str | None
    external_id: str | None
    attributes: Mapping[str, Scalar]
    bbox: Sequence[float] | None
    image_sha256: bytes
    media_type: str
    width: int
    height: int
    created_at: datetime
    has_image: bool
    vehicle_confirmed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraSummary:
    """A camera of a collection and what it has seen.

    Attributes:
        crops: Crops that it holds now.
        first_captured_at: Earliest capture among them; None where no time is known.
        last_captured_at: Latest capture among them.
    """

    camera_id: str
    crops: int
    first_captured_at: datetime | None
    last_captured_at: datetime | None


class GalleryRepository:
    """Reads and writes the gallery within one session; commits nothing itself."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def collection(self, name: str) -> Collection | None:
        """The collection of that name; None where there is none."""
        return await self._session.scalar(select(Collection).where(Collection.name == name))

    async def collection_of_model(self, name: str, model_id: str) -> Collection | None:
        """The collection of that name; None where there is none.

        Raises:
            ModelMismatchError: It holds vectors of another model.
        """
        collection = await self.collection(name)
        if collection is not None and collection.model_id != model_id:
            raise ModelMismatchError(
                f"The collection {name!r} belongs to model {collection.model_id}, the one loaded is {model_id}."
            )
        return collection

    async def ensure_collection(self, name: str, model_id: str) -> Collection:
        """The collection of that name, made now where it is missing. Two that make it at once get the same one.

        It keeps its model until the end of the transaction, so that what is enrolled with it stays of its model. The
        lock is one of the server's queue, as whoever wants it alone could wait for ever for a row that others share.

        Raises:
            ModelMismatchError: It holds vectors of another model.
        """
        await self._session.execute(select(func.pg_advisory_xact_lock_shared(MODEL_SWITCH_LOCK)))
        new = insert(Collection).values(id=uuid7(), name=name, model_id=model_id)
        await self._session.execute(new.on_conflict_do_nothing(index_elements=[Collection.name]))
        collection = await self.collection_of_model(name, model_id)
        assert collection is not None  # noqa: S101 - it is there since the line above, and collections are not deleted
        return collection

    async def ensure_cameras(self, collection_id: UUID, camera_ids: set[str]) -> set[str]:
        """Make the cameras that the collection does not have yet.

        Returns:
            Ids of the cameras made.
        """
        if not camera_ids:
            return set()
        # Sorted: two transactions that wait for each other's new cameras in turn would be a deadlock.
        rows = [{"collection_id": collection_id, "camera_id": camera_id} for camera_id in sorted(camera_ids)]
        new = insert(Camera).values(rows).on_conflict_do_nothing().returning(Camera.camera_id)
        return set(await self._session.scalars(new))

    async def remove_cameras(self, collection_id: UUID, camera_ids: set[str]) -> None:
        """Remove cameras that this transaction made and that got no crop; nobody else has seen them."""
        if camera_ids:
            unused = (Camera.collection_id == collection_id) & Camera.camera_id.in_(camera_ids)
            await self._session.execute(delete(Camera).where(unused))

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

    async def delete(self, crop_id: UUID) -> Crop | None:
        """Delete a crop and its embeddings; the crop as it was, None where there was none."""
        return await self._session.scalar(delete(Crop).where(Crop.id == crop_id).returning(Crop))

    async def expire(self, collection_id: UUID, before: datetime) -> tuple[int, int]:
        """Delete every crop of a collection captured before a time, with one line of the change log. Call it last.

        The index forgets by that line whatever it holds from before the time. So the line must come after every crop
        that is deleted and before every crop that stays. What is there now, possibly much, is deleted while others
        write; what they have committed meanwhile, next to nothing, is deleted under the lock of the log.

        Args:
            collection_id: The collection.
            before: The time, aware; itself not before. Crops without a time of capture stay.

        Returns:
            How many were deleted and the number of the line; `head` where none was and no line was written.
        """
        old = (Crop.collection_id == collection_id) & (Crop.captured_at < before)
        deleted = await self._delete_all(old)
        await self._lock_change_log()
        deleted += await self._delete_all(old)
        if not deleted:
            return 0, await self.head()
        line = insert(Change).values(
            sequence=CHANGE_SEQUENCE.next_value(), collection_id=collection_id, deleted=True, expired_before=before
        )
        return deleted, (await self._session.scalars(line.returning(Change.sequence))).one()

    async def _delete_all(self, which: ColumnElement[bool]) -> int:
        result = await self._session.execute(
            delete(Crop).where(which), execution_options={"synchronize_session": False}
        )
        return cast("CursorResult[Any]", result).rowcount

    async def _lock_change_log(self) -> None:
        await self._session.execute(select(func.pg_advisory_xact_lock(CHANGE_LOG_LOCK)))

    async def log_changes(self, collection_id: UUID, crop_ids: Iterable[UUID], *, deleted: bool) -> int:
        """Write a line of the change log for each crop. Call it last: from here to the commit, writers queue.

        A sequence gives out its numbers before the commit, so of two transactions the one with the smaller numbers may
        commit later, and whoever reads on from the greater number never sees them. Therefore numbers are given under a
        lock held until after the commit is visible: they are in commit order, and nothing ever appears behind a cursor.

        Args:
            collection_id: The collection of all the crops.
            crop_ids: Crops inserted, changed or deleted in this transaction.
            deleted: Whether they were deleted.

        Returns:
            The greatest number given; `head` where there was nothing to log.
        """
        ids = list(crop_ids)
        if not ids:
            return await self.head()
        await self._lock_change_log()
        crop_id = func.unnest(literal(ids, ARRAY(Uuid))).column_valued("crop_id")
        lines = select(CHANGE_SEQUENCE.next_value(), literal(collection_id, Uuid), crop_id, literal(deleted))
        columns = ["sequence", "collection_id", "crop_id", "deleted"]
        numbers = await self._session.scalars(insert(Change).from_select(columns, lines).returning(Change.sequence))
        return max(numbers)

    async def head(self) -> int:
        """Greatest number of the change log; 0 where it is empty."""
        return await self._session.scalar(select(func.max(Change.sequence))) or 0

    async def get(self, crop_id: UUID) -> CropRecord | None:
        """The crop of that id; None where there is none."""
        return (await self.many([crop_id])).get(crop_id)

    async def many(self, crop_ids: Iterable[UUID]) -> dict[UUID, CropRecord]:
        """The crops of these ids that exist, by id."""
        rows = await self._session.execute(_records().where(Crop.id.in_(list(crop_ids))))
        return {record.id: record for record in map(_record, rows)}

    async def existing(self, crop_ids: Iterable[UUID]) -> set[UUID]:
        """Which of these ids have a row."""
        return set(await self._session.scalars(select(Crop.id).where(Crop.id.in_(list(crop_ids)))))

    async def installation(self) -> UUID:
        """Identity of this database; it stays the same when the database is moved or restored."""
        return (await self._session.scalars(select(Installation.id))).one()

    async def page(
        self, where: Filter, *, limit: int, cursor: str | None = None, external_id: str | None = None
    ) -> tuple[list[CropRecord], str | None]:
        """Crops of a collection, newest first.

        Args:
            where: Which crops; the same conditions as in a search.
            limit: How many at most.
            cursor: `next_cursor` of the page before; None for the first page.
            external_id: Only the crop of this external id.

        Returns:
            The crops and the next page's cursor, None after the last page. Rows inserted or deleted meanwhile never
            make another row appear twice or be left out.

        Raises:
            InvalidValueError: The cursor is none of ours.
        """
        query = _records().where(*conditions(where))
        if external_id is not None:
            query = query.where(Crop.external_id == external_id)
        if cursor is not None:
            query = query.where(Crop.id < _parse_cursor(cursor))
        rows = await self._session.execute(query.order_by(Crop.id.desc()).limit(limit + 1))
        records = [_record(row) for row in rows]
        return records[:limit], str(records[limit - 1].id) if len(records) > limit else None

    async def cameras(
        self, collection_id: UUID, *, limit: int, cursor: str | None = None
    ) -> tuple[list[CameraSummary], str | None]:
        """Cameras of a collection in the order of their ids, each with what it has seen.

        Args:
            collection_id: The collection.
            limit: How many at most.
            cursor: `next_cursor` of the page before; None for the first page.

        Returns:
            The cameras and the next page's cursor, None after the last page.
        """
        page = select(Camera.camera_id).where(Camera.collection_id == collection_id)
        if cursor is not None:
            page = page.where(Camera.camera_id > cursor)
        cameras = page.order_by(Camera.camera_id).limit(limit + 1).subquery()
        query = (
            select(
                cameras.c.camera_id,
                func.count(Crop.id).label("crops"),
                func.min(Crop.captured_at).label("first_captured_at"),
                func.max(Crop.captured_at).label("last_captured_at"),
            )
            .outerjoin(Crop, (Crop.collection_id == collection_id) & (Crop.camera_id == cameras.c.camera_id))
            .group_by(cameras.c.camera_id)
            .order_by(cameras.c.camera_id)
        )
        found = [CameraSummary(**row._mapping) for row in await self._session.execute(query)]  # noqa: SLF001 - public
        return found[:limit], found[limit - 1].camera_id if len(found) > limit else None


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


def conditions(where: Filter) -> list[ColumnElement[bool]]:
    """A filter in SQL, on crops joined with their collections; true of exactly the crops of which it is in an index."""
    conditions = [Collection.name == where.collection]
    if where.camera_ids is not None:
        conditions.append(Crop.camera_id.in_(where.camera_ids))
    if where.exclude_camera_ids:
        conditions.append(Crop.camera_id.not_in(where.exclude_camera_ids))
    if where.captured_from is not None:
        conditions.append(Crop.captured_at >= where.captured_from)
    if where.captured_to is not None:
        conditions.append(Crop.captured_at < where.captured_to)
    if where.vehicle_ids is not None:
        conditions.append(Crop.vehicle_id.in_(where.vehicle_ids))
    if where.attributes:
        conditions.append(Crop.attributes.contains(dict(where.attributes)))
    if where.exclude_ids:
        conditions.append(Crop.id.not_in(where.exclude_ids))
    return conditions


def _parse_cursor(cursor: str) -> UUID:
    try:
        return UUID(cursor)
    except ValueError as error:
        raise InvalidValueError("The cursor is not one of this service; start again without it.") from error
