import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from service.cli.manifests import manifest
from service.cli.sources import SourceError


class TestCsv:
    def read(self, tmp_path: Path, text: str) -> list[tuple[str, dict[str, object]]]:
        (tmp_path / "manifest.csv").write_text(text, encoding="utf-8-sig")
        return [(one.name, one.fields) for one in manifest(tmp_path, tmp_path / "manifest.csv")]

    def test_reads_text_and_json_columns_and_leaves_empty_cells_out(self, tmp_path: Path) -> None:
        text = (
            'file,camera_id,track_id,attributes,bbox\na.jpg,3,007,"{""colour"": ""red""}","[1, 2, 3, 4]"\nb.jpg,4,,,\n'
        )
        assert self.read(tmp_path, text) == [
            ("a.jpg", {"camera_id": "3", "track_id": "007", "attributes": {"colour": "red"}, "bbox": [1, 2, 3, 4]}),
            ("b.jpg", {"camera_id": "4"}),
        ]

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("file,camera\na.jpg,3\n", "unknown column camera"),
            ("camera_id\n3\n", "no column named file"),
            ("file,bbox\na.jpg,1 2 3 4\n", "line 2: bbox is not JSON"),
            ("file,camera_id\na.jpg\n", "line 2 has more or fewer cells"),
            ("file,camera_id\na.jpg,3,4\n", "line 2 has more or fewer cells"),
            ("file,camera_id\n,3\n", "line 2 names no file"),
            ('file,camera_id\n"a.jpg,3\n', "cannot be read as CSV"),
        ],
    )
    def test_refuses_what_it_would_misread(self, tmp_path: Path, text: str, reason: str) -> None:
        with pytest.raises(SourceError, match=reason):
            self.read(tmp_path, text)

    def test_a_cell_may_hold_lines(self, tmp_path: Path) -> None:
        assert self.read(tmp_path, 'file,camera_id\na.jpg,"by the\nharbour"\n') == [
            ("a.jpg", {"camera_id": "by the\nharbour"})
        ]


class TestParquet:
    def read(self, tmp_path: Path, columns: dict[str, Any]) -> list[dict[str, object]]:
        parquet.write_table(pa.table(columns), tmp_path / "manifest.parquet")
        return [one.fields for one in manifest(tmp_path, tmp_path / "manifest.parquet")]

    def test_reads_what_a_csv_would_say(self, tmp_path: Path) -> None:
        columns = {"file": ["a.jpg", "b.jpg"], "camera_id": ["3", None], "bbox": ["[1, 2, 3, 4]", ""]}
        assert self.read(tmp_path, columns) == [{"camera_id": "3", "bbox": [1, 2, 3, 4]}, {}]
        (first, _) = manifest(tmp_path / "images", tmp_path / "manifest.parquet")
        assert (first.name, first.path) == ("a.jpg", tmp_path / "images" / "a.jpg")

    def test_reads_what_only_parquet_can_say(self, tmp_path: Path) -> None:
        moment = datetime(2026, 5, 4, 10, 15, 30, 123_456, tzinfo=timezone(timedelta(hours=2)))
        columns = {
            "file": ["a.jpg"],
            "camera_id": pa.array([3], pa.int32()),
            "captured_at": pa.array([moment], pa.timestamp("us", "Europe/Berlin")),
            "attributes": pa.array([[("colour", "red")]], pa.map_(pa.string(), pa.string())),
            "bbox": pa.array([[1.5, 2, 3, 4]], pa.list_(pa.float32())),
        }
        assert self.read(tmp_path, columns) == [
            {
                "camera_id": "3",
                "captured_at": "2026-05-04T08:15:30.123456Z",
                "attributes": {"colour": "red"},
                "bbox": [1.5, 2, 3, 4],
            }
        ]

    def test_nanoseconds_are_cut_off(self, tmp_path: Path) -> None:
        begun = int(datetime(2026, 5, 4, tzinfo=UTC).timestamp()) * 10**9
        times = pa.array([begun + 1_999], pa.int64()).cast(pa.timestamp("ns", "UTC"))
        (fields,) = self.read(tmp_path, {"file": ["a.jpg"], "captured_at": times})
        assert fields == {"captured_at": "2026-05-04T00:00:00.000001Z"}

    @pytest.mark.parametrize(
        ("columns", "reason"),
        [
            ({"file": ["a.jpg"], "camera": ["3"]}, "unknown column camera"),
            ({"file": [None]}, "row 1 names no file"),
            ({"file": ["a.jpg"], "captured_at": [datetime(2026, 5, 4)]}, "names no zone"),  # noqa: DTZ001
            ({"file": ["a.jpg"], "camera_id": [1.5]}, "row 1 has 1.5 in column camera_id"),
            ({"file": ["a.jpg"], "camera_id": [True]}, "has True in column camera_id"),
            ({"file": ["a.jpg"], "attributes": [{"since": datetime(2026, 5, 4)}]}, "attributes is not JSON"),  # noqa: DTZ001
        ],
    )
    def test_refuses_what_it_would_misread(self, tmp_path: Path, columns: dict[str, Any], reason: str) -> None:
        with pytest.raises(SourceError, match=reason):
            self.read(tmp_path, columns)

    def test_refuses_what_is_no_parquet(self, tmp_path: Path) -> None:
        (tmp_path / "manifest.parquet").write_text("file\na.jpg\n")
        with pytest.raises(SourceError, match="cannot be read as Parquet"):
            list(manifest(tmp_path, tmp_path / "manifest.parquet"))

    def test_says_what_is_missing_where_pyarrow_is(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "pyarrow", None)
        with pytest.raises(SourceError, match=r"clip-senet-service\[parquet\]"):
            list(manifest(tmp_path, tmp_path / "manifest.parquet"))
