"""Removing the pictures of a collection that is to keep none, while the crops stay."""

from collections.abc import Awaitable, Callable
from uuid import UUID

from service.collections.repository import CollectionRepository
from service.crops.store import CropStore
from service.database.engine import Database
from service.errors import ConflictError, NotFoundError
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
        collection_id: The collection, whose keep_images is off, so that none are added.
        advance: Told after each step of how many have been removed so far.

    Returns:
        How many were removed.

    Raises:
        ConflictError: The collection keeps pictures, perhaps again; those that are left stay.
        NotFoundError: The collection is gone.
        UnavailableError: Database or store cannot be used; what was removed stays removed.
    """
    removed = 0
    after: UUID | None = None
    while crop_ids := await _remove_some(database, store, collection_id, after):
        after = crop_ids[-1]
        removed += len(crop_ids)
        await advance(removed)
    return removed


async def _remove_some(database: Database, store: CropStore, collection_id: UUID, after: UUID | None) -> list[UUID]:
    """Remove the next pictures, while nobody can decide to keep them; which ones."""
    async with database.transaction() as session:
        collection = await CollectionRepository(session).unchanged(collection_id)
        if collection is None:
            raise NotFoundError("The collection is gone.")
        if collection.keep_images:
            raise ConflictError(f"The collection {collection.name!r} keeps pictures; those that are left stay.")
        gallery = GalleryRepository(session)
        crop_ids = await gallery.ids_with_image(collection_id, BATCH, after)
        for crop_id in crop_ids:
            await store.delete(crop_id)
        await gallery.forget_images(crop_ids)
    return crop_ids
