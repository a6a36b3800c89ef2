"""Recordings: the plan's rules, the folder's contents, the command line."""

import csv
from collections import defaultdict
from datetime import datetime
from pathlib import Path

import pytest
from PIL import Image

from model.synthetic import generate, plan
from model.synthetic.__main__ import main
from model.synthetic.camera import FIRST_DAY
from model.synthetic.sample import read_manifest

HEADER = [
    *("file", "vehicle_id", "camera_id", "captured_at", "session_id", "track_id", "split", "type", "colour"),
    *("description", "identity_seed", "camera_seed", "view_seed", "facing", "weather", "along"),
]


class TestPlan:
    def test_is_the_same_for_the_same_seed(self) -> None:
        assert plan(9, 3, 4, queries=2) == plan(9, 3, 4, queries=2)
        assert plan(9, 3, 4) != plan(9, 3, 5)

    def test_every_vehicle_passes_every_camera(self) -> None:
        rows = plan(12, 3, 1)
        assert {(row.vehicle_id, row.camera_id) for row in rows} == {
            (f"v{vehicle:04d}", f"cam{camera}") for vehicle in range(1, 13) for camera in range(1, 4)
        }
        assert len({row.file for row in rows}) == len(rows)

    def test_a_vehicle_may_pass_some_of_the_cameras(self) -> None:
        rows = plan(40, 30, 1, passes=3)
        routes = defaultdict(set)
        for row in rows:
            routes[row.vehicle_id].add(row.camera_id)
        assert {len(route) for route in routes.values()} == {3}
        assert len({camera for route in routes.values() for camera in route}) > 25

    def test_many_cameras_lead_past_midnight(self) -> None:
        days = {(datetime.fromisoformat(row.captured_at) - FIRST_DAY).days for row in plan(60, 60, 1)}
        assert days == {0, 1, 2}

    @pytest.mark.parametrize("passes", [0, 4])
    def test_passes_beyond_the_cameras_are_refused(self, passes: int) -> None:
        with pytest.raises(ValueError, match=r"passes must lie between 1 and the number of cameras \(3\)"):
            plan(2, 3, 1, passes=passes)

    def test_times_are_rfc_3339_within_two_days(self) -> None:
        for row in plan(20, 2, 0):
            assert row.captured_at.endswith("Z")
            assert 0 <= (datetime.fromisoformat(row.captured_at) - FIRST_DAY).days < 2

    def test_a_track_is_one_vehicle_before_one_camera_moving_on(self) -> None:
        tracks = defaultdict(list)
        for row in plan(40, 3, 2, queries=5):
            tracks[row.session_id, row.track_id].append(row)
        assert {len(track) for track in tracks.values()} == {1, 2, 3}
        for track in tracks.values():
            assert len({(row.vehicle_id, row.camera_id, row.split) for row in track}) == 1
            assert [row.captured_at for row in track] == sorted({row.captured_at for row in track})
            assert [row.along for row in track] == sorted({row.along for row in track})

    def test_queries_are_other_views_than_the_gallery(self) -> None:
        rows = plan(10, 3, 3, queries=4)
        queries = [row for row in rows if row.split == "query"]
        gallery = {(row.session_id, row.track_id) for row in rows if row.split == "gallery"}
        assert len({row.vehicle_id for row in queries}) == 4
        assert not gallery & {(row.session_id, row.track_id) for row in queries}

    def test_rows_make_their_parts_again(self) -> None:
        row = plan(3, 2, 7, facings=("side",))[-1]
        assert row.identity().describe() == row.description
        assert (row.identity().body, row.identity().paint.name) == (row.type, row.colour)
        assert row.camera().facing == row.facing == "side"
        assert (row.view().weather, row.view().along) == (row.weather, row.along)

    @pytest.mark.parametrize(
        ("arguments", "options", "words"),
        [
            ((0, 1, 0), {}, "at least one vehicle"),
            ((1, 0, 0), {}, "at least one vehicle and one camera"),
            ((1, 1, -1), {}, "seed must be 0 or more"),
            ((2, 1, 0), {"queries": 3}, r"between 0 and the number of vehicles \(2\), not 3"),
            ((2, 1, 0), {"facings": ("up",)}, "facings must be some of front, rear, side"),
        ],
    )
    def test_bad_arguments_are_named(
        self, arguments: tuple[int, int, int], options: dict[str, object], words: str
    ) -> None:
        with pytest.raises(ValueError, match=words):
            plan(*arguments, **options)  # type: ignore[arg-type]


@pytest.mark.usefixtures("opengl")
class TestGenerate:
    def test_writes_crops_and_manifest(self, tmp_path: Path) -> None:
        seen = []
        rows = generate(tmp_path, 2, 2, 3, queries=1, on_crop=seen.append)
        assert seen == rows == plan(2, 2, 3, queries=1) == read_manifest(tmp_path / "manifest.csv")
        assert {path.name for path in tmp_path.glob("*.jpg")} == {row.file for row in rows}
        with (tmp_path / "manifest.csv").open(encoding="utf-8") as file:
            assert next(csv.reader(file)) == HEADER
        with Image.open(tmp_path / rows[0].file) as picture:
            assert picture.format == "JPEG"
        with pytest.raises(FileExistsError, match="choose an empty folder"):
            generate(tmp_path, 2, 2, 3)

    def test_command_line_tells_its_rate(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        folder = tmp_path / "out"
        assert main(["--out", str(folder), "--identities", "1", "--cameras", "2", "--seed", "5"]) == 0
        assert "per second" in capsys.readouterr().err
        assert (folder / "manifest.csv").exists()


def test_command_line_names_a_bad_argument(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--out", str(tmp_path), "--identities", "0", "--cameras", "2"]) == 2
    assert "at least one vehicle" in capsys.readouterr().err


def test_other_csv_is_no_manifest(tmp_path: Path) -> None:
    path = tmp_path / "manifest.csv"
    path.write_text("file,vehicle\na.jpg,1\n", encoding="utf-8")
    with pytest.raises(ValueError, match="not a manifest of this generator"):
        read_manifest(path)
