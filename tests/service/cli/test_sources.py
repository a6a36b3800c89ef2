from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from service.cli.sources import NamePattern, SourceError, find, listed, refuse_repeated


def touch(folder: Path, *names: str) -> None:
    for name in names:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()


class TestNamePattern:
    def test_reads_the_fields_out_of_a_file_name(self) -> None:
        pattern = NamePattern.parse(r"(?P<vehicle>.+)_cam(?P<camera>\d+)\.jpg")
        assert pattern.fields("val/car_0139_cam2.jpg") == {"vehicle_id": "car_0139", "camera_id": "2"}

    def test_reads_folders_where_it_contains_a_slash(self) -> None:
        pattern = NamePattern.parse(r"(?P<camera>[^/]+)/(?P<session>s\d)-(?P<track>\d+)\.png")
        assert pattern.fields("gate/s1-17.png") == {"camera_id": "gate", "session_id": "s1", "track_id": "17"}

    def test_must_match_the_whole_name(self) -> None:
        with pytest.raises(SourceError, match="does not fit"):
            NamePattern.parse(r"cam(?P<camera>\d)").fields("cam1.jpg")

    def test_leaves_out_a_group_that_took_no_part(self) -> None:
        assert NamePattern.parse(r"c(?P<camera>\d)(_(?P<track>\d+))?\.jpg").fields("c1.jpg") == {"camera_id": "1"}

    @pytest.mark.parametrize(
        ("name", "time_format", "zone", "expected"),
        [
            ("2026-11-04T10:00:00+01:00", None, None, "2026-11-04T09:00:00Z"),
            ("2026-11-04T10:00:00.250Z", None, None, "2026-11-04T10:00:00.250000Z"),
            ("20261104_100000", "%Y%m%d_%H%M%S", ZoneInfo("Europe/Berlin"), "2026-11-04T09:00:00Z"),
            ("20260704_100000", "%Y%m%d_%H%M%S", ZoneInfo("Europe/Berlin"), "2026-07-04T08:00:00Z"),
        ],
    )
    def test_turns_times_into_utc(
        self, name: str, time_format: str | None, zone: ZoneInfo | None, expected: str
    ) -> None:
        assert NamePattern.parse(r"(?P<time>.+)", time_format, zone).fields(name) == {"captured_at": expected}

    def test_does_not_guess_a_zone(self) -> None:
        with pytest.raises(SourceError, match="names no zone; give one with --timezone"):
            NamePattern.parse(r"(?P<time>.+)").fields("2026-11-04T10:00:00")

    def test_says_how_to_describe_another_way_of_writing_times(self) -> None:
        with pytest.raises(SourceError, match="--time-format"):
            NamePattern.parse(r"(?P<time>.+)").fields("noon")

    @pytest.mark.parametrize(
        ("text", "reason"),
        [("(", "not a regular expression"), ("a+", "names no group"), ("(?P<plate>.)", "group plate")],
    )
    def test_refuses_a_pattern_that_fills_no_field(self, text: str, reason: str) -> None:
        with pytest.raises(SourceError, match=reason):
            NamePattern.parse(text)


class TestFind:
    def test_takes_pictures_of_a_folder_in_order_with_their_paths_below_it(self, tmp_path: Path) -> None:
        touch(tmp_path, "b/2.JPG", "b/1.png", "a.tiff", "notes.txt", ".cache/3.jpg", "c/.4.jpg")
        assert [one.name for one in find([tmp_path])] == ["a.tiff", "b/1.png", "b/2.JPG"]

    def test_takes_a_named_file_whatever_it_is_called(self, tmp_path: Path) -> None:
        touch(tmp_path, "crop.bin")
        assert [(one.name, one.path) for one in find([tmp_path / "crop.bin"])] == [("crop.bin", tmp_path / "crop.bin")]

    def test_refuses_a_path_that_does_not_exist(self, tmp_path: Path) -> None:
        with pytest.raises(SourceError, match="no file or folder"):
            list(find([tmp_path / "nowhere"]))


class TestListed:
    def test_names_one_file_a_line(self, tmp_path: Path) -> None:
        (tmp_path / "val.txt").write_text("# held out\nb.jpg\n\n  sub/a.jpg  \n")
        named = list(listed(tmp_path / "images", tmp_path / "val.txt"))
        assert [one.name for one in named] == ["b.jpg", "sub/a.jpg"]
        assert named[1].path == tmp_path / "images" / "sub" / "a.jpg"

    def test_refuses_a_list_that_cannot_be_read(self, tmp_path: Path) -> None:
        with pytest.raises(SourceError, match="cannot be read"):
            list(listed(tmp_path, tmp_path / "val.txt"))


def test_two_files_may_not_claim_one_external_id() -> None:
    refuse_repeated(["a", "b"])
    with pytest.raises(SourceError, match=r"'a'.*--prefix"):
        refuse_repeated(["a", "b", "a"])
