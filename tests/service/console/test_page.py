"""The console by clicks and keys, against a real service."""

import re
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect
from support.searching import CAMERAS, VEHICLES, enroll, fill, search_for, seen

pytestmark = pytest.mark.browser

OpenPage = Callable[..., Page]
Paint = Callable[[Path, int], Path]

HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def gallery(live_service: str, pictures: list[Path]) -> str:
    """A collection in which cameras 1 to 3 see every vehicle, an hour apart, with the same picture."""
    return fill(live_service, "console", pictures)


class TestSearch:
    def test_shows_ranked_pictures_and_how_they_were_found(
        self, open_page: OpenPage, gallery: str, pictures: list[Path]
    ) -> None:
        page = open_page(gallery)
        expect(page.locator("#state")).to_have_text("Ready")
        search_for(page, pictures[2], "gate-1")
        found = seen(page)
        assert len(found) == VEHICLES * (CAMERAS - 1)
        assert set(found[:2]) == {("car-2", "gate-2"), ("car-2", "gate-3")}
        assert "gate-1" not in {camera for _, camera in found}
        first = page.locator(".hit").first
        assert first.locator(".rank").inner_text() == "1"
        assert float(first.locator(".number").inner_text()) == pytest.approx(1, abs=0.002)
        assert first.locator(".fill").evaluate("bar => bar.getBoundingClientRect().width") > 100
        for place in range(4):
            picture = page.locator(".hit img").nth(place)
            expect(picture).to_have_attribute("src", re.compile("^blob:"))
            assert picture.evaluate("async one => { await one.decode(); return one.naturalWidth; }") > 0
        expect(page.locator("#summary")).to_contain_text("12 tracks, most similar first")
        expect(page.locator("#summary")).to_contain_text("not proof of identity")
        expect(page.locator(".how")).to_contain_text(re.compile(r"Exact search of 12 candidates.*\d+ ms.*Model tiny-"))

    def test_shows_both_clocks(self, open_page: OpenPage, gallery: str, pictures: list[Path]) -> None:
        page = open_page(gallery)
        page.locator("#cameras input[value=gate-2]").check()
        search_for(page, pictures[5])
        card = page.locator(".hit", has_text="car-5")
        expect(card.locator("time")).to_have_text(re.compile(r"4 Nov 2026, 11:05:00"))
        expect(card.locator(".utc")).to_have_text("2026-11-04 10:05:00 UTC")

    def test_takes_several_pictures_of_one_vehicle(
        self, open_page: OpenPage, gallery: str, pictures: list[Path]
    ) -> None:
        page = open_page(gallery)
        page.set_input_files("#files", pictures[:3])
        page.get_by_role("button", name="Remove car-1.png").click()
        expect(page.locator("#crops li")).to_have_count(2)
        with page.expect_response("**/search") as response:
            page.keyboard.press("Control+Enter")
        assert len(response.value.json()["query"]["quality"]) == 2
        assert {vehicle for vehicle, _ in seen(page)[:6]} >= {"car-0", "car-2"}

    def test_takes_a_dropped_and_a_pasted_picture(
        self, open_page: OpenPage, gallery: str, pictures: list[Path]
    ) -> None:
        page = open_page(gallery)
        give = """([kind, bytes]) => {
            const transfer = new DataTransfer();
            transfer.items.add(new File([new Uint8Array(bytes)], kind + ".png", { type: "image/png" }));
            const event = kind === "drop"
                ? new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true })
                : new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true, cancelable: true });
            document.body.dispatchEvent(event);
        }"""
        for kind in ("drop", "paste"):
            page.evaluate(give, [kind, list(pictures[4].read_bytes())])
        expect(page.locator("#crops img")).to_have_count(2)
        page.keyboard.press("Control+Enter")
        assert [vehicle for vehicle, _ in seen(page)[:3]] == ["car-4"] * 3

    def test_asks_for_a_picture_first(self, open_page: OpenPage, gallery: str) -> None:
        page = open_page(gallery)
        page.keyboard.press("Control+Enter")
        expect(page.locator(".message")).to_contain_text("Choose, drop or paste a picture")
        expect(page.locator("#files")).to_be_focused()

    def test_shows_names_as_text_whatever_they_hold(
        self, open_page: OpenPage, live_service: str, pictures: list[Path]
    ) -> None:
        items = [{"camera_id": HOSTILE, "vehicle_id": HOSTILE, "track_id": HOSTILE, "attributes": {HOSTILE: HOSTILE}}]
        enroll(live_service, "hostile", items, pictures[:1])
        page = open_page("hostile")
        expect(page.locator("#cameras .name")).to_have_text(HOSTILE)
        search_for(page, pictures[0])
        assert seen(page) == [(HOSTILE, HOSTILE)]
        page.get_by_role("button", name="Details of rank 1", exact=True).click()
        expect(page.locator("#detail dl")).to_contain_text(f"{HOSTILE}: {HOSTILE}")
        assert page.locator("img[src=x]").count() == 0


class TestFilter:
    def test_cameras_narrow_the_search(self, open_page: OpenPage, gallery: str, pictures: list[Path]) -> None:
        page = open_page(gallery)
        expect(page.locator("#cameras li")).to_have_count(CAMERAS)
        counts = {
            row.locator(".name").inner_text(): row.locator(".count").inner_text()
            for row in page.locator("#cameras li").all()
        }
        assert counts == {"gate-1": "6", "gate-2": "6", "gate-3": "6"}
        page.get_by_label("gate-3").check()
        search_for(page, pictures[0])
        assert {camera for _, camera in seen(page)} == {"gate-3"}
        expect(page.locator(".how")).to_contain_text("6 candidates")

    def test_times_are_the_users_own_and_sent_as_utc(
        self, open_page: OpenPage, gallery: str, pictures: list[Path]
    ) -> None:
        page = open_page(gallery)
        page.locator("#from").fill("2026-11-04T11:02:00")
        page.locator("#to").fill("2026-11-04T11:04:00")
        expect(page.locator("#zone")).to_have_text(
            "In your time zone, Europe/Berlin (UTC+01:00). "
            "Sent as from 2026-11-04 10:02:00 UTC to 2026-11-04 10:04:00 UTC."
        )
        search_for(page, pictures[0])
        assert sorted(seen(page)) == [("car-2", "gate-2"), ("car-3", "gate-2")]

    def test_the_brush_chooses_the_window(self, open_page: OpenPage, gallery: str, pictures: list[Path]) -> None:
        page = open_page(gallery)
        track = page.locator("#brush-track")
        expect(page.locator(".bucket")).to_have_count(60)
        heights = page.locator(".bucket").evaluate_all("bars => bars.map(bar => bar.getBoundingClientRect().height)")
        minutes = [60 * camera + vehicle for camera in range(CAMERAS) for vehicle in range(VEHICLES)]
        taken = {min(59, int(60 * minute / max(minutes))) for minute in minutes}
        assert {place for place, height in enumerate(heights) if height > 0} == taken
        box = track.bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 20)
        page.mouse.down()
        page.mouse.move(box["x"] + 0.7 * box["width"], box["y"] + 20, steps=5)
        page.mouse.up()
        expect(page.locator("#from")).to_have_value(re.compile(r"2026-11-04T10:3\d:"))
        expect(page.locator("#to")).to_have_value(re.compile(r"2026-11-04T11:2\d:"))
        search_for(page, pictures[0])
        assert {camera for _, camera in seen(page)} == {"gate-2"}
        before = page.locator("#from").input_value()
        page.get_by_role("slider", name="From").press("PageDown")
        assert page.locator("#from").input_value() < before
        page.get_by_role("button", name="All times").click()
        expect(page.locator("#from")).to_have_value("")
        expect(page.get_by_role("button", name="All times")).to_be_hidden()

    def test_a_window_that_ends_before_it_starts_is_not_sent(
        self, open_page: OpenPage, gallery: str, pictures: list[Path]
    ) -> None:
        page = open_page(gallery)
        page.locator("#from").fill("2026-11-04T11:02:00")
        page.locator("#to").fill("2026-11-04T11:02:00")
        search_for(page, pictures[0])
        expect(page.locator(".message")).to_contain_text("ends before it starts")
        expect(page.locator(".hit")).to_have_count(0)

    def test_no_candidate_and_no_likeness_are_told_apart(
        self, open_page: OpenPage, gallery: str, pictures: list[Path], tmp_path: Path, paint: Paint
    ) -> None:
        page = open_page(gallery)
        page.get_by_label("gate-1").check()
        search_for(page, pictures[0], "gate-1")
        summary = page.locator("#summary")
        expect(summary).to_contain_text("Nothing is shown")
        expect(summary).to_contain_text("no enrolled picture is left by what is set")
        expect(summary).to_contain_text("not camera gate-1, which took the query")
        page.get_by_role("button", name="Search without filters").click()
        assert len(seen(page)) == VEHICLES * (CAMERAS - 1)
        page.get_by_text("More options").click()
        page.get_by_label("Lowest score shown").fill("0.9999")
        page.get_by_role("button", name="Remove").click()
        search_for(page, paint(tmp_path / "stranger.png", 4711))
        expect(summary).to_contain_text("18 pictures were compared; none reaches the lowest score")

    def test_what_is_set_outlives_a_read_that_fails(
        self, open_page: OpenPage, gallery: str, pictures: list[Path]
    ) -> None:
        page = open_page(gallery, expected=("503",))
        page.locator("#cameras input[value=gate-2]").check()
        page.route("**/timeline?*", lambda route: route.fulfill(status=503))
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        expect(page.get_by_role("alert")).to_contain_text("status 503")
        expect(page.locator("#cameras-chosen")).to_have_text("1 of 3")
        expect(page.locator("#brush")).to_be_visible()
        expect(page.locator("#start")).not_to_contain_text("Nothing is enrolled")
        page.unroute("**/timeline?*")
        page.get_by_role("button", name="Try again").click()
        expect(page.get_by_role("alert")).to_be_empty()
        search_for(page, pictures[0])
        assert {camera for _, camera in seen(page)} == {"gate-2"}

    def test_nothing_is_called_empty_that_was_not_read(self, open_page: OpenPage, gallery: str) -> None:
        page = open_page(gallery, expected=("503",))
        page.route("**/cameras?*", lambda route: route.fulfill(status=503))
        page.reload()
        expect(page.get_by_role("alert")).to_contain_text("status 503")
        expect(page.locator("#start")).to_contain_text("Where else was this vehicle seen?")

    def test_a_chosen_camera_that_is_not_listed_is_shown(
        self, open_page: OpenPage, gallery: str, pictures: list[Path]
    ) -> None:
        page = open_page(gallery)
        page.locator("#cameras input[value=gate-2]").check()
        page.route("**/cameras?*", lambda route: route.fulfill(json={"items": [], "next_cursor": None}))
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        expect(page.locator("#cameras li")).to_have_count(1)
        expect(page.locator("#cameras li")).to_have_text("gate-2unknown")
        expect(page.locator("#cameras input")).to_be_checked()
        search_for(page, pictures[0])
        assert {camera for _, camera in seen(page)} == {"gate-2"}

    def test_an_empty_gallery_tells_what_to_do(self, open_page: OpenPage) -> None:
        page = open_page("nothing-here", expected=("404",))
        expect(page.locator("#start")).to_contain_text("Nothing is enrolled yet")
        expect(page.locator("#start code")).to_contain_text("clip-senet ingest FOLDER --url http://127.0.0.1:")


class TestTrail:
    def test_a_click_searches_by_that_picture_and_the_way_back_stays(
        self, open_page: OpenPage, gallery: str, pictures: list[Path]
    ) -> None:
        page = open_page(gallery)
        search_for(page, pictures[3], "gate-1")
        before = seen(page)
        (at,) = [at for at, hit in enumerate(before) if hit == ("car-3", "gate-2")]
        page.locator(".face").nth(at).click()
        expect(page.get_by_label("Camera that took it")).to_have_value("gate-2")
        expect(page.locator("#trail [aria-current]")).to_have_text("camera gate-2")
        after = seen(page)
        assert set(after[:2]) == {("car-3", "gate-1"), ("car-3", "gate-3")}
        requests: list[str] = []
        page.on("request", lambda request: requests.append(request.url))
        page.go_back()
        expect(page.get_by_label("Camera that took it")).to_have_value("gate-1")
        assert seen(page) == before
        page.locator("#trail button").nth(1).click()
        expect(page.get_by_label("Camera that took it")).to_have_value("gate-2")
        assert seen(page) == after
        assert not [url for url in requests if url.endswith("/search")]

    def test_the_step_that_is_shown_can_be_chosen_again(
        self, open_page: OpenPage, gallery: str, pictures: list[Path]
    ) -> None:
        page = open_page(gallery)
        search_for(page, pictures[3])
        seen(page)
        page.get_by_label("Camera that took it").fill("changed")
        page.locator("#trail button").click()
        expect(page.get_by_label("Camera that took it")).to_have_value("")
        expect(page.locator(".hit").first).to_be_visible()


def search_by_enrolled(page: Page, picture: Path) -> list[tuple[str, str]]:
    """Search by the first result of camera gate-2; what is found."""
    search_for(page, picture, "gate-1")
    seen(page)
    page.locator(".hit", has_text="gate-2").locator(".face").first.click()
    expect(page.get_by_role("button", name="Leave rank 1 out of this search")).to_be_visible()
    return seen(page)


class TestNotThisOne:
    def test_a_crop_is_left_out_of_this_search_until_it_is_taken_back(
        self, open_page: OpenPage, gallery: str, pictures: list[Path]
    ) -> None:
        page = open_page(gallery)
        search_for(page, pictures[3], "gate-1")
        seen(page)
        expect(page.get_by_role("button", name="out of this search")).to_have_count(0)
        before = search_by_enrolled(page, pictures[3])
        with page.expect_response("**/search/crop") as response:
            page.get_by_role("button", name="Leave rank 1 out of this search").click()
        assert len(response.value.request.post_data_json["not_crop_ids"]) == 1
        expect(page.locator("#rejected")).to_contain_text("1 picture left out of this search")
        expect(page.locator(".hit")).to_have_count(len(before) - 1)
        assert seen(page)[0] != before[0]
        page.get_by_role("button", name="Take back").click()
        expect(page.locator(".hit")).to_have_count(len(before))
        expect(page.locator("#rejected")).to_be_hidden()

    def test_a_second_click_leaves_it_out_once(self, open_page: OpenPage, gallery: str, pictures: list[Path]) -> None:
        page = open_page(gallery)
        before = search_by_enrolled(page, pictures[3])
        clicks = "button => { button.click(); button.click(); }"
        page.get_by_role("button", name="Leave rank 1 out of this search").evaluate(clicks)
        expect(page.locator(".hit")).to_have_count(len(before) - 1)
        expect(page.locator("#rejected")).to_contain_text("1 picture left out of this search")
        expect(page.get_by_role("alert")).to_be_empty()

    def test_what_is_left_out_and_the_camera_go_with_the_enrolled_picture(
        self, open_page: OpenPage, gallery: str, pictures: list[Path]
    ) -> None:
        page = open_page(gallery)
        search_by_enrolled(page, pictures[3])
        page.get_by_role("button", name="Leave rank 1 out of this search").click()
        expect(page.locator("#rejected")).to_be_visible()
        page.get_by_role("button", name="Remove camera gate-2").click()
        expect(page.locator("#rejected")).to_be_hidden()
        expect(page.get_by_label("Camera that took it")).to_have_value("")
        expect(page.get_by_label("Camera that took it")).to_be_editable()


class TestAnotherVehicle:
    def test_is_remembered_until_it_is_taken_back(
        self, open_page: OpenPage, gallery: str, pictures: list[Path]
    ) -> None:
        page = open_page(gallery)
        before = search_by_enrolled(page, pictures[3])
        with page.expect_response("**/judgements") as response:
            page.get_by_role("button", name="Rank 1 is another vehicle").click()
        said = response.value.request.post_data_json
        assert set(said) == {"collection", "crop_id", "query_crop_id", "same"}
        assert said["same"] is False
        first = page.locator(".hit").first
        expect(first).to_contain_text("Another vehicle: left out from now on")
        expect(page.get_by_role("button", name="Take back that rank 1")).to_be_focused()
        expect(page.locator(".hit")).to_have_count(len(before))
        page.keyboard.press("Control+Enter")
        expect(page.locator(".hit")).to_have_count(len(before) - 1)
        expect(page.locator("#summary")).to_contain_text("without what was said to be another vehicle")
        page.go_back()
        expect(page.locator(".hit")).to_have_count(len(before))
        with page.expect_response("**/judgements/*") as response:
            page.get_by_role("button", name="Take back that rank 1").click()
        assert response.value.status == 204
        expect(page.get_by_role("button", name="Rank 1 is another vehicle")).to_be_focused()
        with page.expect_response("**/search/crop"):
            page.keyboard.press("Control+Enter")
        expect(page.locator(".hit")).to_have_count(len(before))

    def test_of_a_picture_that_is_not_enrolled_the_score_is_noted(
        self, open_page: OpenPage, live_service: str, gallery: str, pictures: list[Path]
    ) -> None:
        page = open_page(gallery)
        with page.expect_response("**/search") as response:
            search_for(page, pictures[3])
        answer = response.value.json()
        seen(page)
        page.get_by_role("button", name="Rank 2 is another vehicle").click()
        expect(page.locator(".hit").nth(1)).to_contain_text("Another vehicle: noted")
        hit = answer["hits"][1]
        kept = httpx.get(f"{live_service}/judgements", params={"collection": gallery}).json()["items"]
        assert [(one["crop_id"], one["same"], one["model_id"]) for one in kept] == [
            (hit["crop"]["id"], False, answer["query"]["model_id"])
        ]
        assert kept[0]["score"] == pytest.approx(hit["score"], abs=1e-6)
        page.get_by_role("button", name="Take back that rank 2").click()
        expect(page.get_by_role("button", name="Rank 2 is another vehicle")).to_be_focused()
        assert httpx.get(f"{live_service}/judgements", params={"collection": gallery}).json()["items"] == []

    def test_what_is_refused_is_told_and_nothing_is_said_of_the_result(
        self, open_page: OpenPage, gallery: str, pictures: list[Path]
    ) -> None:
        page = open_page(gallery, expected=("409",))
        search_for(page, pictures[3])
        seen(page)
        problem = {"title": "Conflict", "detail": "The crop is confirmed to be that vehicle."}
        page.route("**/judgements", lambda route: route.fulfill(status=409, json=problem))
        page.get_by_role("button", name="Rank 1 is another vehicle").click()
        expect(page.get_by_role("alert")).to_contain_text(problem["detail"])
        expect(page.get_by_role("button", name="Rank 1 is another vehicle")).to_be_enabled()


class TestDecision:
    def test_without_a_calibration_it_says_that_there_is_none(
        self, open_page: OpenPage, gallery: str, pictures: list[Path]
    ) -> None:
        page = open_page(gallery)
        search_for(page, pictures[3])
        seen(page)
        expect(page.locator(".decided")).to_contain_text(
            "No decision: the scores of this collection are not calibrated"
        )
        expect(page.locator(".hit .mark")).to_have_count(0)


class TestProblems:
    def test_a_file_that_is_no_picture_is_told_with_the_request_id(
        self, open_page: OpenPage, gallery: str, tmp_path: Path, pictures: list[Path]
    ) -> None:
        page = open_page(gallery, expected=("415",))
        (tmp_path / "notes.txt").write_text("no picture")
        with page.expect_response("**/search") as response:
            search_for(page, tmp_path / "notes.txt")
        message = page.get_by_role("alert")
        problem = response.value.json()
        expect(message).to_contain_text(problem["title"])
        expect(message).to_contain_text(problem["request_id"])
        page.get_by_role("button", name="Dismiss").click()
        page.get_by_role("button", name="Remove notes.txt").click()
        search_for(page, pictures[0])
        assert len(seen(page)) > 0

    @pytest.mark.parametrize(
        ("kind", "body", "told"),
        [
            ("text/html", "<title>Sign in</title>", "The answer cannot be read"),
            ("application/json", '{"hits": [', "The answer cannot be read"),
            ("application/json", '{"error": "sign in"}', "The answer cannot be shown"),
        ],
    )
    def test_what_is_no_answer_leaves_none_of_another_query(  # noqa: PLR0917 - fixtures and parameters
        self, open_page: OpenPage, gallery: str, pictures: list[Path], kind: str, body: str, told: str
    ) -> None:
        page = open_page(gallery, expected=("TypeError",))
        search_for(page, pictures[0])
        before = seen(page)
        page.get_by_role("button", name="Remove car-0.png").click()
        page.route("**/search", lambda route: route.fulfill(content_type=kind, body=body))
        search_for(page, pictures[1])
        expect(page.get_by_role("alert")).to_contain_text(told)
        expect(page.locator(".hit")).to_have_count(0)
        expect(page.locator("#summary")).to_be_empty()
        expect(page.locator("#outdated")).to_be_hidden()
        expect(page.locator("#content")).to_have_attribute("aria-busy", "false")
        page.unroute("**/search")
        page.get_by_role("button", name="Try again").click()
        assert seen(page) != before
        expect(page.locator("#trail button")).to_have_count(2)

    def test_a_service_that_is_away_is_told_and_tried_again(
        self, open_page: OpenPage, gallery: str, pictures: list[Path]
    ) -> None:
        page = open_page(gallery, expected=("ERR_INTERNET_DISCONNECTED",))
        expect(page.locator("#cameras li")).to_have_count(CAMERAS)
        page.context.set_offline(True)
        search_for(page, pictures[0])
        expect(page.get_by_role("alert")).to_contain_text("The service does not answer")
        page.context.set_offline(False)
        page.get_by_role("button", name="Try again").click()
        assert len(seen(page)) > 0
        expect(page.get_by_role("alert")).to_be_empty()


class TestKeys:
    def test_everything_is_done_without_a_mouse(self, open_page: OpenPage, gallery: str, pictures: list[Path]) -> None:
        page = open_page(gallery)
        page.on("filechooser", lambda chooser: chooser.set_files(pictures[1]))
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
        for _ in page.locator(".top a, .top button, .top select").all():
            page.keyboard.press("Tab")
        page.keyboard.press("Tab")
        expect(page.locator("#files")).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.locator("#crops img")).to_have_count(1)
        page.keyboard.press("Tab")
        page.keyboard.type("gate-1")
        page.keyboard.press("Enter")
        found = seen(page)

        page.locator("#content").focus()
        while page.evaluate("!document.activeElement.classList.contains('face')"):
            page.keyboard.press("Tab")
        page.keyboard.press("ArrowRight")
        expect(page.locator(".face").nth(1)).to_be_focused()
        page.keyboard.press("End")
        expect(page.locator(".face").last).to_be_focused()
        page.keyboard.press("Home")
        page.keyboard.press("ArrowDown")
        columns = page.locator(".face").evaluate_all(
            "all => all.filter(one => one.offsetTop === all[0].offsetTop).length"
        )
        below = page.evaluate("[...document.querySelectorAll('.face')].indexOf(document.activeElement)")
        tops = page.locator(".face").evaluate_all("all => all.map(one => Math.round(one.getBoundingClientRect().top))")
        assert below == tops.index(next(top for top in tops if top != tops[0])) == columns

        page.keyboard.press("Home")
        page.keyboard.press("d")
        dialog = page.get_by_role("dialog")
        expect(dialog).to_contain_text(f"Rank 1 of {len(found)}")
        expect(dialog).to_contain_text(found[0][0])
        page.keyboard.press("ArrowRight")
        expect(dialog).to_contain_text(f"Rank 2 of {len(found)}")
        page.keyboard.press("Escape")
        expect(dialog).to_be_hidden()
        expect(page.locator(".face").first).to_be_focused()

        page.keyboard.press("Enter")
        expect(page.get_by_label("Camera that took it")).to_have_value(found[0][1])
        expect(page.locator(".face").first).to_be_focused()


class TestLook:
    @pytest.mark.parametrize("scheme", ["light", "dark"])
    @pytest.mark.parametrize(("name", "width", "height"), [("wide", 1360, 860), ("small", 390, 844)])
    def test_fits_the_screen_in_both_themes(  # noqa: PLR0917 - fixtures and parameters
        self,
        open_page: OpenPage,
        gallery: str,
        pictures: list[Path],
        screenshots: Path,
        scheme: str,
        name: str,
        width: int,
        height: int,
    ) -> None:
        page = open_page(gallery, color_scheme=scheme, viewport={"width": width, "height": height})
        search_for(page, pictures[2], "gate-1")
        seen(page)
        page.wait_for_load_state("networkidle")
        page.screenshot(path=screenshots / f"console-{name}-{scheme}.png")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        expect(page.locator(".hit").first).to_be_in_viewport()
        backdrop = page.evaluate("getComputedStyle(document.body).backgroundColor")
        brightness = sum(int(part) for part in re.findall(r"\d+", backdrop)[:3]) / 3
        assert brightness > 200 if scheme == "light" else brightness < 60
        page.get_by_role("button", name="Details of rank 1", exact=True).click()
        expect(page.get_by_role("dialog")).to_be_in_viewport()
        page.screenshot(path=screenshots / f"detail-{name}-{scheme}.png")
