"""The folder of a run: what is in it, and whether a run may begin or go on there."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from model.training.errors import TrainingError
from model.weights.atomic import write_atomically


class RunFolder:
    """The folder of a run.

    Args:
        path: The folder.
        name: The recipe's name.

    Attributes:
        state: The state that a run goes on from.
        kept: The kept weights.
        card: Their card.
    """

    def __init__(self, path: Path, name: str) -> None:
        self.path = path
        self.state = path / "state.pt"
        self.card = path / f"{name}.md"
        self.kept = path / f"{name}.safetensors"
        self._results = (self.kept, self.kept.with_suffix(".last.safetensors"), self.card)
        self._logs = (path / "csv", path / "tensorboard")

    @contextmanager
    def held(self) -> Iterator[None]:
        """Make the folder, and keep other processes of this machine from running in it; nothing else is written.

        Raises:
            TrainingError: Another process is at it, or the folder cannot be made.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            # The folder itself is locked, so no file is left, and a killed process leaves no lock.
            descriptor = os.open(self.path, os.O_RDONLY)
        except OSError as error:
            raise TrainingError(f"The folder {self.path} cannot be made ({error}): give another --out.") from error
        try:
            self._lock(descriptor)
            yield
        finally:
            os.close(descriptor)

    def open(self, *, resume: bool) -> bool:
        """Says whether there is a run to go on with.

        Raises:
            TrainingError: A run, or what a run would write over, is there and is not to be gone on with.
        """
        if self.state.is_file():
            if not resume:
                raise TrainingError(f"{self.path} holds a run: go on with it by --resume, or give another --out.")
            return True
        if there := next((path for path in (*self._results, *self._logs) if path.exists()), None):
            raise TrainingError(f"{self.path} holds {there.name}, but no state to go on from: give another --out.")
        return False

    def need_kept(self, epoch: int) -> None:
        """See that the kept weights are still there, which nothing may surpass until the end of the run.

        Raises:
            TrainingError: They are not.
        """
        if not self.kept.is_file():
            raise TrainingError(
                f"{self.kept}, the weights of epoch {epoch}, has gone: put it back, or start again in another --out."
            )

    def write_card(self, text: str) -> None:
        """Write the card, whole or not at all.

        Raises:
            WeightsError: The disk refuses.
        """
        write_atomically(self.card, text.encode())

    def clear_leftovers(self) -> None:
        """Remove what a killed process had not finished writing."""
        for whole in (self.state, *self._results):
            for part in self.path.glob(f".{whole.name}.*"):
                part.unlink(missing_ok=True)

    def _lock(self, descriptor: int) -> None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise TrainingError(
                f"Another process is training in {self.path}: wait for it, or give another --out."
            ) from error
