"""The OpenAPI description: declared errors, uploads that client generators understand, documentation without a CDN."""

from collections.abc import Sequence
from importlib import resources
from typing import Any

from fastapi import APIRouter, FastAPI, Response
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse

from service.errors import (
    ForbiddenError,
    ForeignRequestError,
    NotFoundError,
    RateLimitedError,
    ServiceError,
    UnauthorizedError,
)
from service.openapi_repairs import repaired
from service.problem_examples import OCCURRENCES, example_of
from service.problems import PROBLEM_MEDIA_TYPE, Problem

_MEANINGS = {
    400: "The request cannot be read.",
    401: "No key, or one that is unknown, expired or revoked.",
    403: "The key lacks the scope or is bound to other collections, or the request comes by way of another web site.",
    404: "No such crop or collection.",
    409: "The request contradicts what is stored, or the index has not reached min_sequence in time.",
    413: "Body, file or picture above a limit.",
    415: "Not an image type that the service reads.",
    422: "A value makes no sense, or a picture cannot be decoded.",
    429: "Too much is waiting already, or too much was asked with this key; try again after Retry-After seconds.",
    503: "A part of the service is down; detail says which.",
}
_WITH_RETRY_AFTER = {429, 503}

_SERVERS = [{"url": "/", "description": "The service that this file comes from."}]
_LICENCE = {"name": "Apache License 2.0", "identifier": "Apache-2.0"}

# Swagger UI comes with this package from PyPI; nothing else of it is used.
_SWAGGER_UI = "fastapi_offline"
_DOCS_ASSETS = {"swagger-ui-bundle.js": "text/javascript", "swagger-ui.css": "text/css", "favicon.png": "image/png"}
_DOCS_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>CLIP-SENet Service: API</title>
<link rel="icon" href="docs/assets/favicon.png">
<link rel="stylesheet" href="docs/assets/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="docs/assets/swagger-ui-bundle.js"></script>
<script src="docs/assets/start.js"></script>
</body>
</html>
"""
# A file of its own, because the content security policy allows no script inside the page.
_DOCS_START = 'SwaggerUIBundle({ url: "openapi.json", dom_id: "#swagger-ui", deepLinking: true });\n'

docs_router = APIRouter(include_in_schema=False)


def problems(*errors: type[ServiceError], guarded: bool = True) -> dict[int | str, dict[str, Any]]:
    """Declares error answers of a route, for its `responses=`.

    Args:
        errors: What the route answers with; those of one status become one answer with an example of each.
        guarded: Whether the route asks for a key.
    """
    access = (UnauthorizedError, ForbiddenError, RateLimitedError) if guarded else ()
    kinds: dict[int | str, list[type[ServiceError]]] = {}
    for error in (*errors, *access, ForeignRequestError):
        kinds.setdefault(error.status, []).append(error)
    return {status: _problem(kinds[status]) for status in kinds}


def install_openapi(app: FastAPI) -> None:
    """Give `app` the patched description and the documentation page."""

    def describe() -> dict[str, Any]:
        if app.openapi_schema is None:
            described = get_openapi(
                title=app.title,
                version=app.version,
                description=app.description,
                routes=app.routes,
                tags=app.openapi_tags,
                servers=_SERVERS,
                license_info=_LICENCE,
            )
            described["components"]["schemas"] |= _problem_schemas()
            described["components"]["examples"] = _problem_examples()
            app.openapi_schema = repaired(described)
        return app.openapi_schema

    app.openapi = describe  # type: ignore[method-assign]  # FastAPI's documented way to change it
    app.include_router(docs_router)


@docs_router.get("/docs")
async def get_docs() -> HTMLResponse:
    """The interactive documentation."""
    return HTMLResponse(_DOCS_PAGE)


@docs_router.get("/docs/assets/{name}")
def get_docs_asset(name: str) -> Response:
    """Script or style of the documentation page, out of the installed packages."""
    if name == "start.js":
        return Response(_DOCS_START, media_type="text/javascript")
    if name not in _DOCS_ASSETS:
        raise NotFoundError("The documentation has no such file.")
    content = (resources.files(_SWAGGER_UI) / "static" / name).read_bytes()
    return Response(content, media_type=_DOCS_ASSETS[name], headers={"Cache-Control": "public, max-age=86400"})


def _problem(kinds: Sequence[type[ServiceError]]) -> dict[str, Any]:
    """The answer of errors that have one status."""
    status = kinds[0].status
    examples = {kind.code: {"$ref": f"#/components/examples/{kind.code}"} for kind in kinds}
    declared: dict[str, Any] = {
        "description": _MEANINGS[status],
        "content": {
            PROBLEM_MEDIA_TYPE: {"schema": {"$ref": f"#/components/schemas/{Problem.__name__}"}, "examples": examples}
        },
    }
    if status in _WITH_RETRY_AFTER:
        declared["headers"] = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}}
    return declared


def _problem_examples() -> dict[str, Any]:
    """One for each code, since nearly every route has nearly all of them."""
    return {kind.code: {"summary": kind.title, "value": example_of(kind)} for kind in OCCURRENCES}


def _problem_schemas() -> dict[str, Any]:
    schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    return {**schema.pop("$defs"), Problem.__name__: schema}
