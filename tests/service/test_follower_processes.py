"""Followers as processes of their own: several of one database, and one that is killed."""

import json
import random
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from support import follower_process
from support.environment import plain_environment
from support.following import head_of, truth_of

from service.collections.repository import CollectionRepository
from service.database.engine import Database
from service.gallery.records import NewCrop
from service.gallery.repository import GalleryRepository

Add = Callable[..., Awaitable[list[NewCrop]]]
Remove = Callable[[AsyncSession, UUID], Awaitable[None]]

ROOT = Path(__file__).parents[2]
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


class FollowerProcess:
    """A follower of a database with its files in a folder."""

    def __init__(self, url: str, folder: Path) -> None:
        command = [sys.executable, follower_process.__file__, url, str(folder)]
        environment = {**plain_environment(), "PYTHONPATH": str(ROOT)}
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

    def wait_until_ready(self) -> Self:
        assert self._line() == "ready\n"
        return self

    def at(self, sequence: int) -> dict[str, Any]:
        """What it holds as soon as it has reached a change."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{sequence}\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._line())
        return answer

    def kill(self) -> None:
        self._process.kill()
        assert self._process.wait(20) == -signal.SIGKILL
        self._close_pipes()

    def stop(self) -> None:
        """Let it end as its input does."""
        if self._process.poll() is None:
            assert self._process.stdin is not None
            self._process.stdin.close()
            assert self._process.wait(30) == 0
        self._close_pipes()

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()

    def _close_pipes(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()


@contextmanager
def followers(url: str, *folders: Path) -> Iterator[list[FollowerProcess]]:
    """Several at once."""
    running = [FollowerProcess(url, folder) for folder in folders]
    try:
        yield [one.wait_until_ready() for one in running]
    finally:
        for one in running:
            one.stop()


class History:
    """Random enrolments, deletions, re-insertions and expiries."""

    def __init__(self, database: Database, add: Add, remove: Remove, seed: int) -> None:
        self._database = database
        self._add = add
        self._remove = remove
        self._chance = random.Random(seed)

    async def write(self, steps: int) -> None:
        for _ in range(steps):
            alive = sorted(await truth_of(self._database))
            async with self._database.transaction() as session:
                await self._step(session, alive)

    async def _step(self, session: AsyncSession, alive: list[UUID]) -> None:
        chance = self._chance
        fields: dict[str, Any] = {
            "collection": chance.choice(follower_process.COLLECTIONS),
            "captured_at": NOON + chance.randrange(-24, 24) * timedelta(hours=1),
        }
        what = chance.random()
        if what < 0.6 or not alive:
            await self._add(session, chance.randrange(1, 20), **fields)
        elif what < 0.9:
            gone = chance.choice(alive)
            await self._remove(session, gone)
            if chance.random() < 0.5:
                await self._add(session, id=gone, **fields)
        elif (owner := await CollectionRepository(session).collection("default")) is not None:
            await GalleryRepository(session).expire(owner.id, NOON - chance.randrange(24) * timedelta(hours=1))


async def _fingerprints(database: Database) -> dict[str, int]:
    return {str(crop_id): one.fingerprint for crop_id, one in (await truth_of(database)).items()}


async def test_three_processes_on_one_database_converge(
    database: Database, postgres_url: str, add: Add, remove: Remove, tmp_path: Path
) -> None:
    """Two of them in one folder."""
    history = History(database, add, remove, 1)
    await history.write(5)
    with followers(postgres_url, tmp_path / "a", tmp_path / "a", tmp_path / "b") as processes:
        for _ in range(3):
            await history.write(8)
            head, truth = await head_of(database), await _fingerprints(database)
            assert truth
            for one in processes:
                assert one.at(head)["held"] == truth


async def test_a_killed_process_starts_right_again(
    database: Database, postgres_url: str, add: Add, remove: Remove, tmp_path: Path
) -> None:
    """Killed while it applies changes, makes snapshots and compares; what it left is the database's, or not used."""
    history = History(database, add, remove, 2)
    folder = tmp_path / "index"
    reasons = []
    for turn in range(3):
        process = FollowerProcess(postgres_url, folder).wait_until_ready()
        await history.write(3 + 3 * turn)
        process.kill()
        await history.write(2)
        head, truth = await head_of(database), await _fingerprints(database)
        with followers(postgres_url, folder) as (restarted,):
            answer = restarted.at(head)
            assert answer["held"] == truth
            reasons.append(answer["rebuild"])
    assert None in reasons  # the snapshots are used
