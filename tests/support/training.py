"""Training runs in processes of their own, which may be interrupted, killed or kept from writing."""

import contextlib
import multiprocessing
import os
import resource
import sys
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from model.datasets import Crops, RetrievalTest


@dataclass(frozen=True)
class Generated:
    """A data set of two lists."""

    learn: Crops
    choose: Crops
    name: str = "generated"
    test_names: tuple[str, ...] = ("val",)

    def train(self) -> Crops:
        return self.learn

    def test(self, name: str | None = None) -> RetrievalTest:
        return RetrievalTest(name or self.test_names[0], self.choose, self.choose, "same_camera")


def start_run(
    recipe: str, data: Generated, out: Path, log: Path, *, bytes_per_file: int | None = None, **options: Any
) -> BaseProcess:
    """Start `train` in a process that has nothing of this one but its arguments; what it says goes into the log.

    Its exit status is 0, 1 after a ModelError, or an interruption's.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["support.training", "model.training"])
    # The server that the processes are forked from is a fresh interpreter: pytest's paths reach it this way alone.
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(sys.path)
    try:
        process = context.Process(
            target=_run, args=(recipe, data, out, log, {"bytes_per_file": bytes_per_file, **options})
        )
        process.start()
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before
    return process


def _run(recipe: str, data: Generated, out: Path, log: Path, options: dict[str, Any]) -> None:
    import torch
    from rich.console import Console

    from model.errors import ModelError
    from model.training import Interrupted, Options, Recipe, train

    if (bytes_per_file := options.pop("bytes_per_file")) is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_per_file, resource.RLIM_INFINITY))
    torch.set_num_threads(1)
    # The log is written in pieces smaller than any limit of the tests.
    with log.open("a", encoding="utf-8", buffering=1) as stream, contextlib.redirect_stderr(stream):
        console = Console(file=stream, width=1000)
        try:
            train(Recipe.model_validate_json(recipe), data, out, Options(**options), console)
        except Interrupted as interrupted:
            console.print(str(interrupted))
            sys.exit(interrupted.status)
        except ModelError as error:
            console.print(str(error))
            sys.exit(1)
