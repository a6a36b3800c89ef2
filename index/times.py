"""Times of capture as columns hold them: whole microseconds since 1970, exactly."""

from datetime import UTC, datetime, timedelta
from typing import Final

UNKNOWN_TIME: Final = -(2**63)
"""What a column of times holds for a crop without captured_at."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def microseconds(time: datetime | None) -> int:
    """Microseconds since 1970 of an aware time; `UNKNOWN_TIME` for None."""
    return UNKNOWN_TIME if time is None else (time - _EPOCH) // _MICROSECOND


def time_of(microseconds: int) -> datetime | None:
    """The time in UTC that a column holds as a number."""
    return None if microseconds == UNKNOWN_TIME else _EPOCH + microseconds * _MICROSECOND


def require_aware(name: str, time: datetime | None) -> None:
    """Refuse a time that names no time zone.

    Raises:
        ValueError: It is naive.
    """
    if time is not None and time.utcoffset() is None:
        raise ValueError(f"{name} is naive: {time.isoformat()} names no time zone, so it is no point in time")
