"""Reading cameras."""

from service.access import Caller
from service.gallery.repository import CameraSummary, GalleryRepository
from service.gallery.service import no_collection
from service.runtime import Runtime


async def page_of_cameras(
    runtime: Runtime, caller: Caller, collection: str, *, limit: int, cursor: str | None
) -> tuple[list[CameraSummary], str | None]:
    """One page of a collection's cameras and the cursor of the next.

    Raises:
        ForbiddenError: The caller may not use the collection.
        NotFoundError: There is no such collection.
    """
    caller.enter(collection)
    async with runtime.database.reading() as session:
        repository = GalleryRepository(session)
        found = await repository.collection(collection)
        if found is None:
            raise no_collection(collection)
        return await repository.cameras(found.id, limit=limit, cursor=cursor)
