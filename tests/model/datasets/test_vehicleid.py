import json
from collections.abc import Callable
from pathlib import Path

import pytest

from model.datasets import DatasetError, open_dataset
from model.datasets.files import Shelf
from model.datasets.vehicleid import open_vehicleid

MakeTree = Callable[..., Path]

LISTS = {
    "train_test_split/train_list.txt": "0000001 14\n0000002 14\n0000003 15\n",
    "train_test_split/test_list_800.txt": "0279029 23781\n0279028 23781\n0000007 23782\n",
    "train_test_split/test_list_1600.txt": "0279029 23781\n",
}
CROPS = [f"image/{image}.jpg" for image in ("0000001", "0000002", "0000003", "0279029", "0279028", "0000007")]


def test_training_crops(make_tree: MakeTree) -> None:
    folder = make_tree(LISTS, CROPS)
    crops = open_vehicleid(folder).train()
    assert [(crop.path, crop.vehicle, crop.camera) for crop in crops] == [
        (folder / "image" / "0000001.jpg", "14", ""),
        (folder / "image" / "0000002.jpg", "14", ""),
        (folder / "image" / "0000003.jpg", "15", ""),
    ]


def test_a_test_is_one_list_from_which_the_gallery_is_drawn(make_tree: MakeTree) -> None:
    data = open_vehicleid(make_tree(LISTS, CROPS))
    test = data.test()
    assert data.test_names == ("small", "medium", "large")
    assert (test.name, test.rule, test.query) == ("small", "one_per_vehicle", test.gallery)
    assert test.query.vehicles.tolist() == ["23781", "23781", "23782"]
    assert len(data.test("medium").gallery) == 1


def test_the_list_of_the_test_asked_for_is_missing(make_tree: MakeTree) -> None:
    data = open_dataset(make_tree(LISTS, CROPS))
    with pytest.raises(DatasetError, match=r"test_list_2400.txt is not there \(its folder holds test_list_1600.txt, "):
        data.test("large")


@pytest.mark.parametrize("line", ["0279029", "0279029.jpg 23781", "0279029 23781 4", "../0279029 23781"])
def test_malformed_line(make_tree: MakeTree, line: str) -> None:
    folder = make_tree(LISTS | {"train_test_split/train_list.txt": line}, CROPS)
    with pytest.raises(DatasetError, match=r"train_list.txt, line 1, is .*; expected <image> <vehicle>, such as"):
        open_vehicleid(folder).train()


def test_no_lists_at_all(make_tree: MakeTree) -> None:
    with pytest.raises(DatasetError, match=r"train_list.txt is not there \(neither is its folder\)"):
        open_dataset(make_tree({}, CROPS), layout="vehicleid").train()


def test_missing_crop(make_tree: MakeTree) -> None:
    with pytest.raises(
        DatasetError, match=r"lists 0000003.jpg, but .*0000003.jpg is not there: is the data set complete"
    ):
        open_vehicleid(make_tree(LISTS, CROPS[:2])).train()


def test_image_twice_as_two_vehicles(make_tree: MakeTree) -> None:
    folder = make_tree(LISTS | {"train_test_split/train_list.txt": "0000001 14\n0000001 15"}, CROPS)
    with pytest.raises(DatasetError, match="lists 0000001 more than once"):
        open_vehicleid(folder).train()


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("test", "listing", "source", "crops", "vehicles"),
    [
        ("small", "test_list_800.txt", "test_list_800.txt", 6_493, 800),
        ("medium", "test_list_1600.txt", "vehicleid_test_median.json", 13_377, 1_600),
        ("large", "test_list_2400.txt", "vehicleid_test_large.json", 19_777, 2_400),
    ],
)
def test_counts_of_the_lists_as_released(
    protocol: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    test: str,
    listing: str,
    source: str,
    crops: int,
    vehicles: int,
) -> None:
    lines = (protocol / "vehicleid" / source).read_text()
    if source.endswith(".json"):  # kept as JSON where it lies; as released it has the form of the small list
        lines = "".join(f"{row['filename'].removesuffix('.jpg')} {row['vid']}\n" for row in json.loads(lines))
    (tmp_path / "train_test_split").mkdir()
    (tmp_path / "image").mkdir()
    (tmp_path / "train_test_split" / listing).write_text(lines)
    monkeypatch.setattr(Shelf, "need", lambda *_: None)
    found = open_dataset(tmp_path).test(test)
    assert (len(found.gallery), len(found.gallery.identities)) == (crops, vehicles)
