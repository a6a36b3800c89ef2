"""Where webhooks may go: to public addresses by https, and elsewhere only where an operator said so.

Whoever may make a watch chooses what the service connects to, so without this it could be led to what only it can
reach: a cloud's metadata, a database, a neighbour's console. The address is looked up once, judged, and then connected
to as it is: a name that means something else a moment later changes nothing.
"""

import asyncio
import contextlib
import ipaddress
import socket
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Final
from urllib.parse import SplitResult, urlsplit

from service.loopback import is_loopback

LONGEST_URL: Final = 2048
"""Characters."""
_LOOKUPS: Final = 4
_LOOPBACK: Final = ipaddress.IPv4Address("127.0.0.1")
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
_NOT_GLOBAL: Final = [ipaddress.ip_network(one) for one in ("64:ff9b:1::/48", "fec0::/10", "::/96")]
"""IPv6 that Python takes for global: translators of a network's own (RFC 8215), and what RFC 3879 and 4291 gave up."""
_NEVER_PLAIN: Final = frozenset(' "<>\\^`{|}')
_PORTS: Final = {"https": 443, "http": 80}

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class RefusedAddressError(ValueError):
    """A webhook's address that is not to be connected to, or cannot be; the text says why, for a client to read."""


class Destinations:
    """Judges the addresses of webhooks.

    Args:
        allowed: Names of hosts, addresses, and networks such as 10.0.0.0/8 that may be reached though they are not
            public, and by plain http.
        loopback: Whether this machine may be, too: where the service is offered to whoever runs it alone.
    """

    def __init__(self, allowed: Iterable[str], *, loopback: bool) -> None:
        entries = list(allowed)
        self._hosts = frozenset(entry for entry in entries if "/" not in entry)
        self._networks = [ipaddress.ip_network(entry) for entry in entries if "/" in entry]
        self._loopback = loopback
        # Of their own: lookups that hang must not take the threads in which searches are made.
        self._threads = ThreadPoolExecutor(_LOOKUPS, thread_name_prefix="webhook lookup")

    def close(self) -> None:
        """Look nothing up any longer."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def check(self, url: str) -> None:
        """Refuse what can be seen to be wrong without looking anything up.

        Raises:
            RefusedAddressError: No URL of a webhook, without https, or an address that is not public.
        """
        parts = _split(url)
        host = parts.hostname or ""
        address = _LOOPBACK if host == "localhost" else _literal(host)
        if address is not None:
            self._judge(host, address, parts.scheme)
        elif parts.scheme == "http" and not (self._trusts(host) or self._networks):
            raise RefusedAddressError(_NEEDS_HTTPS)

    async def resolve(self, url: str) -> list[str]:
        """The addresses to connect to, in the order to try them.

        Raises:
            RefusedAddressError: As `check`; or the host has no address, or one that is not public.
        """
        parts = _split(url)
        host = parts.hostname or ""
        port = parts.port or _PORTS[parts.scheme]
        loop = asyncio.get_running_loop()
        try:
            found = await loop.run_in_executor(self._threads, _look_up, host, port)
        except (OSError, UnicodeError) as error:
            raise RefusedAddressError(f"The host {host} has no address.") from error
        for address in found:
            self._judge(host, address, parts.scheme)
        return [str(address) for address in found]

    def _judge(self, host: str, address: Address, scheme: str) -> None:
        if self._trusts(host) or any(address in network for network in self._networks):
            return
        if self._loopback and address.is_loopback:
            return
        if not _is_public(address):
            where = "This machine" if address.is_loopback else f"The address of {host}"
            raise RefusedAddressError(
                f"{where} is not public; an operator can allow it with CLIP_SENET_WEBHOOK_ALLOWED."
            )
        if scheme == "http":
            raise RefusedAddressError(_NEEDS_HTTPS)

    def _trusts(self, host: str) -> bool:
        return host in self._hosts or (self._loopback and is_loopback(host))


_NEEDS_HTTPS: Final = "A webhook needs https; an operator can except its host with CLIP_SENET_WEBHOOK_ALLOWED."


def _split(url: str) -> SplitResult:
    """The parts of a webhook's URL.

    Raises:
        RefusedAddressError: It is none.
    """
    # What httpx and this would read differently must not get through.
    if (
        len(url) > LONGEST_URL
        or not url.isascii()
        or not url.isprintable()
        or any(mark in url for mark in ' "<>\\^`{|}')
    ):
        raise RefusedAddressError(f"must be an address of up to {LONGEST_URL} plain characters; percent-encode others")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise RefusedAddressError("is no address of the form https://host/path") from error
    if parts.scheme not in _PORTS or not parts.hostname or port == 0:
        raise RefusedAddressError("must be an address of the form https://host/path")
    if "@" in parts.netloc:
        raise RefusedAddressError("must not hold a user name or password; the signature tells who sends")
    if parts.fragment:
        raise RefusedAddressError("must not hold a fragment; no server sees it")
    if not _is_host(parts.hostname):
        raise RefusedAddressError(f"names no host: {parts.hostname!r}")
    return parts


def _is_host(host: str) -> bool:
    if _literal(host) is not None:
        return True
    labels = host.removesuffix(".").split(".")
    fit = all(0 < len(label) <= 63 and label.replace("-", "a").replace("_", "a").isalnum() for label in labels)  # noqa: PLR2004 - RFC 1035
    # 127.1 and 0x7f.1 are numbers to the resolver
    return fit and not labels[-1].isdigit() and not labels[-1].startswith("0x")


def _literal(host: str) -> Address | None:
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host)
    return None


def _look_up(host: str, port: int) -> list[Address]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found))


def _is_public(address: Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address) and (inner := _embedded(address)) is not None:
        return _is_public(inner)
    return address.is_global and not address.is_multicast and not any(address in network for network in _NOT_GLOBAL)


def _embedded(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that an IPv6 address leads to by way of a translator; None where it is one of its own."""
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
