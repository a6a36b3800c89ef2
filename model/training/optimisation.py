"""Optimiser and learning rates of a recipe."""

import math
from bisect import bisect_right
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from model.training.errors import TrainingError
from model.training.recipe import Cosine, Recipe


def build_optimiser(recipe: Recipe, parts: Mapping[str, nn.Module | nn.Parameter]) -> torch.optim.Optimizer:
    """The recipe's optimiser over what is trained, a group of parameters for each part.

    Args:
        recipe: Optimiser, weight decay and learning rates.
        parts: The network's and the loss's parts by name; what of them needs no gradient is left out.

    Raises:
        TrainingError: A part has parameters and no learning rate.
    """
    groups: list[dict[str, Any]] = []
    for name, part in parts.items():
        candidates = [part] if isinstance(part, nn.Parameter) else part.parameters()
        parameters = [parameter for parameter in candidates if parameter.requires_grad]
        rate = recipe.learning_rate(name)
        if not parameters:
            continue
        if rate is None:
            raise TrainingError(f"Recipe {recipe.name} gives no learning rate for {name}.")
        groups.append({"params": parameters, "lr": rate, "full_rate": rate, "name": name})
    kind = torch.optim.Adam if recipe.optimiser == "adam" else torch.optim.AdamW
    return kind(groups, weight_decay=recipe.weight_decay)


def set_rates(optimiser: torch.optim.Optimizer, recipe: Recipe, step: int, steps: int) -> float:
    """Give every group the learning rate of a step.

    Args:
        optimiser: From `build_optimiser`.
        recipe: Schedule, warm-up and epochs.
        step: Steps of the run done before this one.
        steps: Steps in one epoch.

    Returns:
        The share of the full learning rates.
    """
    taken = share(recipe, step / steps, 1 / steps)
    for group in optimiser.param_groups:
        group["lr"] = group["full_rate"] * taken
    return taken


def share(recipe: Recipe, epoch: float, step: float) -> float:
    """Share of the full learning rate that a step takes.

    Args:
        recipe: Schedule, warm-up and epochs.
        epoch: Epochs done before the step.
        step: Length of the step in epochs.
    """
    rising = min(1.0, (epoch + step) / recipe.warmup_epochs) if recipe.warmup_epochs else 1.0
    schedule = recipe.schedule
    if isinstance(schedule, Cosine):
        return rising * 0.5 * (1 + math.cos(math.pi * epoch / recipe.epochs))
    # A milestone falls on a step's beginning; half a step keeps rounding out of it.
    return float(rising * schedule.gamma ** bisect_right(schedule.milestones, epoch + step / 2))


def freeze(recipe: Recipe, network: nn.Module) -> list[nn.Module]:
    """Take the recipe's frozen modules out of training; gives those whose statistics are to stay fixed.

    Raises:
        TrainingError: The network has no module of a name given.
    """
    for name in recipe.frozen:
        _module(network, name, recipe).requires_grad_(requires_grad=False)
    return [_module(network, name, recipe) for name in recipe.fixed_statistics]


def _module(network: nn.Module, name: str, recipe: Recipe) -> nn.Module:
    try:
        return network.get_submodule(name)
    except AttributeError as error:
        raise TrainingError(f"Recipe {recipe.name} names {name}, which the network of its preset has not.") from error
