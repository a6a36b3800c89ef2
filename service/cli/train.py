"""`clip-senet train`: train a network on a data set."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from service.cli.data_options import Data, Layout, Manifest, Pattern
from service.cli.terminal import command_line, out, remarks, stop


def train(
    data: Data,
    recipe: Annotated[
        str, typer.Option(help="Name of a recipe (starter, veri776, vehicleid, veriwild), or path of a .json file.")
    ] = "starter",
    folder: Annotated[
        Path | None, typer.Option("--out", help="Folder for what the run leaves. [dim]default: runs/<recipe>[/dim]")
    ] = None,
    layout: Layout = "auto",
    pattern: Pattern = None,
    manifest: Manifest = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run in --out; where there is none, begin it.")
    ] = False,
    precision: Annotated[
        Literal["32-true", "bf16-mixed", "16-mixed"],
        typer.Option(help="Full, or mixed with bfloat16 (CPUs and newer GPUs) or float16 (GPUs)."),
    ] = "32-true",
    accumulate: Annotated[
        int,
        typer.Option(
            min=1, help="Cut each batch into so many parts, which need less memory; vehicles are compared within one."
        ),
    ] = 1,
    devices: Annotated[
        str, typer.Option(help="How many GPUs or processes share each batch; auto is as many as torchrun started.")
    ] = "auto",
    workers: Annotated[
        int | None,
        typer.Option(
            min=0, help="Processes that read and vary crops. [dim]default: as many as help[/dim]", show_default=False
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(min=0, max=2**32 - 1, help="Another seed than the recipe's, to see how much is chance."),
    ] = None,
    threads: Annotated[int, typer.Option(min=0, help="CPU threads; 0 leaves torch's default.")] = 0,
    keep: Annotated[
        Literal["best", "last"], typer.Option(help="Whose weights to keep: of the best epoch by mAP, or of the last.")
    ] = "best",
    initial_network: Annotated[
        Path | None, typer.Option(help="Start from this checkpoint instead of the recipe's initial weights.")
    ] = None,
    initial_appearance: Annotated[
        str | None, typer.Option(help="Initial weights of the CNN: a name of `clip-senet weights list`, or a file.")
    ] = None,
    initial_semantic: Annotated[
        str | None, typer.Option(help="Initial weights of the semantic tower: a name, or a file.")
    ] = None,
    random_start: Annotated[
        bool, typer.Option("--random-start", help="Leave out the recipe's initial weights: random ones instead.")
    ] = False,
    cache_gib: Annotated[
        float, typer.Option(min=0, help="Memory for the resized crops; a list that takes more is read each time.")
    ] = 4.0,
    save_minutes: Annotated[
        float, typer.Option(min=0, help="Save the state after so many minutes of an epoch, besides at its end.")
    ] = 10.0,
) -> None:
    r"""Train a network, and keep the weights of the epoch that ranks the data set's test best.

    Leaves <recipe>.safetensors (for CLIP_SENET_WEIGHTS), its card <recipe>.md,
    csv/metrics.csv, tensorboard/ and the state to go on from. Ctrl-C finishes
    the step, saves and says how to go on.

    [bold]Examples[/bold]

    The shipped weights again:
      clip-senet train --recipe starter --data DATA --threads 1

    Your own crops, names like car_0139_cam2.jpg:
      clip-senet train --data crops --pattern '(?P<vehicle>.+)_cam(?P<camera>\d+)\.jpg'

    The paper's recipe on VeRi-776, on four GPUs:
      torchrun --nproc-per-node 4 -m service.cli train --recipe veri776
      --data VeRi --precision bf16-mixed

    After an interruption:
      clip-senet train --recipe veri776 --data VeRi --resume

    [bold]Exit status[/bold] 0 done, 1 the run cannot begin or go on, 130 stopped by Ctrl-C,
    143 by SIGTERM; both are saved.
    """
    try:
        from model.datasets import open_dataset
        from model.errors import ModelError
        from model.training import Interrupted, Options, load_recipe
        from model.training import train as run
    except ImportError as error:
        stop(f"Training needs optional packages ({error}): pip install 'clip-senet-service[train]'.", 1)
    try:
        chosen = load_recipe(recipe).starting_from(
            network=None if initial_network is None else str(initial_network),
            appearance=initial_appearance,
            semantic=initial_semantic,
            random=random_start,
        )
        if seed is not None:
            chosen = chosen.model_copy(update={"seed": seed})
        options = Options(
            resume=resume,
            precision=precision,
            accumulate=accumulate,
            devices=_number(devices),
            workers=workers,
            threads=threads,
            keep=keep,
            cache_bytes=int(cache_gib * 2**30),
            save_minutes=save_minutes,
            command=command_line(),
        )
        dataset = open_dataset(data, layout=layout, pattern=pattern, manifest=manifest)
        outcome = run(chosen, dataset, folder or Path("runs") / chosen.name, options, remarks)
    except Interrupted as interrupted:
        stop(str(interrupted), interrupted.status)
    except ModelError as error:
        stop(str(error), 1)
    if not outcome.first:
        return
    best = outcome.figures["all"]
    out.print(f"Kept epoch {outcome.epoch}: mAP {best['mAP']:.1f}, R1 {best['R1']:.1f}, in {outcome.weights}")


def _number(devices: str) -> int | None:
    if devices == "auto":
        return None
    if not devices.isdecimal() or int(devices) < 1:
        raise typer.BadParameter(f"{devices!r} is neither auto nor a number of devices.", param_hint="--devices")
    return int(devices)
