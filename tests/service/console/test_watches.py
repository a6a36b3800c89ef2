"""The page of watches, by clicks: making one, its hits as they come, its webhook, changing and deleting it."""

import re
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, Route, expect

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


def wait_until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


def fill(page: Page, name: str, score: str, webhook: str = "") -> None:
    """The dialog that makes a watch, all but its pictures; and send it."""
    page.get_by_label("What people call it").fill(name)
    page.get_by_label("Lowest score").fill(score)
    page.get_by_role("textbox", name="Webhook").fill(webhook)
    page.get_by_role("button", name="Watch for it").click()


def make_watch(address: str, collection: str, crop: str, name: str, **said: object) -> str:
    body = {"collection": collection, "name": name, "crop_ids": [crop], "min_score": 0.9, **said}
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
    for _ in range(5):  # a browser closes a dialog that will not be closed
        page.keyboard.press("Escape")
    expect(secret).to_be_visible()  # it is shown this once
    page.get_by_role("button", name="I have it").click()
    expect(page.locator(".watch-head")).to_contain_text("not its own tracks")
    enrol(picture)
    message = page.locator("tbody tr")
    expect(message).to_contain_text("The receiver cannot be reached")
    expect(message).to_contain_text("pending")
    last = str(message.locator(".when-cell").first.text_content())
    page.get_by_role("button", name="Send message").click()
    expect(message.locator(".when-cell").first).not_to_have_text(last, timeout=15_000)
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


def test_its_page_follows_what_others_change(  # noqa: PLR0917 - fixtures
    open_page: OpenPage, live_service: str, collection: str, enrol: Enrol, picture: Path, screenshots: Path
) -> None:
    webhook = "http://127.0.0.1:9/nobody"
    watch = make_watch(live_service, collection, enrol(picture), "Ours", webhook_url=webhook, exclude_same_track=False)
    enrol(picture)
    page = open_page(collection)
    page.goto(f"{live_service}/console/watches?collection={collection}&watch={watch}")
    expect(page.get_by_role("heading", name="Hits live")).to_be_visible()
    message = page.locator("tbody tr")
    expect(message).to_contain_text("The receiver cannot be reached")
    last = str(message.locator(".when-cell").first.text_content())
    sent = httpx.get(f"{live_service}/watches/{watch}/deliveries").json()["items"][0]["id"]
    httpx.post(f"{live_service}/watches/{watch}/deliveries/{sent}/retry").raise_for_status()
    expect(message.locator(".when-cell").first).not_to_have_text(last, timeout=15_000)
    httpx.patch(f"{live_service}/watches/{watch}", json={"paused": True}).raise_for_status()
    expect(page.get_by_role("heading", name="Ours paused")).to_be_visible(timeout=15_000)
    expect(page.get_by_role("heading", name="Hits not looking: paused")).to_be_visible()
    for width, scheme in ((1360, "light"), (1360, "dark"), (390, "light")):
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)
        page.screenshot(path=screenshots / f"watch-paused-{width}-{scheme}.png")
    page.get_by_role("button", name="Resume").focus()
    httpx.patch(f"{live_service}/watches/{watch}", json={"paused": False}).raise_for_status()
    expect(page.get_by_role("heading", name="Hits live")).to_be_visible(timeout=15_000)
    expect(page.get_by_role("button", name="Pause")).to_be_focused()


def test_older_hits_come_once_and_what_keeps_them_is_told(
    open_page: OpenPage, live_service: str, collection: str, enrol: Enrol, picture: Path
) -> None:
    watch = make_watch(live_service, collection, enrol(picture), "Ours", exclude_same_track=False)
    for _ in range(3):
        enrol(picture)
    hits = f"{live_service}/watches/{watch}/hits"
    wait_until(lambda: len(httpx.get(hits).json()["items"]) == 3)
    page = open_page(collection, expected=("503",))
    one_by_one = lambda route: route.continue_(url=route.request.url.replace("limit=50", "limit=1"))  # noqa: E731
    page.route(re.compile(r"/hits\?"), one_by_one)
    page.goto(f"{live_service}/console/watches?collection={collection}&watch={watch}")
    cards = page.locator(".sighting")
    expect(cards).to_have_count(1)
    page.route(re.compile("cursor="), lambda route: route.fulfill(status=503, json={"title": "Not now"}))
    page.get_by_role("button", name="More").click()
    expect(page.get_by_role("alert")).to_contain_text("Not now")
    held: list[Route] = []
    page.route(re.compile("cursor="), lambda route: held.append(route))  # noqa: PLW0108 - Playwright marks it
    page.get_by_role("button", name="More").click()
    page.get_by_role("button", name="More").click(force=True)
    page.wait_for_timeout(300)
    for route in held:
        one_by_one(route)
    expect(cards).to_have_count(2)
    page.wait_for_timeout(300)
    assert [card.locator(".hint").inner_text().partition(",")[0] for card in cards.all()] == ["Hit 3", "Hit 2"]


def test_trying_again_makes_no_second_poller(
    open_page: OpenPage, live_service: str, collection: str, enrol: Enrol, picture: Path
) -> None:
    watch = make_watch(live_service, collection, enrol(picture), "Ours")
    page = open_page(collection, expected=("503",))
    page.goto(f"{live_service}/console/watches?collection={collection}&watch={watch}")
    expect(page.get_by_role("heading", name="Hits live")).to_be_visible()
    for action, state in (("Pause", "paused"), ("Resume", "active"), ("Pause", "paused")):
        page.route(re.compile(f"/{watch}$"), refuse_reading)
        page.get_by_role("button", name=action, exact=True).click()
        again = page.get_by_role("button", name="Try again")
        expect(again).to_be_visible()
        page.unroute_all()
        again.click()
        expect(page.get_by_role("heading", name=f"Ours {state}")).to_be_visible()
    polls: list[str] = []
    page.on("request", lambda request: polls.append(request.url) if "/hits" in request.url else None)
    page.wait_for_timeout(4_500)
    assert 1 <= len(polls) <= 3


def refuse_reading(route: Route) -> None:
    if route.request.method == "GET":
        route.fulfill(status=503, json={"title": "Not now"})
    else:
        route.continue_()


def test_only_what_was_changed_is_sent(
    open_page: OpenPage, live_service: str, collection: str, enrol: Enrol, picture: Path
) -> None:
    # In Berlin the clock shows 02:30 twice that night; this is the second time.
    end = "2027-10-31T01:30:00Z"
    watch = make_watch(live_service, collection, enrol(picture), "Before", expires_at=end)
    page = open_page(collection)
    page.goto(f"{live_service}/console/watches?collection={collection}&watch={watch}")
    expect(page.get_by_role("heading", name="Hits live")).to_be_visible()
    httpx.patch(f"{live_service}/watches/{watch}", json={"camera_ids": ["gate-1"]}).raise_for_status()
    page.get_by_role("button", name="Change").click()
    page.get_by_label("What people call it").fill("After")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name="After active")).to_be_visible()
    expect(page.get_by_role("button", name="Change")).to_be_focused()
    stored = httpx.get(f"{live_service}/watches/{watch}").json()
    assert (stored["name"], stored["camera_ids"], stored["expires_at"]) == ("After", ["gate-1"], end)


class TestList:
    @pytest.fixture
    def watches(self, live_service: str, collection: str, enrol: Enrol, picture: Path) -> list[str]:
        crop = enrol(picture)
        return [make_watch(live_service, collection, crop, f"w{number}") for number in range(3)]

    @pytest.fixture
    def page(self, open_page: OpenPage, live_service: str, collection: str, watches: list[str]) -> Page:
        page = open_page(collection, expected=("403",))
        page.goto(f"{live_service}/console/watches?collection={collection}")
        expect(page.locator("tbody tr")).to_have_count(len(watches))
        return page

    def test_keeps_the_focus_while_it_is_followed(self, page: Page, live_service: str, watches: list[str]) -> None:
        page.get_by_role("button", name="Pause w1").focus()
        httpx.patch(f"{live_service}/watches/{watches[1]}", json={"name": "other"}).raise_for_status()
        expect(page.get_by_role("button", name="Pause other")).to_be_focused(timeout=15_000)
        page.keyboard.press("Enter")
        expect(page.get_by_role("button", name="Resume other")).to_be_focused()

    def test_what_was_refused_stays_told(self, page: Page) -> None:
        refusal = {"title": "Not yours", "status": 403}
        page.route(re.compile("/watches/"), lambda route: route.fulfill(status=403, json=refusal))
        page.get_by_role("button", name="Pause w1").click()
        expect(page.get_by_role("alert")).to_contain_text("Not yours")
        with page.expect_response(re.compile(r"/watches\?")):
            pass
        page.wait_for_timeout(200)
        expect(page.get_by_role("alert")).to_contain_text("Not yours")

    def test_more_during_a_poll_repeats_no_row(self, page: Page) -> None:
        shorten = re.compile(r"/watches\?")
        page.route(shorten, lambda route: route.continue_(url=route.request.url.replace("limit=100", "limit=2")))
        expect(page.locator("tbody tr")).to_have_count(2, timeout=15_000)
        held: list[Route] = []
        page.route(shorten, lambda route: held.append(route), times=1)  # noqa: PLW0108 - Playwright marks it
        with page.expect_request(shorten):
            pass
        page.get_by_role("button", name="More").click()
        page.wait_for_timeout(300)
        held[0].continue_(url=held[0].request.url.replace("limit=100", "limit=2"))
        page.wait_for_timeout(500)
        names = [row.locator("strong").inner_text() for row in page.locator("tbody tr").all()]
        assert names == ["w2", "w1", "w0"]
        expect(page.get_by_role("status").filter(has_text="not read anew by itself")).to_be_visible()


def test_a_long_reason_fits_a_small_screen(  # noqa: PLR0917 - fixtures
    open_page: OpenPage, live_service: str, collection: str, enrol: Enrol, picture: Path, screenshots: Path
) -> None:
    watch = make_watch(live_service, collection, enrol(picture), "Ours")
    page = open_page(collection, expected=("503",), viewport={"width": 320, "height": 844})
    problem = {"title": "Not now", "detail": "The database is " + "away_" * 40}
    page.route(re.compile(r"/hits\?"), lambda route: route.fulfill(status=503, json=problem))
    page.goto(f"{live_service}/console/watches?collection={collection}&watch={watch}")
    expect(page.get_by_role("heading", name="Hits not live: The database is away_")).to_be_visible()
    page.screenshot(path=screenshots / "watch-not-live.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
