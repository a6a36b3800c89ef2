"""An index lent to threads, so that none of them works with one that is closed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Condition
from typing import Generic, TypeVar

from index.contract import VectorIndex

Index = TypeVar("Index", bound=VectorIndex)
Answer = TypeVar("Answer")


class RetiredError(Exception):
    """The index is no longer lent."""


class LentIndex(Generic[Index]):
    """An index and the work that goes on with it; closed after the last of it.

    A call that was begun in a thread goes on there, though nobody waits for it any longer. Closing lets go of mapped
    files, and whoever reads one then ends the process.

    Attributes:
        index: The index, for what takes a moment and may meet a closed one: its watermark, its stats.
    """

    def __init__(self, index: Index) -> None:
        self.index = index
        self._uses = 0
        self._retired = False
        self._changed = Condition()

    def ask(self, question: Callable[[Index], Answer]) -> Answer:
        """Work with the index, which is not closed meanwhile.

        Raises:
            RetiredError: It is being closed, or has been.
        """
        with self._use():
            return question(self.index)

    def retire(self) -> None:
        """Lend it no more, wait for the work that goes on, and close it."""
        with self._changed:
            if self._retired:
                return
            self._retired = True
            self._changed.wait_for(lambda: self._uses == 0)
        self.index.close()

    @contextmanager
    def _use(self) -> Iterator[None]:
        with self._changed:
            if self._retired:
                raise RetiredError
            self._uses += 1
        try:
            yield
        finally:
            with self._changed:
                self._uses -= 1
                self._changed.notify_all()
