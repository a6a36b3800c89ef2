"""Rows of the collections."""

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from service.database.tables import Collection
from service.errors import ModelMismatchError

MODEL_SWITCH_LOCK = int.from_bytes(b"senet-md")
"""Key of the advisory lock that enrolments share and that whoever gives a collection another model has alone."""


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
        assert collection is not None  # noqa: S101 - it is there since the line above
        return collection
