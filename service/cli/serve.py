"""`clip-senet serve`: run the service until it is told to stop."""

import asyncio
import errno
import logging
import resource
import signal
import socket
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from typer.core import TyperCommand

from service import __version__
from service.cli.terminal import out, stop

if TYPE_CHECKING:
    from service.settings import Settings

_GRACE_S = 30


class ServeCommand(TyperCommand):
    """Lists every setting under its help; only when help is asked for, since it takes the settings' libraries."""

    def format_help(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401 - typer keeps their types to itself
        """Write the help, settings included."""
        from service.settings import Settings

        prefix = Settings.model_config["env_prefix"]
        lines = ["[bold]Settings in the environment[/bold]"]
        for name, field in Settings.model_fields.items():
            default = "" if field.default in (None, frozenset()) else f" [dim]default: {field.default}[/dim]"
            lines.append(f"{prefix}{name.upper()}  {escape(field.description or '')}{default}")
        self.epilog = "\n\n".join(lines)
        super().format_help(ctx, formatter)


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
    auth: Annotated[
        str | None,
        typer.Option(
            help="Whether an API key is asked for: auto (unless it listens on loopback), on, off (on loopback only). "
            "[dim]default: auto[/dim]",
            show_default=False,
        ),
    ] = None,
) -> None:
    r"""Run the service: API, console and, unless told otherwise, an embedded PostgreSQL.

    Options go before the environment. Every setting can be given there; they are
    listed at the end.

    [bold]Examples[/bold]

    On this machine, data in ./data:
      clip-senet serve

    Another port and folder:
      clip-senet serve --port 9000 --data-dir /var/lib/clip-senet

    For other machines, with a key:
      clip-senet keys create operations --scope admin
      clip-senet serve --host 0.0.0.0

    A PostgreSQL of your own:
      CLIP_SENET_DATABASE_URL=postgresql+psycopg://user:secret@db/senet \
      clip-senet serve

    Ctrl-C stops it; requests already accepted are finished first.
    """
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("service").setLevel(logging.INFO)
    given = {
        "host": host,
        "port": port,
        "data_dir": data_dir,
        "auth": auth,
    }
    settings = settings_of({name: value for name, value in given.items() if value is not None})
    with _bind(settings.host, settings.port) as listener:
        _announce(settings, listener.getsockname()[1])
        _run(settings, listener)


def settings_of(given: dict[str, object]) -> "Settings":
    """The settings of the environment and of these; a wrong one ends the command with a sentence."""
    from pydantic import ValidationError

    from service.settings import Settings

    try:
        return Settings(**given)  # type: ignore[arg-type] # pydantic checks the values
    except ValidationError as error:
        from service.problems import validation_entry

        wrong = "; ".join(validation_entry(entry)["detail"] for entry in error.errors())
        stop(f"A setting is wrong: {wrong}", 1)


def _bind(host: str, port: int) -> socket.socket:
    """A bound socket that does not listen yet: who asks before the service is ready is refused and need not hang."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        reason = "the port is in use" if error.errno == errno.EADDRINUSE else error.strerror
        stop(f"Cannot listen on {host}, port {port}: {reason}. Choose others with --host and --port.", 1)
    return listener


def _announce(settings: "Settings", port: int) -> None:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    address = f"http://{host}:{port}"
    out.print(f"[bold]CLIP-SENet Service {__version__}[/bold]")
    rows = [
        ("Address", address),
        ("Console", f"{address}/"),
        ("API", f"{address}/docs"),
        ("Database", _database(settings)),
        ("Crops", str(settings.crops_dir)),
        ("Model", f"{settings.preset}, {settings.weights or 'shipped weights'}, device {settings.device}"),
        *([("Projection", str(settings.projection))] if settings.projection else []),
    ]
    for name, value in rows:
        out.print(f"  {name:<12}{escape(value)}")
    out.print("Starting; Ctrl-C stops it.")


def _database(settings: "Settings") -> str:
    if settings.database_url is None:
        return f"embedded PostgreSQL in {settings.database_dir}"
    from service.database.engine import postgres_url

    try:
        url = postgres_url(settings.database_url.get_secret_value())
        # Not the parameters: a password may be among them.
        return url.difference_update_query(url.query).render_as_string(hide_password=True)
    except ValueError as error:
        stop(f"Cannot start: {error}", 1)


def _run(settings: "Settings", listener: socket.socket) -> None:
    from index.contract import VectorError
    from index.segments.files import StorageError
    from model.errors import ModelError
    from service.database.migrate import SchemaError
    from service.errors import ServiceError
    from service.exposure import refuse_open_network

    try:
        refuse_open_network(settings)
        allow_open_files()
        asyncio.run(_serve(settings, listener))
    except asyncio.CancelledError:
        out.print("Stopped before it was ready.")
    except ServiceError as error:
        stop(f"Cannot start: {error.detail}", 1)
    except (ModelError, SchemaError, StorageError) as error:
        stop(f"Cannot start: {error}", 1)
    except VectorError as error:
        stop(f"Cannot start: {error} Restore the crop's rows from a backup, or delete them from the database.", 1)
    else:
        out.print("Stopped.")


def allow_open_files() -> None:
    """Let this process open as many files as the system lets it.

    The index holds two for each segment, and the 1,024 that many systems begin with are a year and a half of one
    collection.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


async def _serve(settings: "Settings", listener: socket.socket) -> None:
    """Start the parts, serve until a signal comes, stop the parts.

    The lifespan is entered here and not by uvicorn, which would log a traceback where a sentence helps. Signals are
    taken here too: uvicorn raises them again at its end, in the middle of our own.
    """
    import uvicorn

    # This brings the model's libraries, which take seconds: what can be refused without them has been.
    from service.app import create_app
    from service.http_protocol import MAX_HEAD_BYTES, ProblemProtocol

    class Server(uvicorn.Server):
        def capture_signals(self) -> AbstractContextManager[None]:  # type: ignore[override]
            return nullcontext()

    app = create_app(settings)
    # Logging is set up above, and the access log is the service's own, with request ids.
    config = uvicorn.Config(
        app,
        http=ProblemProtocol,
        h11_max_incomplete_event_size=MAX_HEAD_BYTES,
        lifespan="off",
        access_log=False,
        log_config=None,
        timeout_graceful_shutdown=_GRACE_S,
    )
    server = Server(config)
    task = asyncio.current_task()

    def end() -> None:
        if server.started:
            server.handle_exit(signal.SIGINT, None)
        elif task is not None:
            task.cancel()

    for ending in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(ending, end)
    async with app.router.lifespan_context(app):
        await server.serve(sockets=[listener])
