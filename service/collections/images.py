"""Removing the pictures of a collection that is to keep none, while the crops stay."""

from collections.abc import Awaitable, Callable
from uuid import UUID

from service.crops.store import CropStore
from service.database.engine import Database
from service.gallery.repository import GalleryRepository

BATCH = 500
"""Crops in one transaction."""


async def count_images(database: Database, collection_id: UUID) -> int:
    """How many crops of a collection have their picture."""
    async with database.reading() as session:
        return await GalleryRepository(session).count_images(collection_id)


async def remove_images(
    database: Database, store: CropStore, collection_id: UUID, advance: Callable[[int], Awaitable[None]]
) -> int:
    """Remove the pictures of all crops of a collection; the crops stay, and are found as before.

    The picture goes before its row says so: whenever this is interrupted, no row denies a picture that is still there,
    and it may simply be called again.

    Args:
        database: The rows.
        store: The pictures.
        collection_id: The collection. Whoever calls this has turned keep_images off before, so that none are added.
        advance: Told after each step of how many have been removed so far.

    Returns:
        How many were removed.

    Raises:
        UnavailableError: Database or store cannot be used; what was removed stays removed.
    """
    removed = 0
    after: UUID | None = None
    while True:
        async with database.reading() as session:
            crop_ids = await GalleryRepository(session).ids_with_image(collection_id, BATCH, after)
        if not crop_ids:
            return removed
        after = crop_ids[-1]
        for crop_id in crop_ids:
            await store.delete(crop_id)
        async with database.transaction() as session:
            await GalleryRepository(session).forget_images(crop_ids)
        removed += len(crop_ids)
        await advance(removed)
