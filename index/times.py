"""Times of capture as columns hold them: whole microseconds since 1970, exactly."""

from datetime import UTC, datetime, timedelta
from typing import Final

from index.segments.rows import UNKNOWN_TIME

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def microseconds(time: datetime | None) -> int:
    """Microseconds since 1970 of an aware time; `UNKNOWN_TIME` for None."""
    return UNKNOWN_TIME if time is None else (time - _EPOCH) // _MICROSECOND


def time_of(microseconds: int) -> datetime | None:
    """The time in UTC that a column holds as a number."""
    return None if microseconds == UNKNOWN_TIME else _EPOCH + microseconds * _MICROSECOND
