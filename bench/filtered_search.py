"""A filter that keeps a tenth, beside pgvector and Milvus Lite on the same crops: `python -m bench.filtered_search`.

Every engine holds the same made-up crops (`bench.galleries` says how they are made), is asked the same queries one at
a time for the ten nearest among the crops of 5 of 50 cameras, and its answers are compared with an exact scan. pgvector
runs in the embedded PostgreSQL with 2 GB of shared buffers, an HNSW index (m 16, ef_construction 64) and an index of
cameras, and is asked with iterative scans (strict order) at several ef_search, and for an exact answer by way of the
index of cameras. Milvus Lite, which runs in this process and is made for trying things out, has an HNSW index (M 16,
efConstruction 100) and holds fewer crops. Ours holds a snapshot's segments, in the default codec.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import psycopg
from numpy.typing import NDArray
from psycopg import sql

from bench.exact_search import Search, nearest_of, ours, recall
from bench.galleries import A_TENTH, Gallery, camera_name, open_index, some_cameras, write_index
from bench.harness import Times, arguments, in_turn, print_table, step, write_report
from index.codecs import DEFAULT_CODEC
from index.options import IndexOptions
from service.database.embedded import EmbeddedPostgres

K: Final = 10
EF_SEARCH: Final = (40, 100, 400)
MILVUS_EF: Final = (64, 256)
_INSERTED_AT_ONCE: Final = 1000


@dataclass(frozen=True)
class Engine:
    """One engine's answers.

    Attributes:
        name: The engine and how it was asked.
        crops: Crops it held.
        times: Times of its searches.
        recall: Share of the ten nearest that it found.
    """

    name: str
    crops: int
    times: Times
    recall: float


@contextmanager
def our_index(gallery: Gallery) -> Iterator[dict[str, Search]]:
    """Our index, filled."""
    folder = Path(tempfile.mkdtemp(prefix="clip-senet-bench-"))
    try:
        write_index(gallery, folder, DEFAULT_CODEC)
        index = open_index(folder, gallery.vectors.shape[1], IndexOptions())
        yield {f"ours, {DEFAULT_CODEC}": ours(index, A_TENTH)}
        index.close()
    finally:
        shutil.rmtree(folder)


@contextmanager
def pgvector(gallery: Gallery) -> Iterator[dict[str, Search]]:
    """PostgreSQL with pgvector, filled and indexed."""
    folder = Path(tempfile.mkdtemp(prefix="clip-senet-bench-"))
    folder.chmod(0o755)  # started as root, the server runs as a user of its own
    server = EmbeddedPostgres(folder / "database")
    try:
        with _connected(server) as connection:
            connection.execute("ALTER SYSTEM SET shared_buffers = '2GB'")
        server.stop()
        with ExitStack() as stack:
            connection = stack.enter_context(_connected(server))
            _fill_postgres(connection, gallery)
            ways = {f"pgvector HNSW, iterative, ef_search {ef}": ef for ef in EF_SEARCH}
            ways |= {"pgvector exact, by index of cameras": 0}
            yield {
                name: _pgvector_search(stack.enter_context(_connected(server)), gallery.queries[0], ef)
                for name, ef in ways.items()
            }
    finally:
        server.stop()
        shutil.rmtree(folder)


def _connected(server: EmbeddedPostgres) -> psycopg.Connection:
    return psycopg.connect(server.start().replace("postgresql+psycopg", "postgresql"), autocommit=True)


def _fill_postgres(connection: psycopg.Connection, gallery: Gallery) -> None:
    connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
    # PLAIN keeps vectors of this size in their rows, where they are read without a detour
    table = "CREATE TABLE crops (id integer PRIMARY KEY, camera text, embedding vector({}))"
    connection.execute(sql.SQL(table).format(sql.Literal(gallery.vectors.shape[1])))
    connection.execute("ALTER TABLE crops ALTER embedding SET STORAGE PLAIN")
    with connection.cursor() as cursor, cursor.copy("COPY crops FROM STDIN") as copy:
        for number, (camera, vector) in enumerate(zip(gallery.cameras.tolist(), gallery.vectors, strict=True)):
            copy.write_row((number, camera_name(camera), _literal(vector)))
    connection.execute("SET maintenance_work_mem = '1900MB'")
    connection.execute("CREATE INDEX crops_camera ON crops (camera)")
    connection.execute(
        "CREATE INDEX crops_hnsw ON crops USING hnsw (embedding vector_ip_ops) WITH (m = 16, ef_construction = 64)"
    )
    connection.execute("VACUUM ANALYZE crops")


def _literal(vector: NDArray[np.float32]) -> str:
    return f"[{','.join(map(str, vector.tolist()))}]"


def _pgvector_search(connection: psycopg.Connection, query: NDArray[np.float32], ef_search: int) -> Search:
    """A search by the HNSW index; with ef_search 0 by that of cameras, which is exact.

    Raises:
        RuntimeError: PostgreSQL plans it another way.
    """
    ask = "SELECT id FROM crops WHERE camera = ANY(%s) ORDER BY embedding <#> %s::vector LIMIT %s"
    cameras = list(some_cameras())
    settings = {"enable_seqscan": "off", "enable_indexscan": "off"}
    if ef_search:
        settings = {"enable_seqscan": "off", "enable_bitmapscan": "off", "enable_sort": "off"}
        settings |= {"hnsw.iterative_scan": "strict_order", "hnsw.ef_search": str(ef_search)}
    for name, value in settings.items():
        connection.execute("SELECT set_config(%s, %s, false)", (name, value))
    asked = (cameras, _literal(query), K)
    plan = "\n".join(row[0] for row in connection.execute(f"EXPLAIN {ask}", asked))
    if ("crops_hnsw" if ef_search else "crops_camera") not in plan:
        raise RuntimeError(f"PostgreSQL plans the search another way:\n{plan}")

    def search(query: NDArray[np.float32]) -> list[int]:
        return [row[0] for row in connection.execute(ask, (cameras, _literal(query), K))]

    return search


@contextmanager
def milvus_lite(gallery: Gallery) -> Iterator[dict[str, Search]]:
    """Milvus Lite, filled and indexed."""
    from pymilvus import DataType, MilvusClient

    folder = Path(tempfile.mkdtemp(prefix="clip-senet-bench-"))
    client = MilvusClient(str(folder / "milvus.db"))
    try:
        schema = client.create_schema(auto_id=False)
        schema.add_field("id", DataType.INT64, is_primary=True)
        schema.add_field("camera", DataType.VARCHAR, max_length=16)
        schema.add_field("embedding", DataType.FLOAT_VECTOR, dim=gallery.vectors.shape[1])
        indexes = client.prepare_index_params()
        indexes.add_index("embedding", index_type="HNSW", metric_type="IP", params={"M": 16, "efConstruction": 100})
        client.create_collection("crops", schema=schema, index_params=indexes)
        cameras = [camera_name(number) for number in gallery.cameras.tolist()]
        for start in range(0, len(gallery), _INSERTED_AT_ONCE):
            numbers = range(start, min(start + _INSERTED_AT_ONCE, len(gallery)))
            client.insert(
                "crops",
                [{"id": one, "camera": cameras[one], "embedding": gallery.vectors[one]} for one in numbers],
            )
        client.flush("crops")
        client.load_collection("crops")
        yield {f"Milvus Lite HNSW, ef {ef}": _milvus_search(client, ef) for ef in MILVUS_EF}
    finally:
        client.close()
        shutil.rmtree(folder)


def _milvus_search(client: Any, ef: int) -> Search:  # noqa: ANN401 - a class of an optional package
    chosen = ", ".join(f'"{camera}"' for camera in sorted(some_cameras()))

    def search(query: NDArray[np.float32]) -> list[int]:
        answer = client.search(
            "crops", [query.tolist()], limit=K, filter=f"camera in [{chosen}]", search_params={"params": {"ef": ef}}
        )
        return [hit["id"] for hit in answer[0]]

    return search


def compare(gallery: Gallery, other: Callable[[Gallery], AbstractContextManager[dict[str, Search]]]) -> list[Engine]:
    """Fill our index and another engine with a gallery and ask both."""
    nearest = nearest_of(gallery, gallery.on_cameras(some_cameras()))
    with ExitStack() as stack:
        ways: dict[str, Search] = {}
        for fill in (our_index, other):
            with step(f"filling {fill.__name__} with {len(gallery):,} crops"):
                ways |= stack.enter_context(fill(gallery))
        with step("searching"):
            times = in_turn(ways, list(gallery.queries))
        return [
            Engine(name, len(gallery), times[name], recall(search, gallery.queries, nearest))
            for name, search in ways.items()
        ]


def main() -> None:
    """Measure, print and write; the exit status is 1 where another is faster at a recall not below ours."""
    parser = arguments(__doc__, 100_000)
    parser.add_argument("--milvus-size", type=int, default=20_000, help="crops in Milvus Lite (default: 20,000)")
    options = parser.parse_args()
    found: list[Engine] = []
    missed = False
    for size, other in ((options.size, pgvector), (options.milvus_size, milvus_lite)):
        own, *others = compare(Gallery.made_up(size, options.dimension), other)
        found += [own, *others]
        missed |= any(one.times.median_ms <= own.times.median_ms for one in others) or any(
            one.recall > own.recall for one in others
        )
    print_table(
        f"top {K} of the tenth that a filter on cameras leaves, {options.dimension} components",
        ("engine", "crops", "median ms", "p95 ms", "recall@10"),
        [(one.name, float(one.crops), one.times.median_ms, one.times.p95_ms, f"{one.recall:.3f}") for one in found],
    )
    write_report("filtered_search", options=vars(options), engines=found)
    raise SystemExit(missed)


if __name__ == "__main__":
    main()
