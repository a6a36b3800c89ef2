"""Keys as they are shown."""

from datetime import UTC, datetime
from typing import Any

from service.keys.records import KeyRecord
from service.keys.schemas import KeyView, NewKeyView


def key_view(record: KeyRecord) -> KeyView:
    """A key without its text."""
    return KeyView.model_validate(_columns(record) | {"state": record.state(datetime.now(UTC))})


def new_key_view(record: KeyRecord, text: str) -> NewKeyView:
    """A key just made, with its text."""
    return NewKeyView.model_validate(_columns(record) | {"key": text})


def _columns(record: KeyRecord) -> dict[str, Any]:
    columns = {name: getattr(record, name) for name in record.__dataclass_fields__}
    bound = None if record.collections is None else sorted(record.collections)
    return columns | {"scopes": sorted(record.scopes), "collections": bound}
