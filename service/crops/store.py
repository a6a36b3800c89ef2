"""Where uploaded pictures lie: each crop's bytes as they came, so that another model can embed exactly the same."""

import asyncio
import errno
import os
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import ParamSpec, Protocol, TypeVar
from uuid import UUID

from service.errors import NotFoundError, UnavailableError

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
PARTIAL_PREFIX = ".partial-"
OWNER_FILE = "installation"
RETRY_AFTER_S = 30
THREADS = 8
"""More than cores: they wait for the disk, which writes out several files at once."""

P = ParamSpec("P")
T = TypeVar("T")


class CropStore(Protocol):
    """A store of pictures by crop id. Bytes are written once, never changed."""

    async def put(self, crop_id: UUID, data: bytes) -> None:
        """Store a picture. When this returns, it survives a power cut.

        Raises:
            UnavailableError: The store is full or cannot be written; nothing is left of the picture.
        """

    async def get(self, crop_id: UUID) -> bytes:
        """The picture, byte for byte.

        Raises:
            NotFoundError: There is none.
            UnavailableError: The store cannot be read.
        """

    async def delete(self, crop_id: UUID) -> None:
        """Remove a picture; one that is not there is no error.

        Raises:
            UnavailableError: The store cannot be written.
        """

    def ids_older_than(self, age_s: float) -> AsyncIterator[list[UUID]]:
        """Ids of the pictures stored longer ago than that, some at a time."""

    async def remove_partial(self, age_s: float) -> int:
        """Remove what interrupted writes left longer ago than that; how many there were."""

    async def claim(self, installation: UUID) -> UUID:
        """Tie the store to a database, unless it is tied to one already; the identity of that database.

        Raises:
            UnavailableError: The store cannot be used, or does not tell any more which database it is tied to.
        """

    async def check(self) -> None:
        """Write, read and remove something.

        Raises:
            UnavailableError: One of these fails.
        """


class FileCropStore:
    """Pictures as files in a folder: `<last two hex digits of the id>/<id>`.

    The last digits of a UUIDv7 are random, so the 256 folders fill evenly. The store has threads of its own: a disk
    that is slow to sync delays enrolments, never what else the process does beside the event loop.

    Args:
        folder: The store's folder; made where it is missing.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._durable: set[Path] = set()
        self._executor = ThreadPoolExecutor(THREADS, thread_name_prefix="crops")

    async def put(self, crop_id: UUID, data: bytes) -> None:
        """Store a picture; see `CropStore.put`."""
        await self._on_thread(self._write, self._path(crop_id), data)

    async def get(self, crop_id: UUID) -> bytes:
        """The picture; see `CropStore.get`."""
        data = await self._on_thread(_read, self._path(crop_id))
        if data is None:
            raise NotFoundError(f"The picture of crop {crop_id} is not stored.")
        return data

    async def delete(self, crop_id: UUID) -> None:
        """Remove a picture; see `CropStore.delete`."""
        await self._on_thread(self._path(crop_id).unlink, missing_ok=True)

    async def ids_older_than(self, age_s: float) -> AsyncIterator[list[UUID]]:
        """Ids of old pictures, one folder of the store at a time; see `CropStore.ids_older_than`."""
        for shard in await self._on_thread(self._shards):
            if found := await self._on_thread(self._old_files, shard, time.time() - age_s):
                yield [crop_id for path in found if (crop_id := _crop_id(path)) is not None]

    async def remove_partial(self, age_s: float) -> int:
        """Remove old partial files; see `CropStore.remove_partial`."""
        return await self._on_thread(self._remove_partial, time.time() - age_s)

    async def claim(self, installation: UUID) -> UUID:
        """Tie the store to a database; see `CropStore.claim`."""
        return await self._on_thread(self._claim, installation)

    async def check(self) -> None:
        """Write, read and remove a file; see `CropStore.check`."""
        await self._on_thread(self._check)

    def close(self) -> None:
        """Finish what runs and end the threads."""
        self._executor.shutdown()

    async def _on_thread(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run on a thread of the store, and say in a sentence what the file system cannot do."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, partial(work, *args, **kwargs))
        except OSError as error:
            problem = "is full" if error.errno in FULL else f"cannot be used ({error.strerror})"
            raise UnavailableError(f"The crop store {problem}.", retry_after_s=RETRY_AFTER_S) from error

    def _path(self, crop_id: UUID) -> Path:
        return self._folder / crop_id.hex[-2:] / str(crop_id)

    def _claim(self, installation: UUID) -> UUID:
        owner = self._folder / OWNER_FILE
        if not owner.exists():
            self._write(owner, f"{installation}\n".encode())
        try:
            return UUID(owner.read_text().strip())
        except ValueError as error:
            raise UnavailableError(
                f"The file {owner} is damaged, so nothing tells which database the crop store belongs to. Restore it "
                "from a backup, or remove it if the store belongs to the database that the service is started with."
            ) from error

    def _write(self, path: Path, data: bytes) -> None:
        try:
            self._write_whole(path, data)
        except FileNotFoundError:
            # Folders known to be there can vanish: an operator tidies up, a backup is restored. Which ones is unknown.
            self._durable.clear()
            self._write_whole(path, data)

    def _write_whole(self, path: Path, data: bytes) -> None:
        """Under a temporary name first: a picture is there whole or not at all, whenever the power goes."""
        self._ensure_durable(path.parent)
        descriptor, name = tempfile.mkstemp(prefix=PARTIAL_PREFIX, dir=path.parent)
        partial_file = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            partial_file.replace(path)
            _sync_folder(path.parent)
        except BaseException:
            partial_file.unlink(missing_ok=True)
            raise

    def _ensure_durable(self, folder: Path) -> None:
        """Make a folder durable, once per process: whoever made it may have been killed before its name was."""
        if folder in self._durable:
            return
        if folder != self._folder:
            self._ensure_durable(self._folder)
        folder.mkdir(parents=True, exist_ok=True)
        _sync_folder(folder.parent)
        self._durable.add(folder)

    def _shards(self) -> list[Path]:
        return sorted(path for path in self._folder.glob("??") if path.is_dir())

    def _old_files(self, shard: Path, before: float) -> list[Path]:
        found = []
        with os.scandir(shard) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):  # another replica sweeps as well
                    if entry.is_file() and entry.stat().st_mtime <= before:
                        found.append(Path(entry.path))
        return found

    def _remove_partial(self, before: float) -> int:
        partial = [
            path
            for folder in (self._folder, *self._shards())
            for path in self._old_files(folder, before)
            if path.name.startswith(PARTIAL_PREFIX)
        ]
        for path in partial:
            path.unlink(missing_ok=True)
        return len(partial)

    def _check(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(prefix=PARTIAL_PREFIX, dir=self._folder) as file:
            file.write(b"check")
            file.flush()
            os.fsync(file.fileno())


def _read(path: Path) -> bytes | None:
    """The file's bytes; None where there is none."""
    with suppress(FileNotFoundError):
        return path.read_bytes()
    return None


def _crop_id(path: Path) -> UUID | None:
    """The crop whose picture a file is; None where it is none."""
    try:
        return UUID(path.name)
    except ValueError:
        return None


def _sync_folder(folder: Path) -> None:
    """Make a folder's list of names survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
