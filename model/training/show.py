"""What a run shows while it goes on: a progress bar where a person watches, a line for each epoch everywhere."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

Step = Callable[[float, int], None]
"""Is told of each step: its loss and its crops."""


@contextmanager
def epoch_bar(console: Console, title: str, steps: int, done: int) -> Iterator[Step]:
    """A bar over the steps of an epoch, with the loss, crops per second and the time left.

    Args:
        console: Where; nothing is shown where it is no terminal.
        title: What is under way.
        steps: All steps of the epoch.
        done: Those done before.
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[words]}"),
        TimeRemainingColumn(),
    )
    began, seen = time.perf_counter(), 0
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(title, total=steps, completed=done, words="")

        def advance(loss: float, crops: int) -> None:
            nonlocal seen
            seen += crops
            rate = seen / (time.perf_counter() - began)
            progress.update(task, advance=1, words=f"loss {loss:.3f}  {rate:.1f} crops/s")

        yield advance


def epoch_line(row: Mapping[str, float]) -> str:
    """An epoch's row in one line; what was not measured is left out."""
    losses = [f"{name.removesuffix('_loss')} {value:.3f}" for name, value in row.items() if name.endswith("_loss")]
    figures = [f"{name} {row[name]:.1f}" for name in ("mAP", "R1", "R5") if name in row]
    return "  ".join([f"epoch {row['epoch']:3.0f}", *losses, *figures, f"{row['seconds']:.0f} s"])
