"""A manifest: a table with one row for each crop."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from model.datasets.crops import DatasetError, LabelledCrop
from model.datasets.files import need_folder
from model.datasets.marked import SPLITS, MarkedCrop, MarkedDataset

NAMES = ("manifest.csv", "manifest.parquet")
"""A folder that holds one of them is read by it."""

_EITHER = (("vehicle", "vehicle_id"), ("camera", "camera_id"), ("caption", "description"))
_COLUMNS = ("file", *(name for names in _EITHER for name in names), "facing", "type", "split")
_EXPECTED = (
    "file, vehicle (or vehicle_id), and where known camera (or camera_id), type, caption (or description), split"
)

Row = dict[str, str]
"""Cells of one row by column; "" where a cell is empty."""


def open_manifest(folder: Path, manifest: Path) -> MarkedDataset:
    """A folder whose crops a table describes.

    Args:
        folder: What the column `file` is relative to.
        manifest: CSV in UTF-8 with a header, or Parquet where the name ends in `.parquet`. Columns: `file`; `vehicle`
            or `vehicle_id`; and optionally `camera` or `camera_id`, `type`, `caption` or `description`, `facing`
            (front, rear ...; it becomes part of the caption), and `split` (train, val, query, gallery). Other columns
            are passed over.
    """
    return MarkedDataset(folder, str(manifest), lambda: _read(folder, manifest))


def _read(folder: Path, manifest: Path) -> list[MarkedCrop]:
    need_folder(folder, f"the crops that {manifest} lists")
    if not manifest.is_file():
        raise DatasetError(f"There is no manifest {manifest}; expected a CSV or Parquet file with columns {_EXPECTED}.")
    columns, rows = _parquet(manifest) if manifest.suffix.lower() == ".parquet" else _csv(manifest)
    _check_columns(columns, manifest)
    marked = [_marked(folder, row, place) for place, row in rows]
    if not marked:
        raise DatasetError(f"{manifest} lists no crop; expected rows with {_EXPECTED}.")
    unmarked = sum(item.split is None for item in marked)
    if 0 < unmarked < len(marked):
        raise DatasetError(
            f"{manifest} leaves the split of {unmarked:,} of {len(marked):,} crops empty; "
            "expected the split of every crop, or of none."
        )
    return marked


def _check_columns(columns: list[str], manifest: Path) -> None:
    twice = sorted({column for column in columns if columns.count(column) > 1})
    both = [" and ".join(names) for names in _EITHER if set(names) <= set(columns)]
    missing = [] if "file" in columns else ["file"]
    missing += [] if {"vehicle", "vehicle_id"} & set(columns) else ["vehicle"]
    if missing:
        what = f"has no column {' and no column '.join(missing)}"
    elif twice or both:
        what = f"has the column {twice[0]} twice" if twice else f"has both {both[0]}; one of them is enough"
    else:
        return
    raise DatasetError(f"{manifest} {what}; expected {_EXPECTED}, found {', '.join(columns) or 'no column'}.")


def _marked(folder: Path, row: Row, place: str) -> MarkedCrop:
    said = {names[0]: row.get(names[0]) or row.get(names[1], "") for names in _EITHER}
    for column, cell in (("file", row["file"]), ("vehicle", said["vehicle"])):
        if not cell:
            raise DatasetError(f"{place} names no {column}.")
    mark = row.get("split", "")
    split = next((known for known in SPLITS if known == mark), None)
    if mark and split is None:
        raise DatasetError(f"{place} has the split {mark!r}; expected one of {', '.join(SPLITS)}.")
    seen = f"{row['facing']} view" if row.get("facing") else ""
    caption = ", ".join(filter(None, (said["caption"], seen)))
    crop = LabelledCrop(folder / row["file"], said["vehicle"], said["camera"], row.get("type") or None, caption or None)
    return MarkedCrop(crop, split)


def _csv(manifest: Path) -> tuple[list[str], Iterator[tuple[str, Row]]]:
    try:
        text = manifest.read_text(encoding="utf-8-sig")
        # Strict: a quote that is never closed would swallow the rest of the file into one cell.
        reader = csv.DictReader(io.StringIO(text, newline=""), skipinitialspace=True, strict=True)
        return list(reader.fieldnames or []), _csv_rows(reader, manifest)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{manifest} cannot be read as CSV in UTF-8: {error}.") from error


def _csv_rows(reader: "csv.DictReader[str]", manifest: Path) -> Iterator[tuple[str, Row]]:
    try:
        for row in reader:
            place = f"{manifest}, line {reader.line_num},"
            if None in row or None in row.values():
                raise DatasetError(f"{place} has more or fewer cells than the header.")
            yield place, {column: row[column].strip() for column in _COLUMNS if column in row}
    except csv.Error as error:
        raise DatasetError(f"{manifest}, after line {reader.line_num}, is not CSV: {error}.") from error


def _parquet(manifest: Path) -> tuple[list[str], Iterator[tuple[str, Row]]]:
    try:
        from pyarrow import ArrowException, parquet
    except ImportError as error:
        raise DatasetError(
            f"Reading {manifest} needs pyarrow, which comes with the training extra: "
            "pip install 'clip-senet-service[train]'. A CSV manifest needs nothing more."
        ) from error
    try:
        columns = list(parquet.read_schema(manifest).names)
    except (ArrowException, OSError) as error:
        raise _not_parquet(manifest, error) from error
    return columns, _parquet_rows(manifest, sorted(set(_COLUMNS) & set(columns)))


def _parquet_rows(manifest: Path, columns: list[str]) -> Iterator[tuple[str, Row]]:
    from pyarrow import ArrowException, parquet

    try:
        table = parquet.read_table(manifest, columns=columns)
        table.validate(full=True)  # text that is not UTF-8 would come up row by row
    except (ArrowException, OSError) as error:
        raise _not_parquet(manifest, error) from error
    for number, row in enumerate(table.to_pylist(), start=1):
        yield f"{manifest}, row {number},", _texts(row, manifest, number)


def _not_parquet(manifest: Path, error: Exception) -> DatasetError:
    return DatasetError(f"{manifest} cannot be read as Parquet: {error}.")


def _texts(row: dict[str, object], manifest: Path, number: int) -> Row:
    for column, cell in row.items():
        if not isinstance(cell, str | int | None) or isinstance(cell, bool):
            raise DatasetError(
                f"{manifest}, row {number}, has {cell!r} in column {column}; expected text or a whole number."
            )
    return {column: "" if cell is None else str(cell).strip() for column, cell in row.items()}
