"""`clip-senet weights` as a person uses it: what it prints where, its exit status, and Ctrl-C in the middle."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
import typer
from click.testing import Result
from support.file_server import FileServer, file_server
from support.published import known_releases, released_file, write_releases
from typer.main import get_command
from typer.testing import CliRunner

from model.weights import releases
from service.cli import app


@pytest.fixture(scope="module")
def tinyclip() -> bytes:
    return released_file("semantic", "ViT-8M/16")


@pytest.fixture(autouse=True)
def _surroundings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No proxy of whoever runs the tests; a fetch's handlers of signals end with the test."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setattr("model.weights.download._PAUSE_S", 0.0)
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def server(tinyclip: bytes) -> Iterator[FileServer]:
    with file_server(tinyclip) as files:
        yield files


@pytest.fixture
def listed(server: FileServer, tmp_path: Path) -> Iterator[Path]:
    """The list of releases: "small", ViT-8M/16, at two places of the server."""
    places = [{"host": host, "url": server.url(f"{host}.pt")} for host in ("one", "two")]
    path = write_releases(tmp_path / "releases.json", {"sources": places})
    with known_releases(path):
        yield path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "weights"


def run(folder: Path, *arguments: str) -> Result:
    environment = {"CLIP_SENET_WEIGHTS_DIR": str(folder), "COLUMNS": "80"}
    return CliRunner().invoke(app, ["weights", *arguments], env=environment)


class TestList:
    def test_every_release_has_a_row_even_on_a_narrow_terminal(self, folder: Path) -> None:
        done = run(folder, "list")
        assert done.exit_code == 0
        for release in releases():
            row = next(line for line in done.stdout.splitlines() if line.startswith(release.name + " "))
            assert release.part in row
            assert release.licence in row
            assert release.kind in done.stdout
        assert done.stdout.count("not here") == len(releases()) - 1
        assert f"Folder: {folder}" in done.stdout
        assert not folder.exists()

    @pytest.mark.usefixtures("listed")
    def test_the_state_is_that_of_the_folder(self, folder: Path, server: FileServer, tinyclip: bytes) -> None:
        server.cuts = [1000, 0, 0, 0]
        run(folder, "fetch", "small")
        assert "~1 MB  begun: 0.0 MB are here" in run(folder, "list").stdout
        run(folder, "fetch", "small")
        digest = sha256(tinyclip).hexdigest()
        row = run(folder, "list").stdout
        assert "MB  here since 20" in row
        assert f"sha256{digest[:12]}" in "".join(row.split())  # the cell is folded where the terminal is narrow
        (folder / f"small-{digest[:8]}.pt").unlink()
        assert "hasgoneorchanged:fetchitagain" in "".join(run(folder, "list").stdout.split())

    def test_a_damaged_record_is_a_sentence(self, folder: Path) -> None:
        folder.mkdir()
        (folder / "resnet50_ibn_a.json").write_text("{")
        done = run(folder, "list")
        assert done.exit_code == 1
        assert "remove it and fetch resnet50_ibn_a again" in done.stderr


@pytest.mark.usefixtures("listed")
class TestFetch:
    def test_the_path_goes_to_stdout_alone(self, folder: Path, tinyclip: bytes) -> None:
        done = run(folder, "fetch", "small")
        assert done.exit_code == 0
        path = Path(done.stdout.removesuffix("\n"))
        assert path.parent == folder
        assert path.read_bytes() == tinyclip
        assert f"✓ small: 0.0 MB, sha256 {sha256(tinyclip).hexdigest()}" in done.stderr

    def test_what_is_here_is_not_fetched_again(self, folder: Path, server: FileServer) -> None:
        first = run(folder, "fetch", "small")
        server.requests.clear()
        again = run(folder, "fetch", "small")
        assert (again.exit_code, again.stdout) == (0, first.stdout)
        assert "small is here already" in again.stderr
        assert server.requests == []

    def test_the_place_is_chosen(self, folder: Path, server: FileServer) -> None:
        assert run(folder, "fetch", "small", "--from", "two").exit_code == 0
        assert [path for path, _ in server.requests] == ["/two.pt"]

    def test_the_option_goes_before_the_environment(self, folder: Path, tmp_path: Path) -> None:
        run(folder, "fetch", "small", "--weights-dir", str(tmp_path / "other"))
        assert not folder.exists()
        assert (tmp_path / "other" / "small.json").is_file()

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (["large"], "No published weights are called 'large'; there are small."),
            (["small", "--from", "mars"], "small cannot be fetched from 'mars': choose one of one, two."),
        ],
    )
    def test_what_there_is_not(self, folder: Path, arguments: list[str], said: str) -> None:
        done = run(folder, "fetch", *arguments)
        assert (done.exit_code, done.stderr, done.stdout) == (1, said + "\n", "")

    def test_a_refusal_is_one_sentence_after_another_and_status_1(self, folder: Path, server: FileServer) -> None:
        server.statuses = [404]
        done = run(folder, "fetch", "small")
        assert done.exit_code == 1
        assert "one.pt is not to be had: the server answers 404 Not Found. Another place: --from two." in done.stderr
        assert "clip-senet weights import small FILE (publishers' page: http://page.example)" in done.stderr
        assert "Traceback" not in done.output

    @pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
    def test_an_interrupted_transfer_is_kept_and_gone_on_with(
        self, folder: Path, server: FileServer, listed: Path, tinyclip: bytes, ending: signal.Signals
    ) -> None:
        server.hold = threading.Event()
        code = "import sys; from pathlib import Path; from model.weights import registry; from service.cli import app\n"
        code += "registry._FILE = Path(sys.argv.pop(1)); app()"
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(listed), "weights", "fetch", "small", "--weights-dir", str(folder)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=dict(os.environ),
        )
        assert server.halfway.wait(60)
        part = folder / "small.one.part.pt"
        for _ in range(600):
            if part.is_file() and part.stat().st_size:
                break
            threading.Event().wait(0.05)
        process.send_signal(ending)
        stdout, stderr = process.communicate(timeout=60)
        assert process.returncode == 130
        assert stdout == ""
        assert stderr.endswith("Interrupted. What came so far is kept: run the command again to go on.\n")
        assert "Traceback" not in stderr
        here = part.stat().st_size
        assert 0 < here < len(tinyclip)
        server.hold.set()
        server.hold = None
        server.requests.clear()
        assert run(folder, "fetch", "small").exit_code == 0
        assert server.asked("Range") == [f"bytes={here}-"]


@pytest.mark.usefixtures("listed")
class TestImport:
    def test_a_file_is_taken_in(self, folder: Path, tmp_path: Path, tinyclip: bytes) -> None:
        (tmp_path / "usb.pt").write_bytes(tinyclip)
        done = run(folder, "import", "small", str(tmp_path / "usb.pt"))
        assert done.exit_code == 0
        assert Path(done.stdout.removesuffix("\n")).read_bytes() == tinyclip
        assert "✓ small" in done.stderr

    def test_another_file_is_refused(self, folder: Path, tmp_path: Path) -> None:
        (tmp_path / "usb.pt").write_bytes(b"picture")
        done = run(folder, "import", "small", str(tmp_path / "usb.pt"))
        assert done.exit_code == 1
        assert "usb.pt cannot be read as tensors only (it is damaged or no weights file)" in done.stderr
        assert list(folder.glob("small*")) == []


@pytest.mark.parametrize("command", ["list", "fetch", "import"])
def test_help_shows_every_option_and_an_example(command: str) -> None:
    result = CliRunner().invoke(app, ["weights", command, "--help"], env={"COLUMNS": "200", "TERMINAL_WIDTH": "200"})
    assert result.exit_code == 0
    context = typer.Context(get_command(app))
    group = get_command(app).get_command(context, "weights")  # type: ignore[attr-defined]
    for parameter in group.get_command(context, command).params:
        for name in parameter.opts if parameter.param_type_name == "option" else []:
            assert name in result.output
        assert parameter.help, f"{parameter.name} says nothing"
    assert f"clip-senet weights {command}" in result.output.split("Examples")[1]
    assert "Exit status" in result.output
