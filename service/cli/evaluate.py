"""`clip-senet evaluate`: how well a model ranks a data set, by the rules of the field."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from service import __version__
from service.cli.data_options import Data, Layout, Manifest, Pattern
from service.cli.files import write_file
from service.cli.terminal import command_line, out, remarks, stop

if TYPE_CHECKING:
    from model.datasets import RetrievalTest
    from model.embedder import Embedder
    from model.evaluation import Embedded, Evaluation, ImageEmbedder
    from model.evaluation.degradations import DegradedFigures
    from model.evaluation.summary import Measured

_FAILED = 2
_INTERRUPTED = 130


def evaluate(
    data: Data,
    layout: Layout = "auto",
    pattern: Pattern = None,
    manifest: Manifest = None,
    test: Annotated[
        str | None, typer.Option(help="Which of the data set's tests, such as small; its first where absent.")
    ] = None,
    weights: Annotated[Path | None, typer.Option(help="Checkpoint; the shipped weights where absent.")] = None,
    preset: Annotated[str | None, typer.Option(help="Refuse weights of another preset than this.")] = None,
    report: Annotated[
        Path | None, typer.Option(help="Write report.html and figures.json into this folder.", metavar="DIR")
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write everything measured to this file.", metavar="FILE")
    ] = None,
    baselines: Annotated[
        bool, typer.Option("--baselines", help="Also measure an untouched ImageNet CNN and a colour histogram.")
    ] = False,
    degradations: Annotated[
        bool, typer.Option("--degradations", help="Also measure as crops shrink, blur and darken.")
    ] = False,
    false_match_rate: Annotated[
        float, typer.Option(min=0, max=1, help="Share of pairs of different vehicles that the threshold may let pass.")
    ] = 0.001,
    rerank_top: Annotated[
        int, typer.Option(min=1, help="Best candidates of each query that the re-ranked columns order anew.")
    ] = 200,
    batch: Annotated[int, typer.Option(min=1, help="Crops embedded at once.")] = 32,
    device: Annotated[str, typer.Option(help="Where the network runs: auto, cpu, cuda.")] = "auto",
    threads: Annotated[int, typer.Option(min=0, help="CPU threads of the network; 0 leaves torch's default.")] = 0,
) -> None:
    r"""Rank a data set's test and print mAP, mINP, R1, R5 and R10, overall and by vehicle type.

    Side by side: by cosine alone, and as the service's rerank and
    camera_normalization order the best candidates anew.

    [bold]Examples[/bold]

    The shipped weights on VeRi-776, with a page to look at:
      clip-senet evaluate --data VeRi --report runs/veri

    Your weights on your own crops, names like car_0139_cam2.jpg:
      clip-senet evaluate --data crops --pattern '(?P<vehicle>.+)_cam(?P<camera>\d+)\.jpg'
      --weights runs/mine/mine.safetensors

    What smaller, blurred and darker pictures cost:
      clip-senet evaluate --data VeRi --degradations --baselines --json figures.json

    [bold]Exit status[/bold] 0 measured, 2 it could not be measured or the command is
    wrong, 130 interrupted. Files are written at the end, whole or not at all.
    """
    from model.datasets import open_dataset
    from model.embedder import Embedder
    from model.errors import ModelError

    try:
        _need_places(report, json_file)
        dataset = open_dataset(data, layout=layout, pattern=pattern, manifest=manifest)
        chosen = dataset.test(test)
        embedder = Embedder.load(weights, preset, device, threads)
        measured, embedded = _measure(
            embedder,
            chosen,
            {"name": dataset.name, "folder": str(data)},
            weights,
            rerank_top=rerank_top,
            false_match_rate=false_match_rate,
            batch=batch,
            baselines=baselines,
            degradations=degradations,
        )
        # shown first: a disk that is full by now must not take hours of figures with it
        _show(measured)
        _write(measured, embedded, report, json_file)
    except ModelError as error:
        stop(str(error), _FAILED)
    except KeyboardInterrupt:
        stop("Interrupted. No file was left half written.", _INTERRUPTED)


def _need_places(report: Path | None, json_file: Path | None) -> None:
    """Say before the work whether its results can be written after it."""
    if json_file is not None and json_file.is_dir():
        stop(f"--json {json_file} is a folder: give the name of a file.", _FAILED)
    for option, folder in (("--report", report), ("--json", json_file and json_file.parent)):
        if folder is None:
            continue
        there = next(place for place in (folder.absolute(), *folder.absolute().parents) if place.exists())
        if not there.is_dir():
            stop(f"{option}: {there} is a file where a folder is needed. Give another place.", _FAILED)
        if not os.access(there, os.W_OK | os.X_OK):
            stop(f"{option}: the folder {there} cannot be written. Give another place.", _FAILED)
    if report is not None:
        try:
            import model.evaluation.report  # noqa: F401 - only whether it can be
        except ImportError as error:
            stop(f"The report needs {error.name}: pip install 'clip-senet-service[train]'.", _FAILED)


def _measure(
    embedder: "Embedder",
    test: "RetrievalTest",
    data: dict[str, str],
    weights: Path | None,
    *,
    rerank_top: int,
    false_match_rate: float,
    batch: int,
    baselines: bool,
    degradations: bool,
) -> "tuple[Measured, Embedded]":
    from model.evaluation import crops_to_embed, embed_test, evaluate_embedded
    from model.evaluation.retrieval import check_test, queries_of
    from model.evaluation.summary import Measured
    from model.progress import count_bar
    from service.cli.evaluation_columns import SETTINGS, columns_for

    check_test(test)
    with count_bar(remarks, "Embedding", crops_to_embed(test)) as advance:
        embedded = embed_test(embedder, test, batch=batch, advance=advance)
    with count_bar(remarks, "Ranking", queries_of(test)) as advance:
        evaluation = evaluate_embedded(embedded, test, columns_for(test.rule), rerank_top=rerank_top, advance=advance)
    measured = Measured(
        test=test,
        evaluation=evaluation,
        model={
            "id": embedder.model_id,
            "dimension": embedder.dimension,
            "weights": None if weights is None else str(weights),
        },
        data=data,
        run={"command": command_line(), "release": __version__},
        rerank_top=rerank_top,
        rerank_settings=SETTINGS,
        false_match_rate=false_match_rate,
        baselines=_baselines(test, embedder.image_size, batch) if baselines else {},
        degradations=_degraded(embedder, test, embedded, batch) if degradations else [],
    )
    return measured, embedded


def _baselines(test: "RetrievalTest", image_size: int, batch: int) -> "dict[str, Evaluation]":
    from model.evaluation import ColourHistogram, ImageNetCnn, crops_to_embed, embed_test, evaluate_embedded
    from model.progress import count_bar

    models: dict[str, ImageEmbedder] = {"ImageNet CNN": ImageNetCnn(image_size), "HSV histogram": ColourHistogram()}
    found = {}
    for name, model in models.items():
        with count_bar(remarks, name, crops_to_embed(test)) as advance:
            found[name] = evaluate_embedded(embed_test(model, test, batch=batch, advance=advance), test)
    return found


def _degraded(embedder: "Embedder", test: "RetrievalTest", embedded: "Embedded", batch: int) -> "list[DegradedFigures]":
    from model.evaluation import crops_to_embed
    from model.evaluation.degradations import DEGRADATIONS, degraded_figures
    from model.progress import count_bar

    with count_bar(remarks, "Worse pictures", len(DEGRADATIONS) * crops_to_embed(test)) as advance:
        return list(degraded_figures(embedder, test, embedded, batch=batch, advance=advance))


def _write(measured: "Measured", embedded: "Embedded", report: Path | None, json_file: Path | None) -> None:
    """Make everything first, then write it, each file whole or not at all."""
    from model.evaluation.summary import summary

    if report is None and json_file is None:
        return
    document = summary(measured)
    figures = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    files = {}
    if report is not None:
        from model.evaluation.report import report_page

        # the page first, for it is the largest: where it finds room, the figures do
        files = {
            report / "report.html": report_page(measured, embedded, document),
            report / "figures.json": figures,
        }
    if json_file is not None:
        files[json_file] = figures
    for file, content in files.items():
        write_file(file, content, _FAILED)
    if report is not None:
        remarks.print(f"The report is {escape(str(report / 'report.html'))}", style="dim")


def _show(measured: "Measured") -> None:
    from model.evaluation.summary import rerank_note
    from service.cli.evaluation_tables import degradation_table, figure_table, score_table, threshold_line

    out.print(figure_table(measured))
    out.print(rerank_note(measured.rerank_top) + "\n", style="dim")
    out.print(score_table(measured))
    out.print(threshold_line(measured) + "\n")
    if measured.degradations:
        out.print(degradation_table(measured))
