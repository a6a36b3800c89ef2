"""`clip-senet demo` from outside, with the shipped weights and the sample vehicles."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

COMMAND = [sys.executable, "-m", "service.cli", "demo"]
LONGEST_S = 300


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data folder that the tests below share in their order: the second demo finds what the first left."""
    return tmp_path_factory.mktemp("demo")


def run_once(folder: Path, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, "--data-dir", str(folder), *options],
        env={**os.environ, "DEMO_ONCE": "1", "COLUMNS": "160", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=LONGEST_S,
        check=False,
    )


def test_finds_the_right_vehicle_first_even_where_its_port_is_taken(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        # A database of the user's own, which the demo must leave alone: here it would not even start.
        done = run_once(folder, "--port", str(port), CLIP_SENET_DATABASE_URL="postgresql://me@127.0.0.1:9/mine")
    assert done.returncode == 0, done.stdout
    said = re.search(rf"Port {port} is taken, so the demo uses port (\d+)", done.stdout)
    assert said is not None
    query = re.search(r"Query: (v\d{4}), ", done.stdout)
    assert query is not None
    rows = re.findall(
        r"^ +(\d+) +(0\.\d{3}) +(v\d{4}) +(cam\d) +(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)(.*)$", done.stdout, re.MULTILINE
    )
    assert [int(row[0]) for row in rows] == list(range(1, 11))
    assert [row[1] for row in rows] == sorted((row[1] for row in rows), reverse=True)
    assert rows[0][2] == query[1]
    assert [("the same vehicle" in row[5]) for row in rows] == [row[2] == query[1] for row in rows]
    assert "The right vehicle came first." in done.stdout
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{said[1]}/healthz")


def test_stays_up_until_ctrl_c_and_enrolls_nothing_twice(folder: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "DEMO_ONCE"}
    command = [*COMMAND, "--data-dir", str(folder), "--port", "0"]
    with (folder / "output").open("w+b") as output:
        demo = subprocess.Popen(command, env={**environment, "COLUMNS": "160"}, stdout=output, stderr=output)
        try:
            address = _wait_for_address(demo, folder / "output")
            cameras = httpx.get(f"{address}/cameras", timeout=30).json()["items"]
            assert "Vehicle search" in httpx.get(address).text
        finally:
            demo.send_signal(signal.SIGINT)
            status = demo.wait(60)
    text = (folder / "output").read_text()
    assert status == 0, text
    enrolled = re.search(r"0 sample crops enrolled, (\d+) were there from before", text)
    assert enrolled is not None, text
    assert sum(camera["crops"] for camera in cameras) == int(enrolled[1]) > 100
    assert "Traceback" not in text
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{address}/healthz")


def test_says_why_where_the_service_cannot_start(folder: Path) -> None:
    (folder / "occupied").mkdir()
    (folder / "occupied" / "postgres").write_text("a file where the database's folder should be")
    done = run_once(folder / "occupied", "--port", "0")
    assert done.returncode == 2
    assert "The service did not start." in done.stdout
    assert "Cannot start: " in done.stdout
    assert "occupied/postgres" in done.stdout
    assert "Traceback" not in done.stdout


def _wait_for_address(demo: "subprocess.Popen[bytes]", output: Path) -> str:
    for _ in range(LONGEST_S * 5):
        found = re.search(r"Open (http://127\.0\.0\.1:\d+)/ to search", output.read_text())
        if found:
            return found[1]
        assert demo.poll() is None, output.read_text()
        time.sleep(0.2)
    pytest.fail(output.read_text())
