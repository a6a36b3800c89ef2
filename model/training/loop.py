"""The training loop: one recipe, a list to learn from, a test to choose the epoch on."""

import signal
import time
from collections.abc import Callable
from contextlib import closing, nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch
from lightning_fabric import Fabric
from rich.console import Console

from model.datasets import Dataset
from model.presets import load_preset
from model.progress import count_bar
from model.training.card import Lists, Run, write_card
from model.training.data import deaths_of_workers
from model.training.devices import open_fabric
from model.training.engine import Engine, Step
from model.training.errors import TrainingError
from model.training.folder import RunFolder
from model.training.interruption import Interrupted, Interruption
from model.training.keeper import Figures, Keeper
from model.training.machine import describe_machine, peak_memory, versions
from model.training.memory import memory_explained
from model.training.metrics import Metrics, writer_errors_once
from model.training.options import Options
from model.training.ranks import Advance, Ranks
from model.training.recipe import Recipe
from model.training.show import epoch_bar, epoch_line
from model.training.state import Identity, Progress, State, data_digest, load_state, save_state


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run leaves.

    Attributes:
        weights: The checkpoint of the kept epoch, matrices in fp16, its figures in the header.
        epoch: That epoch, from 1; 0 is the start before any step.
        figures: Its figures on the test chosen on, as `Evaluation.figures` gives them.
        history: One row per epoch; what was not measured is left out.
        first: Whether this process is the one that speaks for all.
    """

    weights: Path
    epoch: int
    figures: Figures
    history: list[dict[str, float]]
    first: bool


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
    lists = Lists(learn, test, f"{data.name} {test.name}", held_out=data.test_names[0] == "val")
    options = options or Options()
    if options.threads:
        torch.set_num_threads(options.threads)
    fabric, folder = open_fabric(options.precision, options.devices), RunFolder(out, recipe.name)
    with memory_explained(), folder.held() if fabric.is_global_zero else nullcontext():
        loop = _Loop(recipe, lists, folder, fabric, options=options, console=console or Console(quiet=True))
        with closing(loop.engine), loop.interruption.watched(), writer_errors_once():
            figures = loop.run()
    return Outcome(loop.folder.kept, loop.kept, figures, loop.progress.history, loop.ranks.first)


class _Loop:
    """One run: its engine, its files, and how far it is."""

    def __init__(
        self, recipe: Recipe, lists: Lists, folder: RunFolder, fabric: Fabric, *, options: Options, console: Console
    ) -> None:
        self.recipe, self.lists, self.folder, self.fabric, self.options = recipe, lists, folder, fabric, options
        self.resumed = folder.open(resume=options.resume)
        self.interruption = Interruption()
        self.ranks = Ranks(self.fabric, self.interruption)
        self.console = console if self.ranks.first else Console(quiet=True)
        preset = load_preset(recipe.preset)
        self.identity = Identity(
            recipe=recipe.model_dump_json(),
            preset=preset.model_dump_json(),
            data=data_digest(lists.learn, lists.test),
            precision=options.precision,
            accumulate=options.accumulate,
            keep=options.keep,
        )
        state = load_state(self.folder.state) if self.resumed else None
        if state:
            self.identity.refuse_other(state.identity, folder.path)
            if state.progress.kept is not None:
                self.folder.need_kept(state.progress.kept)
        self.engine = Engine(recipe, preset, lists.learn, options, self.fabric)
        self.progress = state.progress if state else Progress(command=options.command)
        if state:
            self.engine.restore(state.tensors)
        described = {"train": lists.learn.name, "val": lists.test_name, "recipe": self.identity.recipe}
        self.keeper = Keeper(self.folder.kept, options.keep, lists.test, self.fabric.device, described)
        self.metrics = Metrics(folder.path, self.engine.terms)
        self.saved = time.monotonic()

    @property
    def kept(self) -> int:
        """The epoch whose weights are kept."""
        return self.progress.kept or 0

    def run(self) -> Figures:
        """Take the run to its end, and give the kept file's figures."""
        self.ranks.barrier()  # before anything is written, every rank has seen that nothing is in the way
        if self.ranks.first:
            self.folder.clear_leftovers()
            if not self.resumed:
                self._save()
            self.metrics.replay(self.progress)
        for epoch in range(self.progress.epoch, self.recipe.epochs + 1):
            self._epoch(epoch)
        if self.ranks.first:
            self.metrics.close()
        return self._on_first(self._finish)

    def _epoch(self, epoch: int) -> None:
        """One pass and its figures; epoch 0 measures the start only."""
        progress, steps = self.progress, self.engine.steps
        row: dict[str, float] = {"epoch": epoch, "step": epoch * steps}
        if epoch:
            self._pass(epoch)
            row |= {f"{name}_loss": total / steps for name, total in progress.sums.items()}
        began = time.perf_counter()
        if epoch in {0, self.recipe.epochs} or epoch % self.recipe.evaluate_every == 0:
            row |= self._measure(epoch)
        row["seconds"] = progress.seconds + time.perf_counter() - began
        progress.end_epoch(row)
        self._save()
        if self.ranks.first:
            self.metrics.epoch(row)
        self.console.print(epoch_line(row))

    def _pass(self, epoch: int) -> None:
        done = self.progress.step
        with (
            deaths_of_workers(),
            epoch_bar(self.console, f"epoch {epoch}/{self.recipe.epochs}", self.engine.steps, done) as show,
        ):
            began = time.perf_counter()
            for step in self.engine.epoch(epoch, done):
                now = time.perf_counter()
                self._note(step, now - began)
                began = now
                show(step.losses["total"], step.crops)
                self._heed(self.ranks.signal())
                if time.monotonic() - self.saved > 60 * self.options.save_minutes:
                    self._save()

    def _note(self, step: Step, seconds: float) -> None:
        losses = {name: step.losses[name] for name in self.engine.terms}
        self.progress.end_step(losses, step.share, step.crops, seconds)
        if self.ranks.first:
            self.metrics.step(self.progress.steps[-1])

    def _measure(self, epoch: int) -> dict[str, float]:
        """Store and measure the network as it is, keep it where it is to be kept, and give its figures."""
        figures = self._on_first(lambda advance: self.keeper.measure(self.engine.network, epoch, advance))["all"]
        better = figures["mAP"] > self.progress.best
        if self.ranks.first:
            self.keeper.choose(better=better)
        if better or self.options.keep == "last":
            self.progress.best, self.progress.kept = figures["mAP"], epoch
        return {name: value for name, value in figures.items() if name != "queries"}

    def _finish(self, advance: Advance) -> Figures:
        """Measure the kept file once more, as a user will load it, and write its card."""
        embedder, evaluation = self.keeper.measure_kept(advance)
        run = Run(
            recipe=self.recipe,
            lists=self.lists,
            epoch=self.kept,
            keep=self.options.keep,
            command=self.progress.command,
            parameters=sum(parameter.numel() for parameter in self.engine.network.parameters()),
            facts=self._facts(),
        )
        self.folder.write_card(write_card(run, self.folder.kept, embedder.model_id, evaluation))
        return evaluation.figures()

    def _facts(self) -> dict[str, str]:
        progress = self.progress
        rate = progress.crops / progress.training_seconds
        return {
            "hardware": describe_machine(self.fabric),
            "precision": self.options.precision,
            "micro-batches in a batch": str(self.options.accumulate),
            "wall time": f"{progress.total_seconds / 60:.1f} min, evaluations included",
            "crops per second": f"{rate:.1f} in training",
            "peak memory": f"{progress.peak_memory / 1e9:.2f} GB of one process",
            "versions": ", ".join(f"{name} {number}" for name, number in versions().items()),
        }

    def _on_first(self, work: Callable[[Advance], Figures]) -> Figures:
        with count_bar(self.console, "evaluation", self.keeper.crops) as show:
            number, figures = self.ranks.on_first(work, show)
        self._heed(number)
        return figures or {}

    def _heed(self, number: int) -> None:
        if number:
            self._save()
            where = self.progress.where(self.recipe.epochs, self.engine.steps)
            raise Interrupted(
                number,
                f"Stopped by {signal.Signals(number).name} {where}. "
                "The run is saved: the same command with --resume goes on from here.",
            )

    def _save(self) -> None:
        self.saved = time.monotonic()
        if self.ranks.first:
            self.progress.peak_memory = max(self.progress.peak_memory, peak_memory(self.fabric))
            save_state(self.folder.state, State(self.identity, self.progress, self.engine.tensors()))
