"""Letting crops expire, in the background."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final
from uuid import UUID

from service.access import Caller
from service.audit.repository import AuditRepository
from service.crops.removal import remove_pictures
from service.crops.store import CropStore
from service.database.engine import Database, Session
from service.deletion.repository import DeletionRepository
from service.errors import UnavailableError
from service.gallery.repository import GalleryRepository
from service.retention.repository import RetentionRepository, Rule
from service.tasks import ended

logger = logging.getLogger(__name__)

STEP = 2000
"""Crops of one transaction, about."""
_RETENTION: Final = Caller(key_id=None, name="retention", scopes=frozenset())


class RetentionKeeper:
    """Deletes what is older than its collection allows, now and then, in every process; one of them at a time does it.

    Args:
        database: The truth.
        store: The pictures.
        note_commit: Told of the number of each change committed.
        period_s: Seconds between two looks.
    """

    def __init__(
        self, database: Database, store: CropStore, note_commit: Callable[[int], None], period_s: float
    ) -> None:
        self._database = database
        self._store = store
        self._note_commit = note_commit
        self._period_s = period_s
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, in the background."""
        self._task = asyncio.create_task(self._work(), name="retention")

    async def stop(self) -> None:
        """End; what is being deleted stays."""
        if self._task is not None:
            await ended(self._task)
            self._task = None

    async def expire(self) -> int:
        """Delete now what is old enough. A collection where that fails is logged, and holds up no other.

        Returns:
            How many crops were deleted; 0 where another process is at it.

        Raises:
            UnavailableError: The database does not answer; what was committed stays.
        """
        async with self._database.reading() as session:
            collections = await RetentionRepository(session).collections()
        total = 0
        for collection_id in collections:
            try:
                while crop_ids := await self._step(collection_id):
                    total += len(crop_ids)
            except UnavailableError:
                raise
            except Exception:
                logger.exception("Retention of collection %s failed; it is tried again", collection_id)
        return total

    async def _step(self, collection_id: UUID) -> Sequence[UUID]:
        """Delete the oldest crops of a collection, rows first and then pictures; which ones."""
        async with self._database.transaction() as session:
            retention = RetentionRepository(session)
            # Asked for anew in each step: somebody may have decided meanwhile to keep them longer.
            rule = await retention.rule(collection_id) if await retention.alone() else None
            if rule is None:
                return []
            crop_ids, sequence = await _delete_oldest(session, rule)
        if crop_ids:
            self._note_commit(sequence)
            await remove_pictures(self._database, self._store, crop_ids)
            logger.info("%d crops of %r were older than it keeps them and are gone", len(crop_ids), rule.name)
        return crop_ids

    async def _work(self) -> None:
        while True:
            try:
                await self.expire()
            except UnavailableError as error:
                logger.warning("Retention has to wait: %s", error.detail)
            except Exception:
                logger.exception("Retention failed; it is tried again")
            await asyncio.sleep(self._period_s)


async def _delete_oldest(session: Session, rule: Rule) -> tuple[Sequence[UUID], int]:
    """Delete the oldest rows of a collection: which ones, and the number of the last line of the change log."""
    retention = RetentionRepository(session)
    if timeless := await retention.without_time(rule, STEP):
        crop_ids, sequence = await DeletionRepository(session).delete(timeless)
        said = {"created_before": rule.before.isoformat()}
    elif before := await retention.step(rule, STEP):
        crop_ids, sequence = await GalleryRepository(session).expire(rule.collection_id, before)
        said = {"captured_before": before.isoformat()}
    else:
        return [], 0
    if crop_ids:
        await AuditRepository(session).record(_RETENTION, "retention", rule.name, filter=said, crop_ids=crop_ids)
    return crop_ids, sequence
