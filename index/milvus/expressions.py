"""Filters as Milvus expressions over whole numbers and words of hexadecimal digits."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from index.contract import Filter, Track
from index.milvus.words import term, word
from index.times import microseconds

NO_TIME: Final = -(2**62)
"""What `time` holds for a crop without captured_at: before every time that can be named."""

_EARLIEST: Final = microseconds(datetime.min.replace(tzinfo=UTC))


def captured_before(time: int) -> str:
    """Rows of a known time before one, in microseconds since 1970."""
    return f"time >= {_EARLIEST} and time < {time}"


def not_captured_before(time: int) -> str:
    """All other rows."""
    return f"time < {_EARLIEST} or time >= {time}"


def listed(words: Iterable[str]) -> str:
    """Words as a list in an expression."""
    return "[" + ", ".join(f'"{one}"' for one in sorted(words)) + "]"


def one_of(field: str, words: Iterable[str]) -> str:
    """Rows whose field is one of the words."""
    return f"{field} in {listed(words)}"


def matching(where: Filter) -> list[str] | None:
    """Conditions that together say what a filter says, its collection apart; None where nothing can match."""
    wanted = [term(key, value) for key, value in where.attributes.items()]
    if None in wanted or frozenset() in {where.camera_ids, where.tracks, where.vehicle_ids}:
        return None
    allowed = {"camera": _names(where.camera_ids), "track": _tracks(where.tracks), "vehicle": _names(where.vehicle_ids)}
    excluded = {
        "camera": _names(where.exclude_camera_ids),
        "track": _tracks(where.exclude_tracks),
        "vehicle": _names(where.exclude_vehicle_ids),
        "crop": [one.hex for one in where.exclude_ids],
    }
    return [
        *(one_of(field, words) for field, words in allowed.items() if words is not None),
        *(f"{field} not in {listed(words)}" for field, words in excluded.items() if words),
        *_window(where),
        *([f"array_contains_all(terms, {listed(filter(None, wanted))})"] if wanted else []),
    ]


def _names(names: Iterable[str] | None) -> list[str] | None:
    return None if names is None else [word(name) for name in names]


def _tracks(tracks: Iterable[Track] | None) -> list[str] | None:
    return None if tracks is None else [word(*track) for track in tracks]


def _window(where: Filter) -> list[str]:
    if where.captured_from is None and where.captured_to is None:
        return []
    start = _EARLIEST if where.captured_from is None else microseconds(where.captured_from)
    end = [] if where.captured_to is None else [f"time < {microseconds(where.captured_to)}"]
    return [f"time >= {start}", *end]
