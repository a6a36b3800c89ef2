"""The console of a service that asks for a key."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect
from support.chromium import ARGUMENTS, CHROMIUMS
from support.environment import plain_environment
from support.processes import ServiceProcess, data_folder

pytestmark = pytest.mark.browser

Paint = Callable[[Path, int], Path]


@pytest.fixture(scope="module")
def service(untrained_weights: Path) -> Iterator[ServiceProcess]:
    settings = {"weights": untrained_weights, "preset": "tiny", "device": "cpu", "torch_threads": 1, "auth": "on"}
    with data_folder() as folder, ServiceProcess(folder, **settings) as service:
        yield service


@pytest.fixture(scope="module")
def key(service: ServiceProcess, tmp_path_factory: pytest.TempPathFactory, paint: Paint) -> str:
    """A key bound to one collection, which holds a crop."""
    command = [sys.executable, "-m", "service.cli", "keys", "create", "investigator", "--collection", "mine"]
    scopes = [part for scope in ("enroll", "search", "read") for part in ("--scope", scope)]
    made = subprocess.run(
        [*command, *scopes, "--data-dir", str(service.folder)],
        env=plain_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    (secret,) = set(re.findall(r"csk_\w+", made.stdout))
    picture = paint(tmp_path_factory.mktemp("pictures") / "1.png", 1)
    fields = {"collection": "mine", "camera_id": "gate-1"}
    files = {"images": picture.read_bytes()}
    headers = {"X-API-Key": secret}
    httpx.post(f"{service.address}/gallery", data=fields, files=files, headers=headers, timeout=60).raise_for_status()
    return secret


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context()
    context.set_default_timeout(20_000)
    yield context.new_page()
    context.close()


def give(page: Page, key: str) -> None:
    page.get_by_label("Key where the service").fill(key)
    page.get_by_role("button", name="Use").click()


def test_asks_for_the_key_and_shows_pictures_with_it(
    page: Page, service: ServiceProcess, key: str, tmp_path: Path, paint: Paint
) -> None:
    page.goto(f"{service.address}/?collection=mine")
    expect(page.get_by_role("dialog")).to_contain_text("The service asks for a key.")
    give(page, key)
    expect(page.locator("#cameras .name")).to_have_text("gate-1")
    page.set_input_files("#files", paint(tmp_path / "query.png", 1))
    page.keyboard.press("Control+Enter")
    expect(page.locator(".hit img")).to_have_attribute("src", re.compile("^blob:"))
    assert key not in page.url
    assert page.evaluate("document.cookie") == ""
    assert key not in service.log


def test_a_wrong_key_is_asked_for_again(page: Page, service: ServiceProcess) -> None:
    page.goto(f"{service.address}/console/cameras?collection=mine")
    give(page, "csk_nothing_of_ours")
    expect(page.get_by_role("dialog")).to_contain_text("does not take this key any longer")


def test_another_collection_is_refused_in_words(page: Page, service: ServiceProcess, key: str) -> None:
    page.goto(f"{service.address}/console/cameras?collection=yours")
    give(page, key)
    expect(page.get_by_role("alert").first).to_contain_text("may not use the collection 'yours'")
    expect(page.locator("#collection-choice option")).to_have_text(["yours", "mine"])


def test_a_key_with_a_sign_that_no_header_holds_is_not_taken(page: Page, service: ServiceProcess) -> None:
    page.goto(f"{service.address}/console/cameras?collection=mine")
    give(page, "csk–copied")  # noqa: RUF001 - a dash as word processors make it
    expect(page.get_by_role("dialog")).to_be_visible()
    assert page.get_by_label("Key where the service").evaluate("(input) => input.validity.patternMismatch")
    assert page.evaluate("sessionStorage.length") == 1  # the collection


def test_a_page_that_is_followed_asks_for_the_key_once(page: Page, service: ServiceProcess) -> None:
    page.goto(f"{service.address}/console/jobs?collection=mine")
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    for _ in range(2):
        with page.expect_response(re.compile(r"/jobs\?")):
            pass
    page.wait_for_timeout(200)
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.get_by_role("button", name="Rebuild the index").click()
    page.get_by_role("button", name="Rebuild it").click()
    expect(page.get_by_role("dialog", name="Who looks, and why")).to_be_visible()


def test_back_shows_nothing_that_was_read_with_another_key(browser: Browser, service: ServiceProcess, key: str) -> None:
    program = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, CHROMIUMS)))
    # Playwright turns off the cache of whole pages that people's browsers go back to.
    kept = ["--disable-back-forward-cache"]
    with browser.browser_type.launch(executable_path=program, args=ARGUMENTS, ignore_default_args=kept) as other:
        page = other.new_page()
        page.goto(f"{service.address}/console/cameras?collection=mine")
        give(page, key)
        expect(page.locator("tbody tr")).to_contain_text("gate-1")
        with page.expect_response(re.compile(r"/jobs\?")):  # from then on its button is that of the page
            page.get_by_role("link", name="Jobs").click()
        page.get_by_role("button", name="Key").click()
        give(page, "csk_of_somebody_else")
        expect(page.get_by_role("dialog")).to_contain_text("does not take this key any longer")
        page.go_back(wait_until="commit")
        expect(page.get_by_role("dialog")).to_contain_text("does not take this key any longer")
        expect(page.locator("tbody tr")).to_have_count(0)
