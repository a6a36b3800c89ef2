"""Where webhooks may go, and where nobody can lead the service."""

import asyncio
import ipaddress
import re
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from service.database.engine import Database
from service.settings import Settings
from service.watches.addresses import Destinations, RefusedAddressError
from service.watches.requests import WebhookUrl
from service.watches.watching import Watching

PRIVATE = [
    "127.0.0.1",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",  # metadata of clouds
    "100.64.0.1",
    "0.0.0.0",  # noqa: S104
    "224.0.0.1",
    "255.255.255.255",
    "192.0.2.1",
    "::",
    "::1",
    "fe80::1",
    "fc00::1",
    "ff02::1",
    "::ffff:10.0.0.1",
    "64:ff9b::a00:1",  # 10.0.0.1 by way of a translator
    "64:ff9b:1::a00:1",
    "::10.0.0.1",
    "fec0::1",
    "2002:a00:1::",
    "2001:0:4136:e378:8000:63bf:f5ff:fffe",
]
PUBLIC = ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946", "64:ff9b::5db8:d822"]
MALFORMED = [
    "",
    "example.org/hook",
    "ftp://example.org/",
    "file:///etc/passwd",
    "https://",
    "https:///path",
    "https://user:password@example.org/",
    "https://example.org@10.0.0.1/",
    "https://example.org/#part",
    "https://example.org:0/",
    "https://example.org:99999/",
    "https://exa mple.org/",
    "https://example.org/a\nb",
    "https://ex\tample.org/",
    "https://éxample.org/",
    "https://example..org/",
    "https://[::1/",
    "https://2130706433/",
    "https://0x7f.1/",
    "https://127.1/",
    "https://example.org\\@10.0.0.1/",
    "https://example.org/" + "a" * 2048,
]

URLS = st.tuples(
    st.sampled_from(["https://", "http://", "Https://", "https:", "ftp://", ""]),
    st.sampled_from(["example.org", "a-b.example.org", PUBLIC[0], f"[{PUBLIC[1]}]", "a@example.org", ""]),
    st.sampled_from(["", ":443", ":", ":x"]),
    st.text(st.characters(max_codepoint=127), max_size=8).map(lambda text: f"/{text}") | st.text(max_size=3),
).map("".join)
"""Addresses, and what is nearly one."""


@pytest.fixture
def public_only() -> Iterator[Destinations]:
    destinations = Destinations([], loopback=False)
    yield destinations
    destinations.close()


def _url(address: str, scheme: str = "https") -> str:
    host = f"[{address}]" if ":" in address else address
    return f"{scheme}://{host}/hook"


def _answering(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """Let every name mean these addresses."""

    def look_up(host: str, port: int, **_: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)


class TestPublicOnly:
    @pytest.mark.parametrize("address", PRIVATE)
    def test_no_private_address(self, public_only: Destinations, address: str) -> None:
        with pytest.raises(RefusedAddressError, match="not public"):
            public_only.check(_url(address))

    @pytest.mark.parametrize("address", PRIVATE)
    async def test_no_name_of_a_private_address(
        self, public_only: Destinations, address: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        _answering(monkeypatch, address)
        public_only.check("https://hook.example.org/")
        with pytest.raises(RefusedAddressError, match="not public"):
            await public_only.resolve("https://hook.example.org/")

    async def test_no_name_of_which_one_address_is_private(
        self, public_only: Destinations, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        _answering(monkeypatch, PUBLIC[0], "10.0.0.1")
        with pytest.raises(RefusedAddressError, match="not public"):
            await public_only.resolve("https://hook.example.org/")

    @pytest.mark.parametrize("address", PUBLIC)
    async def test_public_addresses(
        self, public_only: Destinations, address: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        _answering(monkeypatch, address, address)
        public_only.check(_url(address))
        assert await public_only.resolve("https://hook.example.org/") == [str(ipaddress.ip_address(address))]

    @pytest.mark.parametrize("url", MALFORMED)
    def test_what_is_no_address(self, public_only: Destinations, url: str) -> None:
        with pytest.raises(RefusedAddressError):
            public_only.check(url)

    @given(url=URLS)
    @example(url="https://[2606:2800:220:1:248:1893:25c8:1946]:8443/hook?a=b&c=%20#")
    @example(url="HTTPS://hook_1.Example.org.")
    @example(url="https://example.org?a")
    def test_what_is_one_is_described(self, url: str) -> None:
        """The description may take more, as it knows no hosts, never less."""
        destinations = Destinations(["example.org"], loopback=False)
        try:
            destinations.check(url)
        except RefusedAddressError:
            return
        finally:
            destinations.close()
        assert re.search(TypeAdapter(WebhookUrl).json_schema()["pattern"], url)

    @pytest.mark.parametrize("host", ["hook.example.org", PUBLIC[0]])
    async def test_no_plain_http(self, public_only: Destinations, host: str, monkeypatch: pytest.MonkeyPatch) -> None:
        _answering(monkeypatch, PUBLIC[0])
        with pytest.raises(RefusedAddressError, match="https"):
            public_only.check(f"http://{host}/")
        with pytest.raises(RefusedAddressError, match="https"):
            await public_only.resolve(f"http://{host}/")

    async def test_a_name_without_an_address(self, public_only: Destinations, monkeypatch: pytest.MonkeyPatch) -> None:
        def look_up(*_: Any, **__: Any) -> list[Any]:
            raise socket.gaierror

        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        with pytest.raises(RefusedAddressError, match="has no address"):
            await public_only.resolve("https://hook.example.org/")

    @pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]"])
    def test_not_this_machine(self, public_only: Destinations, host: str) -> None:
        with pytest.raises(RefusedAddressError, match="This machine is not public"):
            public_only.check(f"http://{host}:8000/")


class TestAllowed:
    @pytest.mark.parametrize(
        ("offered", "loopback"),
        [({}, True), ({"auth": "on"}, False), ({"allowed_hosts": "reid.example.org"}, False), ({"host": "::"}, False)],
        ids=["to-one", "with-keys", "behind-a-proxy", "to-a-network"],
    )
    async def test_this_machine_only_where_the_service_is_offered_to_nobody_else(
        self, database: Database, offered: dict[str, Any], *, loopback: bool
    ) -> None:
        watching = Watching(database, Settings(**offered), "model", 512)
        if loopback:
            watching.destinations.check("http://127.0.0.1:8299/")
        else:
            with pytest.raises(RefusedAddressError, match="This machine is not public"):
                watching.destinations.check("http://127.0.0.1:8299/")
        await watching.sender.close()

    async def test_this_machine_for_a_service_of_this_machine(self) -> None:
        destinations = Destinations([], loopback=True)
        destinations.check("http://localhost:8000/")
        assert set(await destinations.resolve("http://localhost:8000/")) <= {"127.0.0.1", "::1"}
        assert await destinations.resolve("http://127.0.0.1:8000/") == ["127.0.0.1"]
        with pytest.raises(RefusedAddressError):
            destinations.check("https://10.0.0.1/")

    async def test_no_other_name_of_this_machine_by_http(self, monkeypatch: pytest.MonkeyPatch) -> None:
        _answering(monkeypatch, "127.0.0.1")
        with pytest.raises(RefusedAddressError, match="https"):
            Destinations([], loopback=True).check("http://rebound.example.org/")

    async def test_a_host(self, monkeypatch: pytest.MonkeyPatch) -> None:
        _answering(monkeypatch, "10.0.0.1")
        destinations = Destinations(["dispatch.local", "10.9.9.9"], loopback=False)
        for url in ("http://dispatch.local/", "http://DISPATCH.local/", "https://10.9.9.9/"):
            destinations.check(url)
            assert await destinations.resolve(url) == ["10.0.0.1"]
        with pytest.raises(RefusedAddressError):
            await destinations.resolve("https://other.local/")

    @pytest.mark.parametrize(("network", "inside", "outside"), [("10.1.0.0/16", "10.1.2.3", "10.2.0.1")])
    async def test_a_network(self, monkeypatch: pytest.MonkeyPatch, network: str, inside: str, outside: str) -> None:
        destinations = Destinations([network], loopback=False)
        _answering(monkeypatch, inside)
        for url in ("http://dispatch.local/", f"http://{inside}/"):
            destinations.check(url)
            assert await destinations.resolve(url) == [inside]
        _answering(monkeypatch, outside)
        with pytest.raises(RefusedAddressError, match="not public"):
            await destinations.resolve("https://dispatch.local/")
        _answering(monkeypatch, PUBLIC[0])
        with pytest.raises(RefusedAddressError, match="https"):
            await destinations.resolve("http://hook.example.org/")


async def test_lookups_that_hang_leave_other_threads_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    hanging = asyncio.Event()
    loop = asyncio.get_running_loop()

    def look_up(*_: Any, **__: Any) -> list[Any]:
        asyncio.run_coroutine_threadsafe(hanging.wait(), loop).result(10)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    destinations = Destinations([], loopback=False)
    lookups = [asyncio.create_task(destinations.resolve("https://example.org/")) for _ in range(100)]
    await asyncio.sleep(0.05)
    async with asyncio.timeout(2):
        assert await asyncio.to_thread(lambda: 1) == 1
    hanging.set()
    await asyncio.gather(*lookups)
    destinations.close()
