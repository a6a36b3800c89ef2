"""When rows that died may be deleted: not while a search may still look at the index as it was before."""

import time
from collections import deque
from datetime import timedelta


class PurgeSchedule:
    """Remembers when batches were seen to be published.

    A search looks at the batch that was published when it began, and gives up, to begin again, when it took longer than
    `purge_after`. So what died with a batch can be deleted that long after the batch was published. Only lengths of
    time on one machine are compared, never the clocks of two.

    Args:
        purge_after: How long what died is kept.
    """

    def __init__(self, purge_after: timedelta) -> None:
        self._kept_s = purge_after.total_seconds()
        self._seen: deque[tuple[int, float]] = deque()

    def published(self, batch: int) -> None:
        """Note that a batch is published by now."""
        if not self._seen or self._seen[-1][0] < batch:
            self._seen.append((batch, time.monotonic()))

    def due(self) -> int | None:
        """The newest batch by which what died can be deleted; None where nothing new has become due."""
        due = None
        while self._seen and time.monotonic() - self._seen[0][1] > self._kept_s:
            due = self._seen.popleft()[0]
        return due

    def outlived(self, began: float) -> bool:
        """Whether a search that began at a time of the monotonic clock may have missed rows that were deleted."""
        return time.monotonic() - began > self._kept_s
