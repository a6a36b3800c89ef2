"""Command line of the generator: `python -m model.synthetic --out DIR --identities N --cameras M --seed S`."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from model.synthetic.camera import FACINGS
from model.synthetic.generation import generate, plan
from model.synthetic.veri_layout import arrange_as_veri776, refuse_arranged

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Render a recording; the exit status is 0, or 2 where an argument or the machine does not allow it."""
    options = _parser().parse_args(arguments)
    console = Console(stderr=True)
    recording = {"queries": options.queries, "facings": options.facing or None, "passes": options.passes}
    try:
        crops = len(plan(options.identities, options.cameras, options.seed, **recording))
        if options.layout == "veri776":
            refuse_arranged(options.out)
        started = time.perf_counter()
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TaskProgressColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=console) as progress:
            task = progress.add_task("rendering", total=crops)
            rows = generate(
                options.out,
                options.identities,
                options.cameras,
                options.seed,
                on_crop=lambda _: progress.advance(task),
                **recording,
            )
        if options.layout == "veri776":
            arrange_as_veri776(options.out, rows)
    except (ValueError, OSError, RuntimeError) as error:
        console.print(f"[red]error:[/red] {error}")
        return 2
    took = time.perf_counter() - started
    console.print(f"{crops} crops in {took:.1f} s ({crops / took:.1f} per second) in {options.out}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m model.synthetic",
        description="Render crops of synthetic vehicles passing roadside cameras, with a manifest. "
        "The same seed gives the same crops.",
    )
    parser.add_argument(
        "--out", type=Path, required=True, help="folder for the crops and manifest.csv; must hold no manifest yet"
    )
    parser.add_argument("--identities", type=int, required=True, help="number of vehicles")
    parser.add_argument("--cameras", type=int, required=True, help="number of cameras")
    parser.add_argument("--seed", type=int, default=0, help="what everything is drawn from (default 0)")
    parser.add_argument(
        "--queries", type=int, default=0, help="crops held out of the gallery, each of another vehicle (default 0)"
    )
    parser.add_argument(
        "--facing", choices=FACINGS, action="append", help="what the cameras see; give it several times to alternate"
    )
    parser.add_argument(
        "--passes", type=int, help="cameras that a vehicle passes, drawn anew for each (default: all of them)"
    )
    parser.add_argument(
        "--layout",
        choices=("manifest", "veri776"),
        default="manifest",
        help="manifest.csv beside the crops (default), or the folders and lists of VeRi-776",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
