"""What measurements share: facts about the machine, times taken in turn, memory of the process, tables, a report."""

import gc
import json
import os
import platform
import statistics
import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np
import psutil
from rich.console import Console
from rich.table import Table

RESULTS: Final = Path(__file__).parent / "results"
console: Final = Console(width=None if sys.stdout.isatty() else 140)

_STREAMED_BYTES: Final = 1 << 30
_STREAMED_TIMES: Final = 8


@dataclass(frozen=True, slots=True)
class Times:
    """Milliseconds of many runs. One in ten took less than `p10_ms`, which other work on the machine disturbs least."""

    p10_ms: float
    median_ms: float
    p95_ms: float
    p99_ms: float
    runs: int

    @classmethod
    def of(cls, milliseconds: Sequence[float]) -> "Times":
        """What a list of times comes to."""
        p10, p95, p99 = np.quantile(milliseconds, (0.1, 0.95, 0.99)).tolist()
        return cls(p10, statistics.median(milliseconds), p95, p99, len(milliseconds))


@dataclass(frozen=True, slots=True)
class ProcessMemory:
    """What this process has in memory, in bytes.

    Attributes:
        anonymous: Its own: arrays, objects, stacks.
        mapped: Pages of files that it has mapped and touched. The system may drop them and read them again.
    """

    anonymous: int
    mapped: int

    def since(self, before: "ProcessMemory") -> "ProcessMemory":
        """How much more than before."""
        return ProcessMemory(self.anonymous - before.anonymous, self.mapped - before.mapped)


def process_memory() -> ProcessMemory:
    """What this process has in memory now (Linux: /proc/self/smaps_rollup)."""
    gc.collect()
    kilobytes = {}
    for line in Path("/proc/self/smaps_rollup").read_text(encoding="ascii").splitlines()[1:]:
        name, amount = line.split(":")
        kilobytes[name] = int(amount.split()[0])
    return ProcessMemory(1024 * kilobytes["Anonymous"], 1024 * (kilobytes["Rss"] - kilobytes["Anonymous"]))


def timed_ms(run: Callable[[], object]) -> float:
    """Milliseconds of one run."""
    start = time.perf_counter()
    run()
    return 1e3 * (time.perf_counter() - start)


def in_turn(ways: Mapping[str, Callable[[Any], object]], questions: Sequence[Any]) -> dict[str, Times]:
    """Times of several ways to answer the same questions, in turn, so that all meet the same moods of the machine."""
    for way in ways.values():
        way(questions[0])
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for question in questions:
        for name, way in ways.items():
            taken[name].append(timed_ms(lambda way=way, question=question: way(question)))  # type: ignore[misc]
    return {name: Times.of(times) for name, times in taken.items()}


def read_bandwidth(threads: int) -> float:
    """Bytes a second at which so many threads together read memory: sums over an array of 1 GiB, the best of eight."""
    parts = np.array_split(np.ones(_STREAMED_BYTES // 8, dtype=np.int64), threads)
    with ThreadPoolExecutor(threads) as pool:
        seconds = [1e-3 * timed_ms(lambda: list(pool.map(np.add.reduce, parts))) for _ in range(_STREAMED_TIMES)]
    return _STREAMED_BYTES / min(seconds)


@contextmanager
def step(what: str) -> Any:  # noqa: ANN401 - a generator of nothing
    """Say what is done and how long it took."""
    console.print(f"[dim]{what} ...[/dim]")
    start = time.perf_counter()
    yield
    console.print(f"[dim]{what}: {time.perf_counter() - start:.1f} s[/dim]")


def arguments(module: str | None, size: int) -> ArgumentParser:
    """Options that every measurement of the index has.

    Args:
        module: The module's docstring.
        size: Crops in the gallery unless told otherwise.
    """
    parser = ArgumentParser(description=(module or "").splitlines()[0])
    parser.add_argument("--size", type=int, default=size, help=f"crops in the gallery (default: {size:,})")
    parser.add_argument("--dimension", type=int, default=512)
    return parser


def print_table(title: str, header: Sequence[str], rows: Sequence[Sequence[str | float]]) -> None:
    """Print figures, numbers to the right with three digits."""
    table = Table(*header, title=title)
    for row in rows:
        table.add_row(*(one if isinstance(one, str) else _short(one) for one in row))
    for column in table.columns[1:]:
        column.justify = "right"
    console.print(table)


def write_report(name: str, **figures: object) -> None:
    """Write figures and the machine's facts to bench/results/<name>.json."""
    RESULTS.mkdir(exist_ok=True)
    report = {"measured_at": datetime.now(UTC).isoformat(timespec="seconds"), "machine": machine(), **figures}
    (RESULTS / f"{name}.json").write_text(json.dumps(report, indent=2, default=_plain) + "\n", encoding="utf-8")


def machine() -> dict[str, object]:
    """What the figures were measured on."""
    return {
        "processor": _processor(),
        "cpus": os.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
        "load": os.getloadavg()[0],
        "system": platform.system(),
        "python": platform.python_version(),
        **{package: version(package) for package in ("faiss-cpu", "numpy", "torch")},
    }


def _short(figure: float) -> str:
    """Three digits, or all of a whole number."""
    digits = 3 if abs(figure) < 10**3 else len(f"{figure:.0f}")
    return f"{figure:,.{digits}g}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def _plain(value: object) -> object:
    """What JSON has no word for."""
    fields = getattr(value, "__dataclass_fields__", None)
    if fields is not None:
        return {name: getattr(value, name) for name in fields}
    return str(value)
