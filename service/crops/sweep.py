"""Pictures that never got a row: removed where they arise; what a crash or a failing disk leaves, at the next start.

A row of a collection that keeps no pictures claims none. Enrolment stores the picture before it commits the row,
deletion commits before it removes the picture (service/crops/removal.py). So a crash can leave a picture without a row,
never a row without a picture.
"""

import asyncio
import logging
from collections.abc import Iterable
from uuid import UUID

from service.crops.store import CropStore
from service.database.engine import Database
from service.errors import ConflictError
from service.gallery.repository import GalleryRepository

logger = logging.getLogger(__name__)


async def sweep_orphans(store: CropStore, database: Database, age_s: float) -> int:
    """Remove the pictures that no row claims and that are old enough not to belong to an enrolment under way.

    Args:
        store: The pictures.
        database: The rows.
        age_s: Age in seconds from which a picture without a row is an orphan.

    Returns:
        Pictures removed.

    Raises:
        ConflictError: The store belongs to another database; by this one's rows all its pictures would be orphans.
        UnavailableError: The store or the database cannot be used.
    """
    await require_own_store(store, database)
    await store.remove_partial(age_s)
    removed = 0
    async for ids in store.ids_older_than(age_s):
        async with database.reading() as session:
            orphans = set(ids) - await GalleryRepository(session).with_image(ids)
        for crop_id in orphans:
            await store.delete(crop_id)
        removed += len(orphans)
    if removed:
        logger.info("Removed %d pictures without a row from the crop store", removed)
    return removed


async def remove_orphans(store: CropStore, crop_ids: Iterable[UUID]) -> None:
    """Remove pictures that never got a row; what cannot be removed now is left to the sweep.

    Args:
        store: The pictures.
        crop_ids: Ids without a committed row.
    """
    for result in await asyncio.gather(*map(store.delete, crop_ids), return_exceptions=True):
        if isinstance(result, Exception):
            logger.warning("A stored crop without a row was not removed; the sweep at start will: %s", result)


async def require_own_store(store: CropStore, database: Database) -> None:
    """Check that pictures and rows belong together; a store that belongs to no database yet is tied to this one.

    Raises:
        ConflictError: The store belongs to another database.
        UnavailableError: The store or the database cannot be used.
    """
    async with database.reading() as session:
        installation = await GalleryRepository(session).installation()
    owner = await store.claim(installation)
    if owner != installation:
        raise ConflictError(
            f"The crop store belongs to the database {owner}, not to this one ({installation}). Start with "
            "the database and the crop store that belong together; if this database was meant to take the store over, "
            'remove the file "installation" in it.'
        )
