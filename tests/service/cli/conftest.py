"""A scripted HTTP server, for what a healthy service does not do: being busy, away, or in the way of a large body."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest


@dataclass
class Script:
    """Answers to give in turn, the last one for ever; and the bodies received.

    An answer is (status, headers, body); a callable gets the request's body and returns one.
    """

    address: str = ""
    answers: list[Any] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    def next(self, body: bytes) -> tuple[int, dict[str, str], Any]:
        self.bodies.append(body)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return answer(body) if isinstance(answer, Callable) else answer


@pytest.fixture
def script() -> Iterator[Script]:
    script = Script()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if self.path == "/healthz":
                status, headers, answer = 200, {}, {}
            else:
                status, headers, answer = script.next(body)
            content = json.dumps(answer).encode()
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = _answer

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    script.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield script
    server.shutdown()
    thread.join()
    server.server_close()
