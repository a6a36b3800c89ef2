"""Files that are whole or not there: written aside, flushed, named last, and checked by size and SHA-256 when read."""

import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import uuid4

UNFINISHED: Final = "unfinished-"
"""What the names of files and folders begin with that are being written, or were when their writer died."""

_THREADS = os.cpu_count() or 1


class StorageError(Exception):
    """The index's files could not be written or read, or are not what was written."""


class SegmentError(StorageError):
    """A segment that cannot be used: something is missing, cut off or changed."""


class SnapshotError(StorageError):
    """A snapshot that cannot be used."""


@dataclass(frozen=True, slots=True)
class FileSeal:
    """What a file must be.

    Attributes:
        size: Bytes.
        sha256: SHA-256 of its content, in hexadecimal digits.
    """

    size: int
    sha256: str


def sealed(folder: Path) -> dict[str, FileSeal]:
    """Size and hash of every file below a folder, by its path relative to the folder."""
    return {
        path.relative_to(folder).as_posix(): FileSeal(path.stat().st_size, _sha256(path))
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def check_sizes(folder: Path, seals: Mapping[str, FileSeal]) -> None:
    """Check that every file is there and as long as it was written.

    Raises:
        SegmentError: One is missing or has another size; the message names it.
    """
    for name, seal in seals.items():
        try:
            size = (folder / name).stat().st_size
        except OSError as error:
            raise SegmentError(f"{folder / name} cannot be read: {error.strerror}") from error
        if size != seal.size:
            raise SegmentError(f"{folder / name} has {size} bytes, {seal.size} were written")


def check_hashes(files: Iterable[tuple[Path, FileSeal]]) -> dict[Path, SegmentError]:
    """Hash files, several at once, and tell what is wrong with those that are not what was written."""
    largest_first = sorted(files, key=lambda file: -file[1].size)
    with ThreadPoolExecutor(min(_THREADS, len(largest_first)) or 1, "index-verify") as threads:
        faults = threads.map(_fault, largest_first)
        return {path: fault for (path, _), fault in zip(largest_first, faults, strict=True) if fault is not None}


@contextmanager
def atomic_folder(parent: Path) -> Iterator[Path]:
    """A folder to write into. What it holds at the end is flushed to the disk; on an error it is removed.

    The caller renames it with `publish` as the last thing it does with it.
    """
    parent.mkdir(parents=True, exist_ok=True)
    folder = parent / f"{UNFINISHED}{uuid4().hex}"
    folder.mkdir()
    try:
        yield folder
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def publish(unfinished: Path, name: str) -> Path:
    """Flush an unfinished file or folder, with all it holds, and give it its name beside where it stands."""
    for path in [*unfinished.rglob("*"), unfinished]:
        flush(path)
    final = unfinished.with_name(name)
    unfinished.rename(final)
    flush(final.parent)
    return final


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file that is there whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{UNFINISHED}{uuid4().hex}")
    try:
        unfinished.write_bytes(content)
        publish(unfinished, path.name)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def flush(path: Path) -> None:
    """Wait until a file's content, or a folder's names, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _fault(file: tuple[Path, FileSeal]) -> SegmentError | None:
    path, seal = file
    try:
        changed = _sha256(path) != seal.sha256
    except OSError as error:
        return SegmentError(f"{path} cannot be read: {error.strerror}")
    return SegmentError(f"{path} is not what was written: its SHA-256 is another") if changed else None
