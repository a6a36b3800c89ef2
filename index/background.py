"""A thread that works off what there is to do, and does not end when something goes wrong."""

import logging
from collections.abc import Callable
from threading import Event, Thread
from typing import Final

from index.segments.files import StorageError

logger = logging.getLogger(__name__)

_LONGEST_PAUSE_S: Final = 60.0


class Background:
    """Calls a step again and again: at once while it did something, else after a pause or when woken.

    An error is logged once, stands in `problem` until a step succeeds, and is followed by pauses that grow.

    Args:
        step: Does one step and answers whether there was anything to do.
        pause_s: Seconds between two looks when nothing wakes it.
    """

    def __init__(self, step: Callable[[], bool], pause_s: float) -> None:
        self._step = step
        self._pause_s = pause_s
        self._woken, self._stopping = Event(), Event()
        self.problem: str | None = None
        self._thread = Thread(target=self._run, name="index-maintenance", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Look at once whether there is something to do, unless the last step went wrong."""
        if self.problem is None:
            self._woken.set()

    def stop(self) -> None:
        """Finish the step that is being done, and end."""
        self._stopping.set()
        self._woken.set()
        self._thread.join()

    def _run(self) -> None:
        pause_s = self._pause_s
        while not self._stopping.is_set():
            try:
                busy = self._step()
            except Exception as error:  # noqa: BLE001 - whatever it is, the work must not end silently
                self._note(f"{type(error).__name__}: {error}", error)
                busy, pause_s = False, min(2 * pause_s, _LONGEST_PAUSE_S)
            else:
                self._note(None)
                pause_s = self._pause_s
            if not busy and not self._stopping.is_set():
                self._woken.wait(pause_s)
                self._woken.clear()

    def _note(self, problem: str | None, error: Exception | None = None) -> None:
        if problem is not None and problem != self.problem:
            logger.error(
                "The index cannot write its files and keeps its newest crops in memory: %s",
                problem,
                exc_info=None if isinstance(error, StorageError) else error,  # what nobody foresaw, with where it was
            )
        if problem is None and self.problem is not None:
            logger.info("The index writes its files again.")
        self.problem = problem
