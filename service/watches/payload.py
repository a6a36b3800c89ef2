"""What a webhook is told."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from service.gallery.records import CropRecord
from service.gallery.schemas import CropView
from service.watches.delivery_repository import Due
from service.watches.thresholds import Thresholds


def hit_message(due: Due, crop: CropRecord, thresholds: Thresholds | None) -> dict[str, Any]:
    """The message of a hit, as JSON.

    Args:
        due: What was found, by which watch.
        crop: The crop as it is now. Its picture has to be fetched, with a key.
        thresholds: What scores mean; None where those of the collection are not calibrated.
    """
    return _message(
        "watch.hit",
        due.hit.created_at,
        watch=_watch(due.watch_id, due.watch_name, due.collection),
        hit={
            "id": str(due.hit.id),
            "number": due.hit.number,
            "score": due.hit.score,
            "decision": None if thresholds is None else thresholds.decision(due.hit.score),
            "crop": CropView.model_validate(crop).model_dump(mode="json"),
            "image_url": f"/gallery/{crop.id}/image" if crop.has_image else None,
        },
    )


def trial_message(watch_id: UUID, name: str, collection: str) -> dict[str, Any]:
    """The message by which a receiver is tried out, as JSON."""
    return _message("watch.test", datetime.now(UTC), watch=_watch(watch_id, name, collection))


def _watch(watch_id: UUID, name: str, collection: str) -> dict[str, str]:
    return {"id": str(watch_id), "name": name, "collection": collection}


def _message(kind: str, at: datetime, **data: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": kind, "timestamp": at.isoformat().replace("+00:00", "Z"), "data": data}
