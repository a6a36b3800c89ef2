"""Which query an answer stands under, and what it says: no more than the service does."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, Route, expect
from support.searching import CAMERAS, fill, search_for, seen

pytestmark = pytest.mark.browser

OpenPage = Callable[..., Page]

OUTDATED = "Not searched yet"


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


def answer_instead(page: Page, of_hits: Sequence[dict[str, Any]] = (), **changes: Any) -> None:
    """Change what searches answer, and say of the first hits, before the page reads it."""
    page.evaluate(
        """([changes, ofHits]) => {
            const ask = window.fetch;
            window.fetch = async (address, options) => {
                const response = await ask(address, options);
                if (!String(address).endsWith("/search")) return response;
                const answer = Object.assign(await response.json(), changes);
                ofHits.forEach((change, at) => Object.assign(answer.hits[at], change));
                return Response.json(answer);
            };
        }""",
        [changes, of_hits],
    )


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


class TestWhatIsSaid:
    def test_no_decision_is_not_told_as_no_match(self, page: Page, pictures: list[Path]) -> None:
        why = "No decision: whether one reaches 0.6031 was not asked."
        answer_instead(page, hits=[], decision=None, explanation=why)
        camera(page, "gate-3").check()
        page.get_by_text("More options").click()
        page.get_by_label("Lowest score shown").fill("0.95")
        search_for(page, pictures[1])
        summary = page.locator("#summary")
        expect(summary.get_by_role("heading")).to_have_text("Nothing is shown")
        expect(summary).to_contain_text("6 pictures were compared; none reaches the lowest score of 0.950.")
        expect(summary).to_contain_text("Conditions: camera gate-3; lowest score 0.950.")
        expect(summary).to_contain_text(why)
        expect(summary).not_to_contain_text("null")

    def test_no_match_is_told_with_its_reason(self, page: Page, pictures: list[Path]) -> None:
        why = "No match: none of 18 crops compared reaches the min_score of 0.95."
        answer_instead(page, hits=[], decision="none", explanation=why)
        search_for(page, pictures[1])
        expect(page.locator("#summary").get_by_role("heading")).to_have_text("No match")
        expect(page.locator(".decided")).to_have_text(f"no match {why}")
        expect(page.locator("#summary")).not_to_contain_text("null")

    def test_no_probability_is_told_as_certain(self, page: Page, pictures: list[Path]) -> None:
        told = {0.9987: "over 99 %", 0.994: "99 %", 0.31: "31 %", 0.0007: "under 1 %"}
        answer_instead(page, [{"decision": "possible", "probability": probability} for probability in told])
        search_for(page, pictures[1])
        seen(page)
        shares = [share.split(" of ")[0].strip("· ") for share in page.locator(".hit .share").all_inner_texts()]
        assert shares == list(told.values())

    def test_another_order_is_told_and_what_it_goes_by_is_shown(self, page: Page, pictures: list[Path]) -> None:
        page.get_by_text("More options").click()
        page.get_by_label("Order the best anew").select_option("k_reciprocal")
        with page.expect_response("**/search") as response:
            search_for(page, pictures[1])
        seen(page)
        expect(page.locator("#summary").get_by_role("heading")).to_have_text("18 tracks, ordered anew")
        expect(page.locator("#summary")).to_contain_text("Conditions: ordered anew by common neighbours.")
        scores = [hit["rerank_score"] for hit in response.value.json()["hits"]]
        shown = [float(text) for text in page.locator(".hit .order .number").all_inner_texts()]
        assert shown == pytest.approx(scores, abs=0.001)
