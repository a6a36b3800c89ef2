"""Serves the console's pages, style sheets and script modules out of the package.

The pages need nothing from another host and have no build step: what is in `static/` is what the browser runs.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Annotated

from fastapi import APIRouter, Header, Response

from service.console.pages import PAGES, composed
from service.errors import NotFoundError

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
    """What one address answers, ready to be sent."""

    content: bytes
    media_type: str
    etag: str


@cache
def assets() -> dict[str, Asset]:
    """All pages and files by their address relative to the service, made once per process."""
    files = dict(_files(resources.files("service.console") / "static"))
    pages = {page.address: _asset(composed(page, files), ".html") for page in PAGES}
    return pages | {
        f"console/{name}": _asset(text, name[name.rindex(".") :])
        for name, text in files.items()
        if not name.endswith(".html")
    }


@router.api_route("/", methods=["GET", "HEAD"])
def get_console(if_none_match: Annotated[str | None, Header()] = None) -> Response:
    """The console's first page, the search."""
    return _answer(assets()[""], if_none_match)


@router.api_route("/console/{path:path}", methods=["GET", "HEAD"])
def get_console_asset(path: str, if_none_match: Annotated[str | None, Header()] = None) -> Response:
    """Another page, or a style sheet, script module or icon of the console."""
    asset = assets().get(f"console/{path}")
    if asset is None:
        raise NotFoundError("The console has no such page or file.")
    return _answer(asset, if_none_match)


def _files(folder: Traversable, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Every text file below a folder, by its path."""
    for entry in folder.iterdir():
        name = prefix + entry.name
        if entry.is_dir():
            yield from _files(entry, f"{name}/")
        elif name[name.rfind(".") :] in _MEDIA_TYPES:
            yield name, entry.read_text(encoding="utf-8")


def _asset(text: str, ending: str) -> Asset:
    content = text.encode()
    return Asset(content, _MEDIA_TYPES[ending], f'"{hashlib.sha256(content).hexdigest()[:32]}"')


def _answer(asset: Asset, if_none_match: str | None) -> Response:
    headers = HEADERS | {"ETag": asset.etag}
    # A proxy that compresses turns the ETag into a weak one; the comparison for GET is weak (RFC 9110, 13.1.2).
    known = {tag.strip().removeprefix("W/") for tag in (if_none_match or "").split(",")}
    if asset.etag in known or "*" in known:
        return Response(status_code=304, headers=headers)
    return Response(asset.content, media_type=asset.media_type, headers=headers)
