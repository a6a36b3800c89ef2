"""`clip-senet keys`: API keys, made and ended straight in the service's database."""

import asyncio
import getpass
import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from rich.markup import escape
from rich.table import Table

from service.cli.serve import settings_of
from service.cli.terminal import out, remarks, stop, utc

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from uuid import UUID

    from service.access import Caller
    from service.database.engine import Database
    from service.keys.records import KeyRecord

_FAILED = 1
_PAGE = 1000
_HOURS_OF_OVERLAP = 24.0
_WHOLE = {"Prefix", "Rate", "Expires", "Last used", "State"}
"""Columns of the table whose entries are not broken."""

_WHERE_TO_RUN = "If a service has this folder, run the command on its machine, in its container and as its user."

Result = TypeVar("Result")

keys = typer.Typer(
    name="keys",
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="API keys: who may use the service, for what, until when and how often.",
)

DataDir = Annotated[
    Path | None,
    typer.Option(help="Folder of the embedded database. [dim]default: data[/dim]", show_default=False),
]
Reference = Annotated[str, typer.Argument(help="Its prefix or id, or the key itself.", metavar="KEY")]


@keys.command(no_args_is_help=True)
def create(
    name: Annotated[str, typer.Argument(help="Whose it is, for people and the audit log.", metavar="NAME")],
    scope: Annotated[list[str], typer.Option(help="enroll, search, read, delete or admin (all); may be repeated.")],
    collection: Annotated[
        list[str] | None,
        typer.Option(help="Bind it to this collection, which need not exist; may be repeated. All where absent."),
    ] = None,
    days: Annotated[float | None, typer.Option(help="Days that it is valid. Until it is revoked where absent.")] = None,
    rate: Annotated[int | None, typer.Option(help="Requests that it may make in a minute. Any where absent.")] = None,
    data_dir: DataDir = None,
) -> None:
    r"""Make a key. Only the key itself is written to stdout, this once: it is stored nowhere.

    The command works on the service's own database: the settings in the
    environment count, and the service may be running. With the embedded database
    run it on the same machine (in the same container) and as the same user.

    [bold]Examples[/bold]

    The first key, before the service starts:
      clip-senet keys create operations --scope admin

    For cameras that only enroll, in one collection, for a year:
      clip-senet keys create gates --scope enroll --collection harbour --days 365

    In a shell:
      CLIP_SENET_API_KEY=$(clip-senet keys create me --scope search --scope read)

    [bold]Exit status[/bold] 0 made, 1 not made and a sentence says why.
    """
    from service.keys.service import create_key

    fields = {"name": name, "scopes": scope, "collections": collection or None, "requests_per_minute": rate}

    async def work(database: "Database") -> None:
        new = _checked(fields | {"expires_at": None if days is None else _in_days(days)})
        record, text = await create_key(database, _operator(), new)
        _show_new(record, text)

    _with_database(work, data_dir)


@keys.command("list")
def list_keys(
    data_dir: DataDir = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what GET /keys answers as items.")] = False,
) -> None:
    """List all keys, newest first, those that are no longer valid too."""
    from service.keys.service import page_of_keys
    from service.keys.views import key_view

    async def work(database: "Database") -> None:
        found: list[KeyRecord] = []
        after: UUID | None = None
        while True:
            page, after = await page_of_keys(database, _operator(), limit=_PAGE, after=after)
            found += page
            if after is None:
                break
        if as_json:
            views = [key_view(record).model_dump(mode="json") for record in found]
            print(json.dumps(views, ensure_ascii=False))  # noqa: T201 - for programs: no wrapping, no markup
        else:
            out.print(_table(found))

    _with_database(work, data_dir)


@keys.command(no_args_is_help=True)
def rotate(
    key: Reference,
    overlap_hours: Annotated[
        float, typer.Option(min=0, max=720, help="For how long the old key stays valid; 0 ends it at once.")
    ] = _HOURS_OF_OVERLAP,
    data_dir: DataDir = None,
) -> None:
    """Make a key that may do the same; the old one stays valid for a while.

    Only the new key is written to stdout, this once.

    [bold]Exit status[/bold] 0 made, 1 not made and a sentence says why.
    """
    from service.keys.schemas import Rotation
    from service.keys.service import key_by_reference, rotate_key

    async def work(database: "Database") -> None:
        found = await key_by_reference(database, key)
        wanted = Rotation(overlap_s=3600 * overlap_hours, expires_at=None)
        old, new, text = await rotate_key(database, _operator(), found.id, wanted)
        _show_new(new, text)
        if old.expires_at is not None:
            remarks.print(f"csk_{old.prefix} stays valid until {utc(old.expires_at.isoformat())} UTC.")

    _with_database(work, data_dir)


@keys.command(no_args_is_help=True)
def revoke(key: Reference, data_dir: DataDir = None) -> None:
    """End a key for good. Running services know it within 5 seconds.

    [bold]Exit status[/bold] 0 revoked, 1 not revoked and a sentence says why.
    """
    from service.keys.service import key_by_reference, revoke_key

    async def work(database: "Database") -> None:
        record = await revoke_key(database, _operator(), (await key_by_reference(database, key)).id)
        out.print(f"csk_{record.prefix} ({escape(record.name)}) is revoked.")

    _with_database(work, data_dir)


def _with_database(work: "Callable[[Database], Awaitable[Result]]", data_dir: Path | None) -> Result:
    """Do something in the service's database; what cannot be done ends the command with a sentence."""
    from service.database.migrate import SchemaError
    from service.database.opening import opened_database
    from service.errors import ServiceError, UnavailableError

    settings = settings_of({} if data_dir is None else {"data_dir": data_dir})
    if settings.database_url is None:
        # Said, because in the wrong folder this makes a database that no service reads.
        remarks.print(f"Embedded database in {escape(str(settings.database_dir.absolute()))}.", style="dim")

    async def run() -> Result:
        async with opened_database(settings) as database:
            return await work(database)

    try:
        return asyncio.run(run())
    except UnavailableError as error:
        stop(error.detail if settings.database_url else f"{error.detail} {_WHERE_TO_RUN}", _FAILED)
    except ServiceError as error:
        stop(error.detail, _FAILED)
    except (SchemaError, ValueError) as error:
        stop(str(error), _FAILED)


def _checked(fields: dict[str, Any]) -> Any:  # noqa: ANN401 - a NewKey, whose module is imported late
    from pydantic import ValidationError

    from service.keys.schemas import NewKey
    from service.problems import validation_entry

    try:
        return NewKey.model_validate(fields)
    except ValidationError as error:
        stop("; ".join(validation_entry(entry)["detail"] for entry in error.errors()), _FAILED)


def _in_days(days: float) -> datetime:
    try:
        return datetime.now(UTC) + timedelta(days=days)
    except (OverflowError, ValueError):
        stop("--days: is beyond the calendar; leave it away for a key that does not expire", _FAILED)


def _operator() -> "Caller":
    """Who uses the command line, as the audit log is to call them."""
    from service.access import SCOPES, Caller

    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        user = f"user {os.getuid()}"
    return Caller(key_id=None, name=f"{user} (command line)", scopes=SCOPES)


def _show_new(record: "KeyRecord", text: str) -> None:
    print(text)  # noqa: T201 - alone on stdout, for a variable or a file
    bound = "every collection" if record.collections is None else ", ".join(sorted(record.collections))
    remarks.print(f"Made {escape(record.name)}: {', '.join(sorted(record.scopes))} in {escape(bound)}, id {record.id}.")
    remarks.print("Keep it now: it is stored nowhere and cannot be shown again.")


def _table(found: "list[KeyRecord]") -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("Prefix", "Name", "Scopes", "Collections", "Rate", "Expires", "Last used", "State"):
        table.add_column(heading, overflow="fold", no_wrap=heading in _WHOLE)
    now = datetime.now(UTC)
    for record in found:
        state = record.state(now)
        cells = (
            record.prefix,
            record.name,
            ", ".join(sorted(record.scopes)),
            "all" if record.collections is None else ", ".join(sorted(record.collections)),
            "any" if record.requests_per_minute is None else f"{record.requests_per_minute}/min",
            _day(record.expires_at),
            _day(record.last_used_at),
            state,
        )
        table.add_row(*map(escape, cells), style=None if state == "active" else "dim")
    return table


def _day(time: datetime | None) -> str:
    return "never" if time is None else f"{time.astimezone(UTC):%Y-%m-%d}"
