"""A fresh process that opens what an index left: `python -m bench.reopening FOLDER QUERIES`. Others start it.

QUERIES is a .npy file of queries. Prints one line of JSON: seconds from the start of the process, and what it has in
memory, at each stage. Paging in is part of the figures: a first search touches every code.
"""

import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from subprocess import PIPE, run
from typing import Any

import numpy as np
import psutil

from bench.galleries import A_TENTH, EVERYTHING, open_index
from bench.harness import ProcessMemory, process_memory
from index.options import IndexOptions


@dataclass(frozen=True)
class Reopened:
    """What a fresh process saw.

    Attributes:
        crops: Crops in the index.
        parts: Segments.
        imported_s: When everything was imported, in seconds since the process began.
        opened_s: When the index was open, every file's hash compared.
        answered_s: When the first search was answered.
        before: Memory before the index was opened.
        opened: Memory the index has taken when open.
        answered: After the first search.
        searched: After all searches, half of them with a filter.
        scanned_bytes: What a scan reads, as the index tells it.
        disk_bytes: What its files take.
    """

    crops: int
    parts: int
    imported_s: float
    opened_s: float
    answered_s: float
    before: ProcessMemory
    opened: ProcessMemory
    answered: ProcessMemory
    searched: ProcessMemory
    scanned_bytes: int
    disk_bytes: int


def reopened(folder: Path, queries: Path) -> Reopened:
    """Open an index in a process of its own.

    Raises:
        CalledProcessError: The process failed; it said why.
    """
    done = run([sys.executable, "-m", "bench.reopening", folder, queries], stdout=PIPE, check=True)
    read = json.loads(done.stdout)
    found: dict[str, Any] = {name: ProcessMemory(**one) if isinstance(one, dict) else one for name, one in read.items()}
    return Reopened(**found)


def measure(folder: Path, queries_file: Path) -> Reopened:
    """Open, search, and see what that takes, in this process."""
    began = psutil.Process().create_time()
    queries = np.load(queries_file)
    imported, before = time.time(), process_memory()
    index = open_index(folder, queries.shape[1], IndexOptions())
    opened, with_index = time.time(), process_memory()
    index.search(queries[:1], 10, EVERYTHING)
    answered, after_one = time.time(), process_memory()
    for query in queries:
        for where in (EVERYTHING, A_TENTH):
            index.search(query[None], 10, where)
    after_all, stats = process_memory(), index.stats()
    parts = [part for _, part in index._state.parts()]  # noqa: SLF001 - what a scan reads is nobody's business but ours
    found = Reopened(
        crops=stats.crops,
        parts=len(parts),
        imported_s=imported - began,
        opened_s=opened - began,
        answered_s=answered - began,
        before=before,
        opened=with_index.since(before),
        answered=after_one.since(before),
        searched=after_all.since(before),
        scanned_bytes=sum(part.segment.vectors.memory_bytes for part in parts if part.segment is not None),
        disk_bytes=stats.disk_bytes,
    )
    index.close()
    return found


if __name__ == "__main__":
    print(json.dumps(asdict(measure(Path(sys.argv[1]), Path(sys.argv[2])))))
