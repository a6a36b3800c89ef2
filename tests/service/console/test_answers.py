"""Which query an answer stands under: it goes with its query, and says where the form asks for something else."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, Route, expect
from support.searching import CAMERAS, VEHICLES, fill, search_for, seen

pytestmark = pytest.mark.browser

OpenPage = Callable[..., Page]
Paint = Callable[[Path, int], Path]

OUTDATED = "Not searched yet"


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory, paint: Paint) -> list[Path]:
    folder = tmp_path_factory.mktemp("pictures")
    return [paint(folder / f"car-{vehicle}.png", vehicle) for vehicle in range(VEHICLES)]


@pytest.fixture(scope="module")
def gallery(live_service: str, pictures: list[Path]) -> str:
    return fill(live_service, "answers", pictures)


@pytest.fixture
def page(open_page: OpenPage, gallery: str) -> Page:
    page = open_page(gallery)
    expect(page.locator("#cameras li")).to_have_count(CAMERAS)
    return page


def hold_searches(page: Page) -> list[Route]:
    """Searches that wait to be let through."""
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/search", hold)
    return held


def camera(page: Page, name: str) -> Locator:
    return page.locator(f"#cameras input[value={name}]")


def new_query(page: Page) -> None:
    page.get_by_role("button", name="New query").click()


class TestNewQuery:
    def test_takes_the_answer_away_and_leaves_the_way_back(self, page: Page, pictures: list[Path]) -> None:
        search_for(page, pictures[1])
        before = seen(page)
        new_query(page)
        expect(page.locator(".hit")).to_have_count(0)
        expect(page.locator("#summary")).to_be_empty()
        expect(page.locator("#start")).to_contain_text("Where else was this vehicle seen?")
        expect(page.locator("#trail [aria-current]")).to_have_count(0)
        page.locator("#trail button").click()
        assert seen(page) == before
        expect(page.locator("#crops img")).to_have_count(1)

    def test_stops_a_search_that_is_running(self, page: Page, pictures: list[Path]) -> None:
        held = hold_searches(page)
        with page.expect_request("**/search"):
            search_for(page, pictures[1])
        with page.expect_event("requestfailed"):
            new_query(page)
        expect(page.locator("#content")).to_have_attribute("aria-busy", "false")
        assert len(held) == 1


class TestChangedForm:
    def test_the_answer_says_that_the_form_asks_for_something_else(self, page: Page, pictures: list[Path]) -> None:
        search_for(page, pictures[1])
        seen(page)
        mark = page.locator("#outdated")
        expect(page.locator("#summary")).to_contain_text("Conditions: none.")
        expect(mark).to_be_hidden()
        camera(page, "gate-2").check()
        expect(mark).to_contain_text(OUTDATED)
        page.get_by_role("button", name="All cameras").click()
        expect(mark).to_be_hidden()
        page.get_by_role("slider", name="From").press("PageUp")
        expect(mark).to_be_visible()
        page.get_by_role("button", name="All times").click()
        expect(mark).to_be_hidden()
        page.get_by_label("One result per").select_option("picture")
        expect(mark).to_be_visible()
        page.get_by_label("One result per").select_option("track")
        page.get_by_label("Camera that took it").fill("gate-1")
        expect(mark).to_be_visible()
        camera(page, "gate-2").check()
        page.get_by_role("button", name="Search", exact=False).first.click()
        expect(page.locator("#summary")).to_contain_text(
            "Conditions: camera gate-2; not camera gate-1, which took the query."
        )
        expect(mark).to_be_hidden()
        page.get_by_role("button", name="Remove car-1.png").click()
        expect(mark).to_be_visible()

    def test_what_is_changed_while_a_search_runs_is_marked_in_its_answer(
        self, page: Page, pictures: list[Path]
    ) -> None:
        held = hold_searches(page)
        with page.expect_request("**/search"):
            search_for(page, pictures[1])
        camera(page, "gate-2").check()
        held[0].continue_()
        seen(page)
        expect(page.locator("#outdated")).to_be_visible()
        page.go_back()
        page.go_forward()
        expect(page.locator("#outdated")).to_be_hidden()
        expect(camera(page, "gate-2")).not_to_be_checked()

    def test_no_search_is_made_behind_a_dialog(self, page: Page, pictures: list[Path]) -> None:
        search_for(page, pictures[1])
        seen(page)
        searched: list[str] = []
        page.on("request", lambda request: searched.append(request.url) if request.url.endswith("/search") else None)
        page.get_by_role("button", name="Cut the vehicle out of car-1.png").click()
        page.keyboard.press("Control+Enter")
        page.get_by_role("button", name="Use this part").click()
        expect(page.locator("#outdated")).to_be_visible()
        assert searched == []
