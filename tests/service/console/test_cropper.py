"""Cutting a vehicle out of a full frame, by pointer, by keys and by numbers."""

import base64
import io
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser

OpenPage = Callable[..., Page]
RED, BLUE = (200, 20, 20), (20, 20, 200)
PART = (300, 120, 160, 90)
"""Left, top, width and height of the red part of the frame."""


@pytest.fixture(scope="module")
def frame(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A blue frame with a red part."""
    picture = Image.new("RGB", (640, 360), BLUE)
    left, top, width, height = PART
    picture.paste(RED, (left, top, left + width, top + height))
    path = tmp_path_factory.mktemp("frames") / "frame.png"
    picture.save(path)
    return path


@pytest.fixture
def cropping(open_page: OpenPage, frame: Path) -> Page:
    """The dialog, open on the frame."""
    page = open_page("cropping", expected=("404",))
    page.set_input_files("#files", frame)
    page.get_by_role("button", name="Cut the vehicle out of frame.png").click()
    expect(page.get_by_role("dialog", name="Cut the vehicle out")).to_be_visible()
    return page


def numbers(page: Page) -> list[int]:
    return [int(page.get_by_label(f"{side}, px").input_value()) for side in ("Left", "Top", "Width", "Height")]


def used(page: Page) -> Image.Image:
    """The part that is then the query's picture."""
    page.get_by_role("button", name="Use this part").click()
    expect(page.locator("#cropper")).to_be_hidden()
    shown = page.locator("#crops img")
    expect(shown).to_have_count(1)
    drawn = """async image => {
        await image.decode();
        const canvas = document.createElement("canvas");
        [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
        canvas.getContext("2d").drawImage(image, 0, 0);
        return canvas.toDataURL("image/png");
    }"""
    data = base64.b64decode(shown.evaluate(drawn).partition(",")[2])
    return Image.open(io.BytesIO(data)).convert("RGB")


def at(page: Page, x: float, y: float) -> tuple[float, float]:
    """A pixel of the frame on the screen."""
    box = page.locator(".stage img").bounding_box()
    assert box is not None
    return box["x"] + x / 640 * box["width"], box["y"] + y / 360 * box["height"]


def drag(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    page.mouse.move(*at(page, *start))
    page.mouse.down()
    page.mouse.move(*at(page, *end), steps=4)
    page.mouse.up()


def test_numbers_cut_exactly_that_part(cropping: Page) -> None:
    for side, value in zip(("Left", "Top", "Width", "Height"), PART, strict=True):
        cropping.get_by_label(f"{side}, px").fill(str(value))
        cropping.keyboard.press("Tab")
    part = used(cropping)
    assert part.size == PART[2:]
    assert part.getcolors() == [(PART[2] * PART[3], RED)]


def test_a_drawn_box_is_pulled_and_moved(cropping: Page) -> None:
    drag(cropping, (20, 20), (120, 80))
    assert numbers(cropping) == pytest.approx([20, 20, 100, 60], abs=2)
    drag(cropping, (120, 80), (180, 110))
    assert numbers(cropping) == pytest.approx([20, 20, 160, 90], abs=2)
    drag(cropping, (100, 60), (380, 160))
    assert numbers(cropping) == pytest.approx(list(PART), abs=3)
    colours = used(cropping).getcolors()
    assert colours is not None
    assert max(colours) >= (0.9 * PART[2] * PART[3], (0, 0, 0))
    assert max(colours)[1] == RED


def test_keys_move_it_and_it_stays_inside(cropping: Page) -> None:
    expect(cropping.locator(".stage .box")).to_be_focused()
    assert numbers(cropping) == [160, 90, 320, 180]
    cropping.keyboard.press("ArrowRight")
    cropping.keyboard.press("Shift+ArrowUp")
    assert numbers(cropping) == [166, 90, 320, 174]
    for _ in range(60):
        cropping.keyboard.press("ArrowRight")
    assert numbers(cropping) == [320, 90, 320, 174]


def test_cancel_leaves_the_picture_whole(cropping: Page) -> None:
    cropping.get_by_role("button", name="Cancel").click()
    assert cropping.locator("#crops img").evaluate("image => image.naturalWidth") == 640


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_look(open_page: OpenPage, frame: Path, screenshots: Path, scheme: str) -> None:
    page = open_page("cropping", expected=("404",), color_scheme=scheme)
    page.set_input_files("#files", frame)
    page.get_by_role("button", name="Cut the vehicle out of frame.png").click()
    expect(page.locator(".stage .box")).to_be_visible()
    page.screenshot(path=screenshots / f"cropper-{scheme}.png")
