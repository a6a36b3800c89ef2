"""kill -9, receivers that are down and receivers that hang: every hit is told, once or recognisably twice.

The service and the receiver of the guide run as processes of their own.
"""

import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.environment import plain_environment
from support.processes import ServiceProcess, data_folder
from support.webhooks import receiving

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "receiver.py"
MakeJpeg = Callable[..., bytes]
CROPS = 6


class ReceiverProcess:
    """The receiver of the guide on a port of its own, which stays the same from one start to the next."""

    def __init__(self, folder: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self._port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self._port}/"
        self._database = folder / "messages.sqlite"
        self._process: subprocess.Popen[str] | None = None

    def start(self, secret: str) -> None:
        command = [sys.executable, str(EXAMPLE), "--port", str(self._port), "--database", str(self._database)]
        environment = {**plain_environment(), "WEBHOOK_SECRET": secret}
        self._process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        assert "Listening" in self._process.stdout.readline()

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()

    def kept(self) -> list[str]:
        """Ids of the messages that it has."""
        database = sqlite3.connect(self._database)
        try:
            return [row[0] for row in database.execute("SELECT id FROM messages ORDER BY id")]
        finally:
            database.close()


class Watching:
    """A service, and what is asked of it."""

    def __init__(self, service: ServiceProcess, make_jpeg: MakeJpeg) -> None:
        self.service, self._make_jpeg = service, make_jpeg

    def ask(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        answer = httpx.request(method, f"{self.service.address}{path}", timeout=60, **options)
        assert answer.is_success, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def enroll(self, count: int) -> list[str]:
        files = [("images", (str(number), self._make_jpeg(1))) for number in range(count)]
        items = self.ask("POST", "/gallery", files=files, data={"camera_id": "gate"})["items"]
        return [item["id"] for item in items]

    def watch(self, query: str, url: str) -> tuple[str, str]:
        body = {"name": "taxi", "crop_ids": [query], "min_score": 0.9, "webhook_url": url}
        made = self.ask("POST", "/watches", json=body)
        return made["id"], made["webhook_secret"]

    def deliveries(self, watch: str, **query: str) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = self.ask("GET", f"/watches/{watch}/deliveries", params=query)["items"]
        return items

    def ids(self, watch: str) -> list[str]:
        return sorted(one["id"] for one in self.deliveries(watch))


def wait_until(condition: Callable[[], bool], timeout_s: float = 60) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that in time"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def watching(untrained_weights: Path, make_jpeg: MakeJpeg) -> Iterator[Watching]:
    settings = {"weights": untrained_weights, "preset": "tiny", "device": "cpu", "torch_threads": 1}
    quick = {"watch_poll_s": 0.05, "webhook_retry_s": 0.2, "webhook_timeout_s": 1}
    with data_folder() as folder, ServiceProcess(folder, **settings, **quick) as service:
        yield Watching(service, make_jpeg)


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[ReceiverProcess]:
    receiver = ReceiverProcess(tmp_path)
    yield receiver
    receiver.kill()


@pytest.fixture
def query(watching: Watching) -> Iterator[str]:
    """A crop to watch for; the watches of the test are deleted after it."""
    yield watching.enroll(1)[0]
    for watch in watching.ask("GET", "/watches")["items"]:
        httpx.delete(f"{watching.service.address}/watches/{watch['id']}").raise_for_status()


def test_killed_between_hit_and_delivery(watching: Watching, query: str, receiver: ReceiverProcess) -> None:
    watch, secret = watching.watch(query, receiver.url)  # nobody listens there yet
    crops = watching.enroll(CROPS)
    wait_until(lambda: len(watching.deliveries(watch)) == CROPS)
    watching.service.kill()
    receiver.start(secret)
    watching.service.start()
    wait_until(lambda: len(watching.deliveries(watch, state="delivered")) == CROPS)
    assert receiver.kept() == watching.ids(watch)
    assert sorted(one["crop_id"] for one in watching.deliveries(watch)) == sorted(crops)


def test_killed_right_after_an_enrolment(watching: Watching, query: str, receiver: ReceiverProcess) -> None:
    watch, secret = watching.watch(query, receiver.url)
    receiver.start(secret)
    crops = watching.enroll(CROPS)
    watching.service.kill()
    watching.service.start()
    wait_until(lambda: len(watching.deliveries(watch, state="delivered")) == CROPS)
    assert receiver.kept() == watching.ids(watch)
    assert sorted(one["crop_id"] for one in watching.deliveries(watch)) == sorted(crops)


def test_killed_before_the_answer_came(watching: Watching, query: str) -> None:
    with receiving() as receiver:
        receiver.delay = threading.Event()
        watch, _ = watching.watch(query, receiver.url)
        watching.enroll(1)
        wait_until(lambda: len(receiver.received) == 1)  # it has the message, and has not said so
        watching.service.kill()
        receiver.delay.set()
        watching.service.start()
        wait_until(lambda: len(watching.deliveries(watch, state="delivered")) == 1)
        first, *others = receiver.ids
        assert others == [first]
        assert receiver.raw[0] == receiver.raw[1]
        assert receiver.received[0]["webhook-timestamp"] <= receiver.received[1]["webhook-timestamp"]


def test_a_receiver_is_down_for_a_while(watching: Watching, query: str, receiver: ReceiverProcess) -> None:
    watch, secret = watching.watch(query, receiver.url)
    receiver.start(secret)
    watching.enroll(2)
    wait_until(lambda: len(receiver.kept()) == 2)
    receiver.kill()
    watching.enroll(CROPS)
    wait_until(lambda: sum(one["attempts"] >= 2 for one in watching.deliveries(watch)) >= 2)
    assert {one["last_error"] for one in watching.deliveries(watch, state="pending")} <= {
        None,
        "The receiver cannot be reached.",
    }
    receiver.start(secret)
    wait_until(lambda: len(watching.deliveries(watch, state="delivered")) == 2 + CROPS)
    assert receiver.kept() == watching.ids(watch)


def test_a_receiver_that_hangs_holds_up_nobody(watching: Watching, query: str, receiver: ReceiverProcess) -> None:
    with receiving() as hanging:
        hanging.delay = threading.Event()
        stuck, _ = watching.watch(query, hanging.url)
        watch, secret = watching.watch(query, receiver.url)
        receiver.start(secret)
        watching.enroll(CROPS)
        wait_until(lambda: len(watching.deliveries(watch, state="delivered")) == CROPS)
        wait_until(lambda: any(one["last_error"] for one in watching.deliveries(stuck)))
        assert watching.deliveries(stuck, state="delivered") == []
        failed = [one for one in watching.deliveries(stuck) if one["last_error"]]
        assert {one["last_error"] for one in failed} == {"The receiver did not answer within 1 s."}
        hanging.delay.set()
        wait_until(lambda: len(watching.deliveries(stuck, state="delivered")) == CROPS)
        assert set(hanging.ids) == set(watching.ids(stuck))


def test_no_secret_is_in_the_log(watching: Watching, query: str, receiver: ReceiverProcess) -> None:
    watch, secret = watching.watch(query, receiver.url + "hook?token=of-the-url")
    watching.enroll(1)
    wait_until(lambda: any(one["last_error"] for one in watching.deliveries(watch)))
    receiver.start(secret)
    wait_until(lambda: len(watching.deliveries(watch, state="delivered")) == 1)
    for text in (secret.removeprefix("whsec_"), "of-the-url"):
        assert text not in watching.service.log
