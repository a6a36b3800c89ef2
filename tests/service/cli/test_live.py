"""The commands against a running service."""

import csv
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner, Result

from service.cli import app

PATTERN = r"car_(?P<vehicle>\d+)_cam(?P<camera>\d)\.png"


def clip_senet(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], env={"COLUMNS": "200"})


@pytest.fixture
def folder(tmp_path: Path, paint: Callable[[Path, int], Path]) -> Path:
    """Six vehicles on camera 1, the same pictures on camera 2 in a subfolder."""
    for vehicle in range(6):
        paint(tmp_path / "crops" / f"car_{vehicle}_cam1.png", vehicle)
        paint(tmp_path / "crops" / "far" / f"car_{vehicle}_cam2.png", vehicle)
    return tmp_path / "crops"


def ingest(address: str, folder: Path, *options: object, collection: str) -> Result:
    return clip_senet("ingest", folder, "--url", address, "--collection", collection, "--batch", 5, *options)


def enrolled(address: str, collection: str) -> list[dict[str, object]]:
    answer = httpx.get(f"{address}/gallery", params={"collection": collection, "limit": 100})
    return answer.raise_for_status().json()["items"]


class TestIngest:
    def test_enrolls_a_folder_with_what_the_names_say(self, live_service: str, folder: Path) -> None:
        result = ingest(live_service, folder, "--pattern", PATTERN, collection="names")
        assert result.exit_code == 0, result.output
        assert "12 enrolled, 0 duplicate, 0 rejected, of 12." in result.output
        found = {
            (crop["external_id"], crop["vehicle_id"], crop["camera_id"]) for crop in enrolled(live_service, "names")
        }
        assert len(found) == 12
        assert ("far/car_3_cam2.png", "3", "2") in found

    def test_takes_up_where_it_stopped(
        self, live_service: str, folder: Path, paint: Callable[[Path, int], Path]
    ) -> None:
        ingest(live_service, folder, "--camera-id", "gate", collection="resume")
        paint(folder / "late.png", 77)
        result = ingest(live_service, folder, "--camera-id", "gate", collection="resume")
        assert result.exit_code == 0
        assert "1 enrolled, 12 duplicate, 0 rejected, of 13." in result.output
        assert len(enrolled(live_service, "resume")) == 13

    def test_rejects_pictures_that_have_changed_and_enrolls_the_others(
        self, live_service: str, folder: Path, paint: Callable[[Path, int], Path]
    ) -> None:
        ingest(live_service, folder, "--camera-id", "gate", collection="changed")
        for vehicle in range(6):  # the first request of five crops and a part of the second
            paint(folder / f"car_{vehicle}_cam1.png", 100 + vehicle)
        paint(folder / "late.png", 77)
        result = ingest(live_service, folder, "--camera-id", "gate", collection="changed")
        assert result.exit_code == 1, result.output
        assert "1 enrolled, 6 duplicate, 6 rejected, of 13." in result.output
        assert "6 x external_id_conflict: external_id: is taken by another image" in result.output

    def test_tells_what_was_rejected_and_why(self, live_service: str, folder: Path, tmp_path: Path) -> None:
        (folder / "car_7_cam1.png").write_text("no picture")
        (folder / "unnamed.png").write_bytes((folder / "car_1_cam1.png").read_bytes())
        report = tmp_path / "rejected.csv"
        result = ingest(live_service, folder, "--pattern", PATTERN, "--rejected", report, collection="rejects")
        assert result.exit_code == 1
        assert "12 enrolled, 0 duplicate, 2 rejected, of 14." in result.output
        with report.open() as stream:
            rows = {row["external_id"]: row for row in csv.DictReader(stream)}
        assert rows.keys() == {"car_7_cam1.png", "unnamed.png"}
        assert rows["car_7_cam1.png"]["code"] == "unsupported_image_type"
        assert rows["unnamed.png"]["code"] == "name_does_not_fit"
        assert len(enrolled(live_service, "rejects")) == 12

    def test_enrolls_what_a_list_names_and_misses_what_is_not_there(
        self, live_service: str, folder: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "val.txt").write_text("car_1_cam1.png\nfar/car_1_cam2.png\ncar_99_cam1.png\n")
        result = ingest(live_service, folder, "--list", tmp_path / "val.txt", "--pattern", PATTERN, collection="list")
        assert result.exit_code == 1
        assert "2 enrolled, 0 duplicate, 1 rejected, of 3." in result.output
        assert {crop["external_id"] for crop in enrolled(live_service, "list")} == {
            "car_1_cam1.png",
            "far/car_1_cam2.png",
        }

    def test_enrolls_what_a_manifest_tells(self, live_service: str, folder: Path, tmp_path: Path) -> None:
        text = (
            "file,camera_id,captured_at,track_id,external_id,attributes\n"
            'car_1_cam1.png,gate,2026-11-04T10:00:00+01:00,17,one,"{""colour"": ""red""}"\n'
        )
        (tmp_path / "manifest.csv").write_text(text)
        result = ingest(live_service, folder, "--manifest", tmp_path / "manifest.csv", collection="manifest")
        assert result.exit_code == 0, result.output
        (crop,) = enrolled(live_service, "manifest")
        assert (crop["external_id"], crop["camera_id"], crop["track_id"]) == ("one", "gate", "17")
        assert crop["captured_at"] == "2026-11-04T09:00:00Z"
        assert crop["attributes"] == {"colour": "red"}

    def test_a_dry_run_sends_nothing(self, live_service: str, folder: Path) -> None:
        result = ingest(live_service, folder, "--pattern", PATTERN, "--dry-run", collection="dry")
        assert result.exit_code == 0
        assert "vehicle_id: 0" in result.output
        assert httpx.get(f"{live_service}/gallery", params={"collection": "dry"}).status_code == 404

    @pytest.mark.parametrize(
        ("options", "reason"),
        [
            ([], "No camera is known"),
            (["--pattern", "("], "not a regular expression"),
            (["--timezone", "Mars/Olympus", "--pattern", "(?P<time>.*)"], "no time zone"),
            (["--camera-id", "1", "--list", "a", "--manifest", "b"], "not both"),
        ],
    )
    def test_refuses_a_command_that_makes_no_sense(
        self, live_service: str, folder: Path, options: list[str], reason: str
    ) -> None:
        result = ingest(live_service, folder, *options, collection="never")
        assert result.exit_code == 2
        assert reason in result.output

    def test_says_that_no_service_answers(self, folder: Path) -> None:
        result = ingest("http://127.0.0.1:9", folder, "--camera-id", "1", collection="never")
        assert result.exit_code == 2
        assert "Start one with: clip-senet serve" in result.output


class TestSearch:
    @pytest.fixture(scope="class")
    @staticmethod
    def gallery(
        live_service: str, tmp_path_factory: pytest.TempPathFactory, paint: Callable[[Path, int], Path]
    ) -> Path:
        folder = tmp_path_factory.mktemp("gallery")
        for vehicle in range(4):
            for camera in (1, 2):
                paint(folder / f"car_{vehicle}_cam{camera}.png", vehicle)
        assert ingest(live_service, folder, "--pattern", PATTERN, collection="search").exit_code == 0
        return folder

    def test_ranks_what_other_cameras_saw(self, live_service: str, gallery: Path) -> None:
        query = gallery / "car_2_cam1.png"
        result = clip_senet("search", query, "--url", live_service, "--collection", "search", "--camera-id", 1, "-k", 3)
        assert result.exit_code == 0, result.output
        heading, first, *others = [line.split() for line in result.stdout.splitlines() if line.strip()]
        assert heading == ["Rank", "Score", "Vehicle", "Camera", "Time", "(UTC)", "Crop"]
        assert first[:4] == ["1", "1.000", "2", "2"]
        assert [row[0] for row in others] == ["2", "3"]
        assert {row[3] for row in others} == {"2"}

    def test_sends_every_filter(self, live_service: str, gallery: Path) -> None:
        filters = ["--only-camera", 1, "--only-camera", 2, "--exclude-camera", 2, "--vehicle-id", 2, "--vehicle-id", 3]
        how = ["--collection", "search", "--group-by", "crop", "--min-score", -1, "--json"]
        result = clip_senet("search", gallery / "car_2_cam1.png", "--url", live_service, *filters, *how)
        hits = json.loads(result.stdout)["hits"]
        assert [(hit["crop"]["vehicle_id"], hit["crop"]["camera_id"]) for hit in hits] == [("2", "1"), ("3", "1")]

    def test_ends_with_1_where_nothing_is_found(self, live_service: str, gallery: Path) -> None:
        query = gallery / "car_2_cam1.png"
        result = clip_senet(
            "search", query, "--url", live_service, "--collection", "search", "--from", "2026-01-01T00:00:00Z"
        )
        assert result.exit_code == 1
        assert "No match" in result.stdout

    @pytest.mark.parametrize(
        ("options", "reason"),
        [
            (["--group-by", "colour"], "group_by"),
            (["--from", "yesterday"], "RFC 3339"),
            (["--collection", "none"], "none"),
        ],
    )
    def test_ends_with_2_and_the_reason_where_the_service_refuses(
        self, live_service: str, gallery: Path, options: list[str], reason: str
    ) -> None:
        result = clip_senet("search", gallery / "car_2_cam1.png", "--url", live_service, *options)
        assert result.exit_code == 2
        assert reason in result.stderr

    def test_ends_with_2_where_the_picture_cannot_be_read(self, live_service: str, tmp_path: Path) -> None:
        result = clip_senet("search", tmp_path / "none.jpg", "--url", live_service)
        assert result.exit_code == 2
        assert "cannot be read" in result.stderr


class TestServe:
    def serve(self, *options: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "service.cli", "serve", *map(str, options)]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)

    def test_says_that_the_port_is_in_use(self, live_service: str, tmp_path: Path) -> None:
        port = live_service.rpartition(":")[2]
        done = self.serve("--port", port, "--data-dir", tmp_path / "data")
        assert done.returncode == 1
        assert f"port {port}: the port is in use" in done.stderr
        assert "Traceback" not in done.stderr
        assert not (tmp_path / "data").exists()

    def test_does_not_open_itself_to_a_network_without_keys(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("CLIP_SENET_AUTH", "off")
        done = self.serve("--host", "0.0.0.0", "--port", 0, "--data-dir", tmp_path / "data")  # noqa: S104 - that is the point
        assert done.returncode == 1
        assert "no loopback address" in done.stderr
        assert "Traceback" not in done.stderr

    def test_says_in_a_sentence_why_it_cannot_start(self, tmp_path: Path) -> None:
        (tmp_path / "data").write_text("a file where the folder should be")
        done = self.serve("--port", 0, "--data-dir", tmp_path / "data")
        assert done.returncode == 1
        assert "Cannot start: " in done.stderr
        assert "Traceback" not in done.stderr

    def test_says_which_variable_is_misspelt(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("CLIP_SENET_DATABSE_URL", "postgresql://db/senet")
        done = self.serve("--port", 0, "--data-dir", tmp_path / "data")
        assert done.returncode == 1
        assert "wrong: CLIP_SENET_DATABSE_URL is no setting; was CLIP_SENET_DATABASE_URL meant?" in done.stderr
        assert "Traceback" not in done.stderr
        assert not (tmp_path / "data").exists()
