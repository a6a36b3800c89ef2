"""`python -m model.evaluation`: figures of weights and baselines on the two-camera set."""

import json
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.table import Table

from model.datasets import read_two_camera
from model.embedder import Embedder
from model.errors import ModelError
from model.evaluation.baselines import ColourHistogram, ImageNetCnn
from model.evaluation.embed import ImageEmbedder, embed_crops
from model.evaluation.protocol import CrossCamera, evaluate_cross_camera


def main(
    data: Annotated[Path, typer.Option(help="Folder of the two-camera set (images/, train.txt, val.txt).")],
    weights: Annotated[Path | None, typer.Option(help="Checkpoint; the shipped starter weights where absent.")] = None,
    split: Annotated[str, typer.Option(help="Which list: val or train.")] = "val",
    threads: Annotated[int, typer.Option(help="CPU threads; 0 leaves torch's default.")] = 0,
    output: Annotated[Path | None, typer.Option("--json", help="Also write the figures to this file.")] = None,
    *,
    baselines: Annotated[
        bool, typer.Option(help="Also measure the untouched ImageNet CNN and a colour histogram.")
    ] = True,
) -> None:
    """Query each crop of the list against the crops of the other camera, by cosine; print mAP and CMC per type."""
    console = Console()
    if split not in ("val", "train"):
        raise typer.BadParameter(f"{split!r} is no list of the set: give val or train.", param_hint="--split")
    try:
        results = _measure(data, weights, "val" if split == "val" else "train", threads, baselines=baselines)
    except ModelError as error:
        console.print(f"[red]{error}[/red]")
        raise typer.Exit(1) from error
    for table in (_figure_table(results), _score_table(results)):
        console.print(table)
    if output:
        report = {name: {**result.figures(), "scores": result.scores.quantiles()} for name, result in results.items()}
        output.write_text(json.dumps(report, indent=2), encoding="utf-8")


def _measure(
    data: Path, weights: Path | None, split: Literal["train", "val"], threads: int, *, baselines: bool
) -> dict[str, CrossCamera]:
    crops = read_two_camera(data, split)
    embedder = Embedder.load(weights, threads=threads)
    models: dict[str, ImageEmbedder] = {embedder.model_id: embedder}
    if baselines:
        models["EfficientNet-Lite0, ImageNet, untouched"] = ImageNetCnn(embedder.image_size)
        models["HSV histogram"] = ColourHistogram()
    return {name: evaluate_cross_camera(embed_crops(model, crops), crops) for name, model in models.items()}


def _figure_table(results: dict[str, CrossCamera]) -> Table:
    table = Table(title="Query one camera, gallery the other (percent)")
    table.add_column("model", overflow="fold")
    table.add_column("type")
    for column in ("queries", "mAP", "R1", "R5", "R10"):
        table.add_column(column, justify="right")
    for name, result in results.items():
        for kind, row in result.figures().items():
            shares = (f"{row[column]:.1f}" for column in ("mAP", "R1", "R5", "R10"))
            table.add_row(name if kind == "all" else "", kind, f"{row['queries']:.0f}", *shares)
    return table


def _score_table(results: dict[str, CrossCamera]) -> Table:
    points = (0.05, 0.25, 0.5, 0.75, 0.95)
    table = Table(title="Cosine of pairs across cameras, quantiles")
    table.add_column("model", overflow="fold")
    table.add_column("pairs")
    for point in points:
        table.add_column(f"{100 * point:.0f} %", justify="right")
    for name, result in results.items():
        for kind, values in result.scores.quantiles(points).items():
            table.add_row(name if kind == "same" else "", kind, *(f"{value:.3f}" for value in values))
    return table


if __name__ == "__main__":
    typer.run(main)
