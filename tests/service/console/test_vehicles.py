"""Confirming a vehicle at a result, and its page."""

import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect

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
