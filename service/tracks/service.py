"""Reading tracks."""

from service.access import Caller
from service.collections.repository import CollectionRepository
from service.database.engine import Session
from service.errors import NotFoundError
from service.gallery.records import CropRecord
from service.gallery.repository import GalleryRepository
from service.runtime import Runtime
from service.tracks.repository import TrackRepository, TrackSummary
from service.tracks.schemas import OneTrackQuery, TrackQuery


async def page_of_tracks(runtime: Runtime, caller: Caller, query: TrackQuery) -> tuple[list[TrackSummary], str | None]:
    """One page of a collection's tracks and the cursor of the next.

    Raises:
        ForbiddenError: The caller may not use the collection.
        NotFoundError: There is no such collection.
        InvalidValueError: A condition makes no sense, or the cursor is none of ours.
    """
    where = query.where()
    caller.enter(query.collection)
    async with runtime.database.reading() as session:
        tracks = await _tracks(session, query.collection)
        return await tracks.page(where, session_id=query.session_id, limit=query.limit, cursor=query.cursor)


async def track_with_crops(
    runtime: Runtime, caller: Caller, query: OneTrackQuery
) -> tuple[TrackSummary, CropRecord, list[CropRecord], str | None]:
    """A track, its best crop, a page of its crops in the order of their capture, and the cursor of the next.

    Raises:
        ForbiddenError: The caller may not use the collection.
        NotFoundError: There is no such collection or track.
        InvalidValueError: The cursor is none of ours.
    """
    caller.enter(query.collection)
    key = (query.camera_id, query.session_id, query.track_id)
    async with runtime.database.reading() as session:
        tracks = await _tracks(session, query.collection)
        track = await tracks.track(key)
        if track is None:
            session_ = "no session" if query.session_id is None else f"session {query.session_id!r}"
            raise NotFoundError(f"Camera {query.camera_id!r} has no track {query.track_id!r} in {session_}.")
        crops, cursor = await tracks.crops(key, limit=query.limit, cursor=query.cursor)
        best = (await GalleryRepository(session).many([track.best_crop_id]))[track.best_crop_id]
    return track, best, crops, cursor


async def _tracks(session: Session, name: str) -> TrackRepository:
    collection = await CollectionRepository(session).named(name)
    return TrackRepository(session, collection.id)
