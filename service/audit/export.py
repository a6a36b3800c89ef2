"""Entries of the audit log as lines of a file."""

import csv
import io
import json
from collections.abc import AsyncIterator, Iterable

from service.audit.schemas import AuditEntryView
from service.database.tables import AuditEntry

_COLUMNS = tuple(AuditEntryView.model_fields)
_FORMULA_BEGINS = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of a formula."""


async def ndjson_lines(portions: AsyncIterator[Iterable[AuditEntry]]) -> AsyncIterator[str]:
    """A JSON object a line, as GET /audit answers it."""
    async for entries in portions:
        yield "".join(f"{AuditEntryView.model_validate(entry).model_dump_json()}\n" for entry in entries)


async def csv_lines(portions: AsyncIterator[Iterable[AuditEntry]]) -> AsyncIterator[str]:
    """CSV (RFC 4180) with a header; crop ids with spaces between, the filter as JSON.

    What callers wrote themselves might be a formula to the spreadsheet that opens the file, so an apostrophe goes
    before what begins like one.
    """
    yield _csv([_COLUMNS])
    async for entries in portions:
        yield _csv(map(_cells, entries))


def _cells(entry: AuditEntry) -> Iterable[str]:
    values = AuditEntryView.model_validate(entry).model_dump(mode="json")
    values["filter"] = json.dumps(values["filter"], ensure_ascii=False)
    values["crop_ids"] = " ".join(values["crop_ids"])
    texts = ("" if values[name] is None else str(values[name]) for name in _COLUMNS)
    return [f"'{text}" if text.startswith(_FORMULA_BEGINS) else text for text in texts]


def _csv(rows: Iterable[Iterable[str]]) -> str:
    file = io.StringIO()
    csv.writer(file).writerows(rows)
    return file.getvalue()
