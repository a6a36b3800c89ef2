"""How many requests a key may make."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from service.errors import RateLimitedError

_MINUTE_S = 60


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled_at: float


class RateLimits:
    """A token bucket for each key, in this process: every replica counts for itself.

    A bucket holds a minute's worth and is filled evenly. So a key that rested may use a whole minute's worth at once,
    and goes on at its rate from then on.

    Args:
        clock: Seconds that only ever go forward.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets: dict[UUID, _Bucket] = {}

    def take(self, key_id: UUID, requests_per_minute: int | None) -> None:
        """Count a request of a key.

        Args:
            key_id: The key.
            requests_per_minute: What it may make; None for any number.

        Raises:
            RateLimitedError: It has made more. This request does not count.
        """
        if requests_per_minute is None:
            self._buckets.pop(key_id, None)
            return
        now = self._clock()
        bucket = self._buckets.setdefault(key_id, _Bucket(requests_per_minute, now))
        a_second = requests_per_minute / _MINUTE_S
        bucket.tokens = min(requests_per_minute, bucket.tokens + (now - bucket.filled_at) * a_second)
        bucket.filled_at = now
        if bucket.tokens < 1:
            wait_s = math.ceil((1 - bucket.tokens) / a_second)
            raise RateLimitedError(
                f"This key may make {requests_per_minute} requests a minute; try again in {wait_s} s.",
                retry_after_s=wait_s,
            )
        bucket.tokens -= 1
