"""The service as a process of its own."""

import contextlib
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import httpx

from support.environment import plain_environment

START_TIMEOUT_S = 120
STOP_TIMEOUT_S = 60


class ServiceProcess:
    """`clip-senet serve` on a free port of loopback, with its data and the embedded PostgreSQL in a folder.

    Args:
        folder: Where its data lies; kept from one start to the next.
        program: How Python is told to run the command line.
        environment: Variables beyond those of the tests, which hold no settings.
        settings: Settings of the service, by their names in `Settings`.
    """

    def __init__(
        self,
        folder: Path,
        *,
        program: tuple[str, ...] = ("-m", "service.cli"),
        environment: dict[str, str] | None = None,
        **settings: object,
    ) -> None:
        self.folder = folder
        self.address = ""
        self._program = program
        named = {f"CLIP_SENET_{name.upper()}": str(value) for name, value in settings.items()}
        self._environment = {**plain_environment(), **named, **(environment or {})}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        return (self.folder / "service.log").read_text()

    def __enter__(self) -> Self:
        """Start it; it is stopped at the end, whatever happens in between."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        self.address = f"http://127.0.0.1:{port}"
        command = [sys.executable, *self._program, "serve", "--port", str(port), "--data-dir", str(self.folder)]
        with (self.folder / "service.log").open("ab") as log:
            self._process = subprocess.Popen(command, env=self._environment, stdout=log, stderr=log)
        deadline = time.monotonic() + START_TIMEOUT_S
        try:
            while not self._ready():
                assert self._process.poll() is None, self.log
                assert time.monotonic() < deadline, f"not ready: {self.log}"
                time.sleep(0.1)
        except BaseException:
            self._end()
            raise

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        assert self._process.wait() == -signal.SIGKILL

    def stop(self, end: signal.Signals = signal.SIGINT) -> None:
        """End it as Ctrl-C does, or else by force, which is an error; one that was killed is left alone."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(end)
        try:
            status = self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"did not stop within {STOP_TIMEOUT_S} s: {self.log}") from None
        finally:
            self._end()
        assert status == 0, self.log

    def _end(self) -> None:
        assert self._process is not None
        self._process.kill()  # does nothing where it has ended
        self._process.wait()

    def _ready(self) -> bool:
        try:
            return httpx.get(f"{self.address}/readyz", timeout=30).is_success
        except httpx.TransportError:
            return False


@contextlib.contextmanager
def data_folder() -> Iterator[Path]:
    """A temporary folder for a service.

    Not in pytest's own: another pytest that starts on the machine makes that one private again, and where all run as
    root the embedded server, which must not, loses its way to its files.
    """
    with tempfile.TemporaryDirectory(prefix="clip-senet-") as folder:
        yield Path(folder)
