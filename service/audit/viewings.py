"""Who looked at which picture, written before it is shown."""

from collections.abc import Sequence
from uuid import UUID

from service.access import Caller
from service.audit.records import NewEntry
from service.audit.repository import AuditRepository
from service.batches import Batches
from service.database.engine import Database

ACTION = "get_crop_image"


class ViewingLog:
    """Writes an entry of the audit log for each picture that is shown.

    A page of hits asks for its pictures all at once: what comes while a transaction is under way is written with the
    next one. Each picture waits until its entry is committed, so none was shown of which there is none.

    Args:
        database: The truth.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._batches = Batches(self._write, "views of pictures")

    async def record(self, caller: Caller, collection: str, crop_id: UUID, purpose: str | None) -> None:
        """Write that a picture is looked at. When this returns it is committed.

        Args:
            caller: Who looks.
            collection: Name of the crop's collection.
            crop_id: The crop.
            purpose: Why, from `Caller.purpose_for`.

        Raises:
            UnavailableError: The database cannot do it now, so the picture must not be shown.
        """
        await self._batches.ask(
            NewEntry(caller=caller, action=ACTION, collection=collection, purpose=purpose, crop_ids=[crop_id])
        )

    async def close(self) -> None:
        """Give up what is being written; the pictures that wait for it are not shown."""
        await self._batches.close()

    async def _write(self, entries: Sequence[NewEntry]) -> Sequence[None]:
        async with self._database.transaction() as session:
            await AuditRepository(session).add(entries)
        return [None] * len(entries)
