"""The application: routes, middleware, errors and the parts behind them."""

import ipaddress
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.middleware import Middleware

import service
from service.cameras.endpoints import router as cameras_router
from service.console import router as console_router
from service.errors import UnavailableError
from service.gallery.endpoints import router as gallery_router
from service.lifespan import running
from service.middleware import BodyLimitMiddleware, RequestContextMiddleware
from service.openapi import install_openapi
from service.ops.endpoints import router as ops_router
from service.problems import install_problem_handlers
from service.search.endpoints import router as search_router
from service.settings import Settings

_DESCRIPTION = """Vehicle re-identification: enroll vehicle crops, find the same vehicle on other cameras.

Times are RFC 3339 in UTC, ids are UUIDv7, errors are problem details (RFC 9457) with stable codes. Every answer carries
X-Request-Id. Lists are paged: give `next_cursor` as `cursor` for the next page.
"""
_TAGS = [
    {"name": "gallery", "description": "The enrolled vehicle crops."},
    {"name": "search", "description": "Where else was this vehicle seen."},
    {"name": "cameras", "description": "Where the crops come from."},
    {"name": "operation", "description": "Is the service alive and ready."},
]

logger = logging.getLogger(__name__)


def create_app(settings: Settings) -> FastAPI:
    """Build the application.

    Args:
        settings: Everything it depends on. The parts start with the application's lifespan, not here.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with running(settings) as runtime:
            app.state.runtime = runtime
            yield

    app = FastAPI(
        title="CLIP-SENet Service",
        version=service.__version__,
        description=_DESCRIPTION,
        openapi_tags=_TAGS,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        # More than any route takes is refused while it arrives, before it fills disk and memory.
        form_limits={"max_files": 128, "max_fields": 4096, "max_part_size": 2**20},
        middleware=[
            Middleware(RequestContextMiddleware),
            Middleware(BodyLimitMiddleware, max_bytes=settings.max_body_bytes),
        ],
    )
    install_problem_handlers(app)
    for router in (gallery_router, search_router, cameras_router, ops_router, console_router):
        app.include_router(router)
    install_openapi(app)
    return app


def refuse_open_network(settings: Settings) -> None:
    """Refuse to answer a network without asking for a key, unless that was chosen; say loudly where nothing is asked.

    Raises:
        UnavailableError: `host` is not loopback and `allow_unauthenticated_network` is off.
    """
    if _is_loopback(settings.host):
        logger.warning("No key is asked for: every user of this machine may use the service on %s.", settings.host)
        return
    if not settings.allow_unauthenticated_network:
        raise UnavailableError(
            f"{settings.host} is no loopback address, and the service asks for no key: anyone who reaches it could "
            "read and change the gallery. Listen on 127.0.0.1 behind a proxy that asks who is there, or set "
            "CLIP_SENET_ALLOW_UNAUTHENTICATED_NETWORK=true if the network is yours alone."
        )
    logger.warning("NO KEY IS ASKED FOR: anyone who reaches %s may read and change the gallery.", settings.host)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
