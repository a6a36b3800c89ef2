"""The embedded server: killed, orphaned, shared and mistreated."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url

from service.database.embedded import EmbeddedPostgres
from service.database.engine import Database
from service.database.reviving import Reviver
from service.errors import UnavailableError

CONTAINER = ["unshare", "--pid", "--ipc", "--fork", "--kill-child", "--mount-proc"]
"""What a container is to PostgreSQL: it sees none of our processes, nor their shared memory, only their files."""

Embedded = Callable[[Path], EmbeddedPostgres]
StartOwner = Callable[[Path], subprocess.Popen[str]]

OWNER = """
import sys, time
from contextlib import suppress
from pathlib import Path
from service.database.embedded import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1]))
print(server.start(), flush=True)
sys.stdin.readline()
server.stop()
"""


@pytest.fixture
def new_folder() -> Iterator[Path]:
    """A data folder to come, outside pytest's own, which the user that a server of root runs as may not enter."""
    with tempfile.TemporaryDirectory(prefix="clip senet ") as folder:
        path = Path(folder) / "postgres"
        yield path
        _kill(path)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Path]:
    """A stopped server's data folder; making one takes seconds."""
    with tempfile.TemporaryDirectory(prefix="clip senet ") as folder:
        path = Path(folder) / "postgres"
        server = EmbeddedPostgres(path)
        server.start()
        server.stop()
        with (path / "postgresql.conf").open("a") as configuration:
            configuration.write("fsync = off\n")  # what dies here are processes, not the machine
        yield path


@pytest.fixture
def folder(cluster: Path) -> Iterator[Path]:
    """The data folder of a server that ran before. A test that harms it heals it, or the next ones fail."""
    yield cluster
    _kill(cluster)


@pytest.fixture
def embedded() -> Iterator[Embedded]:
    """Embedded servers that are stopped after the test, however it ends."""
    servers: list[EmbeddedPostgres] = []

    def make(folder: Path) -> EmbeddedPostgres:
        servers.append(EmbeddedPostgres(folder))
        return servers[-1]

    yield make
    for server in servers:
        server.stop()


@pytest.fixture
def start_owner() -> Iterator[StartOwner]:
    """Processes that own a server of the folder until they are told to end; killed after the test."""
    owners: list[subprocess.Popen[str]] = []

    def start(folder: Path) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", OWNER, str(folder)]
        owners.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        return owners[-1]

    yield start
    for owner in owners:
        owner.kill()
        with owner:  # closes its pipes and waits
            pass


@pytest.fixture(scope="module")
def in_container() -> Callable[[Path], subprocess.CompletedProcess[str]]:
    """Starts and stops a server of a folder in another container."""
    unshare = shutil.which(CONTAINER[0])
    if unshare is None or subprocess.run([*CONTAINER, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("this user may make no PID namespace (unshare, as root on Linux)")

    def start_and_stop(folder: Path) -> subprocess.CompletedProcess[str]:
        command = [*CONTAINER, sys.executable, "-c", OWNER, str(folder)]
        return subprocess.run(command, input="\n", capture_output=True, text=True, check=False, timeout=60)

    return start_and_stop


def _url(owner: subprocess.Popen[str]) -> str:
    """What an owner says when its server answers."""
    assert owner.stdout is not None
    return owner.stdout.readline().strip()


def _processes(folder: Path) -> set[int]:
    return EmbeddedPostgres(folder)._processes()


def _kill(folder: Path) -> None:
    for pid in _processes(folder):
        with suppress(ProcessLookupError):  # the server's children end by themselves when it dies
            os.kill(pid, signal.SIGKILL)
    _wait(lambda: not _processes(folder))


def _wait(condition: Callable[[], bool], timeout_s: float = 20) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _sql(url: str, statement: str) -> list[tuple[object, ...]]:
    address = make_url(url)
    host = str(address.query["host"])
    with psycopg.connect(host=host, dbname=address.database, user=address.username, autocommit=True) as connection:
        cursor = connection.execute(statement)  # type: ignore[call-overload]
        return cursor.fetchall() if cursor.description else []


def _postmaster(folder: Path) -> int:
    pid = _postmaster_now(folder)
    assert pid is not None
    return pid


def _postmaster_now(folder: Path) -> int | None:
    return EmbeddedPostgres(folder)._postmaster()


def test_data_outlive_a_stop_and_a_path_may_hold_spaces(folder: Path, embedded: Embedded) -> None:
    server = embedded(folder)
    url = server.start()
    assert " " in str(folder)
    assert _sql(url, "SHOW server_encoding") == [("UTF8",)]
    assert _sql(url, "SHOW listen_addresses") == [("",)]
    _sql(url, "DROP TABLE IF EXISTS kept; CREATE TABLE kept (n int); INSERT INTO kept VALUES (1)")
    server.stop()
    server.stop()
    assert _processes(folder) == set()
    assert embedded(folder).start() == url
    assert _sql(url, "SELECT n FROM kept") == [(1,)]


def test_a_long_path_still_has_a_socket(new_folder: Path, embedded: Embedded) -> None:
    deep = new_folder / ("d" * 60) / ("e" * 60)
    server = embedded(deep)
    url = server.start()
    try:
        assert _sql(url, "SELECT 1") == [(1,)]
        other = embedded(deep)
        assert other.start() == url
        _kill(deep)
        assert other.revive()  # at the address that everybody has
        assert not server.revive()
        assert _sql(url, "SELECT 1") == [(1,)]
    finally:
        server.stop()
        _kill(deep)


def test_the_owner_killed_leaves_a_server_that_the_next_one_takes_over(
    folder: Path, embedded: Embedded, start_owner: StartOwner
) -> None:
    owner = start_owner(folder)
    url = _url(owner)
    _sql(url, "DROP TABLE IF EXISTS kept; CREATE TABLE kept (n int); INSERT INTO kept VALUES (1)")
    postmaster = _postmaster(folder)
    owner.kill()
    owner.wait()
    server = embedded(folder)
    assert server.start() == url
    assert _postmaster(folder) == postmaster
    assert _sql(url, "SELECT n FROM kept") == [(1,)]
    server.stop()
    assert _processes(folder) == set()


def test_owner_and_server_killed_together_lose_nothing_committed(
    folder: Path, embedded: Embedded, start_owner: StartOwner
) -> None:
    owner = start_owner(folder)
    url = _url(owner)
    _sql(url, "DROP TABLE IF EXISTS kept; CREATE TABLE kept (n int)")
    for number in range(50):
        _sql(url, f"INSERT INTO kept VALUES ({number})")  # noqa: S608
    owner.kill()
    _kill(folder)
    owner.wait()
    assert _sql(embedded(folder).start(), "SELECT count(*) FROM kept") == [(50,)]


async def test_a_pool_survives_the_death_of_the_server(folder: Path, embedded: Embedded) -> None:
    server = embedded(folder)
    url = await asyncio.to_thread(server.start)
    database = Database(url, pool_size=3)
    async with database.transaction() as session:
        await session.execute(text("DROP TABLE IF EXISTS kept"))
        await session.execute(text("CREATE TABLE kept (n int)"))
    await asyncio.gather(*(database.ping() for _ in range(3)))
    os.kill(_postmaster(folder), signal.SIGKILL)
    with pytest.raises(UnavailableError):
        await _until_it_fails(database)
    assert await asyncio.to_thread(embedded(folder).start) == url
    async with database.transaction() as session:
        await session.execute(text("INSERT INTO kept VALUES (1)"))
    await asyncio.gather(*(database.ping() for _ in range(3)))
    await database.close()


async def test_a_server_that_dies_under_the_service_is_started_again(
    folder: Path, embedded: Embedded, caplog: pytest.LogCaptureFixture
) -> None:
    server = embedded(folder)
    database = Database(await asyncio.to_thread(server.start), pool_size=1)
    reviver = Reviver(server, period_s=0.05)
    reviver.start()
    try:
        first = _postmaster(folder)
        os.kill(first, signal.SIGKILL)
        async with asyncio.timeout(30):
            while _postmaster_now(folder) in {None, first}:  # noqa: ASYNC110 - seen from outside
                await asyncio.sleep(0.02)
            while "was started again" not in caplog.text:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        async with database.transaction() as session:
            assert await session.scalar(text("SELECT 1")) == 1
    finally:
        await reviver.stop()
        await database.close()


def test_a_folder_that_is_gone_is_not_made_anew(new_folder: Path, embedded: Embedded) -> None:
    """An empty database in its place would look like one whose crops were all deleted."""
    server = embedded(new_folder)
    server.start()
    _kill(new_folder)
    moved = new_folder.rename(new_folder.with_name("moved"))
    with pytest.raises(UnavailableError, match="restore it"):
        server.revive()
    assert not new_folder.exists()
    moved.rename(new_folder)
    assert server.revive()


async def _until_it_fails(database: Database) -> None:
    """The postmaster's children notice its death a moment later."""
    for _ in range(500):
        async with database.transaction() as session:
            await session.execute(text("SELECT 1"))
        await asyncio.sleep(0.01)


async def test_a_server_that_dies_within_a_transaction_is_unavailable(folder: Path, embedded: Embedded) -> None:
    url = await asyncio.to_thread(embedded(folder).start)
    database = Database(url, pool_size=1)

    async def die_in_the_middle() -> None:
        async with database.transaction() as session:
            await session.execute(text("SELECT 1"))
            _kill(folder)
            await session.execute(text("SELECT 1"))

    with pytest.raises(UnavailableError, match="does not answer"):
        await die_in_the_middle()
    with pytest.raises(UnavailableError, match="does not answer") as caught:
        await database.ping()
    assert caught.value.retry_after_s is not None
    await asyncio.to_thread(embedded(folder).start)
    await database.ping()
    await database.close()


def test_a_pid_file_that_names_another_process_is_not_believed(folder: Path, embedded: Embedded) -> None:
    """After a reboot, or in a new container, the old number belongs to somebody else: here to this test."""
    server = embedded(folder)
    url = server.start()
    pid_file = folder / "postmaster.pid"
    content = pid_file.read_text().splitlines()
    _kill(folder)
    pid_file.write_text("\n".join([str(os.getpid()), *content[1:]]) + "\n")
    assert embedded(folder).start() == url
    assert _sql(url, "SELECT 1") == [(1,)]


@pytest.mark.parametrize("content", ["", "not a number\n"])
def test_a_broken_pid_file_is_not_believed(folder: Path, embedded: Embedded, content: str) -> None:
    embedded(folder).start()
    _kill(folder)
    (folder / "postmaster.pid").write_text(content)
    assert _sql(embedded(folder).start(), "SELECT 1") == [(1,)]


def test_a_server_that_does_not_stop_in_good_order_is_stopped_at_once(
    folder: Path, embedded: Embedded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.database.embedded.STOP_TIMEOUT_S", 1)
    server = embedded(folder)
    url = server.start()
    for child in psutil.Process(_postmaster(folder)).children():
        child.suspend()
    server.stop()
    assert _processes(folder) == set()
    assert embedded(folder).start() == url


@pytest.mark.parametrize("owner_lives", [True, False])
def test_a_server_of_another_container_is_left_alone(
    folder: Path,
    start_owner: StartOwner,
    in_container: Callable[[Path], subprocess.CompletedProcess[str]],
    *,
    owner_lives: bool,
) -> None:
    owner = start_owner(folder)
    url = _url(owner)
    postmaster, pid_file = _postmaster(folder), (folder / "postmaster.pid").read_text()
    if not owner_lives:
        owner.kill()
        owner.wait()
    refused = in_container(folder)
    assert refused.returncode != 0
    assert "in use by another container" in refused.stderr
    assert _postmaster(folder) == postmaster
    assert (folder / "postmaster.pid").read_text() == pid_file
    assert _sql(url, "SELECT 1") == [(1,)]
    _kill(folder)
    allowed = in_container(folder)
    assert allowed.returncode == 0, allowed.stderr
    assert allowed.stdout.strip() == url


def test_the_last_of_several_processes_stops_the_server(folder: Path, start_owner: StartOwner) -> None:
    first, second = start_owner(folder), start_owner(folder)
    url = _url(first)
    assert _url(second) == url
    first.communicate("\n", timeout=30)
    assert _sql(url, "SELECT 1") == [(1,)]
    second.communicate("\n", timeout=30)
    assert _processes(folder) == set()


def test_processes_that_start_at_once_share_one_server(new_folder: Path, start_owner: StartOwner) -> None:
    owners = [start_owner(new_folder) for _ in range(3)]
    urls = {_url(owner) for owner in owners}
    assert len(urls) == 1
    assert _sql(urls.pop(), "SELECT 1") == [(1,)]
    for owner in owners:
        owner.communicate("\n", timeout=60)
    assert [owner.returncode for owner in owners] == [0, 0, 0]
    assert _processes(new_folder) == set()


def test_a_process_that_just_ends_stops_its_server(folder: Path) -> None:
    code = OWNER.replace("server.stop()", "")
    subprocess.run([sys.executable, "-c", code, folder], input="\n", text=True, check=True, timeout=60)
    assert _processes(folder) == set()


def test_an_initialisation_cut_short_leaves_nothing_that_looks_done(new_folder: Path, embedded: Embedded) -> None:
    making = new_folder.with_name(f".{new_folder.name}.making")
    making.mkdir()
    (making / "PG_VERSION").write_text("18\n")
    assert _sql(embedded(new_folder).start(), "SELECT 1") == [(1,)]
    assert not making.exists()


def test_a_folder_of_somebody_else_is_refused(new_folder: Path, embedded: Embedded) -> None:
    new_folder.mkdir()
    (new_folder / "thesis.txt").write_text("precious")
    with pytest.raises(UnavailableError, match="not empty and holds no database"):
        embedded(new_folder).start()
    assert (new_folder / "thesis.txt").read_text() == "precious"


def test_a_folder_that_cannot_be_made_is_said_so(new_folder: Path, embedded: Embedded) -> None:
    new_folder.write_text("a file")
    with pytest.raises(UnavailableError, match="does not start"):
        embedded(new_folder / "postgres").start()
    new_folder.unlink()


def test_a_database_of_another_version_is_refused(folder: Path, embedded: Embedded) -> None:
    server = embedded(folder)
    server.start()
    server.stop()
    version = folder / "PG_VERSION"
    real = version.read_text()
    version.write_text("16\n")
    with pytest.raises(UnavailableError, match="made by PostgreSQL 16"):
        server.start()
    version.write_text(real)


def test_a_damaged_configuration_is_said_so_quickly(folder: Path, embedded: Embedded) -> None:
    server = embedded(folder)
    server.start()
    server.stop()
    configuration = folder / "postgresql.conf"
    real = configuration.read_text()
    configuration.write_text("nonsense = = 1\n")
    started = time.monotonic()
    with pytest.raises(UnavailableError, match=r"does not start: configuration file .* contains errors"):
        server.start()
    assert time.monotonic() - started < 20
    configuration.write_text(real)
