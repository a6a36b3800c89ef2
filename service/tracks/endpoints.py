"""Routes of the tracks."""

from typing import Annotated

from fastapi import APIRouter, Query

from service.access import Reader
from service.errors import InvalidValueError, MalformedRequestError, NotFoundError, UnavailableError
from service.gallery.schemas import CropView
from service.openapi import problems
from service.runtime import CurrentRuntime
from service.tracks.repository import TrackSummary
from service.tracks.schemas import OneTrackQuery, TrackDetail, TrackPage, TrackQuery, TrackSummaryView
from service.tracks.service import page_of_tracks, track_with_crops

router = APIRouter(prefix="/tracks", tags=["tracks"])


@router.get(
    "",
    operation_id="list_tracks",
    summary="List the tracks of a collection",
    responses=problems(MalformedRequestError, NotFoundError, InvalidValueError, UnavailableError),
)
async def list_tracks(runtime: CurrentRuntime, caller: Reader, query: Annotated[TrackQuery, Query()]) -> TrackPage:
    """Tracks of which at least one crop meets every condition, in the order of camera, session and track id.

    A track is shown as a whole, with the crops that do not meet the conditions.
    """
    tracks, cursor = await page_of_tracks(runtime, caller, query)
    return TrackPage(items=list(map(_view, tracks)), next_cursor=cursor)


@router.get(
    "/one",
    operation_id="get_track",
    summary="Get one track with its crops",
    responses=problems(NotFoundError, InvalidValueError, UnavailableError),
)
async def get_track(runtime: CurrentRuntime, caller: Reader, query: Annotated[OneTrackQuery, Query()]) -> TrackDetail:
    """A track by collection, camera, session and track id, with its best crop and its crops in time order.

    All four are needed, as trackers count anew on every camera and in every run; without session_id the track is the
    one that was enrolled without a session.
    """
    track, best, crops, cursor = await track_with_crops(runtime, caller, query)
    return TrackDetail(
        track=_view(track),
        best_crop=CropView.model_validate(best),
        items=[CropView.model_validate(crop) for crop in crops],
        next_cursor=cursor,
    )


def _view(track: TrackSummary) -> TrackSummaryView:
    first, last = track.first_captured_at, track.last_captured_at
    span_s = None if first is None or last is None else (last - first).total_seconds()
    return TrackSummaryView(
        camera_id=track.camera_id,
        session_id=track.session_id,
        track_id=track.track_id,
        crops=track.crops,
        first_captured_at=first,
        last_captured_at=last,
        span_s=span_s,
        vehicle_ids=list(track.vehicle_ids),
        best_crop_id=track.best_crop_id,
    )
