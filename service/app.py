"""The application: routes, middleware, errors and the parts behind them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.middleware import Middleware

import service
from service.audit.endpoints import router as audit_router
from service.calibration.endpoints import router as calibration_router
from service.cameras.endpoints import router as cameras_router
from service.collections.endpoints import router as collections_router
from service.console import router as console_router
from service.deletion.endpoints import router as deletion_router
from service.exposure import ForeignRequestMiddleware, is_guarded
from service.gallery.endpoints import router as gallery_router
from service.jobs.endpoints import router as jobs_router
from service.judgements.endpoints import router as judgements_router
from service.keys.authentication import AuthenticationMiddleware
from service.keys.endpoints import router as keys_router
from service.lifespan import running
from service.methods import DeclaredMethodsMiddleware
from service.middleware import BodyLimitMiddleware, RequestContextMiddleware, WholeMultipartMiddleware
from service.model_info.endpoints import router as model_router
from service.openapi import install_openapi
from service.ops.endpoints import router as ops_router
from service.ops.request_metrics import RequestMetrics
from service.problems import install_problem_handlers
from service.search.endpoints import router as search_router
from service.settings import Settings
from service.stats.endpoints import router as stats_router
from service.timeline.endpoints import router as timeline_router
from service.tracks.endpoints import router as tracks_router
from service.vehicles.endpoints import router as vehicles_router
from service.watches.endpoints import router as watches_router

_DESCRIPTION = """Vehicle re-identification: enroll vehicle crops, find the same vehicle on other cameras.

Times are RFC 3339 in UTC, ids are UUIDv7, errors are problem details (RFC 9457) with stable codes. Every answer carries
X-Request-Id. Lists are paged: give `next_cursor` as `cursor` for the next page.
"""
_TAGS = [
    {"name": "gallery", "description": "The enrolled vehicle crops."},
    {"name": "search", "description": "Where else was this vehicle seen."},
    {
        "name": "collections",
        "description": "Galleries that are searched on their own, and what each keeps and refuses.",
    },
    {"name": "calibration", "description": "What the scores of a collection mean."},
    {"name": "cameras", "description": "Where the crops come from."},
    {"name": "jobs", "description": "Long work, and how far it is."},
    {"name": "tracks", "description": "What one camera saw of one vehicle, as its tracker followed it."},
    {"name": "watches", "description": "Standing searches, what they found, and the webhooks that are told."},
    {"name": "keys", "description": "Who may use the service, for what, until when and how often."},
    {"name": "vehicles", "description": "Identities that people confirmed, and where each was seen."},
    {"name": "judgements", "description": "What people say of hits."},
    {"name": "audit", "description": "Who searched, looked at and deleted what, when and why."},
    {"name": "operation", "description": "Is the service alive and ready, what does it hold, with which model."},
]
_ROUTERS = (
    gallery_router,
    deletion_router,
    jobs_router,
    search_router,
    collections_router,
    calibration_router,
    cameras_router,
    tracks_router,
    vehicles_router,
    judgements_router,
    timeline_router,
    watches_router,
    keys_router,
    audit_router,
    stats_router,
    model_router,
    ops_router,
    console_router,
)


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

    metrics = RequestMetrics()
    guard = [Middleware(ForeignRequestMiddleware, settings.allowed_hosts)] if is_guarded(settings) else []
    app = FastAPI(
        title="CLIP-SENet Service",
        version=service.__version__,
        description=_DESCRIPTION,
        openapi_tags=_TAGS,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # the Location of such a redirect would be made of the client's Host header
        lifespan=lifespan,
        # More than any route takes is refused while it arrives, before it fills disk and memory.
        form_limits={"max_files": 128, "max_fields": 4096, "max_part_size": 2**20},
        middleware=[
            Middleware(RequestContextMiddleware, metrics=metrics),
            *guard,
            Middleware(AuthenticationMiddleware, required=settings.asks_for_keys),
            Middleware(BodyLimitMiddleware, max_bytes=settings.max_body_bytes, max_json_bytes=settings.max_json_bytes),
            Middleware(WholeMultipartMiddleware),
            Middleware(DeclaredMethodsMiddleware, _ROUTERS),
        ],
    )
    app.state.request_metrics = metrics
    install_problem_handlers(app)
    for router in _ROUTERS:
        app.include_router(router)
    install_openapi(app)
    return app
