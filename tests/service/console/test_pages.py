"""The pages beside the search, by clicks, against a real service."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, Route, expect

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

    def test_only_what_was_changed_is_sent(self, open_other: OpenPage, live_service: str, gallery: str) -> None:
        page = open_other("cameras")
        edit = page.locator("tbody tr", has_text="gate-0").get_by_role("button", name="Edit")
        expect(edit).to_be_visible()
        camera, query = f"{live_service}/cameras/gate-0", {"collection": gallery}
        httpx.patch(camera, params=query, json={"latitude": 12.5, "longitude": 3.5}).raise_for_status()
        edit.click()
        page.get_by_label("Name").fill("Renamed")
        page.get_by_role("button", name="Save").click()
        expect(page.locator("tbody tr", has_text="Renamed")).to_contain_text("12.50000, 3.50000")
        stored = httpx.get(camera, params=query).json()
        assert (stored["name"], stored["latitude"], stored["longitude"]) == ("Renamed", 12.5, 3.5)
        expect(page.locator("tbody tr", has_text="Renamed").get_by_role("button", name="Edit")).to_be_focused()


class TestCollections:
    def test_only_what_was_changed_is_sent(self, open_other: OpenPage, live_service: str) -> None:
        new = {"name": "shared one", "retention_days": 7, "quality_floor": {"min_width": 8}}
        httpx.post(f"{live_service}/collections", json=new).raise_for_status()
        page = open_other("collections")
        edit = page.locator("tbody tr", has_text="shared one").get_by_role("button", name="Edit")
        expect(edit).to_be_visible()
        theirs = {"retention_days": 365, "quality_floor": {"min_height": 9}}
        httpx.patch(f"{live_service}/collections/shared one", json=theirs).raise_for_status()
        edit.click()
        expect(page.get_by_label("Days that crops are kept")).to_have_value("365")
        httpx.patch(f"{live_service}/collections/shared one", json={"retention_days": 400}).raise_for_status()
        page.get_by_label("Description").fill("Ours")
        page.get_by_role("button", name="Save").click()
        expect(page.locator("tbody tr", has_text="shared one")).to_contain_text("400 days")
        stored = httpx.get(f"{live_service}/collections/shared one").json()
        assert (stored["description"], stored["retention_days"]) == ("Ours", 400)
        assert (stored["quality_floor"]["min_width"], stored["quality_floor"]["min_height"]) == (8, 9)

    def test_a_shorter_time_is_asked_about_once_more(
        self, open_other: OpenPage, live_service: str, tmp_path: Path, paint: Paint
    ) -> None:
        name = "shortened"
        page = open_other("collections")
        fields = {"collection": name, "camera_id": "gate-1", "captured_at": "2020-11-04T09:00:00Z"}
        files = {"images": paint(tmp_path / "1.png", 5).read_bytes()}
        httpx.post(f"{live_service}/gallery", data=fields, files=files, timeout=60).raise_for_status()
        page.reload()
        row = page.locator("tbody tr", has_text=name)
        row.get_by_role("button", name="Edit").click()
        page.get_by_label("Days that crops are kept").fill("30")
        page.get_by_role("button", name="Save").click()
        sure = page.get_by_role("dialog", name=f"Keep crops of {name} for 30 days only?")
        expect(sure).to_contain_text("1 crop captured before")
        sure.get_by_role("button", name="Cancel").click()
        assert httpx.get(f"{live_service}/collections/{name}").json()["retention_days"] is None
        page.get_by_role("button", name="Save").click()
        sure.get_by_role("button", name="Delete older ones").click()
        expect(page.get_by_role("dialog")).to_have_count(0)
        expect(row).to_contain_text("30 days")

    def test_deletion_counts_anew_cannot_be_left_halfway_and_leads_to_its_job(
        self, open_other: OpenPage, live_service: str, tmp_path: Path, paint: Paint
    ) -> None:
        name = "short lived"
        httpx.post(f"{live_service}/collections", json={"name": name}).raise_for_status()
        page = open_other("collections")
        delete = page.locator("tbody tr", has_text=name).get_by_role("button", name="Delete")
        expect(delete).to_be_visible()
        fields = {"collection": name, "camera_id": "gate-1"}
        files = {"images": paint(tmp_path / "1.png", 5).read_bytes()}
        httpx.post(f"{live_service}/gallery", data=fields, files=files, timeout=60).raise_for_status()
        delete.click()
        dialog = page.get_by_role("dialog")
        expect(dialog).to_contain_text("With it go 1 crop")
        page.get_by_label("Type the name to be sure").fill(name)
        held: list[Route] = []
        page.route(re.compile("/collections/"), lambda route: held.append(route))  # noqa: PLW0108 - Playwright marks it
        page.get_by_role("button", name="Delete it").click()
        expect(page.get_by_role("button", name="Cancel")).to_be_disabled()
        for _ in range(4):
            page.keyboard.press("Escape")
        expect(dialog).to_be_visible()
        held[0].continue_()
        expect(page).to_have_url(re.compile(r"/console/jobs\?collection=short"))
        expect(page.locator("tbody tr", has_text="Delete a collection")).to_have_count(1)

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

    def test_a_refusal_is_told_in_the_dialog(self, open_other: OpenPage) -> None:
        page = open_other("jobs", expected=("403",))
        refuse = lambda route: route.fulfill(status=403, json={"title": "Not yours", "status": 403})  # noqa: E731
        page.route(re.compile("/jobs$"), refuse)
        page.get_by_role("button", name="Rebuild the index").click()
        page.get_by_role("button", name="Rebuild it").click()
        expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("Not yours")


class TestAudit:
    def test_a_half_typed_time_is_not_taken_for_all_times(self, open_other: OpenPage) -> None:
        page = open_other("audit")
        page.get_by_label("From", exact=True).press_sequentially("05")
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url) if "export" in request.url else None)
        page.get_by_role("button", name="Export").click()
        page.wait_for_timeout(500)
        assert page.get_by_label("From", exact=True).evaluate("(input) => input.validity.badInput")
        assert asked == []

    def test_tells_who_searched_what_and_why(self, open_other: OpenPage, live_service: str, gallery: str) -> None:
        crops = httpx.get(f"{live_service}/gallery", params={"collection": gallery}).json()["items"]
        body = {"collection": gallery, "crop_ids": [crops[0]["id"]], "purpose": "case 2026-118", "k": 3}
        httpx.post(f"{live_service}/search/crop", json=body).raise_for_status()
        page = open_other("audit")
        entry = page.locator("tbody tr", has_text="case 2026-118").first
        expect(entry).to_contain_text("search_by_crop")
        expect(entry).to_contain_text("k: 3")
        page.get_by_label("What", exact=True).fill("delete_crop")
        page.get_by_role("button", name="Show").click()
        expect(page.locator(".table")).to_contain_text("Nothing was done that meets these conditions")
        page.get_by_label("What", exact=True).fill("search_by_crop")
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
