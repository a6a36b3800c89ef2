from collections.abc import Callable
from pathlib import Path

import pytest

from model.datasets import LAYOUTS, DatasetError, open_dataset

MakeTree = Callable[..., Path]

ROW = "file,vehicle,split\n1.jpg,a,train\n"
TREES = {
    "two-camera": ({"train.txt": "car_0001_cam1.jpg"}, ["images/car_0001_cam1.jpg"]),
    "veri776": ({"name_train.txt": "0001_c001_00016450_0.jpg"}, ["image_train/0001_c001_00016450_0.jpg"]),
    "vehicleid": ({"train_test_split/train_list.txt": "0000001 1"}, ["image/0000001.jpg"]),
    "veriwild": ({"train_test_split/train_list.txt": "00001/000001.jpg 0 23"}, ["images/00001/000001.jpg"]),
    "folder": ({"manifest.csv": ROW}, ["1.jpg"]),
}


@pytest.mark.parametrize("layout", TREES)
@pytest.mark.parametrize("named", [True, False])
def test_each_layout_is_opened_by_name_and_by_what_is_there(make_tree: MakeTree, layout: str, *, named: bool) -> None:
    data = open_dataset(make_tree(*TREES[layout]), layout=layout if named else "auto")
    assert (data.name, len(data.train())) == ("set", 1)


def test_every_layout_is_tried_here() -> None:
    assert set(LAYOUTS) == {"auto", *TREES}


@pytest.mark.parametrize(
    ("layout", "sign"),
    [
        ("two-camera", "val.txt"),
        *(("veri776", sign) for sign in ("name_query.txt", "name_test.txt", "image_train/x", "image_test/x")),
        ("vehicleid", "train_test_split/test_list_2400.txt"),
        ("veriwild", "train_test_split/test_5000_query.txt"),
        ("veriwild", "train_test_split/vehicle_info.txt"),
    ],
)
def test_a_partial_copy_gets_the_sentence_of_its_own_reader(make_tree: MakeTree, layout: str, sign: str) -> None:
    example = {
        "two-camera": "car_0001",
        "veri776": "0002_c002",
        "vehicleid": "0279029 23781",
        "veriwild": "20342/209528",
    }
    with pytest.raises(DatasetError, match=rf"The list .* is not there .*{example[layout]}"):
        open_dataset(make_tree({sign: ""})).train()


def test_nothing_that_is_known(make_tree: MakeTree) -> None:
    folder = make_tree({"crops.zip": ""}, ["1.jpg"])
    with pytest.raises(DatasetError) as refused:
        open_dataset(folder)
    for said in (
        *TREES,
        "train.txt",
        "name_query.txt",
        "test_list_800.txt",
        "vehicle_info.txt",
        "manifest.csv",
        "pattern",
    ):
        assert said in str(refused.value)
    assert str(refused.value).endswith("found 1.jpg, crops.zip.")


def test_the_folder_above_the_one_that_is_meant(make_tree: MakeTree, tmp_path: Path) -> None:
    make_tree(*TREES["veri776"], name="VeRi")
    with pytest.raises(DatasetError, match=r"found VeRi/; .*/VeRi looks like veri776\."):
        open_dataset(tmp_path)


def test_two_layouts_in_one_folder(make_tree: MakeTree) -> None:
    folder = make_tree({**TREES["veri776"][0], "manifest.csv": ROW}, ["1.jpg"])
    with pytest.raises(
        DatasetError, match=r"looks like veri776 and like folder \(veri776: image_train/.*name the layout"
    ):
        open_dataset(folder)
    assert len(open_dataset(folder, layout="folder").train()) == 1


def test_there_is_no_such_folder(tmp_path: Path) -> None:
    with pytest.raises(
        DatasetError, match=r"There is no folder .*/gone: expected a data set in it, found that it is not"
    ):
        open_dataset(tmp_path / "gone")


def test_there_is_no_such_layout(tmp_path: Path) -> None:
    with pytest.raises(
        DatasetError, match=r"no layout 'veri'; the layouts are auto, two-camera, veri776, vehicleid, v"
    ):
        open_dataset(tmp_path, layout="veri")


def test_pattern_and_manifest(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="A pattern and a manifest were given"):
        open_dataset(tmp_path, pattern="(?P<vehicle>.+)", manifest=Path("manifest.csv"))


@pytest.mark.parametrize("given", [{"pattern": "(?P<vehicle>.+)"}, {"manifest": Path("manifest.csv")}])
def test_a_benchmark_has_its_own_lists(tmp_path: Path, given: dict[str, str]) -> None:
    with pytest.raises(DatasetError, match="describes a folder of crops; the layout veri776 has its own lists"):
        open_dataset(tmp_path, layout="veri776", **given)  # type: ignore[arg-type]


def test_a_pattern_is_taken_over_the_manifest_that_lies_there(make_tree: MakeTree) -> None:
    data = open_dataset(make_tree(*TREES["folder"]), pattern=r"(?P<vehicle>\d)\.jpg")
    assert data.test().query.identities == ["1"]  # by its name it is held out; by the manifest "a" is learned from


def test_a_folder_without_a_description(make_tree: MakeTree) -> None:
    with pytest.raises(
        DatasetError, match=r"Expected a pattern, a manifest, or manifest.csv or .* found 1.jpg\. Say which"
    ):
        open_dataset(make_tree({}, ["1.jpg"]), layout="folder")


def test_two_manifests_in_one_folder(make_tree: MakeTree) -> None:
    with pytest.raises(DatasetError, match=r"found both\. Say which describes the crops"):
        open_dataset(make_tree({"manifest.csv": ROW, "manifest.parquet": ""}, ["1.jpg"]))
