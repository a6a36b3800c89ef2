"""Restart from a snapshot and rebuild from SQL: `python -m bench.restart`.

From a snapshot: a fresh process opens the index, compares every file's hash, and answers one search over all crops;
counted from the start of the process, imports included, with the files in the system's cache and after they were
dropped from it. From SQL: a follower with nothing on disk starts on the embedded PostgreSQL, reads every crop through
the service's own repository, and is level with the change log; counted until it may be searched. Writing the last crops
to segments goes on beside searches and is timed by itself. The database is filled by COPY into the service's tables
with all their indexes, and has a line of the change log for each crop.
"""

import asyncio
import json
import os
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import UUID

import numpy as np
import psycopg

from bench.galleries import (
    CAMERAS,
    COLLECTION,
    EVERYTHING,
    MODEL,
    Gallery,
    attributes,
    camera_name,
    crop_id,
    track,
    write_index,
)
from bench.harness import arguments, console, print_table, step, write_report
from bench.reopening import Reopened, reopened
from index.codecs import DEFAULT_CODEC
from index.halves import STORED
from index.options import IndexOptions
from service.database.embedded import EmbeddedPostgres
from service.database.engine import Database
from service.database.migrate import upgrade
from service.follower import Follower
from service.follower_duties import Rhythm
from service.index_store import SegmentStore

RESTART_TARGET_S: Final = 5.0
REBUILD_TARGET: Final = 50_000
NEVER: Final = Rhythm(poll_s=60, snapshot_s=1e9, snapshot_changes=10**12, reconcile_s=1e9)
_COLLECTION_ID: Final = UUID(int=1)
_ROWS_PER_COMMIT: Final = 50_000
_TABLES: Final = ("crops", "embeddings", "changes")


@dataclass(frozen=True)
class Rebuilt:
    """A follower started without a snapshot, and once more with one.

    Attributes:
        seconds: From start to an index level with the database.
        vectors_per_s: Crops read a second.
        cpu_s: What this process computed meanwhile, all its threads together and without PostgreSQL; less than the
            seconds times the CPUs where PostgreSQL or other work had the rest.
        to_snapshot_s: From then until everything was in segments and in a snapshot.
        restart_s: A second follower, from that snapshot to its first answer, the look at the change log included.
    """

    seconds: float
    vectors_per_s: float
    cpu_s: float
    to_snapshot_s: float
    restart_s: float


def restarts(gallery: Gallery, codec: str) -> tuple[Reopened, Reopened]:
    """A fresh process with the files in the cache, and without."""
    folder = Path(tempfile.mkdtemp(prefix="clip-senet-bench-"))
    try:
        with step("writing segments"):
            write_index(gallery, folder / "index", codec)
        np.save(folder / "queries.npy", gallery.queries[:1])
        reopened(folder / "index", folder / "queries.npy")
        warm = reopened(folder / "index", folder / "queries.npy")
        drop_from_cache(folder / "index")
        return warm, reopened(folder / "index", folder / "queries.npy")
    finally:
        shutil.rmtree(folder)


def drop_from_cache(folder: Path) -> None:
    """Let the system forget the files of a folder."""
    os.sync()
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def fill(url: str, gallery: Gallery) -> None:
    """Write a gallery into the service's tables."""
    with psycopg.connect(url.replace("postgresql+psycopg", "postgresql"), autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")  # foreign keys hold by construction
        connection.execute(
            "INSERT INTO collections (id, name, model_id) VALUES (%s, %s, %s)", (_COLLECTION_ID, COLLECTION, MODEL)
        )
        connection.cursor().executemany(
            "INSERT INTO cameras (collection_id, camera_id) VALUES (%s, %s)",
            [(_COLLECTION_ID, camera_name(number)) for number in range(CAMERAS)],
        )
        for start in range(0, len(gallery), _ROWS_PER_COMMIT):
            numbers = range(start, min(start + _ROWS_PER_COMMIT, len(gallery)))
            with connection.transaction(), connection.cursor() as cursor:
                _copy_crops(cursor, gallery, numbers)
                with cursor.copy("COPY embeddings (crop_id, model_id, vector) FROM STDIN (FORMAT BINARY)") as copy:
                    copy.set_types(["uuid", "text", "bytea"])
                    for number in numbers:
                        vector = gallery.vectors[number].astype(STORED).tobytes()
                        copy.write_row((crop_id(number), MODEL, vector))
                with cursor.copy("COPY changes (sequence, collection_id, crop_id, deleted) FROM STDIN") as copy:
                    for number in numbers:
                        copy.write_row((number + 1, _COLLECTION_ID, crop_id(number), False))
        connection.execute("VACUUM ANALYZE")


def table_bytes(url: str) -> dict[str, float]:
    """What each table takes for a row, its indexes included."""
    ask = "SELECT pg_total_relation_size(%s::regclass)::float8 / (SELECT count(*) FROM crops)"
    with psycopg.connect(url.replace("postgresql+psycopg", "postgresql")) as connection:
        sizes = {table: connection.execute(ask, (table,)).fetchone() for table in _TABLES}
    return {table: size[0] for table, size in sizes.items() if size is not None}


def _copy_crops(cursor: psycopg.Cursor, gallery: Gallery, numbers: range) -> None:
    columns = (
        "id, collection_id, camera_id, captured_at, session_id, track_id, vehicle_id, attributes, image_sha256, "
        "media_type, width, height"
    )
    with cursor.copy(f"COPY crops ({columns}) FROM STDIN") as copy:
        for number in numbers:
            vehicle = int(gallery.vehicles[number])
            copy.write_row(
                (
                    crop_id(number),
                    _COLLECTION_ID,
                    camera_name(int(gallery.cameras[number])),
                    gallery.captured_at(number),
                    *track(number),
                    f"vehicle-{vehicle}",
                    json.dumps(attributes(vehicle)),
                    number.to_bytes(32),
                    "image/jpeg",
                    256,
                    256,
                )
            )


async def rebuilt(url: str, gallery: Gallery, folder: Path, codec: str) -> Rebuilt:
    """Start a follower on a database with nothing on disk, and another on what the first left.

    Raises:
        RuntimeError: The second did not start from the snapshot, or one holds something else than the database.
    """
    database = Database(url, pool_size=2)
    options = IndexOptions(codec=codec)
    store = SegmentStore(folder, gallery.vectors.shape[1], MODEL, options)
    try:
        first = Follower(database, store, MODEL, NEVER)
        start, computed = time.perf_counter(), time.process_time()
        await first.start()
        seconds, cpu_s = time.perf_counter() - start, time.process_time() - computed
        await first.close()
        to_snapshot = time.perf_counter() - start - seconds
        second = Follower(database, store, MODEL, NEVER)
        start = time.perf_counter()
        await second.start()
        answer = await second.ask(lambda index: index.search(gallery.queries[:1], 10, EVERYTHING)[0])
        restart = time.perf_counter() - start
        drift = (await _drift(second), second.status().rebuild, answer.candidates)
        await second.close()
    finally:
        await database.close()
    if drift != (None, None, len(gallery)):
        raise RuntimeError(f"the index is not what it should be: {drift}")
    return Rebuilt(seconds, len(gallery) / seconds, cpu_s, to_snapshot, restart)


async def _drift(follower: Follower) -> object:
    await follower.reconcile()
    return follower.status().drift


def rebuild(gallery: Gallery, codec: str) -> tuple[Rebuilt, dict[str, float]]:
    """Fill an embedded PostgreSQL and start followers on it; the second answer is `table_bytes`."""
    folder = Path(tempfile.mkdtemp(prefix="clip-senet-bench-"))
    folder.chmod(0o755)  # started as root, the server runs as a user of its own
    server = EmbeddedPostgres(folder / "database")
    try:
        url = server.start()
        upgrade(url)
        with step("filling PostgreSQL"):
            fill(url, gallery)
        with step("rebuilding"):
            return asyncio.run(rebuilt(url, gallery, folder / "index", codec)), table_bytes(url)
    finally:
        server.stop()
        shutil.rmtree(folder)


def main() -> None:
    """Measure, print and write; the exit status is 1 where a target is missed."""
    parser = arguments(__doc__, 1_000_000)
    parser.add_argument("--codec", default=DEFAULT_CODEC)
    options = parser.parse_args()
    with step(f"making up {options.size:,} crops"):
        gallery = Gallery.made_up(options.size, options.dimension)
    warm, cold = restarts(gallery, options.codec)
    again, bytes_per_crop = rebuild(gallery, options.codec)
    print_table(
        f"a fresh process, {options.size:,} x {options.dimension}, {options.codec}",
        ("", "imported s", "open s", "first answer s"),
        [
            ("files in the cache", warm.imported_s, warm.opened_s, warm.answered_s),
            ("files dropped from the cache", cold.imported_s, cold.opened_s, cold.answered_s),
        ],
    )
    print_table(
        "a follower on PostgreSQL",
        ("", "s", "computed s", "vectors/s"),
        [
            ("rebuilt from SQL", again.seconds, again.cpu_s, again.vectors_per_s),
            ("then until all is in a snapshot", again.to_snapshot_s, "", ""),
            ("restarted from it, to the first answer", again.restart_s, "", ""),
        ],
    )
    print_table("PostgreSQL, bytes a crop with all indexes", tuple(bytes_per_crop), [tuple(bytes_per_crop.values())])
    write_report(
        "restart",
        options=vars(options),
        targets={"first_answer_s": RESTART_TARGET_S, "vectors_per_s": REBUILD_TARGET},
        warm=warm,
        cold=cold,
        rebuilt=again,
        bytes_per_crop=bytes_per_crop,
    )
    missed = warm.answered_s > RESTART_TARGET_S or again.vectors_per_s < REBUILD_TARGET
    console.print("A target was missed." if missed else "Both targets were met.")
    raise SystemExit(missed)


if __name__ == "__main__":
    main()
