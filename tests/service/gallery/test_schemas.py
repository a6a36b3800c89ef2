"""What may be said about a crop."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from service.gallery.schemas import CropFields, latest_time
from service.values import read_json

BAD = [
    ({"camera_id": None}, "camera_id"),
    ({"camera_id": " "}, "camera_id"),
    ({"camera_id": "a\x00b"}, "camera_id"),
    ({"camera_id": "line\nbreak"}, "camera_id"),
    ({"camera_id": "x" * 257}, "camera_id"),
    ({"captured_at": "2026-11-23T08:30:00"}, "time zone"),
    ({"captured_at": "2999-01-01T00:00:00Z"}, "future"),
    ({"captured_at": "yesterday"}, "captured_at"),
    ({"captured_at": "1700000000"}, "captured_at"),
    ({"captured_at": "2026-02-30T00:00:00Z"}, "captured_at"),
    ({"captured_at": "2026-11-23T24:00:00Z"}, "RFC 3339"),
    ({"captured_at": "2026-11-23T00:00:00+01:60"}, "RFC 3339"),
    ({"captured_at": "0001-01-01T00:00:00+14:00"}, "captured_at"),
    ({"attributes": '{"speed": NaN}'}, "NaN"),
    ({"attributes": '{"speed": -Infinity}'}, "NaN"),
    ({"attributes": '{"speed": 1e999}'}, "NaN"),
    ({"attributes": '{"nested": {"a": 1}}'}, "flat"),
    ({"attributes": '{"list": [1]}'}, "flat"),
    ({"attributes": '{"nul": "a\\u0000b"}'}, "control"),
    ({"attributes": '{"a\\u0000b": 1}'}, "control"),
    ({"attributes": '{"half": "\\ud800"}'}, "Unicode"),
    ({"attributes": json.dumps({"text": "x" * 513})}, "512"),
    ({"attributes": json.dumps({f"key {number}": 1 for number in range(65)})}, "64"),
    ({"attributes": '{"large": 9007199254740993}'}, "2^53"),
    ({"attributes": "[]"}, "object"),
    ({"bbox": "[0, 0, NaN, 5]"}, "bbox"),
    ({"bbox": "[0, 0, 1e999, 5]"}, "bbox"),
    ({"bbox": "[0, 0, 5]"}, "bbox"),
    ({"bbox": "[0, 0, 0, 5]"}, "bbox"),
    ({"bbox": '[0, 0, "5", 5]'}, "bbox"),
    ({"bbox": "[0, 0, true, 5]"}, "bbox"),
    ({"external_id": "x" * 257}, "external_id"),
    ({"external_id": "\U0001f697" * 193}, "768 bytes"),
]


def checked(fields: dict[str, str | None]) -> CropFields:
    """The fields as the form gives them: JSON as text, absent where None."""
    values: dict[str, Any] = {"camera_id": "camera-1", **fields}
    for name in ("attributes", "bbox"):
        if name in values:
            values[name] = read_json(values[name], name)
    return CropFields.model_validate(
        {name: value for name, value in values.items() if value is not None}, context=latest_time(60)
    )


@pytest.mark.parametrize(("fields", "word"), BAD)
def test_bad_fields_are_refused_with_a_reason(fields: dict[str, str | None], word: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        checked(fields)
    (error,) = refusal.value.errors()
    assert word in f"{error['loc']} {error['msg']}"


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-11-23T08:30:00Z", datetime(2026, 11, 23, 8, 30, tzinfo=UTC)),
        ("2026-11-23t08:30:00z", datetime(2026, 11, 23, 8, 30, tzinfo=UTC)),
        ("2026-11-23 10:30:00.5+02:00", datetime(2026, 11, 23, 8, 30, 0, 500_000, tzinfo=UTC)),
        ("2026-11-22T23:59:59.123456789-08:30", datetime(2026, 11, 23, 8, 29, 59, 123_456, tzinfo=UTC)),
    ],
)
def test_times_are_taken_in_utc(text: str, time: datetime) -> None:
    taken = checked({"captured_at": text}).captured_at
    assert taken == time
    assert taken is not None
    assert taken.tzinfo is UTC


def test_attributes_keep_their_types() -> None:
    text = '{"a": 1, "b": 1.0, "c": true, "d": null, "e": "", "f": "caf\u00e9 \u8eca"}'
    attributes = checked({"attributes": text}).attributes
    assert json.dumps(attributes) == json.dumps(json.loads(text))
