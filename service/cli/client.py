"""HTTP to a running service: patient where it is busy, and in plain words where it refuses."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from service.loopback import is_loopback

DEFAULT_URL = "http://127.0.0.1:8000"

_BUSY = {429, 503}
_LONGEST_WAIT_S = 30.0


@dataclass
class ServiceProblem(Exception):  # noqa: N818 - the name of what the API answers with
    """The service refused a request, or did not answer it.

    Attributes:
        title: What went wrong.
        detail: This occurrence, and what to do about it.
        status: HTTP status; None where there was no answer.
        code: The problem's stable code; None where there was no answer.
        errors: One entry per field or item at fault.
        request_id: What to ask an operator about.
    """

    title: str
    detail: str = ""
    status: int | None = None
    code: str | None = None
    errors: list[dict[str, Any]] = field(default_factory=list)
    request_id: str | None = None

    def __str__(self) -> str:
        """All of it in sentences."""
        parts = [f"{self.title.rstrip('.')}."]
        if self.detail and self.detail not in self.title:
            parts.append(self.detail)
        reasons = (str(error.get("detail", "")) for error in self.errors)
        parts.extend(reason for reason in reasons if reason not in self.detail)
        if self.request_id:
            parts.append(f"(request {self.request_id})")
        return " ".join(parts)


def connect(url: str, api_key: str | None = None) -> httpx.Client:
    """A client of the service at a base address; safe to share between threads.

    The proxies of the environment are used, but never for this machine itself: they could not reach it.

    Args:
        url: The base address.
        api_key: Sent with every request, where given. It is no part of the address, so it is in no message.

    Raises:
        ServiceProblem: The key holds what no key does, such as a line break.
    """
    base = httpx.URL(url.rstrip("/") + "/")
    headers = {"User-Agent": "clip-senet"}
    if api_key is not None:
        if not (api_key.isascii() and api_key.isprintable()):
            raise ServiceProblem(
                "That is no API key", "One looks like csk_0123456789ab_ and 64 more hexadecimal digits."
            )
        headers["X-API-Key"] = api_key
    return httpx.Client(
        base_url=base,
        timeout=httpx.Timeout(300.0, connect=10.0),
        headers=headers,
        trust_env=not is_loopback(base.host),
    )


def send(
    client: httpx.Client,
    method: str,
    path: str,
    *,
    patience_s: float = 0.0,
    wait: Callable[[float], None] = time.sleep,
    **request: Any,  # noqa: ANN401 - whatever httpx takes
) -> httpx.Response:
    """Send a request; where the service is busy or away, wait as it asks and send it again.

    Only for requests that may be repeated: reads, searches, and enrolments with an external id.

    Args:
        client: From `connect`.
        method: HTTP method.
        path: Relative to the base address.
        patience_s: For how long to go on trying.
        wait: Called with seconds.
        request: Body and parameters as httpx takes them; must be sendable twice, so no streams.

    Raises:
        ServiceProblem: It refused, or was still busy or away when patience ended.
    """
    deadline = time.monotonic() + patience_s
    pause_s = 0.5
    while True:
        try:
            response = client.request(method, path, **request)
        except httpx.TransportError as error:
            problem = _no_answer(client, error)
            asked_s = None
        else:
            if response.is_success:
                return response
            problem = problem_of(response)
            asked_s = _retry_after_s(response)
        pause_s = min(_LONGEST_WAIT_S, pause_s * 2) if asked_s is None else max(0.1, asked_s)
        if problem.status not in _BUSY | {None} or time.monotonic() + pause_s > deadline:
            raise problem
        wait(pause_s)


def problem_of(response: httpx.Response) -> ServiceProblem:
    """The problem that an unsuccessful answer tells of, whoever wrote it."""
    try:
        body = response.json()
    except ValueError:
        body = None
    if not isinstance(body, dict) or "title" not in body:
        return ServiceProblem(
            f"{response.url} answered with status {response.status_code}",
            "That is no answer of this service: is the address right?",
            status=response.status_code,
        )
    return ServiceProblem(
        title=body["title"],
        detail=body.get("detail") or "",
        status=response.status_code,
        code=body.get("code"),
        errors=body.get("errors") or [],
        request_id=body.get("request_id"),
    )


def _no_answer(client: httpx.Client, error: httpx.TransportError) -> ServiceProblem:
    address = str(client.base_url).rstrip("/")
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        return ServiceProblem(f"No service answers at {address}", "Start one with: clip-senet serve")
    return ServiceProblem(f"The service at {address} broke off", f"{type(error).__name__}: {error}")


def _retry_after_s(response: httpx.Response) -> float | None:
    try:
        return float(response.headers["Retry-After"])
    except (KeyError, ValueError):
        return None
