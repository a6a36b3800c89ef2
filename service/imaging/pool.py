"""Threads that decode pictures beside the event loop; Pillow releases the interpreter lock while it decodes."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


class DecodePool:
    """A fixed number of decoding threads.

    At most `workers` pictures are decoded at once, so decoded pixels take a bounded amount of memory; how many may wait
    is bounded by the embedding queue's admission, which every caller passes first.

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
