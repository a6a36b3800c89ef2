"""Work that is waited for, and tasks that end though they lose a cancellation."""

import asyncio
import threading

import pytest

from service import tasks
from service.tasks import ended, finished


async def test_work_that_was_begun_is_waited_for() -> None:
    """However often whoever waits is told to leave."""
    begun, go_on = threading.Event(), threading.Event()
    done = []

    def work(what: str) -> None:
        begun.set()
        assert go_on.wait(10)
        done.append(what)

    waiting = asyncio.create_task(finished(work, "all of it"))
    await asyncio.to_thread(begun.wait, 10)
    for _ in range(3):
        waiting.cancel()
        await asyncio.sleep(0.01)
        assert not waiting.done()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert done == ["all of it"]


async def test_a_task_that_loses_a_cancellation_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "_ASK_AGAIN_S", 0.01)
    lost = []

    async def loses_two() -> None:
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                if len(lost) == 2:
                    raise
                lost.append("one")

    task = asyncio.create_task(loses_two())
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await ended(task)
    assert task.cancelled()
    assert lost == ["one", "one"]


async def test_a_task_that_fails_has_ended() -> None:
    async def fails() -> None:
        raise RuntimeError("broken")

    task = asyncio.create_task(fails())
    await asyncio.sleep(0)
    await ended(task)
    assert isinstance(task.exception(), RuntimeError)
