"""Alive and ready, with each part broken in turn."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import pytest

from service.ops import readiness
from service.runtime import Runtime

Post = Callable[..., Awaitable[httpx.Response]]


@pytest.fixture
def runtime(client: httpx.AsyncClient) -> Runtime:
    return client._transport.app.state.runtime


async def not_ready(client: httpx.AsyncClient) -> list[str]:
    answer = await client.get("/readyz")
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
    assert (await client.get("/healthz")).status_code == 200
    return [error["field"] for error in answer.json()["errors"]]


async def test_ready(client: httpx.AsyncClient, runtime: Runtime) -> None:
    answer = await client.get("/readyz")
    assert answer.status_code == 200
    body = answer.json()
    assert body.pop("index_lag_s") < 5
    assert body == {"status": "ready", "model_id": runtime.embedder.model_id}


async def test_how_the_index_stands(client: httpx.AsyncClient, enroll: Post, runtime: Runtime) -> None:
    sequence = (await enroll(1, 2)).json()["sequence"]
    await runtime.follower.wait_for(sequence, 5)
    index = (await client.get("/index")).json()
    assert (index["sequence"], index["lag_changes"], index["drift"]) == (sequence, 0, None)
    assert (index["crops"], index["doubt"]) == (2, None)
    assert index["lag_s"] < 5
    assert index["rebuild"]["reason"] == "there is no snapshot to start from"


async def test_a_model_that_fails(client: httpx.AsyncClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: object) -> None:
        raise RuntimeError("secret device error")

    monkeypatch.setattr(runtime.queue, "_embed", broken)
    monkeypatch.setattr(readiness, "MODEL_FRESH_S", 0)
    assert await not_ready(client) == ["model"]
    assert "secret" not in (await client.get("/readyz")).text


async def test_a_model_that_hangs(client: httpx.AsyncClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()
    embed = runtime.queue._embed

    def hangs(batch: object) -> object:
        released.wait(30)
        return embed(batch)

    monkeypatch.setattr(runtime.queue, "_embed", hangs)
    monkeypatch.setattr(readiness, "MODEL_FRESH_S", 0)
    monkeypatch.setattr(readiness, "PART_TIMEOUT_S", 0.2)
    try:
        assert await not_ready(client) == ["model"]
    finally:
        released.set()
    monkeypatch.setattr(readiness, "PART_TIMEOUT_S", 10)
    assert (await client.get("/readyz")).status_code == 200


async def test_a_forward_pass_is_really_made(
    client: httpx.AsyncClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes = []
    embed = runtime.queue._embed
    monkeypatch.setattr(runtime.queue, "_embed", lambda batch: passes.append(len(batch)) or embed(batch))
    assert (await client.get("/readyz")).status_code == 200
    assert passes == []  # the warm-up at start was a moment ago
    monkeypatch.setattr(readiness, "MODEL_FRESH_S", 0)
    assert (await client.get("/readyz")).status_code == 200
    assert passes == [1]


async def test_a_crop_store_that_cannot_be_written(client: httpx.AsyncClient, tmp_path: Path) -> None:
    crops = tmp_path / "data" / "crops"
    crops.rename(tmp_path / "moved")
    crops.write_bytes(b"")  # a file in the place of the folder; permissions do not stop root
    assert await not_ready(client) == ["crop_store"]


async def test_an_index_that_lags(client: httpx.AsyncClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    await runtime.follower.stop()
    monkeypatch.setattr(readiness, "LONGEST_LAG_S", 0.01)
    await asyncio.sleep(0.05)
    assert await not_ready(client) == ["index"]


async def test_a_database_that_is_gone(
    client: httpx.AsyncClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    from service.errors import UnavailableError

    async def gone() -> None:
        raise UnavailableError("The database does not answer.", retry_after_s=1)

    monkeypatch.setattr(runtime.database, "ping", gone)
    assert await not_ready(client) == ["database"]
