"""How watches and what they found are shown."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from service.gallery.records import CropRecord
from service.gallery.schemas import CropView
from service.watches.records import HitRecord, State, WatchRecord
from service.watches.schemas import WatchHitView, WatchView
from service.watches.thresholds import Thresholds

_SAME: Final = (
    "id",
    "name",
    "collection",
    "crop_ids",
    "exclude_same_track",
    "min_score",
    "decision",
    "webhook_url",
    "paused",
    "model_id",
    "sequence",
    "hits",
    "dead_deliveries",
    "created_at",
    "created_by",
    "updated_at",
    "expires_at",
)
_EXPLANATIONS: Final[Mapping[State, str]] = {
    "ended": "The crops that it looked for were deleted; give it others, or delete it.",
    "expired": "It has reached expires_at; move that on to go on with what is enrolled from then on.",
    "forbidden": "The key that answers for it may no longer search; whoever changes the watch answers for it.",
    "paused": "It is paused; what is enrolled meanwhile is never compared with it.",
    "stale": "It was made with the model {model_id}, which is not the one in use; {anew}.",
    "uncalibrated": "It wants a {decision}, and the scores of the collection are not calibrated.",
}


def watch_fields(watch: WatchRecord, model_id: str, *, permitted: bool) -> dict[str, Any]:
    """The fields of a watch as it is shown.

    Args:
        watch: The watch.
        model_id: The model that is loaded.
        permitted: Whether the key that answers for it may search.
    """
    state = watch.state(model_id, permitted=permitted)
    return {
        **{name: getattr(watch, name) for name in _SAME},
        **watch.filter,
        "made_of": "images" if watch.from_images else "crops",
        "state": state,
        "explanation": _explanation(watch, state),
    }


def watch_view(watch: WatchRecord, model_id: str, *, permitted: bool) -> WatchView:
    """A watch; see `watch_fields`."""
    return WatchView.model_validate(watch_fields(watch, model_id, permitted=permitted))


def hit_view(
    hit: HitRecord, crops: Mapping[UUID, CropRecord], thresholds: Thresholds | None, prefix: str
) -> WatchHitView:
    """A hit; `prefix` is where the service is mounted."""
    crop = crops[hit.crop_id]
    return WatchHitView(
        id=hit.id,
        number=hit.number,
        score=hit.score,
        decision=None if thresholds is None else thresholds.decision(hit.score),
        sequence=hit.sequence,
        found_at=hit.created_at,
        crop=CropView.model_validate(crop),
        image_url=f"{prefix}/gallery/{crop.id}/image" if crop.has_image else None,
    )


def _explanation(watch: WatchRecord, state: State) -> str | None:
    sentence = _EXPLANATIONS.get(state)
    if sentence is None:
        return None
    anew = "make it anew" if watch.from_images else "give it a min_score or a decision anew"
    return sentence.format(model_id=watch.model_id, decision=watch.decision, anew=anew)
