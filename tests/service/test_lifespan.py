"""Starting where something is found to be wrong on the way."""

import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import httpx
import pytest
from sqlalchemy import text
from support.following import until

from service import lifespan
from service.interpreter import SWITCH_INTERVAL_S
from service.runtime import Runtime
from service.settings import Settings

Serve = Callable[[Settings], AbstractAsyncContextManager[httpx.AsyncClient]]


async def test_it_starts_though_the_index_left_is_found_to_be_wrong(
    serve: Serve,
    make_settings: Callable[..., Settings],
    make_jpeg: Callable[..., bytes],
    postgres_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What takes a minute to build anew must not end the process, which then would begin all over."""
    settings = make_settings(database_url=postgres_url, follower_poll_s=60)
    async with serve(settings) as client:
        form = {"files": {"images": ("a.jpg", make_jpeg(1), "image/jpeg")}, "data": {"camera_id": "a"}}
        assert (await client.post("/gallery", **form)).status_code == 201
        runtime: Runtime = client._transport.app.state.runtime
        await runtime.follower.wait_for(1, 10)
        async with runtime.database.transaction() as session:
            await session.execute(text("UPDATE crops SET vehicle_id = 'another'"))
    probe_model = lifespan.probe_model

    async def slow(runtime: Runtime, crops: int) -> None:
        await probe_model(runtime, crops)
        await until(lambda: not runtime.follower.loaded)

    monkeypatch.setattr(lifespan, "probe_model", slow)
    async with serve(settings) as client:
        refused = await client.get("/readyz")
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (503, "index")
        runtime = client._transport.app.state.runtime
        runtime.follower.wake()
        await until(lambda: runtime.follower.ready)
        assert (await client.get("/index")).json()["drift"] is not None


async def test_threads_take_turns_often(
    serve: Serve, make_settings: Callable[..., Settings], postgres_url: str
) -> None:
    before = sys.getswitchinterval()
    try:
        sys.setswitchinterval(1)
        async with serve(make_settings(database_url=postgres_url)):
            assert sys.getswitchinterval() == pytest.approx(SWITCH_INTERVAL_S)
    finally:
        sys.setswitchinterval(before)
