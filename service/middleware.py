"""What every request passes: a request id, the cap on its body, its end, security headers, the access log.

Plain ASGI, because Starlette's BaseHTTPMiddleware hides a client's disconnect from the endpoint.
"""

import json
import logging
import re
import time

import uuid_utils
from python_multipart.multipart import parse_options_header
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.errors import MalformedRequestError, TooLargeError
from service.masking import masked
from service.ops.request_metrics import RequestMetrics
from service.problems import problem_response, service_error_response

REQUEST_ID_HEADER = "X-Request-Id"
_SANE_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
# blob: is a picture the console shows before it is sent, data: the icons of Swagger UI.
_CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_SECURITY_HEADERS = {
    "Content-Security-Policy": _CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}

logger = logging.getLogger(__name__)
access_logger = logging.getLogger("service.access")


class RequestContextMiddleware:
    """Names each request, answers what nothing else caught with a plain 500, counts and logs the request.

    The request id is the client's X-Request-Id where that is a short plain word and no secret, otherwise a new UUIDv7.
    The access log is one JSON object a line, without the query string: it may hold vehicle ids.
    """

    def __init__(self, app: ASGIApp, metrics: RequestMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        started = time.perf_counter()
        status = 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers[REQUEST_ID_HEADER] = request_id
                for name, value in _SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            await self._app(scope, receive, send_with_headers)
        except Exception:
            logger.exception("Unexpected error in request %s", request_id)
            if status:
                raise  # the answer has begun: only breaking the connection tells the client that it is not whole
            await _unexpected(scope, receive, send_with_headers)
        finally:
            seconds = time.perf_counter() - started
            self._metrics.note(scope, status, seconds)
            _log_access(scope, request_id, status, seconds)


class BodyLimitMiddleware:
    """Refuses a body above the limit before it is parsed, by its declared length or while it arrives.

    Forms go to disk as they come. Anything else is read as JSON, on the thread that answers everybody: its limit is far
    lower. Starlette has such a limit as well, but it answers in plain text, not in problem details.

    Args:
        app: What comes after.
        max_bytes: Largest multipart body.
        max_json_bytes: Largest body of any other kind, where that is less.
    """

    def __init__(self, app: ASGIApp, max_bytes: int, max_json_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._max_json_bytes = min(max_bytes, max_json_bytes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        media_type, _ = parse_options_header(Headers(scope=scope).get("content-type"))
        if media_type.startswith(b"multipart/"):
            limit, what, instead = self._max_bytes, "a request", "send fewer or smaller images"
        else:
            limit, what, instead = self._max_json_bytes, "a request without pictures", "ask in several parts"
        detail = f"The body of {what} may have {limit} bytes at most; {instead}."
        declared = Headers(scope=scope).get("content-length", "0")
        if declared.isdecimal() and int(declared) > limit:
            await service_error_response(scope, TooLargeError(detail))(scope, receive, send)
            return
        received = 0

        async def receive_limited() -> Message:
            nonlocal received
            message = await receive()
            if message["type"] == "http.request":
                received += len(message.get("body", b""))
                if received > limit:
                    # An HTTPException, because that is what passes unchanged through FastAPI's parsing of the body.
                    raise HTTPException(TooLargeError.status, detail)
            return message

        await self._app(scope, receive_limited, send)


class WholeMultipartMiddleware:
    """Refuses a multipart body that ends before its closing boundary (RFC 2046, section 5.1.1).

    The parser takes such a body and throws its last, unfinished part away: a search would lose a condition.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        content_type = Headers(scope=scope).get("content-type") if scope["type"] == "http" else None
        media_type, options = parse_options_header(content_type)
        boundary = options.get(b"boundary")
        if not media_type.startswith(b"multipart/") or boundary is None:
            await self._app(scope, receive, send)
            return
        closing = b"\r\n--" + boundary + b"--"
        closed = False
        tail = b"\r\n"  # the boundary may be the first line, and it may lie across two messages

        async def receive_whole() -> Message:
            nonlocal closed, tail
            message = await receive()
            if message["type"] == "http.request" and not closed:
                seen = tail + message.get("body", b"")
                closed = closing in seen
                tail = seen[-len(closing) :]
                if not closed and not message.get("more_body", False):
                    raise HTTPException(
                        MalformedRequestError.status, "The multipart body ends before its closing boundary."
                    )
            return message

        await self._app(scope, receive_whole, send)


def _request_id(scope: Scope) -> str:
    given = Headers(scope=scope).get(REQUEST_ID_HEADER, "")
    sane = _SANE_REQUEST_ID.fullmatch(given) and masked(given) == given  # it is kept in the audit log for good
    return given if sane else str(uuid_utils.uuid7())


async def _unexpected(scope: Scope, receive: Receive, send: Send) -> None:
    response = problem_response(
        scope,
        status=500,
        code="internal_error",
        title="Unexpected error",
        detail="The service met an error of its own. The log has the details under this request id.",
    )
    await response(scope, receive, send)


def _log_access(scope: Scope, request_id: str, status: int, seconds: float) -> None:
    client = scope.get("client")
    entry = {
        "request_id": request_id,
        "client": client[0] if client else None,
        "method": scope["method"],
        "path": masked(scope["path"]),
        "status": status,
        "took_ms": round(1000 * seconds, 1),
    }
    access_logger.info(json.dumps(entry))
