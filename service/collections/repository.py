"""Rows of the collections."""

from collections.abc import Collection as Group
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeVar
from uuid import UUID

from sqlalchemy import Row, Select, case, delete, exists, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from service.database.tables import Calibration, Camera, Collection, Crop
from service.errors import ModelMismatchError, NotFoundError

Found = TypeVar("Found")

MODEL_SWITCH_LOCK = int.from_bytes(b"senet-md")
"""Key of the advisory lock that enrolments share, and that whoever changes what they rely on has alone: that the
collection is there, its model, whether it keeps pictures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionSummary:
    """A collection and what it holds.

    Attributes:
        quality_floor: Names and values of `QualityLimits`; those absent are not asked for.
        crops: Crops that it holds now.
        cameras: Cameras that it has.
        calibration: "valid" where scores of its model are calibrated, "stale" where only those of another one are.
    """

    id: UUID
    name: str
    model_id: str
    created_at: datetime
    codec: str | None
    description: str | None
    retention_days: float | None
    quality_floor: Mapping[str, Any]
    keep_images: bool
    require_purpose: bool
    crops: int
    cameras: int
    calibration: Literal["none", "stale", "valid"]


def no_collection(name: str) -> NotFoundError:
    """The error for a collection that does not exist."""
    return NotFoundError(f"There is no collection {name!r}; a collection appears at its first enrolment.")


def require_collection(found: Found | None, name: str) -> Found:
    """What was found under a collection's name.

    Raises:
        NotFoundError: Nothing was: there is no such collection.
    """
    if found is None:
        raise no_collection(name)
    return found


class CollectionRepository:
    """Reads and writes collections within one session; commits nothing itself."""

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

    async def named(self, name: str) -> Collection:
        """The collection of that name.

        Raises:
            NotFoundError: There is none.
        """
        return require_collection(await self.collection(name), name)

    async def named_of_model(self, name: str, model_id: str, *, keep: bool = False) -> Collection:
        """The collection of that name.

        Args:
            name: Its name.
            model_id: The model of its vectors.
            keep: Whether it is kept from being deleted until the end of the transaction.

        Raises:
            NotFoundError: There is none.
            ModelMismatchError: It holds vectors of another model.
        """
        if keep:
            await self.kept(name)
        return require_collection(await self.collection_of_model(name, model_id), name)

    async def kept(self, name: str) -> Collection | None:
        """The collection of that name, which is not deleted before the end of the transaction; None: there is none."""
        found = select(Collection).where(Collection.name == name).with_for_update(read=True, key_share=True)
        return await self._session.scalar(found)

    async def ensure_collection(self, name: str, model_id: str) -> Collection:
        """The collection of that name, made now where it is missing. Two that make it at once get the same one.

        It stays as it is in what `MODEL_SWITCH_LOCK` guards until the end of the transaction. The lock is one of the
        server's queue, as whoever wants it alone could wait for ever for a row that others share.

        Raises:
            ModelMismatchError: It holds vectors of another model.
        """
        await self._session.execute(select(func.pg_advisory_xact_lock_shared(MODEL_SWITCH_LOCK)))
        new = insert(Collection).values(id=uuid7(), name=name, model_id=model_id)
        await self._session.execute(new.on_conflict_do_nothing(index_elements=[Collection.name]))
        collection = await self.collection_of_model(name, model_id)
        assert collection is not None  # noqa: S101 - it is there since the line above
        return collection

    async def hold_enrolments(self) -> None:
        """Wait for the enrolments under way and let none begin until the end of the transaction."""
        await self._session.execute(select(func.pg_advisory_xact_lock(MODEL_SWITCH_LOCK)))

    async def create(self, name: str, model_id: str, settings: Mapping[str, Any]) -> bool:
        """Make a collection; whether there was none of that name.

        Args:
            name: Its name.
            model_id: The model of all its vectors.
            settings: Values of further columns by name.
        """
        new = insert(Collection).values(id=uuid7(), name=name, model_id=model_id, **settings)
        new = new.on_conflict_do_nothing(index_elements=[Collection.name])
        return await self._session.scalar(new.returning(Collection.id)) is not None

    async def locked(self, name: str) -> Collection | None:
        """The collection of that name, which nobody else changes until the end of the transaction."""
        found = select(Collection).where(Collection.name == name).with_for_update(key_share=True)
        return await self._session.scalar(found)

    async def unchanged(self, collection_id: UUID) -> Collection | None:
        """The collection of that id, which nobody changes until the end of the transaction; None: there is none."""
        found = select(Collection).where(Collection.id == collection_id).with_for_update(read=True)
        return await self._session.scalar(found)

    async def hold(self, collection_id: UUID) -> None:
        """Let nobody else refer to a collection or change it until the end of the transaction.

        Whoever deletes it with its crops calls this before it locks these, as those who change its vehicles or watches
        lock in that order.
        """
        await self._session.execute(select(Collection.id).where(Collection.id == collection_id).with_for_update())

    async def change(self, collection_id: UUID, settings: Mapping[str, Any]) -> None:
        """Set columns of a collection."""
        if settings:
            await self._session.execute(update(Collection).where(Collection.id == collection_id).values(**settings))

    async def holds_crops(self, collection_id: UUID) -> bool:
        """Whether there is a crop in it."""
        return bool(await self._session.scalar(select(exists().where(Crop.collection_id == collection_id))))

    async def delete(self, collection_id: UUID) -> None:
        """Delete a collection that holds no crops, with its cameras and all that was said of it."""
        await self._session.execute(delete(Collection).where(Collection.id == collection_id))

    async def summary(self, name: str) -> CollectionSummary | None:
        """The collection of that name and what it holds; None where there is none."""
        found = (await self._session.execute(_summaries().where(Collection.name == name))).one_or_none()
        return None if found is None else _summary(found)

    async def page(
        self, names: Group[str] | None, *, limit: int, cursor: str | None = None
    ) -> tuple[list[CollectionSummary], str | None]:
        """Collections in the order of their names.

        Args:
            names: Only these; None for all.
            limit: How many at most.
            cursor: `next_cursor` of the page before; None for the first page.

        Returns:
            The collections and the next page's cursor, None after the last page.
        """
        query = _summaries().order_by(Collection.name).limit(limit + 1)
        if names is not None:
            query = query.where(Collection.name.in_(names))
        if cursor is not None:
            query = query.where(Collection.name > cursor)
        found = [_summary(row) for row in await self._session.execute(query)]
        return found[:limit], found[limit - 1].name if len(found) > limit else None


def _summaries() -> Select[*tuple[Any, ...]]:
    crops = select(func.count()).where(Crop.collection_id == Collection.id).scalar_subquery()
    cameras = select(func.count()).where(Camera.collection_id == Collection.id).scalar_subquery()
    of_collection = Calibration.collection_id == Collection.id
    calibration = case(
        (exists().where(of_collection, Calibration.model_id == Collection.model_id), "valid"),
        (exists().where(of_collection), "stale"),
        else_="none",
    )
    return select(
        *Collection.__table__.columns,
        crops.label("crops"),
        cameras.label("cameras"),
        calibration.label("calibration"),
    )


def _summary(row: Row[*tuple[Any, ...]]) -> CollectionSummary:
    return CollectionSummary(**row._mapping)  # noqa: SLF001 - SQLAlchemy's public name of it
