"""Who reaches the service: told at start, and kept to its own names."""

import logging
from collections.abc import Set as AbstractSet
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from service.errors import ForeignRequestError, UnavailableError
from service.loopback import is_loopback
from service.problems import service_error_response
from service.settings import Settings

logger = logging.getLogger(__name__)


def refuse_open_network(settings: Settings) -> None:
    """Refuse to answer a network without asking for a key; say loudly where nothing is asked.

    Raises:
        UnavailableError: `host` is not loopback and `auth` is off.
    """
    if settings.auth == "off" and not is_loopback(settings.host):
        raise UnavailableError(
            f"{settings.host} is no loopback address, and with auth off anyone who reaches it could read and change "
            "the gallery. Make a key with clip-senet keys create and leave CLIP_SENET_AUTH away, "
            "or listen on 127.0.0.1."
        )
    if settings.asks_for_keys:
        logger.info("Requests need an API key; clip-senet keys create makes one.")
        return
    logger.warning("NO KEY IS ASKED FOR: every user of this machine may read and change the gallery.")
    if settings.allowed_hosts:
        names = ", ".join(sorted(settings.allowed_hosts))
        logger.warning(
            "So may everyone whom a proxy lets through as %s, unless it asks who is there; CLIP_SENET_AUTH=on asks for "
            "keys.",
            names,
        )


def is_guarded(settings: Settings) -> bool:
    """Whether the names that the service goes by are known, so that `ForeignRequestMiddleware` can stand guard."""
    return is_loopback(settings.host) or bool(settings.allowed_hosts)


class ForeignRequestMiddleware:
    """Refuses what a web page of another site makes a browser on this machine send.

    A browser reaches loopback for any page that it shows. So the Host must be a name of this service, or else the
    page's own name was pointed at this machine (DNS rebinding) and the page could read every answer; and an Origin,
    which browsers send with everything that changes something, must be the service itself (RFC 6454, section 7).

    Args:
        app: What comes after.
        allowed_hosts: Names beside those of loopback under which the service is offered, in lower case, without ports.
    """

    def __init__(self, app: ASGIApp, allowed_hosts: AbstractSet[str]) -> None:
        self._app = app
        self._allowed_hosts = allowed_hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        fault = self._fault(Headers(scope=scope)) if scope["type"] == "http" else None
        if fault is None:
            await self._app(scope, receive, send)
        else:
            await service_error_response(scope, ForeignRequestError(fault))(scope, receive, send)

    def _fault(self, headers: Headers) -> str | None:
        """Why a request is refused; None where it is not."""
        hosts, origins = headers.getlist("host"), headers.getlist("origin")
        names = [_name(f"//{host}") for host in hosts]
        if len(names) != 1 or not (is_loopback(names[0]) or names[0] in self._allowed_hosts):
            return (
                f"The service does not go by the name {', '.join(hosts)!r}. Ask for it at 127.0.0.1 or localhost, or "
                "add the name to CLIP_SENET_ALLOWED_HOSTS where a proxy offers the service under it."
            )
        for origin in origins:
            own = origin.lower() in {f"http://{hosts[0]}".lower(), f"https://{hosts[0]}".lower()}
            if not own and _name(origin) not in self._allowed_hosts:
                return f"A page of {origin!r} may not use this service; only its own pages may."
        return None


def _name(address: str) -> str:
    """The host of an address, in lower case, without port and brackets; empty where it has none."""
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""
