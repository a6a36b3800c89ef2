"""The crop store: whole or not at all, whatever the disk does."""

import asyncio
import errno
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from uuid_utils.compat import uuid7

from service.crops.store import FileCropStore
from service.errors import NotFoundError, UnavailableError


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def _age(path: Path, seconds: float) -> None:
    os.utime(path, (time.time() - seconds,) * 2)


async def _old(store: FileCropStore, age_s: float) -> set[UUID]:
    return {crop_id async for ids in store.ids_older_than(age_s) for crop_id in ids}


async def test_bytes_come_back_as_they_went(tmp_path: Path) -> None:
    store = FileCropStore(tmp_path / "new" / "crops")
    pictures = {uuid7(): os.urandom(size) for size in (0, 1, 4096, 100_000)}
    await asyncio.gather(*(store.put(crop_id, data) for crop_id, data in pictures.items()))
    again = FileCropStore(tmp_path / "new" / "crops")
    assert {crop_id: await again.get(crop_id) for crop_id in pictures} == pictures
    assert len(_files(tmp_path)) == len(pictures)


async def test_what_is_not_there_is_not_found(tmp_path: Path) -> None:
    store = FileCropStore(tmp_path / "missing")
    with pytest.raises(NotFoundError):
        await store.get(uuid4())
    await store.delete(uuid4())


async def test_a_deleted_picture_is_gone(tmp_path: Path) -> None:
    store, crop_id = FileCropStore(tmp_path), uuid7()
    await store.put(crop_id, b"picture")
    await store.delete(crop_id)
    await store.delete(crop_id)
    with pytest.raises(NotFoundError):
        await store.get(crop_id)
    assert _files(tmp_path) == []


async def test_ids_of_one_moment_spread_over_many_folders(tmp_path: Path) -> None:
    store = FileCropStore(tmp_path)
    for _ in range(64):
        await store.put(uuid7(), b"")
    assert len({path.parent for path in _files(tmp_path)}) > 32


@pytest.mark.parametrize(
    ("number", "words"), [(errno.ENOSPC, "is full"), (errno.EDQUOT, "is full"), (errno.EIO, "cannot")]
)
@pytest.mark.parametrize("step", ["fsync", "replace"])
async def test_a_failed_write_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, words: str, step: str
) -> None:
    store, crop_id = FileCropStore(tmp_path), uuid7()
    await store.put(UUID(int=crop_id.int ^ (1 << 64)), b"makes the folder")
    before = _files(tmp_path)

    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(*{"fsync": (os, "fsync", fail), "replace": (Path, "replace", fail)}[step])
        with pytest.raises(UnavailableError, match=words):
            await store.put(crop_id, b"picture")
    assert _files(tmp_path) == before
    await store.put(crop_id, b"picture")
    assert await store.get(crop_id) == b"picture"


def test_a_disk_that_really_refuses_leaves_nothing(tmp_path: Path) -> None:
    """The kernel itself cuts the write short: files of this process may not grow beyond 64 KiB."""
    code = """
import asyncio, resource, sys, uuid
from pathlib import Path
from service.crops.store import FileCropStore
from service.errors import UnavailableError
resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))
async def main():
    store = FileCropStore(Path(sys.argv[1]))
    await store.put(uuid.UUID(int=1), b"x" * 65536)
    try:
        await store.put(uuid.UUID(int=2), b"x" * 65537)
    except UnavailableError as error:
        print(error.detail)
asyncio.run(main())
"""
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "The crop store is full."
    assert [path.name for path in _files(tmp_path)] == [str(UUID(int=1))]


async def test_a_folder_that_is_a_file_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "crops").write_text("not a folder")
    store = FileCropStore(tmp_path / "crops")
    with pytest.raises(UnavailableError, match="cannot be used"):
        await store.put(uuid7(), b"picture")
    with pytest.raises(UnavailableError, match="cannot be used"):
        await store.check()


async def test_a_folder_that_vanished_is_made_again(tmp_path: Path) -> None:
    store, crop_id = FileCropStore(tmp_path / "crops"), uuid7()
    await store.put(crop_id, b"picture")
    shutil.rmtree(tmp_path / "crops")
    await store.put(crop_id, b"again")
    assert await store.get(crop_id) == b"again"


async def test_a_folder_that_keeps_vanishing_is_unavailable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FileCropStore(tmp_path / "crops")

    def vanished(**_: object) -> None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))

    monkeypatch.setattr(tempfile, "mkstemp", vanished)
    with pytest.raises(UnavailableError, match="No such file"):
        await store.put(uuid7(), b"picture")


async def test_a_slow_disk_keeps_no_other_work_of_the_process_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced = threading.Event()
    monkeypatch.setattr(os, "fsync", lambda _: synced.wait(30))
    store = FileCropStore(tmp_path)
    puts = [asyncio.create_task(store.put(uuid7(), b"picture")) for _ in range(64)]
    try:
        await asyncio.sleep(0.1)
        assert await asyncio.wait_for(asyncio.to_thread(threading.active_count), 5) > 1
    finally:
        synced.set()
        await asyncio.gather(*puts)


async def test_check_leaves_nothing(tmp_path: Path) -> None:
    await FileCropStore(tmp_path / "crops").check()
    assert _files(tmp_path) == []


def test_a_writer_killed_in_the_middle_leaves_no_picture(tmp_path: Path) -> None:
    """Killed between the write and the rename: only a partial file is left, and it is swept by age."""
    code = """
import asyncio, os, signal, sys, uuid
from pathlib import Path
from service.crops.store import FileCropStore
Path.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(FileCropStore(Path(sys.argv[1])).put(uuid.UUID(int=1), b"picture"))
"""
    done = subprocess.run([sys.executable, "-c", code, tmp_path], timeout=60, check=False)
    assert done.returncode == -9
    store = FileCropStore(tmp_path)
    (partial,) = _files(tmp_path)
    with pytest.raises(NotFoundError):
        asyncio.run(store.get(UUID(int=1)))
    assert asyncio.run(_old(store, 0)) == set()
    assert asyncio.run(store.remove_partial(60)) == 0
    _age(partial, 61)
    assert asyncio.run(store.remove_partial(60)) == 1
    assert _files(tmp_path) == []


async def test_only_old_pictures_are_listed_and_foreign_files_never(tmp_path: Path) -> None:
    store, old, young = FileCropStore(tmp_path), uuid7(), uuid7()
    for crop_id in (old, young):
        await store.put(crop_id, b"picture")
    foreign = tmp_path / old.hex[-2:] / "notes.txt"
    foreign.write_text("not ours")
    for path in (tmp_path / old.hex[-2:] / str(old), foreign):
        _age(path, 100)
    assert await _old(store, 99) == {old}
    assert await _old(store, 101) == set()


async def test_a_store_is_claimed_once(tmp_path: Path) -> None:
    first, second = uuid4(), uuid4()
    assert await FileCropStore(tmp_path / "crops").claim(first) == first
    assert await FileCropStore(tmp_path / "crops").claim(second) == first


@pytest.mark.parametrize("content", [b"", b"not an identity", b"\xff\xfe"])
async def test_a_store_that_does_not_tell_its_database_says_so(tmp_path: Path, content: bytes) -> None:
    owner = tmp_path / "installation"
    owner.write_bytes(content)
    with pytest.raises(UnavailableError, match="installation is damaged"):
        await FileCropStore(tmp_path).claim(uuid4())
    assert owner.read_bytes() == content
