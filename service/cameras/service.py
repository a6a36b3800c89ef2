"""Reading cameras."""

from service.access import Caller
from service.cameras.repository import CameraRepository, CameraSummary
from service.collections.repository import CollectionRepository
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
        found = await CollectionRepository(session).collection(collection)
        if found is None:
            raise no_collection(collection)
        return await CameraRepository(session).page(found.id, limit=limit, cursor=cursor)
