"""What the commands write: progress and remarks on stderr, answers on stdout."""

import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NoReturn

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.cli.enrolling import Tally

out = Console(highlight=False, soft_wrap=True)
remarks = Console(stderr=True, highlight=False, soft_wrap=True)


def stop(message: str, status: int) -> NoReturn:
    """Say why in one sentence, and end with a status."""
    remarks.print(f"[red]{escape(message)}[/red]")
    raise typer.Exit(status)


def command_line() -> str:
    """The command as it was typed, to repeat it by; without the path of the program."""
    return shlex.join(["clip-senet", *sys.argv[1:]])


class _Rate(ProgressColumn):
    """Crops per second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:.1f} crops/s")


@contextmanager
def enrolment_progress(total: int) -> "Iterator[Callable[[Tally], None]]":
    """A progress bar with rate and time left, fed with the tally of an enrolment."""
    columns = (
        SpinnerColumn(finished_text="[green]✓[/green]"),
        TextColumn("Enrolling"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeRemainingColumn(elapsed_when_finished=True),
        TextColumn("{task.fields[rejected]}"),
    )
    with Progress(*columns, console=remarks) as progress:
        task = progress.add_task("", total=total, rejected="")

        def show(tally: "Tally") -> None:
            rejected = f"[red]{len(tally.rejected)} rejected[/red]" if tally.rejected else ""
            progress.update(task, completed=tally.done, rejected=rejected)

        yield show


def ranked_table(hits: Sequence[dict[str, Any]], *, vehicle_id: str | None = None, ids: bool = False) -> Table:
    """Hits as a table: rank, score, vehicle, camera, time.

    Args:
        hits: As POST /search answers them.
        vehicle_id: The query's vehicle where it is known; its rows are marked.
        ids: Whether to show the crops' ids too.
    """
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("Rank", "Score"):
        table.add_column(heading, justify="right")
    for heading in ("Vehicle", "Camera", "Time (UTC)", *(["Crop"] if ids else []), *([""] if vehicle_id else [])):
        table.add_column(heading, overflow="fold")
    for hit in hits:
        crop = hit["crop"]
        same = vehicle_id is not None and crop["vehicle_id"] == vehicle_id
        cells = [
            str(hit["rank"]),
            f"{hit['score']:.3f}",
            crop["vehicle_id"] or "unknown",
            crop["camera_id"],
            "unknown" if crop["captured_at"] is None else utc(crop["captured_at"]),
            *([crop["id"]] if ids else []),
            *(["✓ the same vehicle" if same else ""] if vehicle_id else []),
        ]
        table.add_row(*map(escape, cells), style="bold green" if same else None)
    return table


def utc(time: str) -> str:
    """An RFC 3339 time to the second, in UTC."""
    return datetime.fromisoformat(time).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
