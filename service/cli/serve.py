"""`clip-senet serve`: run the service until it is told to stop."""

import socket
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from service import __version__
from service.cli.terminal import out, stop

if TYPE_CHECKING:
    from service.settings import Settings

_GRACE_S = 30


def serve(
    host: Annotated[
        str | None, typer.Option(help="Address to listen on. [dim]default: 127.0.0.1[/dim]", show_default=False)
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            min=0, max=65535, help="Port to listen on, 0 for a free one. [dim]default: 8000[/dim]", show_default=False
        ),
    ] = None,
    data_dir: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the embedded database and the crops. [dim]default: data[/dim]", show_default=False
        ),
    ] = None,
    allow_unauthenticated_network: Annotated[
        bool | None,
        typer.Option(
            "--allow-unauthenticated-network",
            help="Listen beyond this machine although no key is asked for: whoever reaches it may read and write.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Run the service: API, console and, unless told otherwise, an embedded PostgreSQL.

    Options go before the environment. The other settings are in the environment only, such as CLIP_SENET_DATABASE_URL,
    CLIP_SENET_WEIGHTS, CLIP_SENET_PRESET, CLIP_SENET_DEVICE.

    [bold]Examples[/bold]

    On this machine, data in ./data:
      clip-senet serve

    Another port and folder:
      clip-senet serve --port 9000 --data-dir /var/lib/clip-senet

    A PostgreSQL of your own:
      CLIP_SENET_DATABASE_URL=postgresql+psycopg://user:secret@db/senet clip-senet serve

    Ctrl-C stops it; requests already accepted are finished first.
    """
    given = {
        "host": host,
        "port": port,
        "data_dir": data_dir,
        "allow_unauthenticated_network": allow_unauthenticated_network,
    }
    settings = read_settings({name: value for name, value in given.items() if value is not None})
    listener = _listen(settings.host, settings.port)
    _announce(settings, listener.getsockname()[1])
    _run(settings, listener)


def read_settings(given: dict[str, object]) -> "Settings":
    """Settings from options over environment; ends the command with a sentence where a value is wrong."""
    from pydantic import ValidationError

    from service.app import refuse_open_network
    from service.errors import ServiceError
    from service.settings import Settings

    try:
        settings = Settings(**given)  # type: ignore[arg-type] # pydantic checks the values
        refuse_open_network(settings)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, entry['loc']))}: {entry['msg']}" for entry in error.errors())
        stop(f"A setting is wrong: {wrong}.", 1)
    except ServiceError as error:
        stop(error.detail, 1)
    return settings


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        reason = "the port is in use by another program" if error.errno == 98 else error.strerror  # noqa: PLR2004
        stop(f"Cannot listen on {host}:{port}: {reason}. Choose another with --port.", 1)


def _announce(settings: "Settings", port: int) -> None:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    address = f"http://{host}:{port}"
    rows = [
        ("Console", f"{address}/"),
        ("API", f"{address}/docs"),
        ("Database", _database(settings)),
        ("Crops", str(settings.crops_dir)),
        ("Model", f"{settings.preset}, {settings.weights or 'shipped weights'}, device {settings.device}"),
    ]
    out.print(f"[bold]CLIP-SENet Service {__version__}[/bold] on {address}")
    for name, value in rows:
        out.print(f"  {name:<10}{escape(value)}")
    out.print("Starting; Ctrl-C stops it.")


def _database(settings: "Settings") -> str:
    if settings.database_url is None:
        return f"embedded PostgreSQL in {settings.database_dir}"
    from sqlalchemy import make_url

    return make_url(settings.database_url.get_secret_value()).render_as_string(hide_password=True)


def _run(settings: "Settings", listener: socket.socket) -> None:
    import uvicorn

    from service.app import create_app

    # The access log is the service's own, with request ids.
    config = uvicorn.Config(create_app(settings), access_log=False, timeout_graceful_shutdown=_GRACE_S)
    server = uvicorn.Server(config)
    try:
        server.run(sockets=[listener])
    except KeyboardInterrupt:
        out.print("Stopped.")
    if not server.started:
        raise typer.Exit(1)
