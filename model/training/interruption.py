"""Ctrl-C and SIGTERM: the step under way is finished and the run saved before it ends."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from model.errors import ModelError

ECHO_S = 3.0
"""Signals this close to the first are its echoes: a terminal tells every process, and torchrun tells its own again."""


class Interrupted(ModelError):  # noqa: N818 - what happened is the name, as KeyboardInterrupt's
    """A run that was told to stop, and is saved.

    Args:
        number: The signal.
        message: What to tell the user.

    Attributes:
        status: Exit status by the shells' custom: 130 after Ctrl-C, 143 after SIGTERM.
    """

    def __init__(self, number: int, message: str) -> None:
        super().__init__(message)
        self.number = number
        self.status = 128 + number


class BrokenOff(Exception):  # noqa: N818 - no error, and never the user's to see
    """What breaks off an evaluation under way when a signal came."""


class Interruption:
    """What was received while `watched`.

    Attributes:
        number: The signal; 0 before any.
    """

    def __init__(self) -> None:
        self.number = 0
        self._since = 0.0

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Note the first SIGINT or SIGTERM instead of ending; one that comes `ECHO_S` later acts as ever.

        Only a process' main thread can do this; in another thread signals stay with whoever has them.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        watched = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, self._note) for number in watched}
        self._before = before
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def checked(self, advance: Callable[[int], None]) -> Callable[[int], None]:
        """The same, but it raises BrokenOff once a signal has come."""

        def advance_or_break_off(more: int) -> None:
            if self.number:
                raise BrokenOff
            advance(more)

        return advance_or_break_off

    def _note(self, number: int, _frame: FrameType | None) -> None:
        now = time.monotonic()
        if not self.number:
            self.number, self._since = number, now
        elif now - self._since >= ECHO_S:
            for each, handler in self._before.items():
                signal.signal(each, handler)
            signal.raise_signal(number)
