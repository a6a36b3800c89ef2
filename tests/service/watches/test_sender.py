"""One message to one receiver: what arrives, what counts as received, what is not done."""

import asyncio
import contextlib
import logging
import socket
import threading
import time
from functools import partial

import pytest
from support.webhooks import Receiver, receiving

from service.errors import OverloadedError
from service.watches import sender as module
from service.watches.addresses import Destinations
from service.watches.sender import Outcome, WebhookSender
from service.watches.signing import signed_headers

SECRET = "whsec_c2VjcmV0"  # noqa: S105 - of these tests
MESSAGE = {"type": "watch.test", "who": "Müller"}


class Raw:
    """A receiver that answers these bytes, or nothing."""

    def __init__(self, *answers: bytes) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}/"
        self._answers = answers
        self._connection: socket.socket | None = None
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        self._connection = self._listening.accept()[0]
        self._connection.recv(65536)
        with contextlib.suppress(OSError):  # whoever asked has heard enough
            for answer in self._answers:
                self._connection.sendall(answer)
        if self._answers[-1:] == (b"",):
            self._connection.close()

    def close(self) -> None:
        self._listening.close()
        if self._connection is not None:
            self._connection.close()


async def test_what_arrives(sender: WebhookSender, receiver: Receiver) -> None:
    assert await sender.send(receiver.url + "?token=1", "id-1", MESSAGE, [SECRET]) == Outcome(204)
    (headers,) = receiver.received
    assert receiver.bodies == [MESSAGE]
    assert receiver.raw == ['{"type":"watch.test","who":"Müller"}'.encode()]
    assert headers["path"] == "/hook?token=1"
    assert headers["host"] == receiver.url.split("/")[2]
    assert headers["content-type"] == "application/json"
    assert abs(int(headers["webhook-timestamp"]) - time.time()) < 5
    signed = signed_headers("id-1", int(headers["webhook-timestamp"]), receiver.raw[0], [SECRET])
    assert signed.items() <= headers.items()


@pytest.mark.parametrize("status", [400, 401, 404, 408, 410, 429, 500, 503])
async def test_answers_that_are_no_success(sender: WebhookSender, receiver: Receiver, status: int) -> None:
    receiver.statuses = [status]
    outcome = await sender.send(receiver.url, "id", MESSAGE, [SECRET])
    assert outcome == Outcome(status, f"The receiver answered {status}.")
    assert not outcome.delivered
    assert outcome.final == (status == 410)


async def test_redirects_are_not_followed(sender: WebhookSender, receiver: Receiver) -> None:
    with receiving() as elsewhere:
        receiver.statuses, receiver.headers = [307], {"Location": elsewhere.url}
        outcome = await sender.send(receiver.url, "id", MESSAGE, [SECRET])
        assert outcome.error == "The receiver answered 307; redirects are not followed."
        assert elsewhere.received == []


@pytest.mark.parametrize(("value", "seconds"), [("7", 7.0), ("-1", None), ("Wed, 25 Nov 2026 05:00:00 GMT", None)])
async def test_when_to_come_again(sender: WebhookSender, receiver: Receiver, value: str, seconds: float | None) -> None:
    receiver.statuses, receiver.headers = [503], {"Retry-After": value}
    assert (await sender.send(receiver.url, "id", MESSAGE, [SECRET])).retry_after_s == seconds


async def test_nobody_there(sender: WebhookSender) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/"
    outcome = await sender.send(url, "id", MESSAGE, [SECRET])
    assert outcome == Outcome(error="The receiver cannot be reached.")


async def test_a_receiver_that_hangs(sender: WebhookSender) -> None:
    hanging, begun = Raw(), time.monotonic()
    outcome = await sender.send(hanging.url, "id", MESSAGE, [SECRET])
    assert outcome == Outcome(error="The receiver did not answer within 1 s.")
    assert time.monotonic() - begun < 3
    hanging.close()


async def test_a_receiver_that_sends_headers_without_end(sender: WebhookSender) -> None:
    endless = Raw(b"HTTP/1.1 200 OK\r\n", *[b"X-Filler: " + b"a" * 1000 + b"\r\n"] * 1000)
    outcome = await sender.send(endless.url, "id", MESSAGE, [SECRET])
    assert not outcome.delivered
    endless.close()


@pytest.mark.parametrize("answer", [b"SSH-2.0-OpenSSH_9.6\r\n", b""])
async def test_what_is_no_http(sender: WebhookSender, answer: bytes) -> None:
    raw = Raw(answer, b"")
    outcome = await sender.send(raw.url, "id", MESSAGE, [SECRET])
    assert outcome == Outcome(error="The receiver broke the connection off, or what it answered is no HTTP.")
    raw.close()


async def test_a_long_or_slow_answer_is_not_read(sender: WebhookSender, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_READ_TIMEOUT_S", 0.1)
    for body in (b"a" * 10_000_000, b"a"):
        raw = Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 20000000\r\n\r\n" + body)
        assert await sender.send(raw.url, "id", MESSAGE, [SECRET]) == Outcome(200)
        raw.close()


async def test_the_next_address_is_tried(
    sender: WebhookSender, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def addresses(*_: object) -> list[str]:
        return ["127.0.0.2", "127.0.0.1"]  # nobody listens at the first

    monkeypatch.setattr(Destinations, "resolve", addresses)
    assert await sender.send(receiver.url, "id", MESSAGE, [SECRET]) == Outcome(204)


async def test_the_address_that_was_judged_is_the_one_connected_to(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = receiver.url.split(":")[2].split("/")[0]
    asked = []
    real = socket.getaddrinfo

    def look_up(host: str, *arguments: object, **options: object) -> object:
        asked.append(host)
        return real("127.0.0.1" if host == "hook.example.org" else host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    sender = WebhookSender(Destinations(["hook.example.org"], loopback=False), 1.0, 1.0)
    assert await sender.send(f"http://hook.example.org:{port}/hook", "id", MESSAGE, [SECRET]) == Outcome(204)
    assert receiver.received[0]["host"] == f"hook.example.org:{port}"
    assert asked.count("hook.example.org") == 1
    await sender.close()


async def test_a_refused_address_is_not_connected_to(receiver: Receiver) -> None:
    sender = WebhookSender(Destinations([], loopback=False), 1.0, 1.0)
    outcome = await sender.send(receiver.url, "id", MESSAGE, [SECRET])
    assert outcome.error is not None
    assert "not public" in outcome.error
    assert receiver.received == []
    await sender.close()


async def test_few_are_tried_out_at_once(sender: WebhookSender, receiver: Receiver) -> None:
    receiver.delay = threading.Event()
    trial = partial(sender.try_out, receiver.url, "id", MESSAGE, [SECRET])
    trials = [asyncio.create_task(trial(collection="a")) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(OverloadedError):
        await trial(collection="a")
    trials.append(asyncio.create_task(trial(collection="b")))  # others have room
    await asyncio.sleep(0)
    receiver.delay.set()
    assert all(outcome.delivered for outcome in await asyncio.gather(*trials))
    assert (await trial(collection="a")).delivered


async def test_of_all_no_more_than_there_is_room_for(sender: WebhookSender, receiver: Receiver) -> None:
    receiver.delay = threading.Event()
    trial = partial(sender.try_out, receiver.url, "id", MESSAGE, [SECRET])
    trials = [asyncio.create_task(trial(collection=str(number))) for number in range(16)]
    await asyncio.sleep(0)
    with pytest.raises(OverloadedError):
        await trial(collection="another")
    receiver.delay.set()
    assert all(outcome.delivered for outcome in await asyncio.gather(*trials))


async def test_the_log_tells_no_secret(
    sender: WebhookSender, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        await sender.send(receiver.url + "/path-secret?token=query-secret", "id", MESSAGE, [SECRET])
    assert receiver.received
    for secret in ("path-secret", "query-secret", "c2VjcmV0", "webhook-signature"):
        assert secret not in caplog.text
