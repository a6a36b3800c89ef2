"""Downloads: what a cut connection, a changed file, a lying or absent server and a full disk leave behind."""

import random
import resource
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from support.file_server import FileServer

from model.errors import WeightsError
from model.weights import download as module
from model.weights.download import TransferError, discard, download

CONTENT = random.Random(5).randbytes(300_000)
OTHER = random.Random(6).randbytes(250_000)


@pytest.fixture
def part(tmp_path: Path) -> Path:
    return tmp_path / "file.part.pt"


@pytest.fixture(autouse=True)
def _content(server: FileServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server.content = CONTENT
    monkeypatch.setattr(module, "_PAUSE_S", 0.0)


def fetch(server: FileServer, part: Path) -> list[tuple[int, int | None]]:
    told: list[tuple[int, int | None]] = []
    download(server.url(), part, lambda here, whole: told.append((here, whole)))
    return told


def leave_a_part(server: FileServer, part: Path, size: int = 100_000) -> None:
    """An earlier call that got so far; what the server is told of it is forgotten."""
    server.cuts = [size, 0, 0, 0]
    with pytest.raises(TransferError):
        fetch(server, part)
    assert part.stat().st_size == size
    server.cuts.clear()
    server.requests.clear()


class TestWhole:
    def test_the_file_comes_byte_for_byte_and_progress_is_told(self, server: FileServer, part: Path) -> None:
        told = fetch(server, part)
        assert part.read_bytes() == CONTENT
        assert told[0] == (0, len(CONTENT))
        assert told[-1] == (len(CONTENT), len(CONTENT))
        assert [here for here, _ in told] == sorted(here for here, _ in told)

    def test_it_asks_for_the_bytes_as_they_are(self, server: FileServer, part: Path) -> None:
        fetch(server, part)
        assert server.asked("Accept-Encoding") == ["identity"]

    def test_what_is_whole_is_not_asked_for_again(self, server: FileServer, part: Path) -> None:
        fetch(server, part)
        fetch(server, part)
        assert len(server.requests) == 1

    def test_a_server_that_does_not_say_the_size(self, server: FileServer, part: Path) -> None:
        server.announced = 0
        told = fetch(server, part)
        assert part.read_bytes() == CONTENT
        assert told[-1] == (len(CONTENT), None)

    def test_redirects_are_followed(self, server: FileServer, part: Path) -> None:
        server.redirects["/file.pt"] = server.url("elsewhere")
        fetch(server, part)
        assert part.read_bytes() == CONTENT
        assert [path for path, _ in server.requests] == ["/file.pt", "/elsewhere"]

    def test_discarding_leaves_nothing(self, server: FileServer, part: Path) -> None:
        fetch(server, part)
        discard(part)
        assert list(part.parent.iterdir()) == []


class TestGoingOn:
    def test_cut_connections_are_taken_up_where_they_broke(self, server: FileServer, part: Path) -> None:
        server.cuts = [100_000, 50_000, 70_001]
        fetch(server, part)
        assert part.read_bytes() == CONTENT
        assert server.asked("Range") == [None, "bytes=100000-", "bytes=150000-", "bytes=220001-"]
        assert server.asked("If-Range") == [None, '"one"', '"one"', '"one"']

    def test_many_cuts_do_no_harm_while_bytes_come(self, server: FileServer, part: Path) -> None:
        server.cuts = [20_000] * 14
        fetch(server, part)
        assert part.read_bytes() == CONTENT

    def test_a_server_that_sends_less_than_the_rest_is_asked_on(self, server: FileServer, part: Path) -> None:
        leave_a_part(server, part)
        server.longest = 90_000
        fetch(server, part)
        assert part.read_bytes() == CONTENT
        assert server.asked("Range") == ["bytes=100000-", "bytes=190000-", "bytes=280000-"]

    def test_a_later_call_goes_on(self, server: FileServer, part: Path) -> None:
        leave_a_part(server, part)
        told = fetch(server, part)
        assert part.read_bytes() == CONTENT
        assert server.asked("Range") == ["bytes=100000-"]
        assert told[0] == (100_000, len(CONTENT))

    def test_the_range_goes_along_with_a_redirect(self, server: FileServer, part: Path) -> None:
        server.redirects["/file.pt"] = server.url("elsewhere")
        leave_a_part(server, part)
        fetch(server, part)
        assert part.read_bytes() == CONTENT
        assert server.asked("Range") == ["bytes=100000-"] * 2

    def test_a_date_serves_where_there_is_no_etag(self, server: FileServer, part: Path) -> None:
        server.etag, server.modified = None, "Wed, 04 Nov 2026 06:00:00 GMT"
        leave_a_part(server, part)
        fetch(server, part)
        assert part.read_bytes() == CONTENT
        assert server.asked("If-Range") == [server.modified]


class TestBeginningAgain:
    def test_a_file_that_changed_comes_anew(self, server: FileServer, part: Path) -> None:
        leave_a_part(server, part)
        server.content, server.etag = OTHER, '"two"'
        fetch(server, part)
        assert part.read_bytes() == OTHER

    def test_a_file_that_changes_between_two_cuts_comes_anew(self, server: FileServer, part: Path) -> None:
        def change(here: int, _whole: int | None) -> None:
            if here == 100_000:
                server.content, server.etag = OTHER, '"two"'

        server.cuts = [100_000]
        download(server.url(), part, change)
        assert part.read_bytes() == OTHER

    def test_a_server_without_ranges_sends_all_of_it(self, server: FileServer, part: Path) -> None:
        leave_a_part(server, part)
        server.ranges = False
        told = fetch(server, part)
        assert part.read_bytes() == CONTENT
        assert told[0] == (0, len(CONTENT))

    @pytest.mark.parametrize("etag", [None, 'W/"one"'])
    def test_nothing_is_appended_without_a_promise_of_the_same_bytes(
        self, server: FileServer, part: Path, etag: str | None
    ) -> None:
        def change(here: int, _whole: int | None) -> None:
            if here == 60_000:
                server.content = OTHER

        server.etag, server.cuts = etag, [60_000]
        download(server.url(), part, change)
        assert part.read_bytes() == OTHER
        assert server.asked("Range") == [None, None]

    def test_what_cannot_be_gone_on_with_is_not_called_kept(self, server: FileServer, part: Path) -> None:
        server.etag, server.cuts = None, [60_000] * 3
        with pytest.raises(TransferError, match=r"broke off .*The server does not let a transfer go on: the next one"):
            fetch(server, part)

    @pytest.mark.parametrize(
        "content_range",
        ["bytes 0-299999/300000", "bytes 100000-249999/250000", "bytes 99999-299999/300000", "nonsense"],
    )
    def test_another_part_than_the_one_asked_for_is_not_appended(
        self, server: FileServer, part: Path, content_range: str
    ) -> None:
        leave_a_part(server, part)
        server.content_range = content_range
        fetch(server, part)
        assert part.read_bytes() == CONTENT
        assert server.asked("Range") == ["bytes=100000-", None]

    def test_a_file_that_became_shorter_than_the_part(self, server: FileServer, part: Path) -> None:
        leave_a_part(server, part)
        server.content = OTHER[:50_000]  # under the same ETag: a server at fault
        fetch(server, part)
        assert part.read_bytes() == OTHER[:50_000]

    def test_a_part_from_another_address_is_not_gone_on_with(self, server: FileServer, part: Path) -> None:
        leave_a_part(server, part)
        download(server.url("other.pt"), part, lambda *_: None)
        assert part.read_bytes() == CONTENT
        assert server.asked("Range") == [None]

    def test_a_part_without_its_note_is_not_trusted(self, server: FileServer, part: Path) -> None:
        leave_a_part(server, part)
        part.write_bytes(OTHER[:100_000])
        part.with_name(part.name + ".json").write_text("{")
        fetch(server, part)
        assert part.read_bytes() == CONTENT


class TestRefusals:
    def test_a_missing_file_is_said_at_once(self, server: FileServer, part: Path) -> None:
        server.statuses = [404]
        with pytest.raises(TransferError, match=r"file\.pt is not to be had: the server answers 404 Not Found"):
            fetch(server, part)
        assert len(server.requests) == 1
        assert not part.exists()

    def test_a_missing_file_costs_no_part(self, server: FileServer, part: Path) -> None:
        leave_a_part(server, part)
        server.statuses = [404]
        with pytest.raises(TransferError, match="404"):
            fetch(server, part)
        assert part.stat().st_size == 100_000

    def test_a_busy_server_is_asked_again(self, server: FileServer, part: Path) -> None:
        server.statuses = [503, 429, 200]
        fetch(server, part)
        assert part.read_bytes() == CONTENT

    def test_a_server_at_fault_is_named(self, server: FileServer, part: Path) -> None:
        server.statuses = [500] * 9
        with pytest.raises(TransferError, match="the server answers 500 Internal Server Error"):
            fetch(server, part)
        assert len(server.requests) == 3

    @pytest.mark.parametrize("ranges", [True, False])
    def test_a_server_that_announces_more_than_it_sends(self, server: FileServer, part: Path, *, ranges: bool) -> None:
        server.announced, server.ranges = len(CONTENT) + 5, ranges
        with pytest.raises(
            TransferError, match=r"broke off .* 0\.3 of 0\.3 MB are here and kept: run the command again"
        ):
            fetch(server, part)

    def test_circles_end(self, server: FileServer, part: Path) -> None:
        server.redirects["/file.pt"] = server.url()
        with pytest.raises(TransferError, match="redirects"):
            fetch(server, part)

    def test_offline_is_said_with_what_to_look_at(self, part: Path) -> None:
        with pytest.raises(TransferError, match=r"127\.0\.0\.1:9/x\.pt cannot be reached .*offline.*HTTPS_PROXY"):
            download("http://127.0.0.1:9/x.pt", part, lambda *_: None)

    def test_a_connection_that_breaks_for_good_keeps_what_came(self, server: FileServer, part: Path) -> None:
        server.cuts = [100_000, 0, 0, 0]
        with pytest.raises(
            TransferError, match=r"broke off .*0\.1 of 0\.3 MB are here and kept: run the command again"
        ):
            fetch(server, part)
        assert part.read_bytes() == CONTENT[:100_000]

    @pytest.mark.parametrize("path", ["file.pt", "and-back.pt"])
    def test_an_address_that_leads_out_of_encryption(
        self, part: Path, monkeypatch: pytest.MonkeyPatch, path: str
    ) -> None:
        def answer(request: httpx.Request) -> httpx.Response:
            if request.url.host == "release.example":
                return httpx.Response(302, headers={"Location": f"http://plain.example/{path}"})
            if request.url.path == "/and-back.pt":
                return httpx.Response(302, headers={"Location": "https://other.example/file.pt"})
            return httpx.Response(200, content=CONTENT)

        client = httpx.Client(transport=httpx.MockTransport(answer), follow_redirects=True)
        monkeypatch.setattr(module, "_client", lambda: client)
        with pytest.raises(TransferError, match=r"leads to http://plain\.example/.*, which is not encrypted"):
            download("https://release.example/file.pt", part, lambda *_: None)
        assert not part.exists()


class TestProxy:
    def test_the_proxy_of_the_environment_is_used(
        self, server: FileServer, part: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HTTP_PROXY", server.address)
        download("http://release.example/file.pt", part, lambda *_: None)
        assert part.read_bytes() == CONTENT
        assert [path for path, _ in server.requests] == ["http://release.example/file.pt"]

    def test_a_proxy_that_makes_no_sense_is_said(self, part: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HTTP_PROXY", "gopher://proxy")
        with pytest.raises(TransferError, match=r"proxy.*HTTPS_PROXY.*cannot be used.*gopher"):
            download("http://release.example/file.pt", part, lambda *_: None)


class TestDisk:
    def test_a_file_larger_than_the_disk_is_refused_before_a_byte(self, server: FileServer, part: Path) -> None:
        server.announced = 10**15
        with pytest.raises(WeightsError, match=r"1000000000 MB and .* MB left: free space .*--weights-dir"):
            fetch(server, part)
        assert not part.exists()

    def test_a_disk_that_fills_keeps_what_came_and_a_later_call_goes_on(self, server: FileServer, part: Path) -> None:
        code = "import sys; from pathlib import Path; from model.weights.download import download\n"
        code += "download(sys.argv[1], Path(sys.argv[2]), lambda *_: None)"
        done = subprocess.run(
            [sys.executable, "-c", code, server.url(), str(part)],
            capture_output=True,
            text=True,
            check=False,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (120_000, 120_000)),
        )
        said = done.stderr.strip().splitlines()[-1]
        assert "WeightsError" in said
        assert "cannot be written: File too large. What came so far is kept: free space" in said
        assert part.read_bytes() == CONTENT[:120_000]
        server.requests.clear()
        fetch(server, part)
        assert part.read_bytes() == CONTENT
        assert server.asked("Range") == ["bytes=120000-"]
