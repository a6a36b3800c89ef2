"""What the pages say when an answer does not come, comes late, or is none of the service's."""

import re
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, Route, expect

pytestmark = pytest.mark.browser

OpenPage = Callable[..., Page]
Paint = Callable[[Path, int], Path]

LOGIN = {"status": 200, "content_type": "text/html", "body": "<!doctype html><title>Sign in</title>"}
CUT_OFF = {"status": 200, "content_type": "application/json", "body": '{"items": [{"num'}
OTHERS = {"status": 200, "content_type": "application/json", "body": "null"}


@pytest.fixture
def picture(tmp_path: Path, paint: Paint) -> Path:
    return paint(tmp_path / "car.png", 31)


@pytest.fixture
def collection(live_service: str, picture: Path, request: pytest.FixtureRequest) -> str:
    """A collection of one crop."""
    collection = str(request.node.name)
    enrol(live_service, collection, picture)
    return collection


def enrol(address: str, collection: str, picture: Path) -> str:
    fields = {"collection": collection, "camera_id": "gate-1", "captured_at": "2026-11-04T09:00:00Z"}
    files = {"images": picture.read_bytes()}
    answer = httpx.post(f"{address}/gallery", data=fields, files=files, timeout=60).raise_for_status()
    return str(answer.json()["items"][0]["id"])


@pytest.fixture
def watch_page(open_page: OpenPage, live_service: str, collection: str) -> Page:
    """The page of a watch for the crop, which is live."""
    crop = httpx.get(f"{live_service}/gallery", params={"collection": collection}).json()["items"][0]["id"]
    body = {"collection": collection, "name": "The red one", "crop_ids": [crop], "min_score": 0.9}
    body |= {"exclude_same_track": False}
    watch = httpx.post(f"{live_service}/watches", json=body).raise_for_status().json()["id"]
    page = open_page(collection, expected=("net::ERR_ABORTED", "503"))
    page.goto(f"{live_service}/console/watches?collection={collection}&watch={watch}")
    expect(page.get_by_role("heading", name="Hits live")).to_be_visible()
    return page


@pytest.mark.parametrize("answer", [LOGIN, CUT_OFF, OTHERS], ids=["login", "cut-off", "others"])
def test_a_watch_says_that_an_answer_cannot_be_read_and_goes_on(
    watch_page: Page, live_service: str, collection: str, picture: Path, answer: dict[str, object]
) -> None:
    watch_page.route(re.compile("/hits"), lambda route: route.fulfill(**answer))
    expect(watch_page.get_by_role("heading", name="Hits not live: It was cut off, or something")).to_be_visible()
    enrol(live_service, collection, picture)
    watch_page.unroute_all()
    expect(watch_page.locator(".sighting")).to_have_count(1)
    expect(watch_page.get_by_role("heading", name="Hits live")).to_be_visible()


def test_a_watch_is_not_live_when_an_answer_is_overdue(watch_page: Page) -> None:
    held: list[Route] = []
    watch_page.route(re.compile("/hits"), lambda route: held.append(route))  # noqa: PLW0108 - Playwright marks it
    expect(watch_page.get_by_role("heading", name="Hits not live: No answer came in time")).to_be_visible(
        timeout=15_000
    )
    watch_page.unroute_all()
    expect(watch_page.get_by_role("heading", name="Hits live")).to_be_visible()


def test_an_answer_that_cannot_be_read_leaves_no_older_one_up(
    open_page: OpenPage, collection: str, picture: Path, tmp_path: Path, paint: Paint
) -> None:
    page = open_page(collection)
    page.set_input_files("#files", picture)
    page.keyboard.press("Control+Enter")
    expect(page.locator(".hit")).to_have_count(1)
    page.route(re.compile("/search$"), lambda route: route.fulfill(**LOGIN))
    page.set_input_files("#files", paint(tmp_path / "other.png", 32))
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("alert").first).to_contain_text("The answer cannot be read")
    expect(page.locator(".hit")).to_have_count(0)
