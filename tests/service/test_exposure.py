"""Who reaches the service."""

import logging
from typing import Any

import httpx
import pytest

from service.app import create_app
from service.errors import UnavailableError
from service.exposure import refuse_open_network
from service.settings import Settings

LOOPBACK = ["127.0.0.1", "127.1.2.3", "::1", "localhost"]
BEYOND = ["0.0.0.0", "::", "192.168.1.5", "example.org", ""]  # noqa: S104


class TestWhetherAKeyIsAskedFor:
    @pytest.mark.parametrize("host", LOOPBACK)
    @pytest.mark.parametrize(("auth", "expected"), [("auto", False), ("off", False), ("on", True)])
    def test_on_loopback_where_it_is_wanted(self, host: str, auth: Any, *, expected: bool) -> None:
        assert Settings(host=host, auth=auth).asks_for_keys is expected

    @pytest.mark.parametrize("host", BEYOND)
    @pytest.mark.parametrize("auth", ["auto", "on", "off"])
    def test_beyond_it_always(self, host: str, auth: Any) -> None:
        """`off` opens nothing there even where the service is started without its command, which would refuse."""
        assert Settings(host=host, auth=auth).asks_for_keys


class TestAtStart:
    @pytest.mark.parametrize("auth", ["auto", "off"])
    def test_that_nothing_is_asked_is_said_loudly(self, auth: Any, caplog: pytest.LogCaptureFixture) -> None:
        refuse_open_network(Settings(auth=auth))
        assert "NO KEY IS ASKED FOR" in caplog.text

    def test_a_proxy_that_lets_everyone_through_is_warned_of(self, caplog: pytest.LogCaptureFixture) -> None:
        refuse_open_network(Settings(allowed_hosts="reid.example.org"))  # type: ignore[arg-type]
        assert "a proxy lets through as reid.example.org" in caplog.text

    def test_that_keys_are_asked_for_is_no_warning(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO)
        refuse_open_network(Settings(auth="on", allowed_hosts="reid.example.org"))  # type: ignore[arg-type]
        assert [record.levelno for record in caplog.records] == [logging.INFO]

    @pytest.mark.parametrize("host", BEYOND)
    def test_a_network_is_never_answered_without_keys(self, host: str) -> None:
        refuse_open_network(Settings(host=host))
        with pytest.raises(UnavailableError, match="no loopback address"):
            refuse_open_network(Settings(host=host, auth="off"))


def asking(**settings: object) -> httpx.AsyncClient:
    """A client of the whole application; its requests end before any part would have to run."""
    app = create_app(Settings.model_validate(settings))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://127.0.0.1:8000")


class TestForeignRequests:
    @pytest.mark.parametrize(
        "host", ["127.0.0.1:8000", "127.0.0.1", "127.9.9.9:1", "localhost", "LOCALHOST:8000", "[::1]:8000", "[::1]"]
    )
    async def test_names_of_loopback(self, host: str) -> None:
        async with asking() as client:
            assert (await client.get("/healthz", headers={"Host": host})).status_code == 200

    @pytest.mark.parametrize(
        "host",
        ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8000", "192.168.1.5", "", "[::1", "0.0.0.0"],  # noqa: S104
    )
    @pytest.mark.parametrize("path", ["/healthz", "/gallery", "/", "/docs"])
    async def test_other_names_are_refused(self, host: str, path: str) -> None:
        async with asking() as client:
            answer = await client.get(path, headers={"Host": host})
        assert (answer.status_code, answer.json()["code"]) == (403, "foreign_request")
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.json()["request_id"] == answer.headers["X-Request-Id"]

    async def test_two_names_are_refused(self) -> None:
        async with asking() as client:
            headers = [("Host", "127.0.0.1:8000"), ("Host", "evil.example")]
            assert (await client.get("/healthz", headers=headers)).status_code == 403

    @pytest.mark.parametrize(
        "origin",
        ["https://evil.example", "null", "http://127.0.0.1:3000", "http://localhost:8000", "http://[", "file://", ""],
    )
    @pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
    async def test_other_origins_are_refused(self, origin: str, method: str) -> None:
        async with asking() as client:
            answer = await client.request(method, "/healthz", headers={"Origin": origin})
        assert (answer.status_code, answer.json()["code"]) == (403, "foreign_request")

    @pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost", "[::1]:8000"])
    async def test_its_own_pages_are_answered(self, host: str) -> None:
        async with asking() as client:
            headers = {"Host": host, "Origin": f"http://{host}"}
            assert (await client.get("/healthz", headers=headers)).status_code == 200

    async def test_a_proxy_may_offer_it_under_another_name(self) -> None:
        async with asking(allowed_hosts="reid.example.org") as client:
            for host, origin, status in [
                ("reid.example.org", "https://reid.example.org", 200),  # the proxy passes the Host on
                ("127.0.0.1:8000", "https://reid.example.org", 200),  # the proxy puts its own there
                ("evil.example", "https://reid.example.org", 403),
                ("reid.example.org", "https://evil.example", 403),
            ]:
                answer = await client.get("/healthz", headers={"Host": host, "Origin": origin})
                assert answer.status_code == status, (host, origin)

    async def test_where_its_names_are_not_known_every_one_is_answered(self) -> None:
        """On a network it goes by names that only its operator knows, and asks for keys."""
        async with asking(host="0.0.0.0") as client:  # noqa: S104
            assert (await client.get("/healthz", headers={"Host": "cameras.example"})).status_code == 200
        async with asking(host="0.0.0.0", allowed_hosts="cameras.example") as client:  # noqa: S104
            assert (await client.get("/healthz", headers={"Host": "cameras.example"})).status_code == 200
            assert (await client.get("/healthz", headers={"Host": "evil.example"})).status_code == 403
