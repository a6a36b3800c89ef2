"""A bounded queue before the model.

A lone crop goes to the model at once; while the model is busy, what arrives forms the next batch, searches ahead of
enrolments, and these ahead of long work. Nothing waits for a batch to fill. What does not fit is refused, so overload
never becomes a growing queue.
"""

import asyncio
import enum
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.errors import OverloadedError, UnavailableError

Crop = NDArray[np.uint8]
EmbedBatch = Callable[[Crop], NDArray[np.float32]]

_RETRY_AFTER_S = 1
_JOIN_TIMEOUT_S = 30.0

logger = logging.getLogger(__name__)


class Lane(enum.IntEnum):
    """Who waits; a lower number goes first."""

    SEARCH = 0
    ENROLMENT = 1
    BACKGROUND = 2


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    """One crop and the place where its embedding is awaited."""

    crop: Crop
    future: asyncio.Future[NDArray[np.float32]]


class EmbeddingQueue:
    """Crops on their way to the model, embedded on one thread of its own.

    Args:
        embed: From crops, shape (N, side, side, 3) uint8, to unit vectors, shape (N, dimension). Called on one thread.
        batch_size: Crops given to `embed` at once at most.
        capacity: Crops admitted to each lane at most. Each lane has its own room, so that enrolments never shut
            searches out.
    """

    def __init__(self, embed: EmbedBatch, batch_size: int, capacity: int) -> None:
        self._embed = embed
        self._batch_size = batch_size
        self._capacity = capacity
        self._admitted = dict.fromkeys(Lane, 0)
        self._waiting: dict[Lane, deque[_Job]] = {lane: deque() for lane in Lane}
        self._wake = threading.Condition()
        self._stopping = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self.last_success = 0.0
        """`time.monotonic()` of the last batch that gave embeddings; 0 before the first."""

    def start(self) -> None:
        """Start the model thread. Call from the event loop that will await the embeddings."""
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._serve, name="model", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Embed what was accepted, then end the model thread. Blocks; call it off the event loop."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        if self._thread is not None:
            self._thread.join(_JOIN_TIMEOUT_S)

    @contextmanager
    def admit(self, lane: Lane, crops: int) -> Iterator[None]:
        """Reserve room for crops, decoding included, for as long as the block runs.

        Raises:
            OverloadedError: The lane is full. A request larger than a whole lane is admitted when the lane is empty.
        """
        if self._admitted[lane] and self._admitted[lane] + crops > self._capacity:
            raise OverloadedError(
                f"{self._admitted[lane]} crops are waiting for the model; try again in a moment.",
                retry_after_s=_RETRY_AFTER_S,
            )
        self._admitted[lane] += crops
        try:
            yield
        finally:
            self._admitted[lane] -= crops

    def waiting(self) -> dict[Lane, int]:
        """Crops that wait for the model, those that it is at left out."""
        with self._wake:
            return {lane: len(jobs) for lane, jobs in self._waiting.items()}

    async def embed(self, crops: Sequence[Crop], lane: Lane) -> list[NDArray[np.float32] | Exception]:
        """Embed crops; if the caller is cancelled, those that still wait are dropped.

        Args:
            crops: Prepared crops, each of shape (side, side, 3).
            lane: Who waits.

        Returns:
            For each crop its unit vector, shape (dimension,), or the error that this crop alone met.

        Raises:
            UnavailableError: The model failed as a whole, or the service is stopping.
        """
        futures = [self._submit(crop, lane) for crop in crops]
        try:
            results = await asyncio.gather(*futures, return_exceptions=True)
        finally:
            for future in futures:
                future.cancel()
        settled: list[NDArray[np.float32] | Exception] = []
        for result in results:
            if isinstance(result, UnavailableError) or not isinstance(result, np.ndarray | Exception):
                raise result
            settled.append(result)
        return settled

    def _submit(self, crop: Crop, lane: Lane) -> asyncio.Future[NDArray[np.float32]]:
        future: asyncio.Future[NDArray[np.float32]] = asyncio.get_running_loop().create_future()
        with self._wake:
            if self._stopping:
                raise UnavailableError("The service is stopping.", retry_after_s=_RETRY_AFTER_S)
            self._waiting[lane].append(_Job(crop, future))
            self._wake.notify()
        return future

    def _serve(self) -> None:
        while (batch := self._next_batch()) is not None:
            try:
                self._embed_batch(batch)
            except BaseException:
                # Not even SystemExit may end this thread: every later request would then wait for ever.
                logger.critical("The model thread met an error that it does not expect and goes on", exc_info=True)
                for job in batch:
                    self._deliver(job, UnavailableError("The model failed; try again.", retry_after_s=_RETRY_AFTER_S))

    def _next_batch(self) -> list[_Job] | None:
        """Wait for work; None when there is none left and the service stops."""
        with self._wake:
            while True:
                batch = self._take()
                if batch:
                    return batch
                if self._stopping:
                    return None
                self._wake.wait()

    def _take(self) -> list[_Job]:
        batch: list[_Job] = []
        for lane in Lane:
            waiting = self._waiting[lane]
            while waiting and len(batch) < self._batch_size:
                job = waiting.popleft()
                if not job.future.cancelled():
                    batch.append(job)
        return batch

    def _embed_batch(self, batch: list[_Job]) -> None:
        try:
            vectors = self._embed(np.stack([job.crop for job in batch]))
        except Exception as error:
            if len(batch) == 1:
                logger.exception("The model failed on a crop")
                self._deliver(batch[0], error)
                return
            logger.warning("A batch of %d failed; each crop is tried alone", len(batch), exc_info=True)
            for job in batch:
                self._embed_batch([job])
            return
        self.last_success = time.monotonic()
        for job, vector in zip(batch, vectors, strict=True):
            self._deliver(job, vector)

    def _deliver(self, job: _Job, result: NDArray[np.float32] | Exception) -> None:
        assert self._loop is not None  # noqa: S101 - start() has set it before any thread ran
        try:
            self._loop.call_soon_threadsafe(_settle, job.future, result)
        except RuntimeError:
            logger.warning("The event loop closed before an embedding was delivered")


def _settle(future: asyncio.Future[NDArray[np.float32]], result: NDArray[np.float32] | Exception) -> None:
    if future.done():
        return
    if isinstance(result, Exception):
        future.set_exception(result)
    else:
        future.set_result(result)
