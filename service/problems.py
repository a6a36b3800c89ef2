"""Errors as RFC 9457 problem details: one shape for every answer that is not a success."""

import http
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Scope

from service.errors import InvalidValueError, MalformedRequestError, NotFoundError, ServiceError, TooLargeError

PROBLEM_MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:clip-senet:problem:"
# Errors that the framework finds, under the names of our own: one code, one title.
_FRAMEWORK_ERRORS = {error.status: error for error in (MalformedRequestError, NotFoundError, TooLargeError)}
_MOST_ENTRIES = 100
"""Faults that one answer names; whoever has more mends the first of them first."""

logger = logging.getLogger(__name__)


class ProblemEntry(BaseModel):
    """One field or item at fault."""

    model_config = ConfigDict(extra="allow")

    code: str = Field(description="Stable name of what is wrong.", examples=["invalid_value"])
    detail: str = Field(description="What is wrong, in words.", examples=["captured_at: must carry a time zone"])
    index: int | None = Field(None, description="Position of the item at fault, where the request holds several.")
    field: str | None = Field(None, description="Name of the field at fault.")


class Problem(BaseModel):
    """Problem details (RFC 9457)."""

    type: str = Field(description="URI that names the kind of problem.", examples=[TYPE_PREFIX + "invalid_value"])
    title: str = Field(description="Short text, the same for every occurrence.", examples=["Invalid value"])
    status: int = Field(description="HTTP status code.", examples=[422])
    detail: str = Field(description="What happened this time and what to do about it.")
    code: str = Field(description="Stable name for programs.", examples=["invalid_value"])
    request_id: str | None = Field(None, description="The X-Request-Id of this answer.")
    errors: list[ProblemEntry] = Field(default_factory=list, description="One entry per field or item at fault.")


def install_problem_handlers(app: FastAPI) -> None:
    """Make every error of `app` a problem-details answer."""
    app.add_exception_handler(ServiceError, _on_service_error)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(RequestValidationError, _on_validation_error)


def problem_response(
    scope: Scope,
    *,
    status: int,
    code: str,
    title: str,
    detail: str,
    errors: Sequence[Mapping[str, Any]] = (),
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """A problem-details response for the request of `scope`.

    Args:
        scope: The ASGI scope; gives the request id.
        status: HTTP status code.
        code: Stable snake_case name.
        title: The same for every occurrence of `code`.
        detail: This occurrence, safe to show to a client.
        errors: One entry per field or item at fault.
        headers: Further headers, Retry-After for one.
    """
    body = {
        "type": TYPE_PREFIX + code,
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
        "request_id": scope.get("state", {}).get("request_id"),
        "errors": [dict(entry) for entry in errors],
    }
    return JSONResponse(body, status_code=status, headers=dict(headers or {}), media_type=PROBLEM_MEDIA_TYPE)


def service_error_response(scope: Scope, error: ServiceError) -> JSONResponse:
    """The answer to one of the service's own errors."""
    headers = {} if error.retry_after_s is None else {"Retry-After": str(error.retry_after_s)}
    return problem_response(
        scope,
        status=error.status,
        code=error.code,
        title=error.title,
        detail=error.detail,
        errors=error.errors,
        headers=headers,
    )


def invalid_field(field: str, message: str) -> InvalidValueError:
    """The error for one field that makes no sense."""
    entry = {"code": InvalidValueError.code, "field": field, "detail": f"{field}: {message}"}
    return InvalidValueError(entry["detail"], errors=[entry])


def log_failure(error: ServiceError) -> None:
    """Tell of an error of the service's own in a line; the traceback of its cause is there at the level DEBUG.

    A database that is away fails every request of everybody, even without a key: a traceback of each would fill disks
    and hide what matters.
    """
    cause = error.__cause__
    reason = "" if cause is None else f" ({type(cause).__name__}: {(str(cause).splitlines() or [''])[0]})"
    logger.warning("%s: %s%s", error.code, error.detail, reason)
    logger.debug("The cause of it:", exc_info=cause)


async def _on_service_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ServiceError)  # noqa: S101 - narrows what add_exception_handler cannot type
    if error.status >= http.HTTPStatus.INTERNAL_SERVER_ERROR:
        log_failure(error)
    return service_error_response(request.scope, error)


async def _on_http_exception(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101
    phrase = http.HTTPStatus(error.status_code).phrase
    detail = error.detail
    if error.status_code == NotFoundError.status:
        detail = f"There is nothing at {request.method} {request.url.path}; /docs lists the routes."
    elif error.status_code == http.HTTPStatus.METHOD_NOT_ALLOWED:
        detail = f"{request.url.path} does not answer {request.method}."
    known = _FRAMEWORK_ERRORS.get(error.status_code)
    return problem_response(
        request.scope,
        status=error.status_code,
        code=known.code if known else phrase.lower().replace(" ", "_"),
        title=known.title if known else phrase,
        detail=detail,
        headers=error.headers,
    )


async def _on_validation_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    if any(entry["type"] == "json_invalid" for entry in error.errors()):
        return service_error_response(request.scope, MalformedRequestError("The body is not JSON."))
    entries = [validation_entry(entry) for entry in error.errors()[:_MOST_ENTRIES]]
    detail = "; ".join(entry["detail"] for entry in entries[:3]) + (" ..." if len(entries) > 3 else "")  # noqa: PLR2004
    return service_error_response(request.scope, InvalidValueError(detail, errors=entries))


def validation_entry(error: Mapping[str, Any]) -> dict[str, Any]:
    """One error of pydantic in the words of the API: the field and what is wrong, never the value that was sent."""
    location = [str(part) for part in error["loc"] if part not in ("body", "query", "path", "header")]
    field = ".".join(location)
    message = str(error["msg"]).removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        message = "is not a field of this request"
    elif error["type"] == "missing":
        message = "is required"
    elif message.startswith("Expected UploadFile"):
        message = "must be a file of a multipart/form-data body"
    return {"code": InvalidValueError.code, "field": field, "detail": f"{field}: {message}" if field else message}
