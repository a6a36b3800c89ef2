"""Threads that decode pictures beside the event loop; Pillow releases the interpreter lock while it decodes."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from service.errors import OverloadedError

T = TypeVar("T")

_RETRY_AFTER_S = 1


class DecodePool:
    """A fixed number of decoding threads.

    At most `workers` pictures are decoded at once, so decoded pixels take a bounded amount of memory. How many may wait
    is not bounded here: uploads pass the embedding queue's admission first, stored pictures that of `RenditionPool`.

    Args:
        workers: Number of threads.
    """

    def __init__(self, workers: int) -> None:
        self._executor = ThreadPoolExecutor(workers, thread_name_prefix="decode")

    async def run(self, work: Callable[[bytes], T], data: bytes) -> T:
        """Run `work(data)` on a thread of the pool; if the caller is cancelled before it began, it never runs."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, work, data)

    def close(self) -> None:
        """Finish what runs, drop what waits, end the threads."""
        self._executor.shutdown(cancel_futures=True)


class RenditionPool:
    """Threads that render stored pictures for viewers, so that viewers never take the ones that searches need.

    What waits holds no picture: a stored file is read only when a thread is free for it.

    Args:
        workers: Pictures read and rendered at once at most.
        capacity: Pictures admitted at most, those being rendered included.
    """

    def __init__(self, workers: int, capacity: int) -> None:
        self._threads = DecodePool(workers)
        self._turns = asyncio.Semaphore(workers)
        self._capacity = capacity
        self._admitted = 0

    async def render(self, load: Callable[[], Awaitable[bytes]], work: Callable[[bytes], T]) -> T:
        """Load a picture when its turn has come, and run `work` on its bytes on a thread of the pool.

        Raises:
            OverloadedError: Too many are waiting already.
        """
        if self._admitted >= self._capacity:
            raise OverloadedError(
                f"{self._admitted} pictures are waiting to be shown; try again in a moment.",
                retry_after_s=_RETRY_AFTER_S,
            )
        self._admitted += 1
        try:
            async with self._turns:
                return await self._threads.run(work, await load())
        finally:
            self._admitted -= 1

    def close(self) -> None:
        """Finish what runs, drop what waits, end the threads."""
        self._threads.close()
