"""The time brush: what it writes into the window, and that it leaves nothing out that it shows."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from support.searching import START, enroll, search_for

pytestmark = pytest.mark.browser

OpenPage = Callable[..., Page]
Paint = Callable[[Path, int], Path]

NEWEST = timedelta(hours=2, milliseconds=500)
CROPS = 5


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory, paint: Paint) -> Path:
    return paint(tmp_path_factory.mktemp("pictures") / "car.png", 5)


@pytest.fixture(scope="module")
def gallery(live_service: str, picture: Path) -> str:
    """A collection whose newest picture was taken within a second, not at its start; the oldest, too."""
    items = [
        {
            "camera_id": f"gate-{number}",
            "captured_at": (START + timedelta(milliseconds=300) + number * NEWEST / (CROPS - 1)).isoformat(),
        }
        for number in range(CROPS)
    ]
    enroll(live_service, "brush", items, [picture] * CROPS)
    return "brush"


@pytest.fixture
def page(open_page: OpenPage, gallery: str) -> Page:
    page = open_page(gallery)
    expect(page.locator(".bucket")).to_have_count(60)
    return page


def window(page: Page) -> tuple[str, str]:
    return page.locator("#from").input_value(), page.locator("#to").input_value()


def test_a_brush_over_everything_leaves_nothing_out(page: Page, picture: Path) -> None:
    for edge, there, back in (("From", "ArrowRight", "ArrowLeft"), ("Before", "PageDown", "PageUp")):
        handle = page.get_by_role("slider", name=edge)
        handle.press(there)
        assert window(page) != ("", "")
        handle.press(back)
        expect(handle).to_have_attribute("aria-valuetext", "no limit")
    assert window(page) == ("", "")
    search_for(page, picture)
    expect(page.locator(".hit")).to_have_count(CROPS)


def test_only_the_edge_that_moves_is_set(page: Page, picture: Path) -> None:
    page.get_by_role("slider", name="From").press("PageUp")
    assert window(page) == ("2026-11-04T10:12", "")
    search_for(page, picture)
    expect(page.locator(".hit")).to_have_count(CROPS - 1)
    page.get_by_role("button", name="All times").click()
    page.get_by_role("slider", name="Before").press("ArrowLeft")
    # 11:58:48.795 on the user's clock: the second after, as the end is not part of the window.
    assert window(page) == ("", "2026-11-04T11:58:49")


def test_a_handle_pulled_to_the_edge_sets_no_limit(page: Page) -> None:
    box = page.locator("#brush-track").bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 0.5 * box["width"], middle)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.7 * box["width"], middle, steps=3)
    assert all(window(page))
    page.mouse.move(box["x"] + box["width"], middle, steps=3)
    page.mouse.up()
    start, end = window(page)
    assert start.startswith("2026-11-04T11:0")
    assert end == ""
    handle = page.get_by_role("slider", name="From").bounding_box()
    assert handle is not None
    page.mouse.move(handle["x"] + 6, middle)
    page.mouse.down()
    page.mouse.move(box["x"] - 10, middle, steps=3)
    page.mouse.up()
    assert window(page) == ("", "")


def test_an_end_in_the_hour_that_the_clock_shows_twice_is_not_an_hour_too_early(page: Page, live_service: str) -> None:
    address = f"{live_service}/console/shared/time.js"
    ask = """async ([address, time]) => {
        const { inputNotBefore, utcOfInput } = await import(address);
        return utcOfInput(inputNotBefore(new Date(time)));
    }"""
    # Berlin's clock goes back from 3 to 2 at 01:00 UTC; 02:30 is read as the first of the two, 00:30 UTC.
    assert page.evaluate(ask, [address, "2026-10-25T00:30:00Z"]) == "2026-10-25T00:30:00Z"
    assert page.evaluate(ask, [address, "2026-10-25T01:30:00Z"]) == "2026-10-25T02:00:00Z"
    assert page.evaluate(ask, [address, "2026-10-25T02:00:00.001Z"]) == "2026-10-25T02:00:01Z"
