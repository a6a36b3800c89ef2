"""Makes docs/images/console.png: the console of a running demo after one search, as headless Chromium shows it.

clip-senet demo &
python docs/images/make_console_picture.py http://127.0.0.1:8000
"""

# ruff: noqa: INP001 - a script beside the picture it makes, no package

import os
import shutil
import sys
from pathlib import Path

from playwright.sync_api import expect, sync_playwright

from model.synthetic.sample import load_sample

PICTURE = Path(__file__).with_name("console.png")
CHROMIUMS = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"]


def main(address: str) -> None:
    """Search for the sample's first query in the console at an address, and take the picture."""
    query = next(crop for crop in load_sample() if crop.row.split == "query")
    chromium = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, CHROMIUMS)))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1280, "height": 800}, timezone_id="Europe/Berlin", locale="en-GB")
        page.goto(address)
        page.set_input_files("#files", query.path)
        page.get_by_label("Camera that took it").fill(query.row.camera_id)
        page.keyboard.press("Enter")
        expect(page.locator(".hit").first).to_be_visible(timeout=30_000)
        page.wait_for_load_state("networkidle")
        page.evaluate("() => document.activeElement.blur()")
        page.screenshot(path=PICTURE)
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1])
