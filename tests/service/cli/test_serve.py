"""`clip-senet serve` from outside, as far as it needs no model."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.environment import plain_environment
from support.processes import ServiceProcess, data_folder
from typer.testing import CliRunner

from service.cli import app


@pytest.mark.parametrize("url", ["postgresql://u:geheim@db/x", "postgresql://db/x?user=u&password=geheim"])
def test_shows_the_database_but_never_its_password(url: str) -> None:
    # On an open network it refuses to start, but only after saying what it would have used.
    open_network = ["serve", "--host", "0.0.0.0", "--port", "0", "--auth", "off"]  # noqa: S104
    result = CliRunner().invoke(app, open_network, env={"CLIP_SENET_DATABASE_URL": url})
    assert result.exit_code == 1
    assert "@db/x" in result.output or "//db/x" in result.output
    assert "geheim" not in result.output
    assert "no loopback address" in result.output


def test_says_which_ways_of_asking_for_keys_there_are() -> None:
    result = CliRunner().invoke(app, ["serve", "--auth", "maybe"])
    assert result.exit_code == 1
    assert "auth: Input should be 'auto', 'on' or 'off'" in result.output


def test_as_many_files_may_be_open_as_the_system_lets() -> None:
    script = (
        "import resource; from service.cli.serve import allow_open_files\n"
        "most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]; resource.setrlimit(resource.RLIMIT_NOFILE, (64, most))\n"
        "allow_open_files(); assert resource.getrlimit(resource.RLIMIT_NOFILE) == (most, most)"
    )
    subprocess.run([sys.executable, "-c", script], check=True, env=plain_environment())


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGHUP])
def test_ends_in_good_order_however_it_is_told(end: signal.Signals, untrained_weights: Path) -> None:
    with data_folder() as folder:
        service = ServiceProcess(folder, weights=untrained_weights, preset="tiny", device="cpu", torch_threads=1)
        service.start()
        service.stop(end)
        assert "Stopped." in service.log
        assert not (folder / "postgres" / "postmaster.pid").exists()


def test_says_in_a_sentence_where_the_index_cannot_keep_its_files(untrained_weights: Path) -> None:
    with data_folder() as folder:
        (folder / "index").write_bytes(b"")
        service = ServiceProcess(folder, weights=untrained_weights, preset="tiny", device="cpu", torch_threads=1)
        with pytest.raises(AssertionError):
            service.start()
        assert f"Cannot start: the index cannot keep its files in {folder / 'index'}" in " ".join(service.log.split())
        assert "Traceback" not in service.log
