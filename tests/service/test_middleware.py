"""What every request passes, on a small application of the test's own."""

import json
import logging
from collections.abc import AsyncIterator
from typing import Annotated
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI, Form, Request
from starlette.middleware import Middleware
from starlette.responses import StreamingResponse

from service.errors import UnavailableError
from service.keys.secret import new_key
from service.middleware import BodyLimitMiddleware, RequestContextMiddleware, WholeMultipartMiddleware
from service.ops.request_metrics import RequestMetrics
from service.problems import install_problem_handlers
from service.watches.signing import new_secret

LIMIT = 1000


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI(
        middleware=[
            Middleware(RequestContextMiddleware, metrics=RequestMetrics()),
            Middleware(BodyLimitMiddleware, max_bytes=10 * LIMIT, max_json_bytes=LIMIT),
            Middleware(WholeMultipartMiddleware),
        ]
    )
    install_problem_handlers(app)

    @app.post("/echo")
    async def echo(request: Request) -> int:
        return len(await request.body())

    @app.post("/form")
    async def form(text: Annotated[str, Form()]) -> int:
        return len(text)

    @app.get("/down")
    async def down() -> None:
        raise UnavailableError("The database does not answer.") from OSError("connection refused\nand much more")

    @app.get("/fail")
    async def fail() -> None:
        raise ValueError("secret of the implementation")

    @app.get("/break")
    async def break_off() -> StreamingResponse:
        async def part() -> AsyncIterator[bytes]:
            yield b"beginning"
            raise ValueError("in the middle")

        return StreamingResponse(part())

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://service") as client:
        yield client


class TestRequestId:
    @pytest.mark.parametrize("given", ["abc", "019ab3c4-5d6e-7f80-9a1b-2c3d4e5f6071", "a" * 128])
    async def test_a_sane_one_is_kept(self, client: httpx.AsyncClient, given: str) -> None:
        answer = await client.get("/nowhere", headers={"X-Request-Id": given})
        assert answer.headers["X-Request-Id"] == given
        assert answer.json()["request_id"] == given

    @pytest.mark.parametrize("given", ["", "a" * 129, "with space", "<script>", 'quote"'])
    async def test_another_is_replaced(self, client: httpx.AsyncClient, given: str) -> None:
        answer = await client.post("/echo", headers={"X-Request-Id": given})
        assert answer.headers["X-Request-Id"] != given
        assert len(answer.headers["X-Request-Id"]) == 36


class TestBodyLimit:
    async def test_pictures_may_take_more(self, client: httpx.AsyncClient) -> None:
        assert (await client.post("/form", data={"text": "x" * 2 * LIMIT}, files={"a": b""})).json() == 2 * LIMIT
        answer = await client.post("/form", data={"text": "x" * 10 * LIMIT}, files={"a": b""})
        assert answer.status_code == 413
        assert "fewer or smaller images" in answer.json()["detail"]

    async def test_at_the_limit(self, client: httpx.AsyncClient) -> None:
        assert (await client.post("/echo", content=bytes(LIMIT))).json() == LIMIT

    async def test_declared_too_long(self, client: httpx.AsyncClient) -> None:
        answer = await client.post("/echo", content=bytes(LIMIT + 1))
        assert (answer.status_code, answer.json()["code"]) == (413, "too_large")

    @pytest.mark.parametrize(
        ("path", "content_type", "limit"),
        [
            ("/echo", "multipart/form-data; boundary=boundary", 10 * LIMIT),
            ("/form", "multipart/form-data; boundary=boundary", 10 * LIMIT),
            ("/echo", "application/json", LIMIT),
        ],
    )
    async def test_chunks_too_long(self, client: httpx.AsyncClient, path: str, content_type: str, limit: int) -> None:
        sent = 0

        async def chunks() -> AsyncIterator[bytes]:
            nonlocal sent
            yield b'--boundary\r\nContent-Disposition: form-data; name="text"\r\n\r\n'
            for _ in range(200):
                sent += 100
                yield b"x" * 100

        answer = await client.post(path, content=chunks(), headers={"Content-Type": content_type})
        assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
        assert answer.json()["title"] == (await client.post("/echo", content=bytes(LIMIT + 1))).json()["title"]
        assert sent <= limit


class TestWholeMultipart:
    START = b'--b.1\r\nContent-Disposition: form-data; name="text"\r\n\r\n1234'
    UNFINISHED = START + b'\r\n--b.1\r\nContent-Disposition: form-data; name="camera_id"\r\n\r\nhere'

    async def post(self, client: httpx.AsyncClient, body: bytes, pieces: int) -> httpx.Response:
        async def chunks() -> AsyncIterator[bytes]:
            for start in range(0, len(body), pieces):
                yield body[start : start + pieces]

        content_type = 'multipart/form-data; boundary="b.1"'
        return await client.post("/form", content=chunks(), headers={"Content-Type": content_type})

    @pytest.mark.parametrize("pieces", [1, 3, 1000])
    @pytest.mark.parametrize("end", [b"\r\n--b.1--", b"\r\n--b.1--\r\n", b"\r\n--b.1--\r\nan epilogue"])
    async def test_whole(self, client: httpx.AsyncClient, end: bytes, pieces: int) -> None:
        answer = await self.post(client, self.START + end, pieces)
        assert (answer.status_code, answer.json()) == (200, 4)

    @pytest.mark.parametrize("pieces", [1, 3, 1000])
    @pytest.mark.parametrize(
        "body", [START, UNFINISHED, UNFINISHED + b"\r\n--b.1", UNFINISHED + b"\r\n--b.1-", UNFINISHED + b"--b.1--"]
    )
    async def test_cut_short(self, client: httpx.AsyncClient, body: bytes, pieces: int) -> None:
        answer = await self.post(client, body, pieces)
        assert (answer.status_code, answer.json()["code"]) == (400, "malformed_request")
        assert "closing boundary" in answer.json()["detail"]

    async def test_a_form_without_fields_is_whole(self, client: httpx.AsyncClient) -> None:
        answer = await self.post(client, b"--b.1--\r\n", 1000)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_value")


class TestErrors:
    async def test_an_unexpected_error_is_named_but_not_shown(
        self, client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
    ) -> None:
        answer = await client.get("/fail")
        assert answer.status_code == 500
        assert answer.json()["code"] == "internal_error"
        assert "secret" not in answer.text
        request_id = answer.headers["X-Request-Id"]
        assert answer.json()["request_id"] == request_id
        (record,) = [record for record in caplog.records if record.exc_info and request_id in record.getMessage()]
        assert "secret of the implementation" in str(record.exc_info[1])

    async def test_an_answer_already_begun_is_broken_off(self, client: httpx.AsyncClient) -> None:
        with pytest.raises(ValueError, match="in the middle"):
            await client.get("/break")

    @pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nowhere", 404), ("GET", "/echo", 405)])
    async def test_every_error_is_a_problem(
        self, client: httpx.AsyncClient, method: str, path: str, status: int
    ) -> None:
        answer = await client.request(method, path)
        assert answer.status_code == status
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert set(answer.json()) == {"type", "title", "status", "detail", "code", "request_id", "errors"}
        assert answer.json()["status"] == status


async def test_security_headers_are_on_every_answer(client: httpx.AsyncClient) -> None:
    for path in ("/nowhere", "/fail"):
        headers = (await client.get(path)).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "unsafe" not in headers["Content-Security-Policy"]


async def test_the_access_log_holds_no_query(client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "service.access")
    answer = await client.get("/nowhere?vehicle_ids=secret")
    (record,) = [record for record in caplog.records if record.name == "service.access"]
    entry = json.loads(record.getMessage())
    assert entry.pop("took_ms") >= 0
    assert entry == {
        "request_id": answer.headers["X-Request-Id"],
        "client": "127.0.0.1",
        "method": "GET",
        "path": "/nowhere",
        "status": 404,
    }


async def test_a_part_that_is_down_takes_one_line_of_the_log(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    assert (await client.get("/down")).status_code == 503
    (record,) = [record for record in caplog.records if record.name == "service.problems"]
    assert record.getMessage() == "unavailable: The database does not answer. (OSError: connection refused)"
    assert record.exc_info is None


async def test_a_secret_where_none_belongs_is_in_no_log(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "service.access")
    key, secret = new_key(), new_secret()
    given = {"X-Request-Id": key}
    answer = await client.delete(f"/keys/{key}", headers=given)
    await client.get(f"/watches/{secret}", headers=given)
    await client.get(f"/keys/{key[:60]}", headers={"X-Request-Id": f"id-of-{key[:40]}"})
    entries = [json.loads(record.getMessage()) for record in caplog.records if record.name == "service.access"]
    prefix = key.split("_")[1]
    assert [entry["path"] for entry in entries] == [
        f"/keys/csk_{prefix}_...",
        "/watches/whsec_...",
        f"/keys/csk_{prefix}_...",
    ]
    assert key[20:30] not in caplog.text
    assert UUID(answer.headers["X-Request-Id"])
