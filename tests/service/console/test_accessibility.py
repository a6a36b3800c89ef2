"""Every page by the rules of WCAG 2.2 A and AA, as axe-core checks them, in both themes."""

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from service.console.pages import PAGES

pytestmark = pytest.mark.browser

Paint = Callable[[Path, int], Path]

RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory, paint: Paint) -> Path:
    return paint(tmp_path_factory.mktemp("pictures") / "1.png", 1)


@pytest.fixture(scope="module")
def gallery(live_service: str, picture: Path) -> str:
    """A collection of one crop."""
    fields = {"collection": "accessible", "camera_id": "gate-1", "captured_at": "2026-11-04T09:00:00Z"}
    files = {"images": picture.read_bytes()}
    httpx.post(f"{live_service}/gallery", data=fields, files=files, timeout=60).raise_for_status()
    place = {"latitude": 53.54, "longitude": 9.98}
    query = {"collection": "accessible"}
    httpx.patch(f"{live_service}/cameras/gate-1", params=query, json=place).raise_for_status()
    return "accessible"


@pytest.fixture(params=["light", "dark"])
def page(request: pytest.FixtureRequest, browser: Browser) -> Iterator[Page]:
    """A page into which a script may be put, which the pages' own policy forbids."""
    context = browser.new_context(color_scheme=request.param, bypass_csp=True)
    context.set_default_timeout(20_000)
    yield context.new_page()
    context.close()


def assert_accessible(page: Page) -> None:
    found = Axe().run(page, options=RULES).response["violations"]
    assert [(rule["id"], [node["target"] for node in rule["nodes"]]) for rule in found] == []


@pytest.mark.parametrize("name", [one.name for one in PAGES])
def test_a_page(page: Page, live_service: str, gallery: str, name: str) -> None:
    address = next(one.address for one in PAGES if one.name == name)
    page.goto(f"{live_service}/{address}?collection={gallery}")
    page.wait_for_load_state("networkidle")
    assert_accessible(page)


def test_an_answer_and_its_details(page: Page, live_service: str, gallery: str, picture: Path) -> None:
    page.goto(f"{live_service}/?collection={gallery}")
    page.set_input_files("#files", picture)
    page.keyboard.press("Control+Enter")
    expect(page.locator(".hit").first).to_be_visible()
    page.wait_for_load_state("networkidle")
    assert_accessible(page)
    page.get_by_role("button", name="Details of rank 1", exact=True).click()
    assert_accessible(page)


def test_the_cropper_and_a_dialog(page: Page, live_service: str, gallery: str, picture: Path) -> None:
    page.goto(f"{live_service}/?collection={gallery}")
    page.set_input_files("#files", picture)
    page.get_by_role("button", name="Cut the vehicle out of").click()
    expect(page.locator(".stage .box")).to_be_visible()
    assert_accessible(page)
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Key").click()
    assert_accessible(page)
