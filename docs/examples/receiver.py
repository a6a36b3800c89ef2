"""Receives the webhooks of watches: checks who sends them, keeps each message once, and says what was seen.

Needs nothing but Python:

    WEBHOOK_SECRET=whsec_... python receiver.py --port 9000 --database messages.sqlite
"""

# ruff: noqa: INP001, T201 - a script for people to start from, no package

import argparse
import base64
import contextlib
import hashlib
import hmac
import json
import os
import sqlite3
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOLERANCE_S = 300
"""A message is signed anew for each attempt, so an old one was recorded by somebody and is played back."""
LARGEST_BODY = 1_000_000


def is_genuine(secret: str, headers: dict[str, str], body: bytes, now: float) -> bool:
    """Whether a message was signed with the secret, just now. `headers` are in lower case."""
    webhook_id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not timestamp.isascii() or not timestamp.isdigit() or abs(now - int(timestamp)) > TOLERANCE_S:
        return False
    key = base64.b64decode(secret.removeprefix("whsec_"))
    # The bytes as they came: JSON that is read and written again need not be the same.
    signed = webhook_id.encode() + b"." + timestamp.encode() + b"." + body
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest())
    # While a secret is being changed there are two signatures, one by each.
    given = [entry.partition(",")[2] for entry in headers.get("webhook-signature", "").split() if entry[:3] == "v1,"]
    return any(hmac.compare_digest(expected, signature.encode()) for signature in given)


class Messages:
    """The messages that came. The same one can come again, for instance when our answer to the first was lost."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._execute("CREATE TABLE IF NOT EXISTS messages (id TEXT PRIMARY KEY, body TEXT NOT NULL)")

    def keep(self, webhook_id: str, body: str) -> bool:
        """Keep a message; whether it is a new one."""
        return self._execute("INSERT OR IGNORE INTO messages VALUES (?, ?)", webhook_id, body) == 1

    def _execute(self, statement: str, *values: str) -> int:
        """Execute a statement, on disk when this returns; how many rows it wrote."""
        with contextlib.closing(sqlite3.connect(self._path, timeout=30)) as database, database:
            return database.execute(statement, values).rowcount


class Receiver(BaseHTTPRequestHandler):
    """Answers 204 once a message is kept: whatever takes longer is done afterwards."""

    secret: str
    messages: Messages

    def do_POST(self) -> None:
        """Take a message."""
        length = int(self.headers.get("Content-Length", 0))
        if length > LARGEST_BODY:
            self._answer(413)
            return
        body = self.rfile.read(length)
        headers = {name.lower(): value for name, value in self.headers.items()}
        if not is_genuine(self.secret, headers, body, time.time()):
            self._answer(401)
            return
        if self.messages.keep(headers["webhook-id"], body.decode()):
            print(describe(json.loads(body)), flush=True)
        self._answer(204)

    def _answer(self, status: int) -> None:
        self.send_response(status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing: what was seen is printed, and no more."""


def describe(message: dict) -> str:
    """A message in a line."""
    watch = message["data"]["watch"]["name"]
    if message["type"] != "watch.hit":
        return f"{watch}: {message['type']}"
    hit = message["data"]["hit"]
    crop = hit["crop"]
    seen = crop["captured_at"] or crop["created_at"]
    return f"{watch}: seen by {crop['camera_id']} at {seen}, score {hit['score']:.3f}, crop {crop['id']}"


def main() -> None:
    """Listen until Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=9000, help="port to listen on; 0 takes a free one")
    parser.add_argument("--database", default="messages.sqlite", help="file that keeps the messages")
    options = parser.parse_args()
    Receiver.secret, Receiver.messages = os.environ["WEBHOOK_SECRET"], Messages(options.database)
    with ThreadingHTTPServer((options.host, options.port), Receiver) as server:
        print(f"Listening at http://{options.host}:{server.server_port}/", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
