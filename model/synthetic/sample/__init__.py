"""The sample recording that ships with the package: crops for the demo and the tests, drawn by this generator."""

from __future__ import annotations

import csv
from dataclasses import fields
from importlib.resources import as_file, files
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from model.synthetic.generation import MANIFEST, Row

if TYPE_CHECKING:
    from pathlib import Path

SAMPLE: Final[dict[str, Any]] = {
    "identities": 24,
    "cameras": 4,
    "seed": 1,
    "queries": 6,
    "facings": ("rear", "front", "rear", "front"),
}
"""Arguments of `generate` from which the sample was made."""


class SampleCrop(NamedTuple):
    """One crop of the sample: its line of the manifest, and its picture."""

    row: Row
    path: Path


def load_sample() -> list[SampleCrop]:
    """All crops of the sample, in the manifest's order, gallery and queries; needs no VTK.

    Raises:
        FileNotFoundError: The package was installed without its data.
    """
    # The package is installed as files, never zipped: the paths outlive the context.
    with as_file(files(__package__)) as folder:
        return [SampleCrop(row, folder / row.file) for row in read_manifest(folder / MANIFEST)]


def read_manifest(path: Path) -> list[Row]:
    """Rows of a manifest that `generate` wrote.

    Raises:
        FileNotFoundError: No such file.
        ValueError: Its header is not that of a manifest.
    """
    names = [field.name for field in fields(Row)]
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        if reader.fieldnames != names:
            raise ValueError(f"{path.name} is not a manifest of this generator: its header must be {','.join(names)}")
        return [_row(line) for line in reader]


def _row(line: dict[str, str]) -> Row:
    numbers: dict[str, type[int | float]] = {"identity_seed": int, "camera_seed": int, "view_seed": int, "along": float}
    values: dict[str, Any] = {name: numbers.get(name, str)(value) for name, value in line.items()}
    return Row(**values)
