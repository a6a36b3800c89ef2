"""An HTTP server for files that misbehaves as asked: what downloads meet, without a network."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class FileServer:
    """Serves one file with ranges, as object stores do, until told otherwise.

    Attributes:
        content: The file.
        etag: Its ETag header, None for none.
        modified: Its Last-Modified header, None for none.
        ranges: Whether ranges are known.
        announced: Content-Length to give instead of the true one; 0 sends the body in chunks of unknown total.
        cuts: Bytes after which the connection is cut, one entry for each answer in turn.
        statuses: Statuses to answer instead, one for each request in turn.
        redirects: Where a path leads to.
        content_range: Content-Range to give instead of the true one.
        longest: Most bytes of a partial answer: a server may send less of a range than it was asked for.
        hold: Where set, an answer stops halfway until the event comes.
        halfway: Set by an answer that stopped.
        requests: Path and headers of every request.
    """

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.etag: str | None = '"one"'
        self.modified: str | None = None
        self.ranges = True
        self.announced: int | None = None
        self.cuts: list[int] = []
        self.statuses: list[int] = []
        self.redirects: dict[str, str] = {}
        self.content_range: str | None = None
        self.longest = sys.maxsize
        self.hold: threading.Event | None = None
        self.halfway = threading.Event()
        self.requests: list[tuple[str, Message]] = []
        self.address = ""

    def url(self, name: str = "file.pt") -> str:
        return f"{self.address}/{name}"

    def asked(self, header: str) -> list[str | None]:
        """A header of every request."""
        return [headers.get(header) for _, headers in self.requests]


@contextmanager
def file_server(content: bytes) -> Iterator[FileServer]:
    """A server on a free port of loopback."""
    files = FileServer(content)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            _answer(self, files)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    files.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield files
    finally:
        if files.hold is not None:
            files.hold.set()
        server.shutdown()
        thread.join()
        server.server_close()


def _answer(request: BaseHTTPRequestHandler, files: FileServer) -> None:
    files.requests.append((request.path, request.headers))
    if request.path in files.redirects:
        request.send_response(302)
        request.send_header("Location", files.redirects[request.path])
        request.end_headers()
        return
    if files.statuses and (status := files.statuses.pop(0)) != 200:
        request.send_response(status)
        request.end_headers()
        return
    start = _start(request.headers, files)
    if start is not None and start >= len(files.content):
        request.send_response(416)
        request.end_headers()
        return
    end = len(files.content) if start is None else min(len(files.content), start + files.longest)
    body = files.content[start or 0 : end]
    request.send_response(200 if start is None else 206)
    if start is not None:
        whole = f"bytes {start}-{end - 1}/{len(files.content)}"
        request.send_header("Content-Range", files.content_range or whole)
    for name, value in (("ETag", files.etag), ("Last-Modified", files.modified)):
        if value is not None:
            request.send_header(name, value)
    if files.announced != 0:
        request.send_header("Content-Length", str(files.announced or len(body)))
    request.end_headers()
    _send(request, files, body)


def _start(headers: Message, files: FileServer) -> int | None:
    """First byte wanted; None where the whole file is to be sent."""
    wanted, condition = headers.get("Range"), headers.get("If-Range")
    if not files.ranges or wanted is None or condition not in {None, files.etag, files.modified}:
        return None
    return int(wanted.removeprefix("bytes=").removesuffix("-"))


def _send(request: BaseHTTPRequestHandler, files: FileServer, body: bytes) -> None:
    end = files.cuts.pop(0) if files.cuts else len(body)
    half = end // 2 if files.hold else end
    try:
        request.wfile.write(body[:half])
        request.wfile.flush()
        if files.hold is not None:
            files.halfway.set()
            files.hold.wait()
            request.wfile.write(body[half:end])
    except OSError:
        pass  # the client has gone
