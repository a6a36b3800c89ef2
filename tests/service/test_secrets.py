"""No secret gets into a log, however much is logged and whatever goes wrong."""

import logging
import re
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import httpx
import pytest
from sqlalchemy.engine import make_url
from support.keys import header
from support.route_cases import requests
from support.tenants import Tenant
from typer.testing import CliRunner
from uuid_utils.compat import uuid7

from service.cli import app
from service.settings import Settings
from service.watches import making

Serve = Callable[[Settings], AbstractAsyncContextManager[httpx.AsyncClient]]
TEXTS_OF_PEOPLE = ("-purpose", "-view", "-notes", "-label", "-attribute", "-hook", "-description")
"""Ends of what people say, of which the log needs nothing."""


async def test_every_route_at_the_lowest_level(
    serve: Serve,
    make_settings: Callable[..., Settings],
    postgres_url: str,
    make_jpeg: Callable[..., bytes],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "sqlalchemy")  # each statement
    caplog.set_level(logging.DEBUG, "service")
    caplog.set_level(logging.DEBUG)  # the last, as what the fixture takes goes by it
    operator = await header(postgres_url, "admin", name="operations")
    here = {"watch_poll_s": 0.02, "webhook_allowed": frozenset({"127.0.0.1"})}
    async with serve(make_settings(database_url=postgres_url, auth="on", **here)) as client:
        tenant = Tenant(client, operator, "harbour-town", make_jpeg, 0)
        await tenant.furnish()
        made: set[str] = {operator["X-API-Key"]}
        for _, case, request in requests(tenant.names):
            key = operator if case.operator else tenant.key
            headers = {**key, "X-Purpose": f"{tenant.token}-purpose", **request.pop("headers", {})}
            answer = await client.request(headers=headers, **request)
            made |= set(re.findall(r"csk_[0-9a-f]{12}_[0-9a-f]{64}|whsec_[\w+/=]+", answer.text))
        last = "1" if tenant.key["X-API-Key"].endswith("0") else "0"
        for wrong in (tenant.key["X-API-Key"][:-1] + last, "csk_hush", "Bearer hush"):
            assert (await client.get("/gallery", headers={"X-API-Key": wrong})).status_code == 401
    logged = "".join(
        f"{record.getMessage()} {record.__dict__}\n"
        for record in caplog.records
        if record.name != "httpx"  # the client of this test; the service sends without one
    )
    assert len(made) >= 5
    assert "DEBUG" in caplog.text
    assert "INSERT INTO watches" in logged
    assert '"path": "/collections/harbour-town"' in logged
    for secret in made | {text for text in tenant.secrets if text.startswith(("csk_", "whsec_"))}:
        assert _core(secret) not in logged
    for end in TEXTS_OF_PEOPLE:
        assert f"{tenant.token}{end}" not in logged
    assert "hush" not in logged


def _core(secret: str) -> str:
    """What nobody may know of a key or a webhook's secret: a key's prefix is its name."""
    return secret.rpartition("_")[2]


async def test_an_unexpected_error_of_the_database(  # noqa: PLR0917 - fixtures
    serve: Serve,
    make_settings: Callable[..., Settings],
    postgres_url: str,
    make_jpeg: Callable[..., bytes],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A traceback shows the statement that failed; what it was given is another matter."""
    key, watch_id, secrets = await header(postgres_url, "admin"), uuid7(), iter(("whsec_Zmlyc3Q", "whsec_c2Vjb25k"))
    monkeypatch.setattr(making, "uuid7", lambda: watch_id)
    monkeypatch.setattr(making, "new_secret", lambda: next(secrets))
    async with serve(make_settings(database_url=postgres_url, auth="on")) as client:
        files = [("images", ("crop", make_jpeg(1)))]
        await client.post("/gallery", files=files, data={"camera_id": "gate"}, headers=key)
        form = {"name": "taxi", "min_score": "0.9", "purpose": "hush", "webhook_url": "https://example.org/hush"}
        answers = [await client.post("/watches/image", files=files, data=form, headers=key) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 500]
    assert "whsec" not in answers[1].text
    assert "watches_pkey" in caplog.text
    for secret in ("Zmlyc3Q", "c2Vjb25k", "hush"):
        assert secret not in caplog.text


@pytest.mark.parametrize("command", [("serve", "--port", "0"), ("keys", "list"), ("keys", "create", "x")], ids=" ".join)
@pytest.mark.parametrize(
    "url",
    [
        "postgresql://user:hush@127.0.0.1:1/senet",
        "postgresql://user@127.0.0.1:1/senet?password=hush",
        "postgresql://user:hush@127.0.0.1:port/senet",
        "postgresql://user:hush@[::1/senet",
        "postgresql://user:hush/@127.0.0.1/senet",
        "postgresql://user:hush@127.0.0.1:1/senet?no_such_option=hush",
        "mysql://user:hush@127.0.0.1/senet",
        "postgres:user:hush",
        "user:hush@127.0.0.1",
    ],
)
def test_a_start_that_fails(
    command: tuple[str, ...],
    url: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    if command[:2] == ("keys", "create"):
        command = (*command, "--scope", "read")
    environment = {"CLIP_SENET_DATABASE_URL": url, "CLIP_SENET_DATA_DIR": str(tmp_path)}
    result = CliRunner().invoke(app, command, env=environment)
    assert result.exit_code == 1, result.output
    assert result.exception is None or isinstance(result.exception, SystemExit), repr(result.exception)
    assert "Cannot" in result.output or "database" in result.output.lower()
    assert "hush" not in result.output
    assert "hush" not in caplog.text
    assert "Traceback" not in result.output


def test_a_login_that_is_refused(postgres_server: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    url = make_url(postgres_server).set(username="nobody", password="hush").render_as_string(hide_password=False)  # noqa: S106
    environment = {"CLIP_SENET_DATABASE_URL": url, "CLIP_SENET_DATA_DIR": str(tmp_path)}
    result = CliRunner().invoke(app, ("serve", "--port", "0"), env=environment)
    assert result.exit_code == 1
    assert "Cannot start" in result.output
    assert "hush" not in result.output + caplog.text


def test_a_setting_that_is_wrong(caplog: pytest.LogCaptureFixture) -> None:
    result = CliRunner().invoke(app, ("serve",), env={"CLIP_SENET_PORT": "hush"})
    assert result.exit_code == 1
    assert "port" in result.output
    assert "hush" not in result.output + caplog.text


def test_settings_show_no_password() -> None:
    settings = Settings(database_url="postgresql://user:hush@host/senet")  # type: ignore[arg-type]  # pydantic reads it
    assert "hush" not in f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"
