"""Processes that decode pictures, from the service's side: asked from threads, timed, and replaced when they fail."""

import asyncio
import logging
import multiprocessing
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import TypeVar

from service.errors import OverloadedError, ServiceError, UndecodableImageError
from service.imaging.decode import ImageLimits
from service.imaging.messages import AnswerError, RenderJpeg, Request, pack_request, unpack_answer
from service.imaging.worker import serve

T = TypeVar("T")

_RETRY_AFTER_S = 1
_END_S = 5.0

# Not fork: the service has threads, and all its memory would be at hand for whoever takes a decoder over. Of a server
# that has loaded the decoders a fresh process costs milliseconds and shares their code with the others.
_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(["service.imaging.worker"])

logger = logging.getLogger(__name__)


class DecodeProcess:
    """One process that decodes, and the next one where it has failed. Used by one thread at a time.

    Args:
        limits: What a picture may be.
        timeout_s: How long one picture may take.
    """

    def __init__(self, limits: ImageLimits, timeout_s: float) -> None:
        self._limits = limits
        self._timeout_s = timeout_s
        self._start()

    @property
    def pid(self) -> int:
        """Of the process that is there now."""
        assert self._process.pid is not None  # noqa: S101 - it was started
        return self._process.pid

    def ask(self, request: Request[T], data: bytes) -> T:
        """Have one file decoded.

        Raises:
            ServiceError: The file is refused; that is so too where the process hung or ended over it.
        """
        try:
            self._send(request, data)
            if self._connection.poll(self._timeout_s):
                return unpack_answer(request, self._connection.recv_bytes())
            why = f"The picture could not be decoded within {self._timeout_s:g} s."
        except (EOFError, OSError):
            self._process.join(_END_S)
            why = "The picture ended the process that was to decode it."
        except AnswerError as error:
            why = "The picture led its decoder astray."
            logger.warning("What decodes pictures may have been taken over: %s", error)
        logger.warning("%s Another process takes its place (status %s)", why, self._process.exitcode)
        self._replace()
        raise UndecodableImageError(why)

    def end(self) -> None:
        """End the process, by force where it does not go."""
        self._connection.close()
        self._process.join(_END_S)
        self._process.kill()
        self._process.join()
        self._process.close()

    def _start(self) -> None:
        self._connection, theirs = _processes.Pipe()
        self._process = _processes.Process(target=serve, args=(theirs, self._limits), name="decode", daemon=True)
        self._process.start()
        theirs.close()

    def _send(self, request: Request[T], data: bytes) -> None:
        try:
            self._hand_over(request, data)
        except OSError:
            # It ended while it had nothing to do: no picture's fault.
            logger.warning("A process that decodes ended while it waited, with status %s", self._process.exitcode)
            self._replace()
            self._hand_over(request, data)

    def _hand_over(self, request: Request[T], data: bytes) -> None:
        self._connection.send_bytes(pack_request(request))
        self._connection.send_bytes(data)

    def _replace(self) -> None:
        self._process.kill()
        self.end()
        self._start()


class DecodePool:
    """A fixed number of processes that decode.

    At most `workers` pictures are decoded at once, so decoded pixels take a bounded amount of memory. How many may wait
    is not bounded here: uploads pass the embedding queue's admission first, stored pictures that of `RenditionPool`.

    Args:
        workers: Number of processes.
        limits: What a picture may be.
        timeout_s: How long one picture may take, from when its turn has come.
    """

    def __init__(self, workers: int, limits: ImageLimits, timeout_s: float) -> None:
        self._processes = [DecodeProcess(limits, timeout_s) for _ in range(workers)]
        self._idle: SimpleQueue[DecodeProcess] = SimpleQueue()
        for process in self._processes:
            self._idle.put(process)
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="decode")

    @property
    def pids(self) -> list[int]:
        """Of the processes that are there now."""
        return [process.pid for process in self._processes]

    async def run(self, request: Request[T], data: bytes) -> T:
        """Have one file decoded; if the caller is cancelled before its turn came, it never is.

        Raises:
            ServiceError: The file is refused; see `DecodeProcess.ask`.
        """
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, self._ask, request, data)
        except ServiceError as error:
            logger.info("A picture was refused: %s %s", error.detail, "".join(getattr(error, "__notes__", ())))
            raise

    def close(self) -> None:
        """Finish what runs, drop what waits, end the processes."""
        self._threads.shutdown(cancel_futures=True)
        for process in self._processes:
            process.end()

    def _ask(self, request: Request[T], data: bytes) -> T:
        process = self._idle.get()
        try:
            return process.ask(request, data)
        finally:
            self._idle.put(process)


class RenditionPool:
    """Stored pictures rendered for viewers, by processes of their own, so that viewers never take those of searches.

    What waits holds no picture: a stored file is read only when a process is free for it.

    Args:
        pool: The processes.
        workers: Pictures read and rendered at once at most.
        capacity: Pictures admitted at most, those being rendered included.
    """

    def __init__(self, pool: DecodePool, workers: int, capacity: int) -> None:
        self._pool = pool
        self._turns = asyncio.Semaphore(workers)
        self._capacity = capacity
        self._admitted = 0

    async def render(self, load: Callable[[], Awaitable[bytes]], longest_side: int | None) -> bytes:
        """Load a picture when its turn has come, and render it as JPEG.

        Args:
            load: Reads the stored file.
            longest_side: Pixels to shrink the longest side to; None keeps the size.

        Raises:
            OverloadedError: Too many are waiting already.
            ServiceError: The file is refused; see `DecodeProcess.ask`.
        """
        if self._admitted >= self._capacity:
            raise OverloadedError(
                f"{self._admitted} pictures are waiting to be shown; try again in a moment.",
                retry_after_s=_RETRY_AFTER_S,
            )
        self._admitted += 1
        try:
            async with self._turns:
                return await self._pool.run(RenderJpeg(longest_side), await load())
        finally:
            self._admitted -= 1
