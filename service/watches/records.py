"""A watch as it is read, and what state it is in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

State = Literal["active", "paused", "expired", "ended", "forbidden", "stale", "uncalibrated"]
Threshold = Literal["match", "possible"]
DeliveryState = Literal["pending", "delivered", "dead"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchRecord:
    """A watch as read.

    Attributes:
        collection: Name of its collection.
        collection_model_id: The collection's model.
        from_images: Whether it was made of pictures, of which only the vector is kept.
        crop_ids: The crops that it looks for and that are still there; empty where it was made of pictures.
        filter: Conditions on what it finds, as a body of a search has them.
        min_score: Lowest score of a hit; None where `decision` says it.
        decision: What a hit must be by the collection's calibration; None where min_score says it.
        calibrated: Whether the collection's scores are calibrated for the model of the watch.
        key_id: The key that answers for it; None where none was asked for.
        sequence: Changes up to this one are not looked at.
        hits: How many crops it has found, those included that are deleted.
        dead_deliveries: How many messages were given up.
        read_at: When this was read, by the database's clock.
    """

    id: UUID
    collection_id: UUID
    collection: str
    collection_model_id: str
    name: str
    model_id: str
    from_images: bool
    crop_ids: Sequence[UUID]
    filter: Mapping[str, Any]
    exclude_same_track: bool
    min_score: float | None
    decision: Threshold | None
    calibrated: bool
    webhook_url: str | None
    paused: bool
    purpose: str | None
    key_id: UUID | None
    sequence: int
    hits: int
    dead_deliveries: int
    created_at: datetime
    created_by: str | None
    updated_at: datetime
    expires_at: datetime | None
    read_at: datetime

    def state(self, model_id: str, *, permitted: bool) -> State:
        """Whether crops are compared with it, and if not, why.

        Args:
            model_id: The model that is loaded.
            permitted: Whether the key that answers for it may search its collection.
        """
        obstacles: dict[State, bool] = {  # the one that takes most to remove first
            "ended": not self.from_images and not self.crop_ids,
            "expired": self.expires_at is not None and self.expires_at <= self.read_at,
            "forbidden": not permitted,
            "paused": self.paused,
            "stale": not self.model_id == model_id == self.collection_model_id,
            "uncalibrated": self.decision is not None and not self.calibrated,
        }
        return next((state for state, holds in obstacles.items() if holds), "active")


@dataclass(frozen=True, slots=True, kw_only=True)
class HitRecord:
    """A crop that a watch found."""

    id: UUID
    number: int
    crop_id: UUID
    score: float
    sequence: int
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryRecord:
    """A hit on its way to a webhook.

    Attributes:
        id: The message's identity, which the receiver sees as webhook-id.
        attempts: How often it was tried.
        last_status: What the receiver answered last; None where it did not.
        last_error: Why the last attempt failed; None where it did not.
    """

    id: UUID
    watch_id: UUID
    hit_id: UUID
    crop_id: UUID
    state: DeliveryState
    attempts: int
    next_attempt_at: datetime | None
    last_attempt_at: datetime | None
    last_status: int | None
    last_error: str | None
    created_at: datetime
    delivered_at: datetime | None
