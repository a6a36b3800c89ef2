"""`clip-senet projection`: smaller embeddings for a collection, made from its stored ones."""

import asyncio
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer
from rich.markup import escape

from service.cli.serve import settings_of
from service.cli.terminal import out, remarks, stop

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from service.database.engine import Database

_FAILED = 1
_INTERRUPTED = 130

Result = TypeVar("Result")

projection = typer.Typer(
    name="projection",
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="Fit a projection to smaller embeddings on a collection, and move the collection over to it.",
)

Collection = Annotated[str, typer.Option(help="Name of the collection.")]
DataDir = Annotated[
    Path | None,
    typer.Option(help="Folder of the embedded database. [dim]default: data[/dim]", show_default=False),
]


@projection.command(no_args_is_help=True)
def fit(
    collection: Collection,
    dimension: Annotated[int, typer.Option(min=1, help="Length of the projected embeddings.")],
    file: Annotated[Path, typer.Option("--out", help="File to write.", metavar="FILE")],
    data_dir: DataDir = None,
) -> None:
    """Fit a projection on the stored embeddings of a collection.

    The database is the service's own: the settings in the environment count, and
    the service may be running. No picture is read.

    [bold]Examples[/bold]

      clip-senet projection fit --collection default --dimension 256
      --out pca256.safetensors

    [bold]Exit status[/bold] 0 written, 1 not written and a sentence says why,
    130 interrupted.
    """
    from model.progress import count_bar
    from service.projection.service import crops_to_fit_on, fit_on_collection

    async def work(database: "Database") -> None:
        with count_bar(remarks, "Reading", await crops_to_fit_on(database, collection)) as advance:
            made = await fit_on_collection(database, collection, dimension, advance)
        made.save(file)
        out.print(
            f"{escape(str(file))} keeps {100 * made.kept:.1f} % of {made.crops} crops in {dimension} of "
            f"{made.base_dimension} components."
        )
        out.print(f"Model: {made.model_id}")

    with _sentences("Interrupted. Nothing was written."):
        if not file.absolute().parent.is_dir():
            stop(f"There is no folder {file.absolute().parent}: make it, or give --out another place.", _FAILED)
        _with_database(work, data_dir)


@projection.command(no_args_is_help=True)
def apply(
    collection: Collection,
    file: Annotated[Path, typer.Option("--projection", help="File that fit wrote.", metavar="FILE")],
    data_dir: DataDir = None,
) -> None:
    """Give every crop of a collection its projected embedding, then switch the collection to it.

    The service may go on enrolling and searching meanwhile. From the switch on it
    refuses the collection until it is started with CLIP_SENET_PROJECTION=FILE.
    After an interruption the same command goes on where it stopped.

    [bold]Examples[/bold]

      clip-senet projection apply --collection default
      --projection pca256.safetensors

    [bold]Exit status[/bold] 0 switched, 1 not switched and a sentence says why,
    130 interrupted.
    """
    from model.progress import count_bar
    from model.projection import Projection
    from service.projection.service import crops_left, project_collection

    async def work(database: "Database") -> None:
        with count_bar(remarks, "Projecting", await crops_left(database, collection, chosen)) as advance:
            changed = await project_collection(database, collection, chosen, advance)
        if not changed:
            out.print(f"{escape(collection)} is of model {chosen.model_id} already.")
            return
        out.print(f"{escape(collection)} is of model {chosen.model_id} now.")
        remarks.print(f"Start the service with CLIP_SENET_PROJECTION={escape(str(file))} to search and enroll in it.")

    with _sentences("Interrupted. What was done is kept: run the command again to go on."):
        chosen = Projection.load(file)
        _with_database(work, data_dir)


def _with_database(work: "Callable[[Database], Awaitable[Result]]", data_dir: Path | None) -> Result:
    from service.database.opening import opened_database

    settings = settings_of({} if data_dir is None else {"data_dir": data_dir})

    async def run() -> Result:
        async with opened_database(settings) as database:
            return await work(database)

    return asyncio.run(run())


@contextmanager
def _sentences(interrupted: str) -> "Iterator[None]":
    """What cannot be done ends the command with a sentence."""
    from model.errors import ModelError
    from service.database.migrate import SchemaError
    from service.errors import ServiceError

    try:
        yield
    except ServiceError as error:
        stop(error.detail, _FAILED)
    except (ModelError, SchemaError, ValueError) as error:
        stop(str(error), _FAILED)
    except KeyboardInterrupt:
        stop(interrupted, _INTERRUPTED)
