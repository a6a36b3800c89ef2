"""Who is let in, before anything of a request is read."""

from collections.abc import AsyncIterator

import httpx
import pytest
from support.keys import header

from service.app import create_app
from service.errors import UnavailableError
from service.settings import Settings

pytestmark = pytest.mark.asyncio(loop_scope="module")

OPEN = ("/", "/healthz", "/readyz", "/docs", "/docs/assets/start.js", "/openapi.json", "/console/shared/api.js")


PATHS = create_app(Settings()).openapi()["paths"]
OPERATIONS = [(method, path) for path, methods in PATHS.items() for method in methods if path not in OPEN]


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
async def test_no_route_answers_without_a_key(guarded: httpx.AsyncClient, method: str, path: str) -> None:
    answer = await guarded.request(method, path.replace("{", "").replace("}", ""))
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
    assert answer.headers["WWW-Authenticate"] == "APIKey"
    assert answer.json()["request_id"] == answer.headers["X-Request-Id"]


@pytest.mark.parametrize("path", ["/nothing", "/gallery/", "//gallery", "/console", "/docs/", "/healthz/x", "/openapi"])
async def test_nor_does_anything_else(guarded: httpx.AsyncClient, path: str) -> None:
    """Whether there is a route is nobody's business either."""
    assert (await guarded.get(f"http://localhost:8000{path}")).status_code == 401


@pytest.mark.parametrize("path", OPEN)
async def test_what_holds_nothing_of_anybody_is_open(guarded: httpx.AsyncClient, path: str) -> None:
    assert (await guarded.get(path)).status_code == 200


async def test_a_wrong_key_keeps_nobody_from_what_is_open(guarded: httpx.AsyncClient) -> None:
    assert (await guarded.get("/healthz", headers={"X-API-Key": "nonsense"})).status_code == 200


async def test_a_body_is_not_read_without_a_key(guarded: httpx.AsyncClient) -> None:
    async def body() -> AsyncIterator[bytes]:
        raise AssertionError("somebody read the body")
        yield b""

    answer = await guarded.post("/gallery", content=body(), headers={"Content-Type": "multipart/form-data; boundary=x"})
    assert answer.status_code == 401


async def test_a_key_opens_the_routes_of_its_scopes(guarded: httpx.AsyncClient, shared_postgres_url: str) -> None:
    reader = await header(shared_postgres_url, "read")
    assert (await guarded.get("/collections", headers=reader)).status_code == 200


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
async def test_a_missing_scope_is_named(
    guarded: httpx.AsyncClient, shared_postgres_url: str, method: str, path: str
) -> None:
    operation = PATHS[path][method]
    ((needed,),) = ([*one["api_key"]] or [None] for one in operation["security"])
    if needed is None:
        assert operation["operationId"] == "get_own_key"
        return
    others = {"enroll", "search", "read", "delete"} - {needed}
    key = await header(shared_postgres_url, *others)
    wanted = operation.get("requestBody", {}).get("content", {})
    media = {"files": {"images": b""}} if "multipart/form-data" in wanted else {"json": {}} if wanted else {}
    where = path.replace("{", "").replace("}", "")
    answer = await guarded.request(method, where, headers=key, **media)  # type: ignore[arg-type]
    assert answer.status_code == 403, answer.text
    assert f"lacks the scope '{needed}'" in answer.json()["detail"]


async def test_an_admin_lacks_no_scope(guarded: httpx.AsyncClient, admin: dict[str, str]) -> None:
    assert (await guarded.get("/collections", headers=admin)).status_code == 200


async def test_too_many_requests_are_put_off(guarded: httpx.AsyncClient, shared_postgres_url: str) -> None:
    key = await header(shared_postgres_url, "read", requests_per_minute=3)
    answers = [await guarded.get("/collections", headers=key) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert answers[3].json()["code"] == "rate_limited"
    assert answers[3].headers["Retry-After"] == "20"
    other = await header(shared_postgres_url, "read", requests_per_minute=3)
    assert (await guarded.get("/collections", headers=other)).status_code == 200


async def test_a_database_that_is_away_is_said_so(guarded: httpx.AsyncClient, shared_postgres_url: str) -> None:
    """A caller whose key cannot be looked up is not told that it is wrong."""
    key = await header(shared_postgres_url, "read")
    app = guarded._transport.app  # type: ignore[attr-defined]
    door, app.state.runtime.keys = app.state.runtime.keys, _Broken()
    try:
        answer = await guarded.get("/collections", headers=key)
    finally:
        app.state.runtime.keys = door
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")


class _Broken:
    async def admit(self, key: str | None) -> None:
        raise UnavailableError("The database does not answer.", retry_after_s=2)
