"""Dropping the work of a client that went away, where that is cheap: before anything was stored."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.requests import Request

from service.errors import ServiceError

T = TypeVar("T")


class ClientGoneError(ServiceError):
    """The client closed the connection; nobody reads the answer, the access log does."""

    status, code, title = 499, "client_closed_request", "Client closed the connection"


async def unless_gone(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """Await `work`, cancelling it if the client disconnects first. The request's body must have been read.

    Raises:
        ClientGoneError: The client disconnected.
    """
    task = asyncio.ensure_future(work)
    watch = asyncio.ensure_future(_disconnected(request))
    try:
        await asyncio.wait({task, watch}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise ClientGoneError("The client closed the connection before the answer was ready.")
    finally:
        task.cancel()
        watch.cancel()
        await asyncio.gather(task, watch, return_exceptions=True)


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
