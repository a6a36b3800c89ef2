"""Work in the background that is neither left behind nor waited for in vain."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any, TypeVar

Result = TypeVar("Result")

_ASK_AGAIN_S = 3.0


async def finished(work: Callable[..., Result], *arguments: object) -> Result:
    """Do work in a thread. Once begun it is waited for, even by a task that is cancelled."""
    task = asyncio.create_task(asyncio.to_thread(work, *arguments))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        while not task.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([task])
        raise


async def ended(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks and wait until they have ended, however they do.

    They are asked again and again: before Python 3.12 `asyncio.wait_for`, with which the database's driver waits, loses
    a cancellation that comes in the moment in which it wakes.
    """
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        done, left = await asyncio.wait(left, timeout=_ASK_AGAIN_S)
        for task in done - {task for task in done if task.cancelled()}:
            task.exception()  # looked at, so that it is not reported as overlooked
