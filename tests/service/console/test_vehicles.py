"""Confirming a vehicle at a result, and its page."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, Route, expect

pytestmark = pytest.mark.browser

OpenPage = Callable[..., Page]
Paint = Callable[[Path, int], Path]

PLACES = {"gate-0": (53.54, 9.98), "gate-1": (53.55, 9.99), "gate-2": (53.53, 10.01)}


@pytest.fixture
def picture(tmp_path: Path, paint: Paint) -> Path:
    return paint(tmp_path / "car.png", 11)


@pytest.fixture
def gallery(live_service: str, picture: Path, request: pytest.FixtureRequest) -> str:
    """One vehicle, seen by three placed cameras; the third is far too soon for its distance."""
    collection = request.node.name
    times = ["09:00:00", "09:10:00", "09:10:01"]
    items = [
        {"camera_id": camera, "captured_at": f"2026-11-04T{time}Z", "track_id": camera}
        for camera, time in zip(PLACES, times, strict=True)
    ]
    answer = httpx.post(
        f"{live_service}/gallery",
        data={"collection": collection, "items": json.dumps(items)},
        files=[("images", (f"{number}.png", picture.read_bytes())) for number in range(3)],
        timeout=60,
    )
    answer.raise_for_status()
    for camera, (latitude, longitude) in PLACES.items():
        place = {"latitude": latitude, "longitude": longitude}
        query = {"collection": collection}
        httpx.patch(f"{live_service}/cameras/{camera}", params=query, json=place).raise_for_status()
    return str(collection)


def confirm_all(address: str, collection: str, vehicle_id: str) -> list[str]:
    crops = httpx.get(f"{address}/gallery", params={"collection": collection}).json()["items"]
    ids = [crop["id"] for crop in crops]
    body = {"collection": collection, "crop_ids": ids, "vehicle_id": vehicle_id, "label": "The red one"}
    httpx.post(f"{address}/vehicles", json=body).raise_for_status()
    return ids


def test_a_result_is_confirmed_and_leads_to_the_vehicle(open_page: OpenPage, gallery: str, picture: Path) -> None:
    page = open_page(gallery)
    page.set_input_files("#files", picture)
    page.keyboard.press("Control+Enter")
    first = page.locator(".hit").first
    first.get_by_role("button", name="Rank 1 shows the vehicle").click()
    page.get_by_role("dialog").get_by_label("Vehicle id").fill("taxi/7")
    page.get_by_role("button", name="Confirm it").click()
    expect(first.locator(".vehicle")).to_have_text("taxi/7 ✓")
    first.locator(".vehicle a").click()
    expect(page.get_by_role("heading", name="taxi/7 confirmed")).to_be_visible()
    expect(page.locator(".sighting")).to_have_count(1)


def test_its_path_is_shown_in_time_and_place(open_page: OpenPage, live_service: str, gallery: str) -> None:
    confirm_all(live_service, gallery, "v")
    page = open_page(gallery)
    page.get_by_role("link", name="Vehicles").click()
    page.get_by_role("link", name="The red one").click()
    cards = page.locator(".sighting")
    expect(cards).to_have_count(3)
    assert [card.locator("strong").inner_text() for card in cards.all()] == list(PLACES)
    expect(cards.nth(1)).to_contain_text("10 min 0 s after the one before, 1.3 km, 8 km/h on the straight line")
    expect(cards.nth(2)).to_contain_text("implausible")
    expect(page.locator(".vehicle-timeline rect")).to_have_count(3)
    expect(page.locator(".vehicle-timeline rect.implausible")).to_have_count(1)
    expect(page.locator(".places circle")).to_have_count(3)
    expect(page.locator(".places .way")).to_have_count(2)


def test_pictures_are_taken_off_split_off_and_merged_again(
    open_page: OpenPage, live_service: str, gallery: str
) -> None:
    confirm_all(live_service, gallery, "v")
    page = open_page(gallery)
    page.goto(f"{live_service}/console/vehicles?collection={gallery}&vehicle=v")
    pictures = page.locator(".picker li")
    expect(pictures).to_have_count(3)
    expect(page.get_by_role("button", name="Not this vehicle")).to_be_disabled()
    page.get_by_label("Picture of camera gate-2").check()
    page.get_by_role("button", name="Not this vehicle").click()
    page.get_by_role("dialog", name="Take 1 picture off").get_by_role("button", name="Take off").click()
    expect(pictures).to_have_count(2)
    page.get_by_label("Picture of camera gate-1").check()
    page.get_by_role("button", name="Split off as another").click()
    page.get_by_label("Id of the other vehicle").fill("w")
    page.get_by_role("button", name="Split off", exact=True).click()
    expect(pictures).to_have_count(1)
    page.get_by_role("button", name="Merge another into it").click()
    page.get_by_label("Id of the other vehicle").fill("w")
    page.get_by_role("button", name="Merge", exact=True).click()
    expect(pictures).to_have_count(2)
    page.get_by_role("button", name="Forget it").click()
    page.get_by_role("dialog").get_by_role("button", name="Forget it").click()
    expect(page.locator(".table")).to_contain_text("No vehicle is confirmed yet")


@pytest.fixture
def partly_claimed(live_service: str, gallery: str, picture: Path) -> str:
    """The vehicle v, confirmed at gate-0; at enrolment claimed by gate-1, and by gate-2 at a time unknown."""
    crops = httpx.get(f"{live_service}/gallery", params={"collection": gallery}).json()["items"]
    (first,) = (crop["id"] for crop in crops if crop["camera_id"] == "gate-0")
    body = {"collection": gallery, "crop_ids": [first], "vehicle_id": "v"}
    httpx.post(f"{live_service}/vehicles", json=body).raise_for_status()
    claims = [{"camera_id": "gate-1", "captured_at": "2026-11-04T09:30:00Z"}, {"camera_id": "gate-2"}]
    items = [claim | {"vehicle_id": "v", "track_id": "claimed"} for claim in claims]
    fields = {"collection": gallery, "items": json.dumps(items)}
    files = [("images", (f"{number}.png", picture.read_bytes())) for number in range(2)]
    httpx.post(f"{live_service}/gallery", data=fields, files=files, timeout=60).raise_for_status()
    return gallery


def test_claims_and_unknown_times_are_no_steps_of_a_confirmed_way(
    open_page: OpenPage, live_service: str, partly_claimed: str, screenshots: Path
) -> None:
    page = open_page(partly_claimed)
    page.goto(f"{live_service}/console/vehicles?collection={partly_claimed}&vehicle=v")
    head = page.locator(".vehicle-head")
    expect(head).to_contain_text(
        "3 sightings, 2 of them only claimed, by 3 cameras; 1 confirmed picture, 2 only claimed"
    )
    in_time = page.get_by_role("list", name="Sightings in time order").locator(".sighting")
    expect(in_time).to_have_count(2)
    expect(in_time.first).not_to_contain_text("only claimed")
    expect(in_time.last).to_contain_text("only claimed")
    untimed = page.get_by_role("list", name="Sightings without a time").locator(".sighting")
    expect(untimed).to_have_count(1)
    expect(untimed).to_contain_text("Time unknown")
    expect(untimed).not_to_contain_text("km")
    expect(page.locator(".places .way")).to_have_count(1)
    expect(page.locator(".places .way.unsure")).to_have_count(1)
    expect(page.locator(".places .spot.unsure")).to_have_count(2)
    expect(page.locator(".vehicle-timeline .path-line")).to_have_count(1)
    expect(page.locator(".vehicle-timeline .path-line.unsure")).to_have_count(1)
    expect(page.locator(".vehicle-timeline rect.unsure")).to_have_count(1)
    watch = head.get_by_role("link", name="Watch for it").get_attribute("href")
    assert watch is not None
    assert watch.count("crop=") == 1  # the confirmed one
    for width, scheme in ((1360, "light"), (390, "dark")):
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)
        page.wait_for_load_state("networkidle")
        page.screenshot(path=screenshots / f"vehicle-claimed-{width}-{scheme}.png", full_page=True)


def test_only_ticked_pictures_are_acted_on(open_page: OpenPage, live_service: str, gallery: str) -> None:
    confirm_all(live_service, gallery, "v")
    page = open_page(gallery)
    page.goto(f"{live_service}/console/vehicles?collection={gallery}&vehicle=v")
    held: list[Route] = []
    page.get_by_label("Picture of camera gate-0").check()
    with page.expect_request(re.compile(r"/gallery\?")):
        page.route(re.compile(r"/gallery\?"), lambda route: held.append(route))  # noqa: PLW0108 - Playwright marks it
        page.get_by_role("button", name="Confirm").click()
    page.get_by_label("Picture of camera gate-1").check()
    held[0].continue_()
    page.unroute_all()
    expect(page.locator(".picker :checked")).to_have_count(0)
    expect(page.get_by_role("status").filter(has_text="Choose pictures first")).to_be_visible()
    page.get_by_label("Picture of camera gate-2").check()
    page.get_by_role("button", name="Not this vehicle").click()
    with page.expect_request(re.compile("/crops/remove")) as request:
        page.get_by_role("button", name="Take off").click()
    assert len(request.value.post_data_json["crop_ids"]) == 1
    expect(page.locator(".picker li")).to_have_count(2)


def test_all_pictures_can_be_reached(open_page: OpenPage, live_service: str, gallery: str) -> None:
    confirm_all(live_service, gallery, "v")
    page = open_page(gallery)
    limit_to_two = lambda route: route.continue_(url=route.request.url.replace("limit=200", "limit=2"))  # noqa: E731
    page.route(re.compile(r"/gallery\?"), limit_to_two)
    page.goto(f"{live_service}/console/vehicles?collection={gallery}&vehicle=v")
    expect(page.locator(".picker li")).to_have_count(2)
    page.get_by_role("button", name="More").click()
    expect(page.locator(".picker li")).to_have_count(3)
    expect(page.get_by_role("button", name="More")).to_be_hidden()


def test_a_confirmed_vehicle_without_a_picture_keeps_its_page(
    open_page: OpenPage, live_service: str, gallery: str
) -> None:
    crops = confirm_all(live_service, gallery, "v")
    body = {"collection": gallery, "crop_ids": crops}
    httpx.post(f"{live_service}/gallery/delete", json=body, timeout=60).raise_for_status()
    page = open_page(gallery)
    page.goto(f"{live_service}/console/vehicles?collection={gallery}&vehicle=v")
    expect(page.get_by_role("status").filter(has_text="There is no picture.")).to_be_visible()
    page.get_by_role("button", name="Edit").click()
    page.get_by_label("What people call it").fill("Gone")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name="Gone confirmed")).to_be_visible()
    expect(page.get_by_role("button", name="Edit")).to_be_focused()


def test_a_long_id_fits_a_small_screen(open_page: OpenPage, live_service: str, gallery: str) -> None:
    long_id = "v" * 200
    confirm_all(live_service, gallery, long_id)
    page = open_page(gallery, viewport={"width": 320, "height": 844})
    page.goto(f"{live_service}/console/vehicles?collection={gallery}&vehicle={long_id}")
    expect(page.locator(".picker li")).to_have_count(3)
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("size", "width", "height"), [("wide", 1360, 1000), ("small", 390, 844)])
def test_look(  # noqa: PLR0917 - fixtures and parameters
    open_page: OpenPage,
    live_service: str,
    gallery: str,
    screenshots: Path,
    size: str,
    width: int,
    height: int,
    scheme: str,
) -> None:
    confirm_all(live_service, gallery, "v")
    page = open_page(gallery, color_scheme=scheme, viewport={"width": width, "height": height})
    page.goto(f"{live_service}/console/vehicles?collection={gallery}&vehicle=v")
    expect(page.locator(".picker li")).to_have_count(3)
    page.wait_for_load_state("networkidle")
    page.screenshot(path=screenshots / f"vehicle-{size}-{scheme}.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
