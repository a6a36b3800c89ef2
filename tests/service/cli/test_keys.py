"""`clip-senet keys`, on a database by URL and on the embedded one of a running service."""

import asyncio
import fcntl
import json
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from click.testing import Result
from support.environment import plain_environment
from support.processes import ServiceProcess, data_folder
from typer.testing import CliRunner

from service.cli import app
from service.database.engine import Database
from service.keys.records import KeyRecord
from service.keys.ring import HELD_S, KeyRing


@pytest.fixture
def run(postgres_url: str) -> object:
    """Runs `clip-senet keys` on a database of the test."""

    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(app, ["keys", *arguments], env={"CLIP_SENET_DATABASE_URL": postgres_url})

    return invoke


async def verified(url: str, text: str) -> KeyRecord:
    database = Database(url, pool_size=1)
    try:
        return await KeyRing(database).verify(text)
    finally:
        await database.close()


def listed(run: object) -> list[dict[str, object]]:
    assert callable(run)
    keys: list[dict[str, object]] = json.loads(run("list", "--json").stdout)
    return keys


class TestCreate:
    def test_writes_the_key_alone_to_stdout(self, run: object) -> None:
        assert callable(run)
        result = run("create", "operations", "--scope", "admin")
        assert result.exit_code == 0
        (line,) = result.stdout.splitlines()
        assert line.startswith("csk_")
        assert "stored nowhere" in result.stderr
        assert line not in result.stderr

    def test_makes_what_was_asked_for(self, run: object) -> None:
        assert callable(run)
        options = ("--scope", "enroll", "--scope", "read", "--collection", "harbour", "--days", "30", "--rate", "600")
        run("create", "gates", *options)
        (key,) = listed(run)
        assert (key["name"], key["scopes"], key["collections"]) == ("gates", ["enroll", "read"], ["harbour"])
        assert (key["requests_per_minute"], key["state"]) == (600, "active")
        assert str(key["created_by"]).endswith("(command line)")

    @pytest.mark.parametrize(
        ("options", "sentence"),
        [
            (("--scope", "root"), "scopes.0: Input should be 'enroll', 'search', 'read', 'delete' or 'admin'"),
            (("--scope", "read", "--days", "-1"), "expires_at: must lie in the future"),
            (("--scope", "read", "--days", "1e30"), "beyond the calendar"),
            (("--scope", "read", "--days", "nan"), "beyond the calendar"),
            (("--scope", "read", "--rate", "0"), "requests_per_minute: Input should be greater"),
            (("--scope", "read", "--collection", "a/b"), "collections.0: must not hold a slash"),
        ],
    )
    def test_says_what_is_wrong_and_makes_nothing(self, run: object, options: tuple[str, ...], sentence: str) -> None:
        assert callable(run)
        result = run("create", "x", *options)
        assert (result.exit_code, result.stdout) == (1, "")
        assert sentence in " ".join(result.stderr.split())
        assert listed(run) == []


class TestTheOthers:
    @pytest.mark.parametrize("way", ["prefix", "id", "text", "csk"])
    def test_a_key_is_named_by_whatever_is_at_hand(self, run: object, way: str) -> None:
        assert callable(run)
        text = run("create", "operations", "--scope", "admin").stdout.strip()
        (key,) = listed(run)
        reference = {"prefix": key["prefix"], "id": key["id"], "text": text, "csk": f"csk_{key['prefix']}"}[way]
        assert run("revoke", str(reference)).exit_code == 0
        assert listed(run)[0]["state"] == "revoked"

    def test_one_that_is_not_there(self, run: object) -> None:
        assert callable(run)
        for command in ("revoke", "rotate"):
            result = run(command, "4f1d0a9be37c")
            assert result.exit_code == 1
            assert "There is no key '4f1d0a9be37c'" in result.stderr

    def test_rotation_makes_another_that_may_the_same(self, run: object, postgres_url: str) -> None:
        assert callable(run)
        old = run("create", "gates", "--scope", "enroll", "--collection", "harbour").stdout.strip()
        result = run("rotate", old, "--overlap-hours", "2")
        new = asyncio.run(verified(postgres_url, result.stdout.strip()))
        before = asyncio.run(verified(postgres_url, old))
        assert (new.scopes, new.collections, new.name) == (before.scopes, before.collections, before.name)
        assert before.replaced_by == new.id
        assert "stays valid until" in result.stderr

    def test_the_list_shows_each(self, run: object) -> None:
        assert callable(run)
        for name in ("operations", "gates"):
            run("create", name, "--scope", "read")
        shown = run("list").stdout
        for key in listed(run):
            assert str(key["prefix"]) in shown
        assert shown.count("active") == 2


def test_where_the_folder_cannot_be_used_it_is_said_where_to_run(tmp_path: Path) -> None:
    """As when another container has it, whose processes cannot be seen from here."""
    with (tmp_path / ".postgres.server.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        command = [sys.executable, "-m", "service.cli", "keys", "list", "--data-dir", str(tmp_path)]
        environment = plain_environment()
        result = subprocess.run(command, check=False, env=environment, capture_output=True, text=True, timeout=60)
    assert (result.returncode, result.stdout) == (1, "")
    said = " ".join(result.stderr.split())
    assert "in use by another container" in said
    assert "run the command on its machine, in its container and as its user" in said


def test_keys_of_a_running_service(untrained_weights: Path) -> None:
    """Its embedded database is shared: the first key is made before it starts, others while it runs."""
    with data_folder() as folder:

        def keys(*arguments: str) -> str:
            command = [sys.executable, "-m", "service.cli", "keys", *arguments, "--data-dir", str(folder)]
            done = subprocess.run(command, env=plain_environment(), capture_output=True, check=True, timeout=120)
            return done.stdout.decode().strip()

        first = keys("create", "operations", "--scope", "admin")
        settings = {"weights": untrained_weights, "preset": "tiny", "device": "cpu", "torch_threads": 1, "auth": "on"}
        with ServiceProcess(folder, **settings) as service, httpx.Client(base_url=service.address) as client:

            def status(key: str) -> int:
                return client.get("/keys/self", headers={"X-API-Key": key}).status_code

            assert client.get("/keys/self").status_code == 401
            assert status(first) == 200
            second = keys("create", "gates", "--scope", "read")
            assert status(second) == 200
            keys("revoke", second)
            revoked_at = time.monotonic()
            while status(second) != 401:
                assert time.monotonic() - revoked_at < HELD_S + 1
                time.sleep(0.05)
            assert status(first) == 200
