"""Metrics of a run through Fabric's loggers: a CSV row per epoch, TensorBoard scalars per step and per epoch.

What is on disk is a projection of the run's progress: a run that goes on writes it anew from there, so no row is there
twice and none is missing, however it was ended.
"""

import shutil
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from lightning_fabric.loggers.csv_logs import CSVLogger
from lightning_fabric.loggers.tensorboard import TensorBoardLogger

from model.training.errors import TrainingError
from model.training.state import Progress


@contextmanager
def writer_errors_once() -> Iterator[None]:
    """Keep TensorBoard's writing thread from printing what it also hands to whoever writes next."""
    before = threading.excepthook

    def unless_handed_over(failure: threading.ExceptHookArgs) -> None:
        if getattr(failure.thread, "exception", None) is not failure.exc_value:
            before(failure)

    threading.excepthook = unless_handed_over
    try:
        yield
    finally:
        threading.excepthook = before


class Metrics:
    """The logs of one run: `csv/metrics.csv` and `tensorboard/` in its folder.

    Args:
        out: The run's folder.
        terms: Names of the loss's terms.
    """

    def __init__(self, out: Path, terms: Sequence[str]) -> None:
        self._out = out
        self._terms = tuple(terms)
        self._csv = CSVLogger(out, name="csv", version="")
        self._tensorboard = TensorBoardLogger(out, name="tensorboard", version="")

    def replay(self, progress: Progress) -> None:
        """Write everything anew.

        Raises:
            TrainingError: The disk refuses.
        """
        self._write(lambda: self._clear(progress))

    def step(self, row: Sequence[float]) -> None:
        """One step's row: its number, the value of each term, and the share of the full learning rates that it took.

        Raises:
            TrainingError: The disk refuses.
        """
        self._write(lambda: self._step(row))

    def epoch(self, row: Mapping[str, float]) -> None:
        """One epoch's row, "step" being the steps of the run until then; flushed to disk.

        Raises:
            TrainingError: The disk refuses.
        """
        self._write(lambda: self._epoch(row))

    def close(self) -> None:
        """Flush and end.

        Raises:
            TrainingError: The disk refuses.
        """
        self._write(lambda: self._tensorboard.finalize("success"))

    def _clear(self, progress: Progress) -> None:
        for folder in ("csv", "tensorboard"):
            shutil.rmtree(self._out / folder, ignore_errors=True)
        for row in progress.steps:
            self._step(row)
        for epoch in progress.history:
            self._epoch(epoch)

    def _step(self, row: Sequence[float]) -> None:
        names = (*(f"step/{term}_loss" for term in self._terms), "step/learning_rate_share")
        self._tensorboard.log_metrics(dict(zip(names, row[1:], strict=True)), int(row[0]))

    def _epoch(self, row: Mapping[str, float]) -> None:
        step = int(row["step"])
        self._csv.log_metrics({**row, "epoch": int(row["epoch"])}, step)
        self._csv.save()
        shown = {f"epoch/{name}": value for name, value in row.items() if name not in {"epoch", "step"}}
        self._tensorboard.log_metrics(shown, step)
        self._tensorboard.save()

    def _write(self, action: Callable[[], None]) -> None:
        try:
            action()
        except (OSError, ValueError) as error:
            # TensorBoardLogger gives a full disk back as a ValueError about the value.
            cause = error.__cause__ or error
            raise TrainingError(
                f"The metrics in {self._out} cannot be written ({cause}): free space, then go on with --resume."
            ) from error
