"""Serves the console's page, style sheet and script modules out of the package.

The page needs nothing from another host and has no build step: what is in `static/` is what the browser runs.
"""

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Annotated

from fastapi import APIRouter, Header, Response

from service.errors import NotFoundError

PAGE = "index.html"

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    # Modules import each other by plain names, so a browser must ask again; the ETag keeps the answer empty.
    "Cache-Control": "no-cache",
}
"""Headers of all the console serves: scripts and styles come from this service only, and none of them is inline."""

_MEDIA_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Asset:
    """One static file, ready to be sent."""

    content: bytes
    media_type: str
    etag: str


@cache
def assets() -> dict[str, Asset]:
    """Every static file by name, read once per process."""
    folder = resources.files("service.console") / "static"
    found: dict[str, Asset] = {}
    for file in folder.iterdir():
        media_type = _MEDIA_TYPES.get("." + file.name.rpartition(".")[2])
        if media_type is not None:
            content = file.read_bytes()
            found[file.name] = Asset(content, media_type, f'"{hashlib.sha256(content).hexdigest()[:32]}"')
    return found


@router.api_route("/", methods=["GET", "HEAD"])
def get_console(if_none_match: Annotated[str | None, Header()] = None) -> Response:
    """The console's page."""
    return _answer(assets()[PAGE], if_none_match)


@router.api_route("/console/{name}", methods=["GET", "HEAD"])
def get_console_asset(name: str, if_none_match: Annotated[str | None, Header()] = None) -> Response:
    """A style sheet, script module or icon of the console."""
    asset = assets().get(name)
    if asset is None or name == PAGE:
        raise NotFoundError("The console has no such file.")
    return _answer(asset, if_none_match)


def _answer(asset: Asset, if_none_match: str | None) -> Response:
    headers = HEADERS | {"ETag": asset.etag}
    # A proxy that compresses turns the ETag into a weak one; the comparison for GET is weak (RFC 9110, 13.1.2).
    known = {tag.strip().removeprefix("W/") for tag in (if_none_match or "").split(",")}
    if asset.etag in known or "*" in known:
        return Response(status_code=304, headers=headers)
    return Response(asset.content, media_type=asset.media_type, headers=headers)
