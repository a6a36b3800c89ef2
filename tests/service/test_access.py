"""Who asks, and what they may do."""

from urllib.parse import quote

import httpx
import pytest
from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from service.access import ANYONE, AnyCaller, Caller
from service.errors import ForbiddenError, InvalidValueError
from service.middleware import RequestContextMiddleware
from service.ops.request_metrics import RequestMetrics
from service.problems import install_problem_handlers

BOUND = Caller(None, "patrol", frozenset({"search", "read"}), collections=frozenset({"harbour"}))


class TestCaller:
    def test_may_what_its_scopes_say(self) -> None:
        assert BOUND.may("search")
        assert not BOUND.may("delete")

    def test_admin_may_everything(self) -> None:
        assert Caller(None, "boss", frozenset({"admin"})).may("delete")

    def test_sees_only_what_it_is_bound_to(self) -> None:
        assert BOUND.sees("harbour")
        assert not BOUND.sees("airport")
        assert ANYONE.sees("airport")

    def test_may_not_enter_another_collection(self) -> None:
        BOUND.enter("harbour")
        with pytest.raises(ForbiddenError, match="may not use the collection 'airport'"):
            BOUND.enter("airport")

    def test_a_field_goes_before_the_header(self) -> None:
        caller = Caller(None, "patrol", frozenset(), purpose="of the header")
        assert caller.purpose_for("harbour", required=True) == "of the header"
        assert caller.purpose_for("harbour", required=True, given="of the field") == "of the field"

    def test_a_purpose_that_is_asked_for_must_be_said(self) -> None:
        assert BOUND.purpose_for("harbour", required=False) is None
        with pytest.raises(InvalidValueError, match="the collection 'harbour' asks why"):
            BOUND.purpose_for("harbour", required=True)


async def _stated(**headers: str | bytes) -> httpx.Response:
    """What a route is told when a request has these headers."""
    app = FastAPI()
    install_problem_handlers(app)

    @app.get("/")
    async def tell(caller: AnyCaller) -> str | None:
        return caller.purpose

    async def let_in(scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"]["caller"] = ANYONE
        await app(scope, receive, send)

    transport = httpx.ASGITransport(app=RequestContextMiddleware(let_in, RequestMetrics()))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        return await client.get("/", headers=[(name.replace("_", "-"), value) for name, value in headers.items()])


class TestPurposeOfTheHeader:
    async def test_none_is_none(self) -> None:
        assert (await _stated()).json() is None

    @pytest.mark.parametrize("text", ["case 2026-118", "Unfall Müllerstraße", "盗難車", "100 %", "ц" * 1000])
    async def test_any_language_percent_encoded(self, text: str) -> None:
        assert (await _stated(X_Purpose=quote(text))).json() == text

    async def test_plain_bytes_of_utf8(self) -> None:
        assert (await _stated(X_Purpose="Müll".encode())).json() == "Müll"

    @pytest.mark.parametrize(
        ("value", "reason"),
        [
            ("", "blank"),
            ("%20", "blank"),
            ("%00", "control characters"),
            ("a%0Ab", "control characters"),
            ("%ff", "UTF-8"),
            (b"\xff", "UTF-8"),
            ("%ED%A0%80", "UTF-8"),
            ("a" * 1001, "1000 characters"),
        ],
    )
    async def test_what_the_log_cannot_keep_is_refused(self, value: str | bytes, reason: str) -> None:
        answer = await _stated(X_Purpose=value)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] == "X-Purpose"
        assert reason in answer.json()["detail"]
