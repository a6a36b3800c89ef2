"""Cursors of lists whose order has several parts: opaque to clients, and none of ours is an error, not a surprise."""

import base64
import json
from datetime import datetime
from uuid import UUID

from service.errors import InvalidValueError

MAX_CURSOR = 4096
"""Characters: three of the longest names."""


def make_cursor(*parts: str | None) -> str:
    """The cursor of a place in a list."""
    return base64.urlsafe_b64encode(json.dumps(parts, ensure_ascii=False).encode()).decode()


def read_cursor(cursor: str, parts: int) -> list[str | None]:
    """The place that a cursor of so many parts stands for.

    Raises:
        InvalidValueError: It is none of ours.
    """
    try:
        found = json.loads(base64.b64decode(cursor, altchars=b"-_", validate=True))
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, list) or len(found) != parts or not all(isinstance(part, str | None) for part in found):
        raise foreign_cursor()
    return found


def make_time_cursor(time: datetime | None, row_id: UUID) -> str:
    """The cursor of a place in a list that is in time order, rows without a time last, and in that of ids."""
    return make_cursor(None if time is None else time.isoformat(), str(row_id))


def read_time_cursor(cursor: str) -> tuple[datetime | None, UUID]:
    """The place that such a cursor stands for.

    Raises:
        InvalidValueError: It is none of ours.
    """
    time, row_id = read_cursor(cursor, 2)
    try:
        found, row = None if time is None else datetime.fromisoformat(time), UUID(row_id)
    except (ValueError, TypeError, AttributeError) as error:
        raise foreign_cursor() from error
    if found is not None and found.utcoffset() is None:
        raise foreign_cursor()
    return found, row


def foreign_cursor() -> InvalidValueError:
    """The error for a cursor that no list of ours has given out."""
    return InvalidValueError("The cursor is not one of this service; start again without it.")
