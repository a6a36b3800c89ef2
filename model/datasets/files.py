"""Folders and lists on disk, each looked at once."""

import os
from collections.abc import Iterable
from pathlib import Path

from model.datasets.crops import DatasetError

PICTURES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})
"""Suffixes, in lower case, of the files that count as crops."""


class Shelf:
    """Knows which crops exist, and lists every folder once to know it.

    A benchmark has a quarter of a million crops: where they lie on a network disk, a lookup for each takes minutes.
    """

    def __init__(self) -> None:
        self._names: dict[str, frozenset[str]] = {}

    def holds(self, path: Path) -> bool:
        """Whether there is an entry of that name."""
        folder, name = os.path.split(path)
        if folder not in self._names:
            try:
                self._names[folder] = frozenset(os.listdir(folder))  # noqa: PTH208 - names, not a Path for each
            except (FileNotFoundError, NotADirectoryError):
                self._names[folder] = frozenset()
        return name in self._names[folder]

    def need(self, paths: Iterable[Path], listing: Path | str) -> None:
        """Refuse a list of which a crop is not there.

        Args:
            paths: The crops that the list names.
            listing: The list, for the message.

        Raises:
            DatasetError: Some are missing; the message says how many, and which is the first.
        """
        missing = [path for path in paths if not self.holds(path)]
        if missing:
            others = f" and {len(missing) - 1:,} more" if len(missing) > 1 else ""
            raise DatasetError(
                f"{listing} lists {missing[0].name}, but {missing[0]}{others} is not there: is the data set complete?"
            )


def need_folder(folder: Path, what: str) -> None:
    """Refuse a path that is no folder.

    Raises:
        DatasetError: It is not there, or a file.
    """
    if not folder.is_dir():
        state = "is a file" if folder.exists() else "is not there"
        raise DatasetError(f"The folder {folder} {state}; expected {what}.")


def read_lines(listing: Path, expected: str) -> list[str]:
    """The lines of a list, without empty ones and without white space around them.

    Args:
        listing: A text file.
        expected: What a line holds, for the message.

    Raises:
        DatasetError: It is missing, not text, or lists nothing.
    """
    try:
        text = listing.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise DatasetError(
            f"The list {listing} is not there; expected a text file with {expected} on each line, "
            f"found {entries(listing.parent)}."
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"The list {listing} cannot be read: {error}.") from error
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        raise DatasetError(f"{listing} lists no crop; expected {expected} on each line.")
    return lines


def entries(folder: Path, most: int = 8) -> str:
    """The first names in a folder, for messages."""
    if not folder.is_dir():
        return f"no folder {folder}"
    names = sorted(entry.name + "/" * entry.is_dir() for entry in folder.iterdir())
    shown = ", ".join(names[:most]) or "nothing"
    return f"{shown} and {len(names) - most:,} more" if len(names) > most else shown


def find_pictures(folder: Path) -> list[Path]:
    """All pictures below a folder in the order of their names; what begins with a dot is passed over.

    Raises:
        DatasetError: There is no such folder, or no picture in it.
    """
    need_folder(folder, "crops below it")
    found: list[str] = []
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += (
            os.path.join(place, name)  # noqa: PTH118 - a Path for each file doubles the time
            for name in names
            if not name.startswith(".") and os.path.splitext(name)[1].lower() in PICTURES  # noqa: PTH122
        )
    if not found:
        raise DatasetError(
            f"{folder} holds no picture; expected crops named {', '.join(sorted(PICTURES))}, found {entries(folder)}."
        )
    return sorted(map(Path, found))
