"""The page of watches, by clicks: making one, its hits as they come, its webhook, changing and deleting it."""

import re
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser

OpenPage = Callable[..., Page]
Paint = Callable[[Path, int], Path]
Enrol = Callable[[Path], str]


@pytest.fixture
def picture(tmp_path: Path, paint: Paint) -> Path:
    return paint(tmp_path / "car.png", 21)


@pytest.fixture
def collection(request: pytest.FixtureRequest) -> str:
    return str(request.node.name)


@pytest.fixture
def enrol(live_service: str, collection: str) -> Enrol:
    """Enrolls a picture; gives the crop's id."""

    def enrol(picture: Path) -> str:
        fields = {"collection": collection, "camera_id": "gate-1", "captured_at": "2026-11-04T09:00:00Z"}
        files = {"images": picture.read_bytes()}
        answer = httpx.post(f"{live_service}/gallery", data=fields, files=files, timeout=60).raise_for_status()
        return str(answer.json()["items"][0]["id"])

    return enrol


def fill(page: Page, name: str, score: str, webhook: str = "") -> None:
    """The dialog that makes a watch, all but its pictures; and send it."""
    page.get_by_label("What people call it").fill(name)
    page.get_by_label("Lowest score").fill(score)
    page.get_by_role("textbox", name="Webhook").fill(webhook)
    page.get_by_role("button", name="Watch for it").click()


def make_watch(address: str, collection: str, crop: str, name: str) -> str:
    body = {"collection": collection, "name": name, "crop_ids": [crop], "min_score": 0.9}
    return str(httpx.post(f"{address}/watches", json=body).raise_for_status().json()["id"])


def test_hits_appear_as_they_come_and_lead_to_a_search(  # noqa: PLR0917 - fixtures
    open_page: OpenPage, live_service: str, collection: str, enrol: Enrol, picture: Path, tmp_path: Path, paint: Paint
) -> None:
    enrol(paint(tmp_path / "other.png", 22))
    page = open_page(collection)
    page.get_by_role("link", name="Watches", exact=True).click()
    expect(page.locator(".table")).to_contain_text("Nothing is watched for yet")
    page.get_by_role("button", name="Watch for a picture").click()
    page.get_by_label("Pictures of the vehicle").set_input_files(picture)
    fill(page, "The red one", "0.99")
    expect(page.get_by_role("heading", name="The red one active")).to_be_visible()
    expect(page.get_by_role("heading", name="Hits live")).to_be_visible()
    expect(page.get_by_role("status").filter(has_text="Nothing was found yet")).to_be_visible()
    crop = enrol(picture)
    hit = page.locator(".sighting")
    expect(hit).to_have_count(1)
    expect(hit).to_contain_text("gate-1")
    expect(hit).to_contain_text("1.000")
    expect(hit).to_contain_text("2026-11-04 09:00:00 UTC")
    expect(page.get_by_role("status").filter(has_text="1 new hit")).to_be_visible()
    expect(page.locator(".watch-head")).to_contain_text("1 hit,")
    expect(page.locator("#deliveries-title")).to_be_hidden()
    hit.get_by_role("link", name="Search by it").click()
    expect(page).to_have_url(f"{live_service}/?collection={collection}&crop={crop}")
    expect(page.locator("#summary h2")).to_be_visible()
    expect(page.locator("#camera")).to_have_value("gate-1")


def test_a_result_is_watched_for_and_a_webhook_that_fails_is_told(
    open_page: OpenPage, collection: str, enrol: Enrol, picture: Path
) -> None:
    enrol(picture)
    page = open_page(collection)
    page.set_input_files("#files", picture)
    page.keyboard.press("Control+Enter")
    page.get_by_role("button", name="Details of rank 1", exact=True).click()
    page.get_by_role("link", name="Watch for it").click()
    expect(page.get_by_role("group", name="Pictures of the vehicle").locator("img")).to_have_count(1)
    fill(page, "The red one", "0.99", "http://127.0.0.1:9/nobody")
    secret = page.get_by_role("textbox", name="Secret")
    expect(secret).to_have_value(re.compile(r"^whsec_.{44}$"))
    page.keyboard.press("Escape")
    expect(secret).to_be_visible()  # it is shown this once
    page.get_by_role("button", name="I have it").click()
    expect(page.locator(".watch-head")).to_contain_text("not its own tracks")
    enrol(picture)
    message = page.locator("tbody tr")
    expect(message).to_contain_text("The receiver cannot be reached")
    expect(message).to_contain_text("pending")
    page.get_by_role("button", name="Send message").click()
    expect(message.locator(".figure")).not_to_have_text("1")
    page.get_by_label("Only messages that were given up").check()
    expect(page.locator(".table")).to_contain_text("There is no such message")
    page.get_by_role("button", name="Try the webhook").click()
    expect(page.get_by_role("dialog", name="The message did not arrive")).to_contain_text("cannot be reached")


def test_one_is_paused_changed_and_deleted(
    open_page: OpenPage, live_service: str, collection: str, enrol: Enrol, picture: Path
) -> None:
    watch = make_watch(live_service, collection, enrol(picture), "Before")
    page = open_page(collection)
    page.goto(f"{live_service}/console/watches?collection={collection}")
    page.get_by_role("button", name="Pause Before").click()
    row = page.locator("tbody tr")
    expect(row).to_contain_text("paused")
    row.get_by_role("link", name="Before").click()
    page.get_by_role("button", name="Change").click()
    page.get_by_label("What people call it").fill("After")
    page.get_by_label("Only by these cameras").select_option("gate-1")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".watch-head")).to_contain_text("cameras gate-1")
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_role("heading", name="After active")).to_be_visible()
    stored = httpx.get(f"{live_service}/watches/{watch}").json()
    assert (stored["name"], stored["camera_ids"], stored["min_score"]) == ("After", ["gate-1"], 0.9)
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Delete it").click()
    expect(page.locator(".table")).to_contain_text("Nothing is watched for yet")
    assert httpx.get(f"{live_service}/watches/{watch}").status_code == 404


def test_what_is_refused_is_told_in_the_dialog(
    open_page: OpenPage, live_service: str, collection: str, enrol: Enrol, picture: Path
) -> None:
    crop = enrol(picture)
    page = open_page(collection, expected=("422",))
    page.goto(f"{live_service}/console/watches?collection={collection}&crop={crop}")
    fill(page, "The red one", "0.99", "http://10.0.0.1/inside")
    expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("webhook_url")
    assert httpx.get(f"{live_service}/watches", params={"collection": collection}).json()["items"] == []
