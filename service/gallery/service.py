"""Reading enrolled crops."""

from uuid import UUID

from index.contract import Filter
from service.access import Caller
from service.collections.repository import CollectionRepository
from service.errors import NoImageError, NotFoundError
from service.gallery.filter_repository import RowConditions
from service.gallery.records import CropRecord
from service.gallery.repository import GalleryRepository
from service.runtime import Runtime


def no_crop(crop_id: UUID) -> NotFoundError:
    """The error for a crop that does not exist, or not for the caller."""
    return NotFoundError(f"There is no crop {crop_id}; it may have been deleted.")


async def page_of_crops(
    runtime: Runtime, caller: Caller, where: Filter, *, limit: int, cursor: str | None, rows: RowConditions
) -> tuple[list[CropRecord], str | None]:
    """One page of crops, newest first, and the cursor of the next.

    Raises:
        ForbiddenError: The caller may not use the collection.
        NotFoundError: There is no such collection.
        InvalidValueError: The cursor is none of ours.
    """
    caller.enter(where.collection)
    async with runtime.database.reading() as session:
        repository = GalleryRepository(session)
        await CollectionRepository(session).named(where.collection)
        return await repository.page(where, limit=limit, cursor=cursor, rows=rows)


async def crop_by_id(runtime: Runtime, caller: Caller, crop_id: UUID) -> CropRecord:
    """One crop.

    Raises:
        NotFoundError: There is none of that id that the caller sees.
    """
    async with runtime.database.reading() as session:
        record = await GalleryRepository(session).get(crop_id)
    if record is None or not caller.sees(record.collection):
        raise no_crop(crop_id)
    return record


async def crop_to_show(runtime: Runtime, caller: Caller, crop_id: UUID) -> tuple[CropRecord, str | None]:
    """One crop whose picture is kept, and why the caller looks at it.

    Raises:
        NotFoundError: There is none of that id that the caller sees.
        NoImageError: There is, without a picture.
        InvalidValueError: The collection asks why, and nothing was said.
    """
    async with runtime.database.reading() as session:
        record = await GalleryRepository(session).get(crop_id)
        if record is None or not caller.sees(record.collection):
            raise no_crop(crop_id)
        collection = await CollectionRepository(session).collection(record.collection)
    if not record.has_image:
        raise NoImageError(f"The picture of crop {crop_id} is not kept, only what was made of it.")
    required = collection is not None and collection.require_purpose
    return record, caller.purpose_for(record.collection, required=required)


async def crop_jpeg(runtime: Runtime, crop_id: UUID, longest_side: int | None) -> bytes:
    """A crop's picture as JPEG, upright, without metadata.

    Raises:
        NotFoundError: The picture has been deleted.
        OverloadedError: Too many pictures are waiting to be shown.
    """
    return await runtime.renditions.render(lambda: runtime.store.get(crop_id), longest_side)
