"""`clip-senet bench`: what the index costs and how well it finds, on your own embeddings."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from service import __version__
from service.cli.files import write_file
from service.cli.terminal import command_line, out, remarks, stop

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from index.codecs.recall import CodecFigures

_FAILED = 2
_INTERRUPTED = 130
_ENOUGH = 0.99
_LEAST = 20
_LOOK_OF_A_COPY = 0.25
"""How far a made-up embedding is from the one it is made of, in distances between two real ones picked at random."""

bench = typer.Typer(
    name="bench", no_args_is_help=True, rich_markup_mode="rich", help="Measure the index on your own embeddings."
)


@bench.callback()
def _commands() -> None:
    """Measure the index on your own embeddings."""


@bench.command()
def recall(
    crops: Annotated[
        Path | None, typer.Option(help="Folder of crops to embed; the sample vehicles where absent.", metavar="FOLDER")
    ] = None,
    embeddings: Annotated[
        Path | None, typer.Option(help="Embeddings, rows of a .npy file, instead of crops.", metavar="FILE")
    ] = None,
    queries: Annotated[int, typer.Option(min=1, help="Embeddings picked out to search by; at most a fifth.")] = 500,
    k: Annotated[int, typer.Option("-k", min=1, help="Nearest that are to be found.")] = 10,
    synthetic: Annotated[
        int, typer.Option(min=0, help="Fill up to this many embeddings with made-up ones near the real.", metavar="N")
    ] = 0,
    seed: Annotated[int, typer.Option(min=0, help="Picks the queries and makes up embeddings.")] = 0,
    weights: Annotated[Path | None, typer.Option(help="Checkpoint; the shipped weights where absent.")] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write everything measured to this file.", metavar="FILE")
    ] = None,
    device: Annotated[str, typer.Option(help="Where the network runs: auto, cpu, cuda.")] = "auto",
    threads: Annotated[int, typer.Option(min=0, help="CPU threads of the network; 0 leaves torch's default.")] = 0,
) -> None:
    r"""Measure each codec's recall against an exact scan, its bytes and its time.

    Some embeddings are picked out as queries; the rest is searched for their
    nearest. The smallest codec that finds 99 % of them is named.

    [bold]Examples[/bold]

    On your crops, and the embeddings of a collection saved before:
      clip-senet bench recall --crops crops/gate-north
      clip-senet bench recall --embeddings embeddings.npy --json recall.json

    [bold]Exit status[/bold] 0 measured, 1 no codec finds enough, 2 it could not be
    measured or the command is wrong, 130 interrupted.
    """
    import numpy as np

    from model.errors import ModelError

    if crops is not None and embeddings is not None:
        stop("Give --crops or --embeddings, not both.", _FAILED)
    try:
        real, source = _read(embeddings) if embeddings is not None else _embed(crops, weights, device, threads)
        if len(real) < _LEAST:
            stop(f"{source}: {len(real)} embeddings are too few to measure by; give at least {_LEAST}.", _FAILED)
        random = np.random.default_rng(seed)
        order = random.permutation(len(real))
        count = min(queries, len(real) // 5)
        asked, gallery = real[order[:count]], real[order[count:]]
        made_up = max(0, synthetic - len(gallery))
        gallery = np.concatenate([gallery, _made_up(gallery, made_up, random)])
        figures = _measure(gallery, asked, k)
        document = _document(figures, source, k, {"real": len(gallery) - made_up, "made_up": made_up, "queries": count})
        if json_file is not None:
            text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
            write_file(json_file, text, _FAILED)
    except ModelError as error:
        stop(str(error), _FAILED)
    except KeyboardInterrupt:
        stop("Interrupted. Nothing was written.", _INTERRUPTED)
    _show(figures, document)
    if document["smallest"] is None:
        raise typer.Exit(1)


def _read(file: Path) -> "tuple[NDArray[np.float32], str]":
    import numpy as np

    from index.contract import UNIT_TOLERANCE

    try:
        vectors = np.load(file, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        stop(f"{file} cannot be read as a .npy file: {error}", _FAILED)
    if vectors.ndim != 2 or vectors.dtype.kind != "f" or not vectors.size:  # noqa: PLR2004 - rows and components
        stop(
            f"{file} holds {vectors.dtype} of shape {vectors.shape}, expected rows of numbers, one embedding each.",
            _FAILED,
        )
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1)
    broken = np.flatnonzero(~(np.abs(lengths - 1) <= UNIT_TOLERANCE))
    if len(broken):
        stop(f"{file}, row {broken[0]}: length {lengths[broken[0]]:.6g}, an embedding has length 1.", _FAILED)
    return np.ascontiguousarray(vectors, dtype=np.float32), str(file)


def _embed(folder: Path | None, weights: Path | None, device: str, threads: int) -> "tuple[NDArray[np.float32], str]":
    from model.datasets.crops import Crops, LabelledCrop
    from model.embedder import Embedder
    from model.evaluation.embed import embed_crops
    from model.synthetic.sample import load_sample
    from service.cli.sources import SourceError, find

    try:
        files = [one.path for one in load_sample()] if folder is None else [one.path for one in find([folder])]
    except SourceError as error:
        stop(str(error), _FAILED)
    if not files:
        stop(f"There are no pictures in {folder}.", _FAILED)
    name = "sample vehicles" if folder is None else str(folder)
    embedder = Embedder.load(weights, None, device, threads)
    remarks.print(f"Embedding {len(files):,} crops", style="dim")
    listed = Crops(name, tuple(LabelledCrop(file, "", "") for file in files))
    return embed_crops(embedder, listed), f"{name}, {embedder.model_id}"


def _made_up(real: "NDArray[np.float32]", count: int, random: "np.random.Generator") -> "NDArray[np.float32]":
    """Embeddings beside real ones, off in the directions in which two real ones, picked at random, differ."""
    import numpy as np

    picked = random.integers(len(real), size=(3, count))
    vectors = real[picked[0]] + np.float32(_LOOK_OF_A_COPY) * (real[picked[1]] - real[picked[2]])
    unit: NDArray[np.float32] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


def _measure(gallery: "NDArray[np.float32]", queries: "NDArray[np.float32]", k: int) -> "list[CodecFigures]":
    from index.codecs import CODECS
    from index.codecs.recall import codec_figures, nearest_rows

    nearest = nearest_rows(gallery, queries, k)
    return [codec_figures(codec, gallery, queries, nearest) for codec in CODECS.values()]


def _document(figures: "list[CodecFigures]", source: str, k: int, sizes: dict[str, int]) -> dict[str, Any]:
    from index.codecs import DEFAULT_CODEC
    from index.codecs.recall import smallest_codec

    smallest = smallest_codec(figures, _ENOUGH)
    return {
        "embeddings": source,
        "k": k,
        **sizes,
        "codecs": [asdict(one) | {"time_to_fp32": one.milliseconds / figures[0].milliseconds} for one in figures],
        "enough": _ENOUGH,
        "smallest": smallest and smallest.codec,
        "default": DEFAULT_CODEC,
        "run": {"command": command_line(), "release": __version__},
    }


def _show(figures: "list[CodecFigures]", document: dict[str, Any]) -> None:
    made_up = f" and {document['made_up']:,} made up beside them" if document["made_up"] else ""
    title = f"{document['embeddings']}: {document['real']:,} embeddings{made_up}, {document['queries']:,} queries"
    table = Table(title=escape(title), title_justify="left", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("Codec")
    columns = ("Bytes\nscanned", "Bytes in\nmemory", "Bytes on\ndisk", f"Recall\n@{document['k']}", "Milli-\nseconds")
    for name in (*columns, "Time\nto fp32"):
        table.add_column(name, justify="right")
    for one in figures:
        sizes = (f"{size:,.0f}" for size in (one.scanned_bytes, one.memory_bytes, one.disk_bytes))
        ratio = one.milliseconds / figures[0].milliseconds
        table.add_row(one.codec, *sizes, f"{one.recall:.4f}", f"{one.milliseconds:.2f}", f"{ratio:.2f}")
    out.print(table)
    smallest, default = document["smallest"], document["default"]
    if smallest is None:
        out.print(f"No codec finds {100 * _ENOUGH:g} %.")
        return
    used = "it is the default" if smallest == default else f"the default is {default}"
    out.print(f"The smallest in memory that finds {100 * _ENOUGH:g} %: {smallest}; {used}.")
