"""Receivers of webhooks for tests."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Receiver:
    """What came to a receiver, and what it answers.

    Attributes:
        statuses: Answers to the next messages; 204 after them.
        headers: Of each answer, besides.
        delay: It answers when this is set; None for at once.
    """

    url: str = ""
    bodies: list[dict[str, Any]] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    received: list[dict[str, str]] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    delay: threading.Event | None = None

    @property
    def ids(self) -> list[str]:
        return [headers["webhook-id"] for headers in self.received]

    async def wait_for(self, count: int) -> None:
        await until(lambda: len(self.received) >= count)


async def until(condition: Callable[[], bool], timeout_s: float = 10) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110 - other threads and processes set no event of the loop
            await asyncio.sleep(0.005)


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.raw.append(body)
            receiver.bodies.append(json.loads(body))
            receiver.received.append(
                {"path": self.path} | {name.lower(): value for name, value in self.headers.items()}
            )
            if receiver.delay is not None:
                receiver.delay.wait(20)
            self.send_response(receiver.statuses.pop(0) if receiver.statuses else 204)
            for name, value in receiver.headers.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    return Handler


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


@contextmanager
def receiving(port: int = 0) -> Iterator[Receiver]:
    """A receiver on loopback."""
    receiver = Receiver()
    with _Server(("127.0.0.1", port), _handler(receiver)) as server:
        receiver.url = f"http://127.0.0.1:{server.server_port}/hook"
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield receiver
        if receiver.delay is not None:
            receiver.delay.set()
        server.shutdown()
