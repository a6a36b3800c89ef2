"""Pictures of crops that are deleted: noted with their rows' deletion, removed after it, struck out when they are gone.

Rows are deleted first, as a row without its picture would be half a crop. The note, of the same transaction, is what
lets a picture go that a crash or a failing disk left behind: at the next start, before anything is answered, and from
time to time.
"""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from uuid import UUID

from service.crops.removal_repository import RemovalRepository
from service.crops.store import CropStore
from service.database.engine import Database
from service.errors import UnavailableError
from service.tasks import ended

logger = logging.getLogger(__name__)

AT_ONCE = 1000
"""Pictures between two looks at the database."""
PERIOD_S = 10.0


async def remove_pictures(database: Database, store: CropStore, crop_ids: Sequence[UUID]) -> list[UUID]:
    """Remove pictures of crops whose deletion is committed.

    Args:
        database: Where they are noted.
        store: The pictures.
        crop_ids: The crops; their pictures may be gone already.

    Returns:
        Those whose pictures could not be removed now. They stay noted.
    """
    outcomes = await asyncio.gather(*map(store.delete, crop_ids), return_exceptions=True)
    left, gone = [], []
    for crop_id, outcome in zip(crop_ids, outcomes, strict=True):
        if outcome is None:
            gone.append(crop_id)
        elif isinstance(outcome, UnavailableError):
            left.append(crop_id)
        else:
            raise outcome
    with suppress(UnavailableError):  # noted longer than they need be, they are removed once more
        async with database.transaction() as session:
            await RemovalRepository(session).strike_out(gone)
    return left


class PictureRemover:
    """Removes the pictures that are noted, in every process: what was left where a deletion was interrupted.

    Args:
        database: Where they are noted.
        store: The pictures.
        period_s: Seconds between two looks.
    """

    def __init__(self, database: Database, store: CropStore, period_s: float = PERIOD_S) -> None:
        self._database = database
        self._store = store
        self._period_s = period_s
        self._left = 0
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, in the background."""
        self._task = asyncio.create_task(self._work(), name="picture remover")

    async def stop(self) -> None:
        """End; what is left stays noted."""
        if self._task is not None:
            await ended(self._task)
            self._task = None

    async def remove(self) -> int:
        """Remove now what is noted.

        Returns:
            How many pictures are left, because they could not be removed.

        Raises:
            UnavailableError: The database does not answer.
        """
        left, after = 0, UUID(int=0)
        while True:
            async with self._database.reading() as session:
                crop_ids = await RemovalRepository(session).next_noted(after, AT_ONCE)
            if not crop_ids:
                break
            after = crop_ids[-1]
            left += len(await remove_pictures(self._database, self._store, crop_ids))
        if left != self._left:
            logger.warning(
                "%d pictures of deleted crops cannot be removed from the crop store; it is tried again", left
            )
        self._left = left
        return left

    async def _work(self) -> None:
        while True:
            await asyncio.sleep(self._period_s)
            try:
                await self.remove()
            except UnavailableError as error:
                logger.warning("Pictures of deleted crops have to wait: %s", error.detail)
            except Exception:
                logger.exception("Pictures of deleted crops could not be removed; it is tried again")
