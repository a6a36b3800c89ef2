"""The training loop: one recipe, one list to learn from, one list to choose on."""

import contextlib
import csv
import json
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import nn

from model.datasets import Crops
from model.embedder import Embedder
from model.errors import ModelError
from model.evaluation import evaluate_cross_camera
from model.evaluation.embed import embed_crops
from model.network import Classifier, CLIPSENet
from model.presets import load_preset
from model.training.data import TrainingData
from model.training.losses import Losses, ReidLoss
from model.training.recipe import Recipe
from model.training.start import start_discriminant
from model.weights import load_checkpoint, load_efficientnet_lite0, save_checkpoint

COLUMNS = ("epoch", "identity_loss", "contrastive_loss", "mAP", "R1", "R5", "seconds")


class TrainingError(ModelError):
    """A run that cannot go on."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run leaves.

    Attributes:
        weights: The checkpoint of the best epoch, matrices in fp16, its figures in the header.
        epoch: That epoch, from 1; 0 is the start before any step.
        figures: Its figures on the list chosen on, as `CrossCamera.figures` gives them.
        history: One row per epoch, as in the CSV log.
    """

    weights: Path
    epoch: int
    figures: dict[str, dict[str, float]]
    history: list[dict[str, float]]


def train(recipe: Recipe, learn: Crops, choose: Crops, out: Path, console: Console | None = None) -> Outcome:
    """Train a network and keep its best epoch.

    The best epoch is the one with the highest mAP on `choose`, measured through the same `Embedder` that serves. The
    run depends on nothing but its arguments, the number of torch threads and the kind of processor.

    Args:
        recipe: Every number of the run.
        learn: Crops to learn from.
        choose: Crops of other vehicles, to choose the epoch on.
        out: Folder for `<recipe>.safetensors` and `<recipe>.csv`; made where it is not there.
        console: Where progress is shown; None shows nothing.

    Returns:
        The outcome.

    Raises:
        DatasetError: A list shows fewer than two vehicles.
        StartError: The recipe's start cannot be computed from the crops.
        TrainingError: The loss is no longer finite, or vehicles are in both lists.
    """
    learn.need_identities()
    choose.need_identities()
    if shared := set(learn.identities) & set(choose.identities):
        raise TrainingError(
            f"{len(shared)} vehicle(s) are in both lists, such as {min(shared)}: figures would mean nothing."
        )
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(recipe.seed)
    np.random.seed(recipe.seed)  # noqa: NPY002 - the sampler draws from numpy's global generator
    return _Run(recipe, learn, choose, out, console or Console(quiet=True)).run()


class _Run:
    """State of one run: network, losses, optimiser and log."""

    def __init__(self, recipe: Recipe, learn: Crops, choose: Crops, out: Path, console: Console) -> None:
        self.recipe = recipe
        self.choose = choose
        self.console = console
        self.weights, self.log = out / f"{recipe.name}.safetensors", out / f"{recipe.name}.csv"
        self.network = CLIPSENet(load_preset(recipe.preset)).to(memory_format=torch.channels_last)
        if recipe.imagenet:
            load_efficientnet_lite0(self.network.appearance)  # type: ignore[arg-type]
        self.data = TrainingData(learn, self.network.preset.image_size, recipe)
        classifier = Classifier(self.network.preset.embedding_dim, self.data.identities)
        if recipe.start:
            start_discriminant(self.network, classifier, self.data.images, self.data.labels, recipe.start)
        self.loss = ReidLoss(classifier, recipe.label_smoothing, recipe.temperature)
        self.fixed = [self.network.get_submodule(name) for name in recipe.fixed_statistics]
        for name in recipe.frozen:
            self.network.get_submodule(name).requires_grad_(requires_grad=False)
        self.optimiser = torch.optim.AdamW(self._parameter_groups(classifier), weight_decay=recipe.weight_decay)
        steps = recipe.epochs * self.data.batches
        warm = recipe.warmup_epochs * self.data.batches
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimiser, lambda step: _rate(step, steps, warm))
        self.described = {"train": learn.name, "val": choose.name, "recipe": recipe.model_dump_json()}

    def run(self) -> Outcome:
        history: list[dict[str, float]] = []
        best = -1.0
        kept = 0
        with self.log.open("w", newline="", encoding="utf-8") as file:
            log = csv.DictWriter(file, COLUMNS)
            log.writeheader()
            for epoch in range(self.recipe.epochs + 1):
                row = self._epoch(epoch)
                history.append(row)
                log.writerow({name: f"{value:g}" for name, value in row.items()})
                file.flush()
                if row["mAP"] > best:
                    best, kept = row["mAP"], epoch
                    save_checkpoint(self.weights, self.network, self.network.preset, self.described, half=True)
        return Outcome(self.weights, kept, self._stamp(kept), history)

    def _epoch(self, epoch: int) -> dict[str, float]:
        """One pass and its figures; epoch 0 measures the start only."""
        began = time.perf_counter()
        means = self._pass(epoch) if epoch else (math.nan, math.nan)
        figures = self._figures(self.network)["all"]
        spent = time.perf_counter() - began
        values = (epoch, *means, figures["mAP"], figures["R1"], figures["R5"], spent)
        self.console.print(
            f"epoch {epoch:3d}  identity {means[0]:.3f}  contrastive {means[1]:.3f}  "
            f"mAP {figures['mAP']:.1f}  R1 {figures['R1']:.1f}  R5 {figures['R5']:.1f}  {spent:.0f} s"
        )
        return dict(zip(COLUMNS, values, strict=True))

    def _pass(self, epoch: int) -> tuple[float, float]:
        self.network.train()
        for module in self.fixed:
            module.eval()  # none of the networks' towers has dropout, so this concerns their BatchNorms only
        sums = np.zeros(2)
        with self._progress(epoch) as advance:
            for images, labels in self.data.epoch():
                losses: Losses = self.loss(self.network(images), labels)
                if not torch.isfinite(losses.total):
                    raise TrainingError(
                        f"The loss is {losses.total.item()} in epoch {epoch}: lower the learning rates. "
                        f"The best epoch so far is kept in {self.weights}."
                    )
                self.optimiser.zero_grad(set_to_none=True)
                losses.total.backward()  # type: ignore[no-untyped-call]
                self.optimiser.step()
                self.schedule.step()
                sums += [losses.identity.item(), losses.contrastive.item()]
                advance()
        identity, contrastive = sums / self.data.batches
        return float(identity), float(contrastive)

    def _figures(self, network: CLIPSENet) -> dict[str, dict[str, float]]:
        embedder = Embedder(network, weights_digest="in training", device=torch.device("cpu"))
        return evaluate_cross_camera(embed_crops(embedder, self.choose), self.choose).figures()

    def _stamp(self, epoch: int) -> dict[str, dict[str, float]]:
        """Measure the stored weights as a user will load them, and write the figures into their header."""
        network, preset = load_checkpoint(self.weights)
        figures = self._figures(network)
        header = {**self.described, "epoch": str(epoch), "figures": json.dumps(figures)}
        save_checkpoint(self.weights, network, preset, header, half=True)
        return figures

    def _parameter_groups(self, classifier: Classifier) -> list[dict[str, Any]]:
        rates = self.recipe.learning_rates
        parts: dict[str, nn.Module] = {**dict(self.network.named_children()), "classifier": classifier}
        groups = []
        for name, module in parts.items():
            parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
            if not parameters:
                continue
            if name not in rates:
                raise TrainingError(f"Recipe {self.recipe.name} gives no learning rate for {name}.")
            groups.append({"params": parameters, "lr": rates[name]})
        return groups

    @contextlib.contextmanager
    def _progress(self, epoch: int) -> Iterator[Any]:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=self.console, transient=True, disable=not self.console.is_terminal) as progress:
            task = progress.add_task(f"epoch {epoch}/{self.recipe.epochs}", total=self.data.batches)
            yield lambda: progress.advance(task)


def _rate(step: int, steps: int, warm: float) -> float:
    """Share of the full learning rate: linear warm-up, then cosine decay to zero."""
    rising = min(1.0, (step + 1) / warm) if warm else 1.0
    return rising * 0.5 * (1 + math.cos(math.pi * step / steps))
