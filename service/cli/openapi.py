"""`clip-senet openapi`: the API description as a file."""

import json
from pathlib import Path
from typing import Annotated

import typer

from service.cli.files import write_file


def openapi(
    out: Annotated[Path | None, typer.Option(help="File to write; printed where absent.", metavar="FILE")] = None,
) -> None:
    """Write the OpenAPI description that a running service answers at /openapi.json.

    [bold]Exit status[/bold] 0 written, 2 the file cannot be written.
    """
    from model.errors import ModelError
    from service.app import create_app
    from service.cli.terminal import stop
    from service.settings import Settings

    text = json.dumps(create_app(Settings.model_validate({})).openapi(), indent=2, ensure_ascii=False) + "\n"
    if out is None:
        typer.echo(text, nl=False)
        return
    try:
        write_file(out, text, 2)
    except ModelError as error:
        stop(str(error), 2)
