"""The receiver of the guide, as a process, told by the service's own sender."""

import asyncio
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from support.environment import plain_environment

from service.watches import sender as module
from service.watches.sender import WebhookSender
from service.watches.signing import new_secret, signed_headers

EXAMPLE = Path(__file__).parents[3] / "docs" / "examples" / "receiver.py"
CROP = {"id": "crop-1", "camera_id": "gate", "captured_at": None, "created_at": "2026-11-23T08:30:00Z"}
MESSAGE = {
    "type": "watch.hit",
    "timestamp": "2026-11-23T08:30:02Z",
    "data": {"watch": {"name": "taxi"}, "hit": {"score": 0.83114, "crop": CROP}},
}


class Example:
    """The process."""

    def __init__(self, folder: Path, secret: str) -> None:
        self.secret, self.database = secret, folder / "messages.sqlite"
        # isolated and without site-packages: it is to need nothing but Python
        command = [sys.executable, "-I", "-S", str(EXAMPLE), "--port", "0", "--database", str(self.database)]
        environment = {**plain_environment(), "WEBHOOK_SECRET": secret}
        self.process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().split()[-1]

    def kept(self) -> list[str]:
        with sqlite3.connect(self.database) as database:
            rows = database.execute("SELECT id FROM messages").fetchall()
        database.close()
        return [row[0] for row in rows]

    def said(self) -> list[str]:
        """All that it printed; it is ended by that."""
        self.process.terminate()
        output, _ = self.process.communicate(timeout=10)
        return output.splitlines()


@pytest.fixture
def example(tmp_path: Path) -> Iterator[Example]:
    example = Example(tmp_path, new_secret())
    yield example
    example.process.kill()
    example.process.communicate()


async def test_what_the_service_sends_is_kept_and_told_once(example: Example, sender: WebhookSender) -> None:
    for webhook_id in ("id-1", "id-2", "id-1"):
        outcome = await sender.send(example.url, webhook_id, MESSAGE, [example.secret])
        assert outcome.status == 204
    assert await asyncio.to_thread(example.kept) == ["id-1", "id-2"]
    assert example.said() == ["taxi: seen by gate at 2026-11-23T08:30:00Z, score 0.831, crop crop-1"] * 2


async def test_both_signatures_of_a_rotation_will_do(example: Example, sender: WebhookSender) -> None:
    for secrets in ([new_secret(), example.secret], [example.secret, new_secret()]):
        assert (await sender.send(example.url, str(secrets), MESSAGE, secrets)).delivered


async def test_a_message_to_try_it_out(example: Example, sender: WebhookSender) -> None:
    trial = {"type": "watch.test", "timestamp": "", "data": {"watch": {"name": "taxi"}}}
    assert (await sender.send(example.url, "id", trial, [example.secret])).delivered
    assert example.said() == ["taxi: watch.test"]


async def test_another_s_message(example: Example, sender: WebhookSender) -> None:
    assert (await sender.send(example.url, "id", MESSAGE, [new_secret()])).status == 401
    assert await asyncio.to_thread(example.kept) == []


@pytest.mark.parametrize("seconds", [-301, 301])
async def test_a_message_that_is_played_back(
    example: Example, sender: WebhookSender, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    now = time.time()
    monkeypatch.setattr(module.time, "time", lambda: now + seconds)
    assert (await sender.send(example.url, "id", MESSAGE, [example.secret])).status == 401


@pytest.mark.parametrize("change", ["body", "webhook-id", "webhook-timestamp", "webhook-signature", "none"])
def test_a_message_that_was_changed(example: Example, change: str) -> None:
    body = b'{"type":"watch.test","data":{"watch":{"name":"taxi"}}}'
    headers = signed_headers("id", int(time.time()), body, [example.secret])
    if change in headers:
        headers[change] = {"webhook-timestamp": str(int(time.time()) - 1)}.get(change, "v1,other")
    if change == "body":
        body = body.replace(b"taxi", b"bus!")
    answer = httpx.post(example.url, content=body, headers=headers)
    assert answer.status_code == (204 if change == "none" else 401)


def test_without_headers(example: Example) -> None:
    assert httpx.post(example.url, content=b"{}").status_code == 401


def test_too_long(example: Example) -> None:
    host, port = example.url.split("/")[2].split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nContent-Length: 100000000\r\n\r\n")
        assert b" 413 " in connection.recv(100)


def test_it_keeps_messages_over_a_restart(tmp_path: Path) -> None:
    secret = new_secret()
    body = b'{"type":"watch.test","data":{"watch":{"name":"taxi"}}}'
    said = []
    for _ in range(2):
        example = Example(tmp_path, secret)
        headers = signed_headers("id", int(time.time()), body, [secret])
        assert httpx.post(example.url, content=body, headers=headers).status_code == 204
        said.append(example.said())
    assert said == [["taxi: watch.test"], []]
