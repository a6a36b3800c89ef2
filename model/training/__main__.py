"""`python -m model.training`: train a recipe on the two-camera set."""

from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.console import Console

from model.datasets import read_two_camera
from model.errors import ModelError
from model.training.loop import train
from model.training.recipe import load_recipe


def main(
    data: Annotated[Path, typer.Option(help="Folder of the two-camera set (images/, train.txt, val.txt).")],
    out: Annotated[
        Path, typer.Option(help="Folder for the weights (<recipe>.safetensors) and the log (<recipe>.csv).")
    ],
    recipe: Annotated[str, typer.Option(help="Name of a recipe, or path of a .json file.")] = "starter",
    threads: Annotated[int, typer.Option(help="CPU threads; 0 leaves torch's default.")] = 0,
) -> None:
    """Train on train.txt, keep the epoch that ranks val.txt best, and write a checkpoint with its figures inside."""
    console = Console()
    if threads:
        torch.set_num_threads(threads)
    try:
        outcome = train(load_recipe(recipe), read_two_camera(data, "train"), read_two_camera(data, "val"), out, console)
    except ModelError as error:
        console.print(f"[red]{error}[/red]")
        raise typer.Exit(1) from error
    best = outcome.figures["all"]
    console.print(f"Kept epoch {outcome.epoch}: mAP {best['mAP']:.1f}, R1 {best['R1']:.1f}, in {outcome.weights}")


if __name__ == "__main__":
    typer.run(main)
