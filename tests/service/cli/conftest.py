"""A scripted HTTP server, for what a healthy service does not do: being busy, away, or in the way of a large body."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest


@pytest.fixture
def script() -> Iterator[SimpleNamespace]:
    """A server with `address`, `answers` to give in turn, the last one for ever, and `bodies` and `headers` received.

    An answer is (status, headers, body); a callable gets the request's body and returns one. /healthz is always fine.
    """
    script = SimpleNamespace(address="", answers=[], bodies=[], headers=[])

    def next_answer(body: bytes) -> tuple[int, dict[str, str], object]:
        script.bodies.append(body)
        answer = script.answers.pop(0) if len(script.answers) > 1 else script.answers[0]
        return answer(body) if callable(answer) else answer

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if self.path == "/healthz":
                status, headers, answer = 200, {}, {}
            else:
                script.headers.append(dict(self.headers))
                status, headers, answer = next_answer(body)
            content = json.dumps(answer).encode()
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = _answer  # noqa: N815 - http.server calls them so

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
