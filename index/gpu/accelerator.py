"""The one thread that a device's indexes belong to, and the queue before it."""

import logging
from collections import deque
from collections.abc import Callable
from threading import Condition, Thread
from typing import Final

import numpy as np
from numpy.typing import NDArray

from index.contract import DeviceStats
from index.gpu.copies import Copy, load
from index.gpu.engine import DeviceIndex, Engine
from index.gpu.searches import Found, Search, SearchQueue, answer

logger = logging.getLogger(__name__)

_LONGEST_PAUSE_S: Final = 1.0
_ANSWERS_WITHIN_S: Final = 10.0
_ENDS_WITHIN_S: Final = 30.0


class Accelerator:
    """Copies of segments on one device. Every method may be called from any thread, `close` last.

    No search waits for a segment to be copied, nor for a place in the queue: meanwhile the CPU searches. Where the
    device has no room for a segment, that segment waits until others have left. After any other error, or where the
    device answers what cannot be, nothing is asked of it any longer.

    Args:
        make_engine: Opens the device, in the thread that it then belongs to.
        name: What the device is called.
        memory_bytes: How much of its memory to take.
        rows_from: Rows of a segment from which on it is worth a copy.
        graph_from: Rows from which on searches that need not be exact are worth a graph.
        most_waiting: Searches that wait at once.
        answers_within_s: Seconds after which a device counts as hanging.
    """

    def __init__(
        self,
        make_engine: Callable[[], Engine],
        name: str,
        memory_bytes: int,
        *,
        rows_from: int = 8192,
        graph_from: int = 65_536,
        most_waiting: int = 256,
        answers_within_s: float = _ANSWERS_WITHIN_S,
    ) -> None:
        self._make_engine, self._name, self._memory_bytes = make_engine, name, memory_bytes
        self._rows_from, self._graph_from = rows_from, graph_from
        self._answers_within_s = answers_within_s
        self._changed = Condition()
        self._searches = SearchQueue(most_waiting)
        self._arrived: deque[Copy] = deque()
        self._parked: list[Copy] = []
        self._left: deque[Copy] = deque()
        self._indexes: dict[Copy, DeviceIndex] = {}  # let go of by the owning thread only
        self._loading = self._stopping = self._warned = False
        self._problem: str | None = None
        self._answered = self._by_cpu = 0
        self._thread = Thread(target=self._run, name=f"index-{name}", daemon=True)
        self._thread.start()

    def worth_a_copy(self, rows: int) -> bool:
        """Whether a segment of so many rows is faster searched here."""
        return rows >= self._rows_from and self._problem is None

    def take(self, copy: Copy) -> None:
        """Copy a segment to the device when there is time."""
        with self._changed:
            if self._problem is None:
                self._arrived.append(copy)
                self._changed.notify_all()

    def leave(self, copy: Copy) -> None:
        """Let go of a copy that nobody searches any longer. Takes no lock: a finaliser may run at any place."""
        copy.source = None
        self._left.append(copy)

    def search(self, copy: Copy, query: NDArray[np.float32], asked: int) -> Found | None:
        """The rows nearest to a query; None where the CPU has to say.

        Args:
            copy: Of a segment.
            query: Shape (dimension,), of numbers that half precision has.
            asked: How many rows.
        """
        search = Search(copy, query, asked)
        with self._changed:
            busy = self._loading or self._arrived or self._searches.full
            if busy or copy.loaded is None or self._problem is not None or self._stopping:
                return None
            self._searches.append(search)
            self._changed.notify_all()
        try:
            return search.answer.result(self._answers_within_s)
        except TimeoutError:
            self.distrust(f"it has not answered for {self._answers_within_s:g} s")
            return None

    def count(self, *, answered: bool) -> None:
        """Note that a search of a copied segment was answered from here, or by the CPU."""
        with self._changed:
            self._answered += answered
            self._by_cpu += not answered

    def distrust(self, problem: str) -> None:
        """Ask nothing of the device any longer.

        Args:
            problem: Why.
        """
        with self._changed:
            if self._problem is None and not self._stopping:
                self._problem = problem
                logger.warning("%s is used no longer, the CPU searches alone: %s", self._name, problem)
            waiting = self._searches.withdrawn()
            self._arrived.clear()
            self._parked.clear()
            self._changed.notify_all()
        for search in waiting:
            search.answer.set_result(None)

    def stats(self) -> DeviceStats:
        """What is on the device, and what it did."""
        with self._changed:
            return DeviceStats(
                name=self._name,
                segments=len(self._indexes),
                waiting=len(self._arrived) + len(self._parked) + self._loading,
                memory_bytes=self._taken(),
                searches=self._answered,
                searches_by_cpu=self._by_cpu,
                problem=self._problem,
            )

    def close(self) -> None:
        """Empty the device and end. A device that hangs is left behind; no vectors are read afterwards."""
        with self._changed:
            self._stopping = True
            waiting = self._searches.withdrawn()
            self._changed.notify_all()
        for search in waiting:
            search.answer.set_result(None)
        self._thread.join(_ENDS_WITHIN_S)

    def _run(self) -> None:
        try:
            engine = self._make_engine()
            while self._step(engine):
                pass
        except Exception as error:  # noqa: BLE001 - whatever it is, searches must not wait for an answer that never comes
            self.distrust(_said(error))
        with self._changed:
            for copy in self._indexes:
                copy.loaded = None
            self._indexes.clear()

    def _step(self, engine: Engine) -> bool:
        with self._changed:
            self._changed.wait_for(self._due, _LONGEST_PAUSE_S)
            if self._stopping or self._problem is not None:
                return False
            batch = self._searches.next_batch()
            copy = self._arrived.popleft() if self._arrived and not batch else None
            self._loading = copy is not None
        self._let_go()
        if batch:
            self._answer(batch)
        elif copy is not None:
            try:
                self._load(engine, copy)
            finally:
                with self._changed:
                    self._loading = False
        return True

    def _due(self) -> bool:
        return bool(self._searches or self._arrived or self._left or self._stopping or self._problem)

    def _answer(self, batch: list[Search]) -> None:
        copy = batch[0].copy
        try:
            answer(batch, self._indexes.get(copy))
        except Exception as error:
            if not _of_memory(error):
                raise
            self._park(copy, _said(error))

    def _load(self, engine: Engine, copy: Copy) -> None:
        source = copy.source
        if source is None:
            return
        graph = copy.approximate and source.rows >= self._graph_from
        try:
            made = load(engine, source, self._memory_bytes - self._taken(), graph=graph, stopping=self._is_stopping)
        except Exception as error:
            if not _of_memory(error):
                raise
            self._park(copy, _said(error))
            return
        if made is None:
            self._park(copy, f"{self._memory_bytes / 2**20:.0f} MiB are taken")
            return
        with self._changed:
            self._indexes[copy], copy.loaded = made

    def _let_go(self) -> None:
        """Free what nobody searches any longer, and try those again for which there was no room."""
        while self._left:
            copy = self._left.popleft()
            with self._changed:
                copy.loaded = None
                self._indexes.pop(copy, None)
                self._arrived.extend(one for one in self._parked if one is not copy)
                self._parked.clear()

    def _park(self, copy: Copy, reason: str) -> None:
        with self._changed:
            copy.loaded = None
            self._indexes.pop(copy, None)
            self._parked.append(copy)
            if not self._warned and not self._stopping:
                self._warned = True
                logger.warning("%s has no room for all segments, the CPU searches the others: %s", self._name, reason)

    def _taken(self) -> int:
        return sum(copy.loaded.memory_bytes for copy in self._indexes if copy.loaded is not None)

    def _is_stopping(self) -> bool:
        return self._stopping


def _of_memory(error: Exception) -> bool:
    """Whether FAISS, RMM or CUDA found no memory; FAISS has no class for it."""
    said = str(error).lower()
    return isinstance(error, MemoryError) or any(
        words in said for words in ("out of memory", "out_of_memory", "memory allocation", "alloc fail", "bad_alloc")
    )


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
