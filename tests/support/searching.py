"""A gallery to search in by the console, and the moves of a person who does."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
from playwright.sync_api import Page, expect

START = datetime(2026, 11, 4, 9, 0, tzinfo=UTC)
VEHICLES = 6
CAMERAS = 3


def enroll(address: str, collection: str, items: list[dict[str, object]], pictures: list[Path]) -> None:
    """Enroll pictures."""
    answer = httpx.post(
        f"{address}/gallery",
        data={"collection": collection, "items": json.dumps(items)},
        files=[("images", (picture.name, picture.read_bytes())) for picture in pictures],
        timeout=60,
    )
    assert {item["status"] for item in answer.raise_for_status().json()["items"]} == {"enrolled"}


def fill(address: str, collection: str, pictures: list[Path]) -> str:
    """Let cameras 1 to 3 see every vehicle, an hour apart, with the same picture; the collection."""
    for camera in range(CAMERAS):
        items = [
            {
                "camera_id": f"gate-{camera + 1}",
                "captured_at": (START + timedelta(hours=camera, minutes=vehicle)).isoformat(),
                "vehicle_id": f"car-{vehicle}",
                "track_id": str(vehicle),
                "attributes": {"lane": camera},
            }
            for vehicle in range(VEHICLES)
        ]
        enroll(address, collection, items, pictures)
    return collection


def search_for(page: Page, picture: Path, camera: str = "") -> None:
    """Search by a picture."""
    page.set_input_files("#files", picture)
    page.get_by_label("Camera that took it").fill(camera)
    page.get_by_role("button", name="Search", exact=False).first.click()


def seen(page: Page) -> list[tuple[str, str]]:
    """Vehicle and camera of each result, in order."""
    expect(page.locator(".hit").first).to_be_visible()
    read = "cards => cards.map(card => ['.vehicle', '.camera'].map(part => card.querySelector(part).textContent))"
    return [(vehicle, camera) for vehicle, camera in page.locator(".hit").evaluate_all(read)]
