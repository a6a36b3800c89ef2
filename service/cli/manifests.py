"""Tables that name files to enroll and tell what is known of each."""

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from service.cli.sources import Named, SourceError, text_of

_TEXT_COLUMNS = {"external_id", "camera_id", "captured_at", "session_id", "track_id", "vehicle_id"}
_JSON_COLUMNS = {"attributes", "bbox"}
_KNOWN_COLUMNS = ("file", *sorted(_TEXT_COLUMNS | _JSON_COLUMNS))

Row = tuple[str, dict[str, Any]]
"""Where in the table it is, for messages, and its cells by column."""


def manifest(folder: Path, file: Path) -> Iterator[Named]:
    """Files and their fields from a table; column `file` is relative to a folder, empty cells are left out.

    Args:
        folder: Where the files are.
        file: CSV with a header, or Parquet where its name ends with `.parquet`.

    Raises:
        SourceError: The table cannot be read, a column is missing or unknown, or a cell is of the wrong kind.
    """
    columns, rows = _parquet(file) if file.suffix.lower() == ".parquet" else _csv(file)
    unknown = set(columns) - set(_KNOWN_COLUMNS)
    if "file" not in columns or unknown:
        what = f"has the unknown column {', '.join(sorted(unknown))}" if unknown else "has no column named file"
        raise SourceError(f"The manifest {file} {what}; the columns are {', '.join(_KNOWN_COLUMNS)}.")
    for place, row in rows:
        cells = {column: _cell(column, value, place) for column, value in row.items() if value not in (None, "")}
        if (name := cells.pop("file", None)) is None:
            raise SourceError(f"{place} names no file.")
        yield Named(name, folder / name, cells)


def _csv(file: Path) -> tuple[list[str], Iterator[Row]]:
    reader = csv.DictReader(io.StringIO(text_of(file), newline=""), strict=True)
    try:
        return list(reader.fieldnames or []), _csv_rows(reader, file)
    except csv.Error as error:
        raise _unreadable(file, "CSV", error) from error


def _csv_rows(reader: "csv.DictReader[str]", file: Path) -> Iterator[Row]:
    try:
        for row in reader:
            place = f"{file}, line {reader.line_num}"
            if None in row or None in row.values():
                raise SourceError(f"{place} has more or fewer cells than the header.")
            yield place, row
    except csv.Error as error:
        raise _unreadable(file, "CSV", error) from error


def _parquet(file: Path) -> tuple[list[str], Iterator[Row]]:
    try:
        from pyarrow import ArrowException, parquet
    except ImportError as error:
        raise SourceError(
            f"Reading {file} needs pyarrow: pip install 'clip-senet-service[parquet]'. A CSV needs nothing more."
        ) from error
    try:
        columns = list(parquet.read_schema(file).names)
    except (ArrowException, OSError) as error:
        raise _unreadable(file, "Parquet", error) from error
    return columns, _parquet_rows(file)


def _parquet_rows(file: Path) -> Iterator[Row]:
    from pyarrow import ArrowException, parquet

    try:
        # what is finer than a microsecond is cut off; pandas writes all times in nanoseconds
        table = parquet.read_table(file, coerce_int96_timestamp_unit="us")
        table = table.cast(_in_microseconds(table.schema), safe=False)
        table.validate(full=True)  # text that is not UTF-8 would come up row by row
    except (ArrowException, OSError) as error:
        raise _unreadable(file, "Parquet", error) from error
    for number, row in enumerate(table.to_pylist(maps_as_pydicts="strict"), start=1):
        yield f"{file}, row {number}", row


def _in_microseconds(schema: Any) -> Any:  # noqa: ANN401 - pyarrow has no types
    import pyarrow as pa

    def kind(column: Any) -> Any:  # noqa: ANN401
        is_time = pa.types.is_timestamp(column.type)
        return column.with_type(pa.timestamp("us", column.type.tz)) if is_time else column

    return pa.schema([kind(column) for column in schema])


def _cell(column: str, value: object, place: str) -> Any:  # noqa: ANN401 - any part of JSON
    if column in _JSON_COLUMNS:
        return _json(column, value, place)
    if column == "captured_at" and isinstance(value, datetime):
        if value.tzinfo is None:
            raise SourceError(f"{place}: captured_at names no zone; store it in UTC or as RFC 3339.")
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise SourceError(f"{place} has {value!r} in column {column}; expected text or a whole number.")
    return str(value)


def _json(column: str, value: object, place: str) -> Any:  # noqa: ANN401
    try:
        return json.loads(value if isinstance(value, str) else json.dumps(value))
    except (TypeError, ValueError) as error:
        raise SourceError(f"{place}: {column} is not JSON.") from error


def _unreadable(file: Path, kind: str, error: Exception) -> SourceError:
    return SourceError(f"{file} cannot be read as {kind}: {error}.")
