"""The training loop: one recipe, a list to learn from, a test to choose the epoch on."""

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch
from rich.console import Console

from model.datasets import Crops, Dataset, RetrievalTest
from model.presets import load_preset
from model.training.devices import open_fabric
from model.training.engine import Engine, Step
from model.training.errors import TrainingError
from model.training.folder import RunFolder
from model.training.interruption import BrokenOff, Interrupted, Interruption
from model.training.keeper import Advance, Keeper
from model.training.memory import memory_explained
from model.training.metrics import Metrics
from model.training.options import Options
from model.training.recipe import Recipe
from model.training.show import count_bar, epoch_bar, epoch_line
from model.training.state import Identity, Progress, State, data_digest, load_state, save_state

Figures = dict[str, dict[str, float]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run leaves.

    Attributes:
        weights: The checkpoint of the kept epoch, matrices in fp16, its figures in the header.
        epoch: That epoch, from 1; 0 is the start before any step.
        figures: Its figures on the test chosen on, as `Evaluation.figures` gives them.
        history: One row per epoch; what was not measured is left out.
    """

    weights: Path
    epoch: int
    figures: Figures
    history: list[dict[str, float]]


def train(
    recipe: Recipe, data: Dataset, out: Path, options: Options | None = None, console: Console | None = None
) -> Outcome:
    """Train a network and keep an epoch's weights.

    Each epoch's weights are stored, and measured as stored on the data set's first test, through the same `Embedder`
    that serves. The run depends on nothing but the recipe, the data, the options `precision` and `accumulate`, the
    number of devices and of torch threads, and the kind of processor.

    Args:
        recipe: Every number of the run.
        data: Crops to learn from, and a test of other vehicles to choose the epoch on.
        out: Folder for what the run leaves; made where it is not there.
        options: How it is carried out.
        console: Where progress is shown; None shows nothing.

    Returns:
        The outcome.

    Raises:
        DatasetError: The list to learn from shows fewer than two vehicles, or data is missing.
        WeightsError: Initial weights are not there or do not fit, or a file cannot be written.
        StartError: The recipe's start cannot be computed from the crops.
        DeviceError: There are no such devices, or they have no such precision.
        TrainingError: The run cannot begin or go on; what was saved before stays.
        Interrupted: SIGINT or SIGTERM came; the run is saved.
    """
    learn, test = data.train(), data.test()
    learn.need_identities()
    if shared := set(learn.identities) & {*test.query.identities, *test.gallery.identities}:
        raise TrainingError(
            f"{len(shared)} vehicle(s) are in both lists, such as {min(shared)}: figures would mean nothing."
        )
    with memory_explained():
        run = _Run(recipe, (learn, test), out, options or Options())
        if console and run.fabric.is_global_zero:
            run.console = console
        return run.run()


class _Run:
    """One run: its engine, its files, and how far it is."""

    def __init__(
        self,
        recipe: Recipe,
        data: tuple[Crops, RetrievalTest],
        out: Path,
        options: Options,
    ) -> None:
        learn, test = data
        self.recipe, self.options, self.interruption = recipe, options, Interruption()
        self.folder = RunFolder(out, recipe.name)
        resumed = self.folder.open(resume=options.resume)
        self.fabric = open_fabric(options.precision, options.devices)
        self.console = Console(quiet=True)
        preset = load_preset(recipe.preset)
        self.identity = Identity(
            recipe=recipe.model_dump_json(),
            preset=preset.model_dump_json(),
            data=data_digest(learn, test),
            precision=options.precision,
            accumulate=options.accumulate,
            keep=options.keep,
        )
        state = load_state(self.folder.state) if resumed else None
        if state:
            self.identity.refuse_other(state.identity, out)
        self.engine = Engine(recipe, preset, learn, options, self.fabric)
        self.progress = state.progress if state else Progress()
        if state:
            self.engine.restore(state.tensors)
        described = {"train": learn.name, "val": test.name, "recipe": self.identity.recipe}
        self.keeper = Keeper(self.folder.kept, options.keep, test, self.fabric.device, described)
        self.metrics = Metrics(out, self.engine.terms)
        self.saved = time.monotonic()

    def run(self) -> Outcome:
        """Take the run to its end, or to where a signal stops it."""
        with self.interruption.watched():
            return self._run()

    def _run(self) -> Outcome:
        self.fabric.barrier()  # before anything is written, every rank has seen that nothing is in the way
        if self.fabric.is_global_zero:
            self.folder.clear_leftovers()
            self._save()
            self.metrics.replay(self.progress)
        for epoch in range(self.progress.epoch, self.recipe.epochs + 1):
            self._epoch(epoch)
        if self.fabric.is_global_zero:
            self.metrics.close()
        return self._finish()

    def _epoch(self, epoch: int) -> None:
        """One pass and its figures; epoch 0 measures the start only."""
        progress = self.progress
        if epoch:
            self._pass(epoch)
        row: dict[str, float] = {"epoch": epoch, "step": epoch * self.engine.steps}
        if epoch:
            row |= {f"{name}_loss": total / self.engine.steps for name, total in progress.sums.items()}
        began = time.perf_counter()
        if epoch in {0, self.recipe.epochs} or epoch % self.recipe.evaluate_every == 0:
            row |= self._measure(epoch)
        row["seconds"] = progress.seconds + time.perf_counter() - began
        progress.history.append(row)
        progress.total_seconds += row["seconds"]
        progress.epoch, progress.step, progress.sums, progress.seconds = epoch + 1, 0, {}, 0.0
        self._save()
        self.console.print(epoch_line(row))
        if self.fabric.is_global_zero:
            self.metrics.epoch(row)

    def _pass(self, epoch: int) -> None:
        progress = self.progress
        with epoch_bar(self.console, f"epoch {epoch}/{self.recipe.epochs}", self.engine.steps, progress.step) as show:
            began = time.perf_counter()
            for step in self.engine.epoch(epoch, progress.step):
                now = time.perf_counter()
                self._count(epoch, step, now - began)
                began = now
                show(step.losses["total"], step.crops)
                self._heed(self._told_to_stop())
                if time.monotonic() - self.saved > 60 * self.options.save_minutes:
                    self._save()

    def _count(self, epoch: int, step: Step, seconds: float) -> None:
        progress = self.progress
        progress.step += 1
        progress.crops += step.crops
        progress.seconds += seconds
        progress.training_seconds += seconds
        for name in self.engine.terms:
            progress.sums[name] = progress.sums.get(name, 0.0) + step.losses[name]
        number = (epoch - 1) * self.engine.steps + progress.step
        progress.steps.append([number, *(step.losses[name] for name in self.engine.terms), step.share])
        if self.fabric.is_global_zero:
            self.metrics.step(progress.steps[-1])

    def _measure(self, epoch: int) -> dict[str, float]:
        """Store and measure the network as it is, keep it where it is to be kept, and give its figures."""
        evaluation = self._on_first(lambda advance: self.keeper.measure(self.engine.network, epoch, advance).figures())
        figures = evaluation["all"]
        better = figures["mAP"] > self.progress.best
        if self.fabric.is_global_zero:
            self.keeper.choose(better=better)
        if better or self.options.keep == "last":
            self.progress.best, self.progress.kept = figures["mAP"], epoch
        return {name: value for name, value in figures.items() if name != "queries"}

    def _finish(self) -> Outcome:
        """Measure the kept file once more, as a user will load it."""
        figures = self._on_first(lambda advance: self.keeper.measure_kept(advance).figures())
        return Outcome(self.keeper.kept, self.progress.kept or 0, figures, self.progress.history)

    def _on_first(self, evaluate: Callable[[Advance], Figures]) -> Figures:
        """Evaluate on rank 0 while the others wait, and give all of them the figures; a signal breaks it off."""
        number, figures = 0, {}
        if self.fabric.is_global_zero:
            with count_bar(self.console, "evaluation", self.keeper.crops) as show:
                try:
                    figures = evaluate(self.interruption.checked(show))
                except BrokenOff:
                    number = self.interruption.number
        number, figures = self.fabric.broadcast((number, figures))
        self._heed(number)
        return figures

    def _told_to_stop(self) -> int:
        """The signal that any rank received, 0 for none; all ranks get the same answer."""
        if self.fabric.world_size == 1:
            return self.interruption.number
        number = torch.tensor(self.interruption.number, device=self.fabric.device)
        return int(cast("torch.Tensor", self.fabric.all_reduce(number, reduce_op="max")))

    def _heed(self, number: int) -> None:
        if not number:
            return
        self._save()
        raise Interrupted(
            number,
            f"Stopped by {signal.Signals(number).name} in epoch {self.progress.epoch} of {self.recipe.epochs}, after "
            f"{self.progress.step} of its {self.engine.steps} steps. The run is saved: the same command with --resume "
            "goes on from here.",
        )

    def _save(self) -> None:
        self.saved = time.monotonic()
        if self.fabric.is_global_zero:
            save_state(self.folder.state, State(self.identity, self.progress, self.engine.tensors()))
