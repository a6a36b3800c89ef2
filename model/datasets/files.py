"""Folders and lists on disk, each looked at once."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import NoReturn

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
            except OSError as error:
                _refuse_unreadable(error)
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

    Args:
        folder: The path.
        what: What is expected in it, for the message.

    Raises:
        DatasetError: It is not there, or a file.
    """
    if not folder.is_dir():
        found = "it is a file" if folder.exists() else "it is not there"
        raise DatasetError(f"There is no folder {folder}: expected {what} in it, found that {found}.")


def need_images(images: Path, listing: Path) -> None:
    """Refuse a data set without the folder of a list's crops.

    Raises:
        DatasetError: The folder is not there, or a file.
    """
    if not images.is_dir():
        raise DatasetError(
            f"There is no folder {images}: expected the crops that {listing.name} lists in it, "
            f"found {entries(images.parent)} beside it."
        )


def entries(folder: Path, most: int = 8) -> str:
    """The first names in a folder, for messages."""
    names = sorted(entry.name + "/" * entry.is_dir() for entry in folder.iterdir())
    shown = ", ".join(names[:most]) or "nothing"
    return f"{shown} and {len(names) - most:,} more" if len(names) > most else shown


def readable(name: str) -> str:
    """A name from the file system as text; bytes that are no UTF-8 are written as escapes."""
    return os.fsencode(name).decode(errors="backslashreplace")


def find_pictures(folder: Path) -> list[Path]:
    """All pictures below a folder, in the order of their paths; links are followed, what begins with a dot passed over.

    Raises:
        DatasetError: There is no such folder, one below it cannot be read, or there is no picture.
    """
    need_folder(folder, "crops")
    found: list[str] = []
    walked: set[str] = set()
    for place, folders, names in os.walk(folder, onerror=_refuse_unreadable, followlinks=True):
        if (real := os.path.realpath(place)) in walked:
            folders.clear()  # a link back: its pictures were found already
            continue
        walked.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += (os.path.join(place, name) for name in names if _is_picture(name))  # noqa: PTH118 - twice as fast
    if not found:
        raise DatasetError(
            f"{folder} holds no picture: expected crops ({', '.join(sorted(PICTURES))}), found {entries(folder)}."
        )
    return sorted(map(Path, found))


def _is_picture(name: str) -> bool:
    return not name.startswith(".") and os.path.splitext(name)[1].lower() in PICTURES  # noqa: PTH122 - names, not paths


def _refuse_unreadable(error: OSError) -> NoReturn:
    raise DatasetError(f"The folder {error.filename} cannot be read: {error.strerror}.") from error
