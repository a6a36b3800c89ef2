import csv
import io
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from model.datasets import DatasetError, open_dataset
from model.datasets.manifest import open_manifest
from model.synthetic.generation import plan, write_manifest

MakeTree = Callable[..., Path]

CROPS = [f"{n}.jpg" for n in range(4)]
MANIFEST = """file,vehicle,camera,type,caption,split
0.jpg,a,1,car,"a red car, dented",train
1.jpg,b,2,,,train
2.jpg,c,1,truck,,val
3.jpg,c,2,truck,,val
"""


def test_columns_become_labels(make_tree: MakeTree) -> None:
    folder = make_tree({"manifest.csv": MANIFEST}, CROPS)
    train = open_dataset(folder).train()
    assert [(crop.path, crop.vehicle, crop.camera, crop.vehicle_type, crop.caption) for crop in train] == [
        (folder / "0.jpg", "a", "1", "car", "a red car, dented"),
        (folder / "1.jpg", "b", "2", None, None),
    ]


def test_the_other_names_of_columns_and_columns_that_mean_nothing_here(make_tree: MakeTree) -> None:
    table = "colour,description,camera_id,vehicle_id,split,file\nred,a red car,7,a,train,0.jpg\n"
    crop = open_dataset(make_tree({"manifest.csv": table}, CROPS)).train().items[0]
    assert (crop.vehicle, crop.camera, crop.vehicle_type, crop.caption) == ("a", "7", None, "a red car")


def test_the_facing_is_part_of_the_caption_or_the_whole_of_it(make_tree: MakeTree) -> None:
    table = (
        "vehicle,caption,facing,split,file\na,a red car,rear,train,0.jpg\nb,,front,train,1.jpg\nc,a bus,,train,2.jpg\n"
    )
    crops = open_dataset(make_tree({"manifest.csv": table}, ["0.jpg", "1.jpg", "2.jpg"])).train()
    assert [crop.caption for crop in crops] == ["a red car, rear view", "front view", "a bus"]


def test_a_manifest_elsewhere(make_tree: MakeTree) -> None:
    table = make_tree({"labels.csv": MANIFEST}, name="labels") / "labels.csv"
    assert len(open_dataset(make_tree({}, CROPS), manifest=table).test().query) == 2


def test_the_generators_manifest_is_read_as_it_is(make_tree: MakeTree) -> None:
    rows = plan(12, 3, seed=5, queries=4)
    folder = make_tree({}, [row.file for row in rows])
    write_manifest(folder / "manifest.csv", rows)
    test = open_dataset(folder).test()
    for crops, split in ((test.query, "query"), (test.gallery, "gallery")):
        assert [(crop.path.name, crop.vehicle, crop.camera, crop.vehicle_type, crop.caption) for crop in crops] == [
            (row.file, row.vehicle_id, row.camera_id, row.type, f"{row.description}, {row.facing} view")
            for row in rows
            if row.split == split
        ]


def test_a_recording_without_queries_is_divided(make_tree: MakeTree) -> None:
    rows = plan(12, 3, seed=5)
    folder = make_tree({}, [row.file for row in rows])
    write_manifest(folder / "manifest.csv", rows)
    data = open_dataset(folder)
    assert len(data.train()) + len(data.test("val").query) == len(rows)


def test_the_shipped_sample() -> None:
    from model import synthetic

    data = open_dataset(Path(synthetic.__file__).parent / "sample")
    test = data.test()
    assert (data.test_names, test.rule) == (("test",), "same_vehicle_same_camera")
    assert set(test.query.identities) < set(test.gallery.identities)


def test_byte_order_mark_windows_lines_and_spaces_after_commas(make_tree: MakeTree) -> None:
    folder = make_tree({}, CROPS)
    table = "file, vehicle, split\r\n0.jpg , a, train\r\n\r\n"
    (folder / "manifest.csv").write_bytes(table.encode("utf-8-sig"))
    crop = open_dataset(folder).train().items[0]
    assert (crop.path, crop.vehicle, crop.camera) == (folder / "0.jpg", "a", "")


def test_existence_is_asked_of_the_crops_in_use_only(make_tree: MakeTree) -> None:
    data = open_dataset(make_tree({"manifest.csv": MANIFEST}, CROPS[:3]))
    assert len(data.train()) == 2
    with pytest.raises(DatasetError, match=r"manifest.csv lists 3.jpg, but .*3.jpg is not there"):
        data.test()


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (
            "",
            r"has no column file and no column vehicle; expected file, vehicle \(or vehicle_id\), .*, found no column",
        ),
        ("file,camera\n0.jpg,1\n", r"has no column vehicle; expected .*, found file, camera\."),
        ("file;vehicle\n0.jpg;a\n", r"has no column file and no column vehicle; .*, found file;vehicle\."),
        ("file,vehicle,vehicle_id\n0.jpg,a,b\n", r"has both vehicle and vehicle_id; one of them is enough"),
        ("file,vehicle,file\n0.jpg,a,b\n", r"has the column file twice"),
        ("file,vehicle\n", r"lists no crop"),
        ("file,vehicle\n0.jpg\n", r"line 2, has more or fewer cells than the header"),
        ("file,vehicle\n0.jpg,a,b\n", r"line 2, has more or fewer cells than the header"),
        ("file,vehicle\n0.jpg,a\n1.jpg, \n", r"line 3, names no vehicle"),
        ("file,vehicle\n,a\n", r"line 2, names no file"),
        (
            "file,vehicle,split\n0.jpg,a,Train\n",
            r"line 2, has the split 'Train'; expected one of train, val, query, gall",
        ),
        ("file,vehicle,split\n0.jpg,a,train\n1.jpg,b,\n", r"leaves the split of 1 of 2 crops empty"),
        ("file,vehicle\n0.jpg,a\n0.jpg,a\n", r"lists 0.jpg more than once"),
        ('file,vehicle\n0.jpg,"a\n1.jpg,b\n', r"after line 1, is not CSV: unexpected end of data"),
        ('file,"vehicle\n0.jpg,a\n', r"cannot be read as CSV in UTF-8: unexpected end of data"),
    ],
)
def test_unusable_tables(make_tree: MakeTree, table: str, message: str) -> None:
    folder = make_tree({"manifest.csv": table}, CROPS)
    with pytest.raises(DatasetError, match=rf"manifest.csv\b.*{message}"):
        open_dataset(folder).train()


def test_a_table_in_another_encoding(make_tree: MakeTree) -> None:
    folder = make_tree({}, CROPS)
    (folder / "manifest.csv").write_bytes("file,vehicle\n0.jpg,Citroën\n".encode("latin-1"))
    with pytest.raises(DatasetError, match=r"manifest.csv cannot be read as CSV in UTF-8: .*decode byte 0xeb"):
        open_dataset(folder).train()


def test_there_is_no_such_manifest(make_tree: MakeTree) -> None:
    with pytest.raises(DatasetError, match=r"There is no manifest .*gone.csv; expected a CSV or Parquet file with col"):
        open_dataset(make_tree({}, CROPS), manifest=Path("gone.csv")).train()


def write_parquet(path: Path, **columns: object) -> Path:
    parquet.write_table(pa.table(columns), path)
    return path


def test_parquet_is_read_as_csv_is(make_tree: MakeTree) -> None:
    folder = make_tree({}, CROPS)
    write_parquet(
        folder / "manifest.parquet",
        file=CROPS,
        vehicle_id=pa.array([1, 2, 3, 3]),
        camera=pa.array(["north", "south", "north", "south"]).dictionary_encode(),
        split=["train", "train", "val", "val"],
        caption=["a red car", None, None, None],
        seen_at=[0.5, 0.6, 0.7, 0.8],
    )
    data = open_dataset(folder)
    assert [(crop.path, crop.vehicle, crop.camera, crop.caption) for crop in data.train()] == [
        (folder / "0.jpg", "1", "north", "a red car"),
        (folder / "1.jpg", "2", "south", None),
    ]
    assert data.test().rule == "same_vehicle_same_camera"


@pytest.mark.parametrize("vehicle", [1.0, True, b"a"])
def test_parquet_with_other_kinds_of_cells(make_tree: MakeTree, vehicle: object) -> None:
    folder = make_tree({}, CROPS)
    write_parquet(folder / "manifest.parquet", file=CROPS, vehicle=[vehicle] * 4)
    with pytest.raises(
        DatasetError, match=rf"row 1, has {vehicle!r} in column vehicle; expected text or a whole number"
    ):
        open_dataset(folder).train()


def test_parquet_that_is_none(make_tree: MakeTree) -> None:
    with pytest.raises(DatasetError, match=r"manifest.parquet cannot be read as Parquet: "):
        open_dataset(make_tree({"manifest.parquet": "file,vehicle"}, CROPS)).train()


def test_parquet_with_a_column_twice(make_tree: MakeTree) -> None:
    folder = make_tree({}, CROPS)
    table = pa.Table.from_arrays([pa.array(CROPS)] * 3, names=["file", "file", "vehicle"])
    parquet.write_table(table, folder / "manifest.parquet")
    with pytest.raises(DatasetError, match=r"has the column file twice; expected .*, found file, file, vehicle\."):
        open_dataset(folder).train()


def test_parquet_with_text_that_is_not_utf8(make_tree: MakeTree) -> None:
    folder = make_tree({}, CROPS)
    _, offsets, _ = pa.array(["aa"] * 4).buffers()
    vehicles = pa.Array.from_buffers(pa.string(), 4, [None, offsets, pa.py_buffer(b"\xff" * 8)])
    write_parquet(folder / "manifest.parquet", file=CROPS, vehicle=vehicles)
    with pytest.raises(DatasetError, match=r"manifest.parquet cannot be read as Parquet: .*Invalid UTF8"):
        open_dataset(folder).train()


def test_parquet_without_a_vehicle(make_tree: MakeTree) -> None:
    folder = make_tree({}, CROPS)
    write_parquet(folder / "manifest.parquet", file=CROPS)
    with pytest.raises(DatasetError, match=r"has no column vehicle; expected .*, found file\."):
        open_dataset(folder).train()


def test_parquet_where_pyarrow_is_not_installed(make_tree: MakeTree, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make_tree({}, CROPS)
    write_parquet(folder / "manifest.parquet", file=CROPS, vehicle=CROPS)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(DatasetError, match=r"needs pyarrow.*pip install 'clip-senet-service\[train\]'. A CSV manifest"):
        open_dataset(folder).train()


# What a CSV cell can carry unchanged: white space around it is not part of it, and no file name has a NUL.
cell = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Zl", "Zp")), max_size=12).map(str.strip)
row = st.fixed_dictionaries(
    {"file": cell.filter(bool), "vehicle": cell.filter(bool), "camera": cell, "type": cell, "caption": cell}
)
rows = st.lists(row, min_size=1, max_size=5, unique_by=lambda one: one["file"])


@given(rows=rows)
def test_what_was_written_is_read_whatever_it_contains(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, str]]
) -> None:
    folder = tmp_path_factory.mktemp("manifest")
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    (folder / "manifest.csv").write_bytes(text.getvalue().encode())
    write_parquet(folder / "manifest.parquet", **{column: [one[column] for one in rows] for column in rows[0]})
    for name in ("manifest.csv", "manifest.parquet"):
        crops = open_manifest(folder, folder / name)._all
        assert [(crop.path, crop.vehicle, crop.camera, crop.vehicle_type, crop.caption) for crop in crops] == [
            (folder / one["file"], one["vehicle"], one["camera"], one["type"] or None, one["caption"] or None)
            for one in rows
        ]
