"""The pages beside the search, by clicks, against a real service."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect

from service.console.pages import PAGES

pytestmark = pytest.mark.browser

OpenPage = Callable[..., Page]
Paint = Callable[[Path, int], Path]


@pytest.fixture(scope="module")
def gallery(live_service: str, tmp_path_factory: pytest.TempPathFactory, paint: Paint) -> str:
    """A collection of four crops by two cameras."""
    folder = tmp_path_factory.mktemp("pictures")
    pictures = [paint(folder / f"{number}.png", number) for number in range(4)]
    items = [
        {"camera_id": f"gate-{number % 2}", "captured_at": f"2026-11-04T09:0{number}:00Z", "track_id": str(number)}
        for number in range(4)
    ]
    answer = httpx.post(
        f"{live_service}/gallery",
        data={"collection": "pages", "items": json.dumps(items)},
        files=[("images", (picture.name, picture.read_bytes())) for picture in pictures],
        timeout=60,
    )
    assert {item["status"] for item in answer.raise_for_status().json()["items"]} == {"enrolled"}
    return "pages"


@pytest.fixture
def open_other(open_page: OpenPage, live_service: str, gallery: str) -> OpenPage:
    """Opens one of the pages on the collection."""

    def open_other(name: str, **how: object) -> Page:
        page = open_page(gallery, **how)
        page.goto(f"{live_service}/console/{name}?collection={gallery}")
        return page

    return open_other


def row(page: Page, text: str) -> str:
    return page.locator("tbody tr", has_text=text).inner_text()


class TestFrame:
    def test_the_pages_lead_to_each_other_and_keep_the_collection(self, open_page: OpenPage, gallery: str) -> None:
        page = open_page(gallery)
        for one in PAGES:
            page.get_by_role("navigation", name="Pages").get_by_role("link", name=one.label, exact=True).click()
            expect(page.get_by_role("heading", level=1)).to_have_text(one.title)
            expect(page.locator("#collection-choice")).to_have_value(gallery)

    def test_another_collection_is_chosen_in_the_head(self, open_other: OpenPage, live_service: str) -> None:
        httpx.post(f"{live_service}/collections", json={"name": "other"}).raise_for_status()
        page = open_other("cameras")
        page.locator("#collection-choice").select_option("other")
        expect(page).to_have_url(re.compile(r"/console/cameras\?collection=other$"))
        expect(page.locator(".table")).to_contain_text("No camera has seen anything yet")


class TestCameras:
    def test_are_listed_named_and_placed(self, open_other: OpenPage) -> None:
        page = open_other("cameras")
        expect(page.locator("tbody tr")).to_have_count(2)
        assert "2026-11-04 09:00:00 UTC" in row(page, "gate-0")
        for camera, latitude, longitude in (("gate-0", "53.5400", "9.9800"), ("gate-1", "53.5450", "9.9900")):
            page.locator("tbody tr", has_text=camera).get_by_role("button", name="Edit").click()
            page.get_by_label("Name").fill(f"Name of {camera}")
            page.get_by_label("Latitude").fill(latitude)
            page.get_by_label("Longitude").fill(longitude)
            page.get_by_role("button", name="Save").click()
            expect(page.get_by_role("dialog")).to_have_count(0)
        assert "Name of gate-1" in row(page, "gate-1")
        spots = page.locator(".places circle")
        expect(spots).to_have_count(2)
        first, second = (spots.nth(number).bounding_box() for number in range(2))
        assert first is not None
        assert second is not None
        assert (second["x"] > first["x"], second["y"] < first["y"]) == (True, True)  # east is right, north is up

    def test_what_is_refused_is_told_in_the_dialog(self, open_other: OpenPage) -> None:
        page = open_other("cameras", expected=("422",))
        page.get_by_role("button", name="Announce a camera").click()
        page.get_by_label("Camera id").fill("gate-9")
        page.get_by_label("Latitude").fill("10")
        page.get_by_role("button", name="Announce it").click()
        expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("longitude")
        page.get_by_label("Longitude").fill("20")
        page.get_by_role("button", name="Announce it").click()
        expect(page.locator("tbody tr", has_text="gate-9")).to_be_visible()


class TestCollections:
    def test_one_is_made_changed_and_deleted(self, open_other: OpenPage) -> None:
        page = open_other("collections", expected=("422",))
        page.get_by_role("button", name="Make a collection").click()
        page.get_by_label("Name").fill("made here")
        page.get_by_label("Days that crops are kept").fill("30")
        page.get_by_role("button", name="Make it").click()
        made = page.locator("tbody tr", has_text="made here")
        expect(made).to_contain_text("30 days")
        made.get_by_role("button", name="Edit").click()
        page.get_by_label("Days that crops are kept").fill("")
        page.get_by_label("Searching, looking and deleting need a purpose").check()
        page.get_by_role("button", name="Save").click()
        expect(made).to_contain_text("asked for")
        expect(made).to_contain_text("ever")
        made.get_by_role("button", name="Delete").click()
        page.get_by_label("Type the name to be sure").fill("made")
        page.get_by_role("button", name="Delete it").click()
        expect(made).to_be_visible()
        page.get_by_label("Type the name to be sure").fill("made here")
        page.get_by_role("button", name="Delete it").click()
        expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("purpose")
        page.get_by_role("button", name="Cancel").click()
        page.get_by_role("button", name="Key").click()
        page.get_by_label("Purpose").fill("Aufräumen, Fall 7")
        page.get_by_role("button", name="Use").click()
        made.get_by_role("button", name="Delete").click()
        page.get_by_label("Type the name to be sure").fill("made here")
        page.get_by_role("button", name="Delete it").click()
        expect(made).to_have_count(0)


class TestJobs:
    def test_shows_how_far_they_are_and_what_came_of_it(self, open_other: OpenPage) -> None:
        page = open_other("jobs")
        page.get_by_label("Jobs of all collections, and of the service").check()
        page.get_by_role("button", name="Rebuild the index").click()
        page.get_by_role("button", name="Rebuild it").click()
        job = page.locator("tbody tr", has_text="Rebuild the index").first
        expect(job.locator(".mark")).to_have_text("succeeded", timeout=30_000)


class TestAudit:
    def test_tells_who_searched_what_and_why(self, open_other: OpenPage, live_service: str, gallery: str) -> None:
        crops = httpx.get(f"{live_service}/gallery", params={"collection": gallery}).json()["items"]
        body = {"collection": gallery, "crop_ids": [crops[0]["id"]], "purpose": "case 2026-118", "k": 3}
        httpx.post(f"{live_service}/search/crop", json=body).raise_for_status()
        page = open_other("audit")
        entry = page.locator("tbody tr", has_text="case 2026-118").first
        expect(entry).to_contain_text("search_by_crop")
        expect(entry).to_contain_text("k: 3")
        page.get_by_label("What").fill("delete_crop")
        page.get_by_role("button", name="Show").click()
        expect(page.locator(".table")).to_contain_text("Nothing was done that meets these conditions")
        page.get_by_label("What").fill("search_by_crop")
        with page.expect_download() as download:
            page.get_by_role("button", name="Export").click()
        lines = download.value.path().read_text().splitlines()
        assert {json.loads(line)["action"] for line in lines} == {"search_by_crop"}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("size", "width", "height"), [("wide", 1360, 860), ("small", 390, 844)])
@pytest.mark.parametrize("name", [page.name for page in PAGES[1:]])
def test_fits_the_screen_in_both_themes(  # noqa: PLR0917 - fixtures and parameters
    open_other: OpenPage, screenshots: Path, name: str, size: str, width: int, height: int, scheme: str
) -> None:
    page = open_other(name, color_scheme=scheme, viewport={"width": width, "height": height})
    page.wait_for_load_state("networkidle")
    page.screenshot(path=screenshots / f"{name}-{size}-{scheme}.png")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    backdrop = page.evaluate("getComputedStyle(document.body).backgroundColor")
    brightness = sum(int(part) for part in re.findall(r"\d+", backdrop)[:3]) / 3
    assert brightness > 200 if scheme == "light" else brightness < 60
