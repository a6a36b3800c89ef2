"""A headless Chromium, and a page of the console that must stay silent: no error, no foreign request, no violation."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page
from support.chromium import chromium
from support.searching import VEHICLES

OpenPage = Callable[..., Page]
Paint = Callable[[Path, int], Path]


# Not for the whole session: while it lives, Playwright's own event loop keeps tests that are coroutines from running.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless Chromium for the tests of a module."""
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory, paint: Paint) -> list[Path]:
    """A picture of each vehicle of a gallery that is searched."""
    folder = tmp_path_factory.mktemp("pictures")
    return [paint(folder / f"car-{vehicle}.png", vehicle) for vehicle in range(VEHICLES)]


@pytest.fixture
def open_page(browser: Browser, live_service: str) -> Iterator[OpenPage]:
    """Opens the console on a collection; fails at the end where the page complained or asked another host.

    `expected` are parts of console messages that the test provokes.
    """
    contexts: list[BrowserContext] = []
    complaints: list[str] = []
    allowed: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and not any(part in message.text for part in allowed):
            complaints.append(message.text)

    def open_page(collection: str, *, expected: tuple[str, ...] = (), **how: object) -> Page:
        allowed.extend(expected)
        how = {"viewport": {"width": 1280, "height": 860}, "timezone_id": "Europe/Berlin", "locale": "en-GB"} | how
        context = browser.new_context(**how)
        contexts.append(context)
        context.set_default_timeout(20_000)
        page = context.new_page()
        page.on("console", note)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "request",
            lambda request: None if request.url.startswith((live_service, "blob:")) else complaints.append(request.url),
        )
        page.goto(f"{live_service}/?collection={collection}")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture(scope="session")
def screenshots(pytestconfig: pytest.Config) -> Path:
    """Where pictures of the page are left to look at; git ignores it."""
    folder = pytestconfig.rootpath / "build" / "screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
