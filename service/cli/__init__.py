"""The command `clip-senet`. Heavy imports happen inside the commands, so that `--help` answers at once."""

from typing import Annotated

import typer

from service import __version__
from service.cli.bench import bench
from service.cli.demo import demo
from service.cli.evaluate import evaluate
from service.cli.ingest import ingest
from service.cli.keys import keys
from service.cli.openapi import openapi
from service.cli.projection import projection
from service.cli.reembed import reembed
from service.cli.search import search
from service.cli.serve import ServeCommand, serve
from service.cli.train import train
from service.cli.weights import weights

__all__ = ["app"]

app = typer.Typer(
    name="clip-senet",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Every setting of the service can also be given in the environment as CLIP_SENET_<NAME>.",
)


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - typer calls it with the option's value
    if wanted:
        typer.echo(f"clip-senet {__version__}")
        raise typer.Exit


@app.callback()
def main(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Find a vehicle again on other cameras: serve, enroll crops, search."""


app.command(cls=ServeCommand)(serve)
app.command(no_args_is_help=True)(ingest)
app.command(no_args_is_help=True)(search)
app.command(no_args_is_help=True)(train)
app.command()(demo)
app.command()(openapi)
app.command(no_args_is_help=True)(evaluate)
app.command(no_args_is_help=True)(reembed)
app.add_typer(keys)
app.add_typer(weights)
app.add_typer(bench)
app.add_typer(projection)
