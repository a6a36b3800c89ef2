"""What takes steps: network, loss, optimiser and loader on the devices."""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from lightning_fabric import Fabric

from model.datasets import Crops
from model.presets import Preset
from model.training.batches import DrawSampler, EpochBatches
from model.training.captions import CaptionTerm
from model.training.data import TrainingCrops, build_loader, end_workers, read_batches
from model.training.devices import share_statistics
from model.training.errors import TrainingError
from model.training.learner import Learner
from model.training.losses import Batch, paper_objective
from model.training.optimisation import build_optimiser, freeze, set_rates
from model.training.options import Options
from model.training.preparation import build_classifier, build_network
from model.training.recipe import Recipe
from model.training.seeds import seed_of


class Step(NamedTuple):
    """What a step was.

    Attributes:
        losses: Each term of the loss and their "total", mean over the batch.
        crops: Crops seen, by all devices together.
        share: Of the full learning rates.
    """

    losses: dict[str, float]
    crops: int
    share: float


class Engine:
    """Takes the steps of a recipe. What a step does follows from the recipe, the data, and the state before it alone.

    Args:
        recipe: Every number of the run.
        preset: The network's.
        learn: Crops to learn from.
        options: How the run is carried out.
        fabric: The devices, launched.

    Attributes:
        network: The network, the same object on every call.
        steps: Steps in one epoch.
        terms: Names of the loss's terms.

    Raises:
        WeightsError: Initial weights are not there or do not fit.
        StartError: The recipe's start cannot be computed from the crops.
        TrainingError: Recipe, preset, data and options do not go together.
    """

    def __init__(self, recipe: Recipe, preset: Preset, learn: Crops, options: Options, fabric: Fabric) -> None:
        self._recipe, self._fabric, self._accumulate = recipe, fabric, options.accumulate
        self._batches = EpochBatches(learn.labels(), recipe)
        self._batches.need_cut(options.accumulate, fabric.world_size)
        self.steps = self._batches.steps
        torch.manual_seed(recipe.seed)
        network = build_network(preset, recipe.initial, options.store)
        crops = TrainingCrops(learn, preset.image_size, recipe.augmentation, recipe.seed, options.cache_bytes)
        classifier = build_classifier(recipe, network, crops)
        self.network = share_statistics(network, fabric)
        captions = {"captions": CaptionTerm([crop.caption for crop in learn])} if recipe.captions else {}
        objective = paper_objective(classifier, recipe.label_smoothing, recipe.temperature, captions)
        self.terms = objective.names
        self._raw = Learner(self.network, objective, fabric, freeze(recipe, self.network))
        self._learner, self._optimiser = fabric.setup(self._raw, build_optimiser(recipe, self._raw.parts()))
        self._sampler = DrawSampler(
            self._batches, recipe.crops_per_identity, options.accumulate, fabric.global_rank, fabric.world_size
        )
        self._loader = build_loader(crops, self._sampler, options.workers, gpu=fabric.device.type == "cuda")

    def epoch(self, epoch: int, first: int) -> Iterator[Step]:
        """Take the steps of an epoch from one on; each is done when it is given.

        Args:
            epoch: From 1.
            first: The first step to take, from 0.

        Raises:
            TrainingError: The loss is not finite.
            DatasetError: A crop cannot be read.
        """
        self._sampler.start(epoch, first)
        self._learner.train()
        batches = read_batches(self._loader)
        for step in range(first, self.steps):
            yield self._step(epoch, step, batches)

    def close(self) -> None:
        """End the processes that read crops; no step can be taken afterwards."""
        end_workers(self._loader)

    def tensors(self) -> dict[str, Any]:
        """All that changes with the steps."""
        return {
            "learner": self._raw.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "precision": self._fabric.strategy.precision.state_dict(),
        }

    def restore(self, tensors: dict[str, Any]) -> None:
        """Go back to where `tensors` was called.

        Raises:
            TrainingError: They are of another network.
        """
        try:
            self._raw.load_state_dict(tensors["learner"])
            self._optimiser.load_state_dict(tensors["optimiser"])
            self._fabric.strategy.precision.load_state_dict(tensors["precision"])
        except (RuntimeError, ValueError, KeyError) as error:
            raise TrainingError(f"The saved state does not fit the recipe's network: {error}") from error

    def _step(self, epoch: int, step: int, batches: Iterator[Batch]) -> Step:
        # Nothing random is left to what came before, so a run can be taken up at any step.
        torch.manual_seed(seed_of(self._recipe.seed, epoch, step, self._fabric.global_rank))
        share = set_rates(self._optimiser, self._recipe, (epoch - 1) * self.steps + step, self.steps)
        self._optimiser.zero_grad(set_to_none=True)
        sizes = self._batches.micro_sizes(step, self._accumulate)
        losses = dict.fromkeys((*self.terms, "total"), 0.0)
        for number, size in enumerate(sizes, start=1):
            weight = size / sum(sizes)
            with self._fabric.no_backward_sync(self._learner, enabled=number < len(sizes)):
                values = self._learner(self._fabric.to_device(next(batches)), size)
                self._fabric.backward(values["total"] * weight)
            for name, value in values.items():
                losses[name] += weight * value.item()
        if not math.isfinite(losses["total"]):
            raise TrainingError(
                f"The loss is {losses['total']} in epoch {epoch}, step {step + 1} of {self.steps}: lower the learning "
                "rates. The weights of the best epoch so far are kept."
            )
        self._optimiser.step()
        return Step(losses, sum(sizes), share)
