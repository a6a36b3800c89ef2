"""What each process of a run on several does; started by torchrun with a job, a pickle of `Job`."""

import pickle
import sys
from dataclasses import dataclass
from pathlib import Path

import torch

from model.presets import load_preset
from model.training import Options, Recipe, train
from model.training.devices import open_fabric
from model.training.engine import Engine
from support.training import Generated


@dataclass(frozen=True)
class Job:
    """What to do.

    Attributes:
        recipes: One epoch is taken of each.
        accumulate: Micro-batches in a batch.
        data: The crops.
        out: Where each rank leaves `<recipe>-<rank>.pt`, and a whole run of the last recipe its files.
    """

    recipes: tuple[Recipe, ...]
    accumulate: int
    data: Generated
    out: Path


def take_steps(job: Job, recipe: Recipe) -> dict[str, object]:
    """Losses of each step of an epoch, the first one's gradients, and the state dict after it."""
    fabric = open_fabric("32-true", None)
    options = Options(accumulate=job.accumulate)
    engine = Engine(recipe, load_preset(recipe.preset), job.data.learn, options, fabric)
    steps = engine.epoch(1, 0)
    losses = [next(steps).losses]
    trained = engine._raw.named_parameters()
    gradients = {name: value.grad.clone() for name, value in trained if value.grad is not None}
    losses += [step.losses for step in steps]
    return {
        "losses": losses,
        "gradients": gradients,
        "learner": engine.tensors()["learner"],
        "rank": fabric.global_rank,
    }


def main(path: Path) -> None:
    """Do a job as one of its processes."""
    torch.set_num_threads(1)
    job: Job = pickle.loads(path.read_bytes())  # noqa: S301 - the test's own
    for recipe in job.recipes:
        taken = take_steps(job, recipe)
        torch.save(taken, job.out / f"{recipe.name}-{taken['rank']}.pt")
    outcome = train(job.recipes[-1], job.data, job.out / "run", Options(accumulate=job.accumulate, keep="last"))
    torch.save(outcome.figures, job.out / f"figures-{taken['rank']}.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
