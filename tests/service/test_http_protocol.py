"""What is no HTTP is answered in the shape of every error, by a real server."""

import socket
from urllib.parse import urlencode, urlsplit

import httpx
import pytest

from service.http_protocol import MAX_HEAD_BYTES


def answer_to(address: str, *sent: bytes) -> httpx.Response:
    host = urlsplit(address)
    with socket.create_connection((host.hostname or "", host.port or 0), timeout=20) as connection:
        try:
            for part in sent:
                connection.sendall(part)
        except OSError:
            pass  # it is answered before all was sent
        received = b""
        while piece := connection.recv(2**16):
            received += piece
    head, _, body = received.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    return httpx.Response(int(status.split()[1]), headers=[tuple(line.split(": ", 1)) for line in lines], content=body)


@pytest.mark.parametrize(
    "sent",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nno colon\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: strange\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    ],
)
def test_no_http(live_service: str, sent: bytes) -> None:
    answer = answer_to(live_service, sent)
    assert (answer.status_code, answer.headers["Content-Type"]) == (400, "application/problem+json")
    assert answer.json()["code"] == "malformed_request"
    assert answer.json()["request_id"] == answer.headers["X-Request-Id"]


def test_an_address_that_is_too_long(live_service: str) -> None:
    answer = answer_to(live_service, b"GET /gallery?camera_ids=", b"c" * (MAX_HEAD_BYTES + 2**16), b" HTTP/1.1\r\n\r\n")
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed_request")
    assert str(MAX_HEAD_BYTES) in answer.json()["detail"]


def test_a_list_of_many_cameras_fits_into_an_address(live_service: str) -> None:
    cameras = [f"camera-{number:04}-of-a-large-town" for number in range(1000)]
    query = urlencode({"camera_ids": cameras, "exclude_camera_ids": cameras, "vehicle_ids": cameras}, doseq=True)
    assert 2**16 < len(query) < MAX_HEAD_BYTES
    request = f"GET /gallery?{query} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    answer = answer_to(live_service, request.encode())
    assert answer.json()["detail"] == "There is no collection 'default'; a collection appears at its first enrolment."


def test_the_service_goes_on_after_it(live_service: str) -> None:
    answer_to(live_service, b"nonsense\r\n\r\n")
    assert httpx.get(f"{live_service}/healthz").status_code == 200
