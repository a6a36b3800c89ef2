"""Kinds of values that requests carry, with their limits: names, times, attributes, boxes.

The limits are there for PostgreSQL (no NUL character, no lone surrogate), for JSON readers (integers that a double
holds) and for people (no control characters in names).
"""

import json
import math
import re
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema
from pydantic.config import JsonDict

from index.contract import Scalar
from service.errors import MalformedRequestError

MAX_NAME_BYTES = 768
"""Of a name in UTF-8. PostgreSQL refuses an index row above 2704 bytes; the largest holds a UUID and three names."""
MAX_ATTRIBUTES = 64
MAX_ATTRIBUTE_KEY = 64
MAX_ATTRIBUTE_TEXT = 512
_LARGEST_EXACT_INTEGER = 2**53
_LARGEST_COORDINATE = 1_000_000
_BBOX_LENGTH = 4
_CONTROL = r"\u0000-\u001f\u007f-\u009f"
_BUT_LINES = r"\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f"
JSON_TEXT: JsonDict = {"contentMediaType": "application/json"}
"""For the API description, a field of a form or query that holds JSON as text."""
# The hours and offsets of RFC 3339 and no others: what Python takes beyond them (24:00:00, +01:60) differs by version.
_HOUR = "(?:[01][0-9]|2[0-3])"
_TIME = re.compile(
    rf"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}[Tt ]{_HOUR}:[0-9]{{2}}:[0-9]{{2}}(\.[0-9]{{1,9}})?"
    rf"([Zz]|[+-]{_HOUR}:[0-5][0-9])?"
)


def plain_text(text: str) -> str:
    """Text that can be stored and shown.

    Raises:
        ValueError: It is blank or holds control characters, NUL for one, or lone surrogates.
    """
    if not text.strip():
        raise ValueError("must not be blank")
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in text):
        raise ValueError("must not hold control characters or broken Unicode")
    return text


def _storable(text: str) -> str:
    """Text of several lines.

    Raises:
        ValueError: As `plain_text`, but for line breaks and tabs.
    """
    plain_text(text.translate({ord(character): " " for character in "\r\n\t"}))
    return text


def _path_segment(name: str) -> str:
    if "/" in name or not name.replace(".", "").strip():
        raise ValueError("must not hold a slash or be nothing but dots, as it is part of addresses")
    return name


def _indexable(name: str) -> str:
    if len(name.encode()) > MAX_NAME_BYTES:
        raise ValueError(f"may have {MAX_NAME_BYTES} bytes of UTF-8 at most")
    return name


def parse_time(value: Any) -> datetime:  # noqa: ANN401 - whatever JSON or a form holds
    """An RFC 3339 time as an aware datetime in UTC.

    Raises:
        ValueError: Not such a time, without a time zone, or beyond the years 1 to 9999.
    """
    if isinstance(value, datetime):
        return value
    match = _TIME.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("must be an RFC 3339 time such as 2026-11-23T08:30:00Z")
    if match[2] is None:
        raise ValueError("must carry a time zone: end it with Z or an offset such as +01:00")
    try:
        return datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError("is no time on the calendar") from error


def check_attributes(value: Any) -> dict[str, Scalar]:  # noqa: ANN401
    """Flat JSON attributes.

    Raises:
        ValueError: Not an object, nested, too many, or with a value that JSON or the database cannot hold.
    """
    if not isinstance(value, Mapping):
        raise ValueError("must be a JSON object")  # noqa: TRY004 - pydantic reports ValueErrors only
    if len(value) > MAX_ATTRIBUTES:
        raise ValueError(f"may have {MAX_ATTRIBUTES} entries at most")
    for key, scalar in value.items():
        if len(key) > MAX_ATTRIBUTE_KEY:
            raise ValueError(f"a key may have {MAX_ATTRIBUTE_KEY} characters at most")
        plain_text(key)
        _check_scalar(scalar)
    return dict(value)


def check_bbox(value: Any) -> list[float]:  # noqa: ANN401
    """A box [x, y, width, height] in pixels of the full frame; x and y may lie outside of it.

    Raises:
        ValueError: Not four finite numbers, or without an area.
    """
    if not isinstance(value, list) or len(value) != _BBOX_LENGTH:
        raise ValueError("must be [x, y, width, height]")
    numbers = [entry for entry in value if isinstance(entry, int | float) and not isinstance(entry, bool)]
    # A comparison with NaN is false, so this refuses it as well.
    if len(numbers) != _BBOX_LENGTH or not all(abs(number) <= _LARGEST_COORDINATE for number in numbers):
        raise ValueError(f"must be four numbers of at most {_LARGEST_COORDINATE} pixels")
    if min(numbers[2:]) <= 0:
        raise ValueError("width and height must be above 0")
    return [float(number) for number in numbers]


def read_json(text: str, field: str) -> Any:  # noqa: ANN401
    """JSON that came as text in a form field. NaN and Infinity are read here and refused where the value is checked.

    Raises:
        MalformedRequestError: No JSON, or nested too deep.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise MalformedRequestError(f"{field}: is not JSON") from error


def _check_scalar(value: Any) -> None:  # noqa: ANN401
    match value:
        case None | bool():
            return
        case str():
            if len(value) > MAX_ATTRIBUTE_TEXT:
                raise ValueError(f"a text may have {MAX_ATTRIBUTE_TEXT} characters at most")
            if value:
                plain_text(value)
        case int():
            if abs(value) > _LARGEST_EXACT_INTEGER:
                raise ValueError("an integer may be 2^53 at most; send larger ones as text")
        case float():
            if not math.isfinite(value):
                raise ValueError("NaN and Infinity are no JSON numbers")
        case _:
            raise ValueError("must be flat: text, numbers, true, false or null")


PLAIN_TEXT: JsonDict = {"pattern": f"^[^{_CONTROL}]*[^{_CONTROL}\\s][^{_CONTROL}]*$"}
"""For the API description, what `plain_text` takes; a lone surrogate is in no JSON that keeps to its RFC."""

Name = Annotated[
    str,
    Field(min_length=1, max_length=256, json_schema_extra=PLAIN_TEXT),
    AfterValidator(plain_text),
    AfterValidator(_indexable),
]
"""A camera, session, track, vehicle, external id or collection."""

CollectionName = Annotated[
    Name,
    Field(json_schema_extra={"pattern": f"^[^{_CONTROL}/]*[^{_CONTROL}/\\s.][^{_CONTROL}/]*$"}),
    AfterValidator(_path_segment),
]
"""What a collection may be called."""

Notes = Annotated[
    str,
    Field(
        min_length=1,
        max_length=4000,
        json_schema_extra={"pattern": f"^[^{_BUT_LINES}]*[^{_BUT_LINES}\\s][^{_BUT_LINES}]*$"},
    ),
    AfterValidator(_storable),
]
"""What people write down: several lines, tabs."""

Time = Annotated[datetime, BeforeValidator(parse_time), WithJsonSchema({"type": "string", "format": "date-time"})]
"""An aware time, in UTC."""

_ATTRIBUTES: JsonDict = {
    "type": "object",
    "maxProperties": MAX_ATTRIBUTES,
    "propertyNames": {"maxLength": MAX_ATTRIBUTE_KEY, **PLAIN_TEXT},
    "additionalProperties": {
        "anyOf": [
            {
                "type": "string",
                "maxLength": MAX_ATTRIBUTE_TEXT,
                "pattern": f"^([^{_CONTROL}]*[^{_CONTROL}\\s][^{_CONTROL}]*)?$",
            },
            {"type": "integer", "minimum": -_LARGEST_EXACT_INTEGER, "maximum": _LARGEST_EXACT_INTEGER},
            {"type": "number"},
            {"type": "boolean"},
            {"type": "null"},
        ]
    },
}
Attributes = Annotated[dict[str, Scalar], BeforeValidator(check_attributes), WithJsonSchema(_ATTRIBUTES)]
"""Flat JSON attributes."""

_BBOX: JsonDict = {
    "type": "array",
    "items": {"type": "number", "minimum": -_LARGEST_COORDINATE, "maximum": _LARGEST_COORDINATE},
    "minItems": _BBOX_LENGTH,
    "maxItems": _BBOX_LENGTH,
}
BoundingBox = Annotated[list[float], BeforeValidator(check_bbox), WithJsonSchema(_BBOX)]
"""[x, y, width, height]."""
