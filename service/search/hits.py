"""What is shown of each hit."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from starlette.requests import Request

from service.calibration.decisions import Scale
from service.gallery.records import CropRecord
from service.gallery.schemas import CropView
from service.search.ranking import Ranked, Ranking
from service.search.schemas import HitView, TrackView


def hit_views(
    request: Request, ranking: Ranking, records: Mapping[UUID, CropRecord], scale: Scale | None
) -> list[HitView]:
    """The hits of a ranking, each shown by its best crop, which must be among the records."""
    prefix = request.scope.get("root_path", "")
    views = []
    for position, group in enumerate(ranking.groups):
        best = group[0]
        record = records[best.hit.sighting.id]
        views.append(
            HitView(
                rank=position + 1,
                score=best.hit.score,
                rerank_score=best.rerank_score,
                decision=None if scale is None else scale.decision(best.hit.score),
                probability=None if scale is None else scale.probability(best.hit.score),
                crop=CropView.model_validate(record),
                track=_track_view(group),
                matched_crops=len(group),
                image_url=f"{prefix}/gallery/{record.id}/image" if record.has_image else None,
            )
        )
    return views


def _track_view(group: Sequence[Ranked]) -> TrackView | None:
    best = group[0].hit.sighting
    if best.track is None:
        return None
    times = [
        entry.hit.sighting.captured_at
        for entry in group
        if entry.hit.sighting.captured_at is not None
        and (entry.hit.sighting.camera_id, entry.hit.sighting.track) == (best.camera_id, best.track)
    ]
    session_id, track_id = best.track
    return TrackView(
        camera_id=best.camera_id,
        session_id=session_id,
        track_id=track_id,
        first_captured_at=min(times, default=None),
        last_captured_at=max(times, default=None),
    )
