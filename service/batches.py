"""What many requests ask for at once, done together."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from service.tasks import ended

Item = TypeVar("Item")
Result = TypeVar("Result")

MOST_AT_ONCE = 1000


class Batches(Generic[Item, Result]):
    """Does work for whoever asks, one batch at a time: what is asked for while one is under way makes the next.

    Nobody waits for others to come, and however many ask, one batch is under way.

    Args:
        work: Does a batch and returns a result for each item, in their order. Where it raises, each who asked is told.
        name: Of the task.
    """

    def __init__(self, work: Callable[[Sequence[Item]], Awaitable[Sequence[Result]]], name: str) -> None:
        self._work = work
        self._name = name
        self._asked: list[tuple[Item, asyncio.Future[Result]]] = []
        self._task: asyncio.Task[None] | None = None

    async def ask(self, item: Item) -> Result:
        """Have something done and wait for it. It is done even if whoever asks goes away meanwhile."""
        waiting: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._asked.append((item, waiting))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name=self._name)
        return await asyncio.shield(waiting)

    async def close(self) -> None:
        """Give up what is under way; whoever waits for it is cancelled."""
        if self._task is not None:
            await ended(self._task)
        for _, waiting in self._asked:
            waiting.cancel()

    async def _run(self) -> None:
        while self._asked:
            batch, self._asked = self._asked[:MOST_AT_ONCE], self._asked[MOST_AT_ONCE:]
            try:
                results = await self._work([item for item, _ in batch])
            except Exception as error:  # noqa: BLE001 - whatever it is, each who waits is told
                for _, waiting in batch:
                    waiting.set_exception(error)
                    waiting.exception()  # looked at: whoever waited may be gone
            except asyncio.CancelledError:
                for _, waiting in batch:
                    waiting.cancel()
                raise
            else:
                for (_, waiting), result in zip(batch, results, strict=True):
                    waiting.set_result(result)
