"""How long the console's pages take to load: `clip-senet demo`, and beside it `python -m bench.console`.

Each page is opened by headless Chromium with an empty cache and then once more with what it has kept: until the load
event, and until no request has been under way for half a second (less that half second), by when tables and pictures
are there. The pages are taken in turn.
"""

import os
import shutil
import statistics
import time
from argparse import ArgumentParser
from dataclasses import astuple, dataclass

from playwright.sync_api import Browser, sync_playwright

from bench.harness import print_table, step, write_report
from service.console.pages import PAGES

CHROMIUMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
QUIET_MS = 500
"""What Playwright calls network idle."""
TARGET_MS = 1000


@dataclass(frozen=True)
class Load:
    """Medians and the worst of one page, in milliseconds."""

    page: str
    empty_load_ms: float
    empty_filled_ms: float
    kept_load_ms: float
    kept_filled_ms: float
    worst_filled_ms: float


def opened(browser: Browser, address: str) -> list[tuple[float, float]]:
    """Load and filled, in milliseconds: with an empty cache, then again."""
    context = browser.new_context(viewport={"width": 1280, "height": 860})
    page = context.new_page()
    times = []
    for _ in range(2):
        page.goto("about:blank")
        start = time.perf_counter()
        page.goto(address, wait_until="load")
        loaded = 1e3 * (time.perf_counter() - start)
        page.wait_for_load_state("networkidle")
        times.append((loaded, max(loaded, 1e3 * (time.perf_counter() - start) - QUIET_MS)))
    context.close()
    return times


def main() -> None:
    """Measure, print and write; exit status 1 where a page took longer than the target."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("address", nargs="?", default="http://127.0.0.1:8000", help="of a service that asks for no key")
    parser.add_argument("--runs", type=int, default=15)
    options = parser.parse_args()
    chromium = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, CHROMIUMS)))
    taken: dict[str, list[list[tuple[float, float]]]] = {page.name: [] for page in PAGES}
    with sync_playwright() as playwright, step(f"{len(PAGES)} pages, {options.runs} times"):
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        opened(browser, options.address)
        for _ in range(options.runs):
            for page in PAGES:
                taken[page.name].append(opened(browser, f"{options.address}/{page.address}"))
        browser.close()
    loads = [_load(name, runs) for name, runs in taken.items()]
    print_table(
        "milliseconds, medians",
        ["page", "load, empty cache", "filled", "load, kept", "filled", "worst filled"],
        [list(astuple(one)) for one in loads],
    )
    write_report("console", runs=options.runs, pages=loads)
    raise SystemExit(any(one.empty_filled_ms > TARGET_MS for one in loads))


def _load(name: str, runs: list[list[tuple[float, float]]]) -> Load:
    columns = [statistics.median(run[cache][what] for run in runs) for cache in (0, 1) for what in (0, 1)]
    return Load(name, *columns, max(run[0][1] for run in runs))


if __name__ == "__main__":
    main()
