"""Asks every request for its key, before its body is read."""

from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from service.access import ANYONE, KEY_HEADER, Caller
from service.errors import ServiceError, UnauthorizedError
from service.problems import log_failure, service_error_response

if TYPE_CHECKING:
    from service.runtime import Runtime

OPEN_PATHS = frozenset({"/", "/healthz", "/readyz", "/docs", "/openapi.json"})
"""What nobody is asked for a key for: whether the service works, how it is used, and the console without its data."""
OPEN_FOLDERS = ("/console/", "/docs/assets/")


class AuthenticationMiddleware:
    """Finds out who asks, and turns away whoever has no valid key or has used it too often.

    What a caller may do is asked where a route is known (service/access.py); every path that is not open is refused to
    those without a key, whether there is a route or not.

    Args:
        app: What comes after.
        required: Whether a key is asked for. Otherwise everyone may do everything.
    """

    def __init__(self, app: ASGIApp, *, required: bool) -> None:
        self._app = app
        self._required = required

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] == "http" and not _is_open(scope["path"]):
            try:
                scope["state"]["caller"] = await self._caller(scope)
            except ServiceError as error:
                if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                    log_failure(error)
                response = service_error_response(scope, error)
                if isinstance(error, UnauthorizedError):
                    response.headers["WWW-Authenticate"] = "APIKey"  # RFC 9110, section 11.6.1, asks for a scheme
                await response(scope, receive, send)
                return
        await self._app(scope, receive, send)

    async def _caller(self, scope: Scope) -> Caller:
        if not self._required:
            return ANYONE
        runtime: Runtime = scope["app"].state.runtime
        return await runtime.keys.admit(Headers(scope=scope).get(KEY_HEADER))


def _is_open(path: str) -> bool:
    return path in OPEN_PATHS or path.startswith(OPEN_FOLDERS)
