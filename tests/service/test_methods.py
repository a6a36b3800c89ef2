"""An address answers the methods that the API description gives it, and names them where it is asked for another."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, FastAPI

from service.app import create_app
from service.methods import DeclaredMethodsMiddleware
from service.settings import Settings

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "TRACE", "QUERY"]
PATHS: dict[str, dict[str, Any]] = create_app(Settings()).openapi()["paths"]
BELOW_IDS_WITH_SLASHES = {path for path in PATHS if path.startswith("/vehicles/{vehicle_id}/")} | {"/vehicles/merge"}


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    """A client of the routes alone: nothing behind them runs, and nothing is to be reached."""
    transport = httpx.ASGITransport(app=create_app(Settings()))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost:8000") as client:
        yield client


@pytest.mark.parametrize("path", sorted(PATHS.keys() - BELOW_IDS_WITH_SLASHES))
async def test_other_methods_than_declared_are_refused(client: httpx.AsyncClient, path: str) -> None:
    declared = {method.upper() for method in PATHS[path]}
    for method in set(METHODS) - declared:
        answer = await client.request(method, path.replace("{", "").replace("}", ""))
        assert answer.status_code == 405, method
        assert set(answer.headers["Allow"].split(", ")) == declared
        if method != "HEAD":
            assert answer.headers["Content-Type"] == "application/problem+json"
            assert answer.json()["code"] == "method_not_allowed"


def routed() -> httpx.AsyncClient:
    router = APIRouter()

    @router.get("/things/{thing:path}")
    @router.patch("/things/{thing:path}")
    def thing(thing: str) -> str:
        return thing

    @router.post("/things/{thing:path}/parts")
    def parts(thing: str) -> str:
        return f"parts of {thing}"

    @router.delete("/notes/{note}")
    def note(note: str) -> str:
        return note

    @router.get("/notes/all")
    def notes() -> str:
        return "notes"

    app = FastAPI()
    app.add_middleware(DeclaredMethodsMiddleware, routers=[router])
    app.include_router(router)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://localhost")


@pytest.mark.parametrize(
    ("method", "path", "answer"),
    [
        ("GET", "/things/a", "a"),
        ("POST", "/things/a/parts", "parts of a"),
        ("PATCH", "/things/a/parts", "a/parts"),
        ("GET", "/notes/all", "notes"),
        ("DELETE", "/notes/1", "1"),
    ],
)
async def test_goes_where_the_method_is_taken(method: str, path: str, answer: str) -> None:
    async with routed() as client:
        assert (await client.request(method, path)).json() == answer


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("DELETE", "/notes/all", "GET"),
        ("PUT", "/notes/all", "GET"),
        ("GET", "/notes/1", "DELETE"),
        ("PUT", "/things/a", "GET, PATCH"),
        ("DELETE", "/things/a/parts", "POST"),
    ],
)
async def test_names_what_the_address_takes(method: str, path: str, allow: str) -> None:
    async with routed() as client:
        answer = await client.request(method, path)
        assert (answer.status_code, answer.headers["Allow"]) == (405, allow)


async def test_an_address_of_no_route_is_left_to_the_framework() -> None:
    async with routed() as client:
        assert (await client.get("/nowhere")).status_code == 404
