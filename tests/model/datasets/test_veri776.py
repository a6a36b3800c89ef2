from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from model.datasets import Crops, DatasetError, open_dataset
from model.datasets.files import Shelf
from model.datasets.veri776 import open_veri776

MakeTree = Callable[..., Path]

TRAIN = ["0001_c001_00016450_0.jpg", "0003_c020_00018945_1.jpg"]
QUERY = ["0002_c002_00030600_0.jpg"]
GALLERY = ["0002_c002_00030600_0.jpg", "0002_c003_00084280_0.jpg", "0005_c003_00084285_0.jpg"]
LISTS = {
    f"name_{part}.txt": "\n".join(names)
    for part, names in zip(("train", "query", "test"), (TRAIN, QUERY, GALLERY), strict=True)
}
CROPS = [
    *(f"image_train/{name}" for name in TRAIN),
    *(f"image_query/{name}" for name in QUERY),
    *(f"image_test/{name}" for name in GALLERY),
]
LABELS = """<?xml version="1.0" encoding="gb2312" ?>
<TrainingImages Version="1.0">
    <Items number="2">
        <Item imageName="0001_c001_00016450_0.jpg" vehicleID="0001" cameraID="c001" colorID="5" typeID="8" />
        <Item imageName="0003_c020_00018945_1.jpg" vehicleID="0003" cameraID="c020" colorID="7" typeID="0" />
    </Items>
</TrainingImages>
"""


def labels_of(crops: Crops) -> list[tuple[str, str, str | None]]:
    return [(crop.vehicle, crop.camera, crop.vehicle_type) for crop in crops]


def test_training_crops_carry_vehicle_and_camera_of_their_names(make_tree: MakeTree) -> None:
    folder = make_tree(LISTS, CROPS)
    crops = open_veri776(folder).train()
    assert labels_of(crops) == [("0001", "c001", None), ("0003", "c020", None)]
    assert [crop.path for crop in crops] == [folder / "image_train" / name for name in TRAIN]
    assert crops.name == "set train"


def test_queries_and_gallery_come_from_their_own_folders(make_tree: MakeTree) -> None:
    folder = make_tree(LISTS, CROPS)
    data = open_veri776(folder)
    test = data.test()
    assert data.test_names == (test.name,) == ("test",)
    assert test.rule == "same_vehicle_same_camera"
    assert [crop.path for crop in test.query] == [folder / "image_query" / name for name in QUERY]
    assert [crop.path for crop in test.gallery] == [folder / "image_test" / name for name in GALLERY]
    assert (test.query.name, test.gallery.name) == ("set query", "set gallery")


def test_types_come_from_the_label_file_in_gb2312(make_tree: MakeTree) -> None:
    # Vehicle 3 has type 0 in early copies; the authors' erratum says SUV.
    crops = open_veri776(make_tree(LISTS | {"train_label.xml": LABELS}, CROPS)).train()
    assert [crop.vehicle_type for crop in crops] == ["truck", "suv"]


def test_types_of_queries_and_gallery_come_from_the_label_file_of_the_test(make_tree: MakeTree) -> None:
    labels = LABELS.replace(TRAIN[0], GALLERY[0]).replace(TRAIN[1], GALLERY[1])
    test = open_veri776(make_tree(LISTS | {"train_label.xml": LABELS, "test_label.xml": labels}, CROPS)).test()
    assert [crop.vehicle_type for crop in test.query] == ["truck"]
    assert [crop.vehicle_type for crop in test.gallery] == ["truck", "suv", None]


def test_a_crop_that_the_label_file_leaves_out_has_no_type(make_tree: MakeTree) -> None:
    labels = LABELS.replace("0003_c020_00018945_1.jpg", "0004_c020_00018945_1.jpg")
    crops = open_veri776(make_tree(LISTS | {"train_label.xml": labels}, CROPS)).train()
    assert [crop.vehicle_type for crop in crops] == ["truck", None]


def test_a_damaged_label_file_is_named(make_tree: MakeTree) -> None:
    folder = make_tree(LISTS | {"train_label.xml": LABELS[:200]}, CROPS)
    with pytest.raises(DatasetError, match=r"train_label.xml is not XML: .*; fetch it again, or leave it out"):
        open_veri776(folder).train()


def test_types_that_cannot_be_read(make_tree: MakeTree, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(13, "Permission denied")  # whoever runs the tests may be root, who may read anything

    monkeypatch.setattr("model.datasets.veri776.ET.parse", refused)
    folder = make_tree(LISTS | {"train_label.xml": LABELS}, CROPS)
    with pytest.raises(DatasetError, match=r"train_label.xml cannot be read: Permission denied; make it readable"):
        open_veri776(folder).train()


def test_training_needs_no_test_files_and_the_test_none_of_training(make_tree: MakeTree) -> None:
    trains = make_tree({"name_train.txt": LISTS["name_train.txt"]}, CROPS[:2], name="trains")
    tests = make_tree({name: LISTS[name] for name in ("name_query.txt", "name_test.txt")}, CROPS[2:], name="tests")
    assert len(open_dataset(trains).train()) == 2
    assert len(open_dataset(tests).test().gallery) == 3


@pytest.mark.parametrize("missing", ["name_query.txt", "name_test.txt"])
def test_missing_list(make_tree: MakeTree, missing: str) -> None:
    folder = make_tree({name: text for name, text in LISTS.items() if name != missing}, CROPS)
    with pytest.raises(DatasetError, match=rf"The list .*{missing} is not there \(its folder holds .*name_train.txt\)"):
        open_veri776(folder).test()


def test_missing_folder_of_crops(make_tree: MakeTree) -> None:
    folder = make_tree(LISTS, CROPS[2:])
    with pytest.raises(
        DatasetError, match=r"no folder .*image_train: expected the crops that name_train.txt lists .*image_query/"
    ):
        open_veri776(folder).train()


def test_a_listed_crop_that_is_not_there_and_how_many(make_tree: MakeTree) -> None:
    folder = make_tree(LISTS, [*CROPS[:3], CROPS[4]])
    with pytest.raises(DatasetError, match=r"lists 0002_c002_00030600_0.jpg, but .* and 1 more is not there"):
        open_veri776(folder).test()


@pytest.mark.parametrize(
    "line", ["0002_c002.jpg", "images/0002_c002_00030600_0.jpg", "../0002_c002_00030600_0.jpg", "0002 2"]
)
def test_malformed_line(make_tree: MakeTree, line: str) -> None:
    folder = make_tree(LISTS | {"name_train.txt": f"{TRAIN[0]}\n\n{line}\n"}, CROPS)
    with pytest.raises(
        DatasetError, match=r"name_train.txt, line 3, is '.*'; expected .*such as 0002_c002_00030600_0.jpg"
    ):
        open_veri776(folder).train()


def test_empty_list(make_tree: MakeTree) -> None:
    with pytest.raises(DatasetError, match=r"name_train.txt lists no crop; expected <vehicle>_c<camera>"):
        open_veri776(make_tree(LISTS | {"name_train.txt": "\n \n"}, CROPS)).train()


def test_crop_listed_twice(make_tree: MakeTree) -> None:
    twice = "\n".join([*TRAIN, TRAIN[0]])
    with pytest.raises(DatasetError, match=r"lists 0001_c001_00016450_0.jpg more than once, the second time in line 3"):
        open_veri776(make_tree(LISTS | {"name_train.txt": twice}, CROPS)).train()


@pytest.mark.parametrize("first", ["train", "test"])
def test_a_vehicle_that_is_learned_and_tested(make_tree: MakeTree, first: str) -> None:
    shared = "0005_c001_00000001_0.jpg"
    folder = make_tree(LISTS | {"name_train.txt": shared}, [*CROPS, f"image_train/{shared}"])
    data = open_veri776(folder)
    steps = [data.train, data.test] if first == "train" else [data.test, data.train]
    steps[0]()
    with pytest.raises(
        DatasetError, match=r"lists 1 vehicle\(s\), 0005 among them, both to learn from and in the test 'test'"
    ):
        steps[1]()


def test_a_test_that_does_not_exist(make_tree: MakeTree) -> None:
    with pytest.raises(DatasetError, match=r"set was asked for the test 'small'; its tests are test\."):
        open_veri776(make_tree(LISTS, CROPS)).test("small")


@pytest.fixture
def released(protocol: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The lists as released, without the crops."""
    monkeypatch.setattr(Shelf, "need", lambda *_: None)
    for folder in ("image_train", "image_query", "image_test"):
        (tmp_path / folder).mkdir()
    for source in (protocol / "veri-776").iterdir():
        (tmp_path / source.name).symlink_to(source)
    return tmp_path


@pytest.mark.shared_data
def test_counts_of_the_lists_as_released(released: Path) -> None:
    data = open_dataset(released)
    train, test = data.train(), data.test()
    assert (len(train), len(train.identities), len(np.unique(train.cameras))) == (37_778, 576, 20)
    assert (len(test.query), len(test.query.identities)) == (1_678, 200)
    # Camera 20 sees no vehicle of the test.
    assert (len(test.gallery), len(test.gallery.identities), len(np.unique(test.gallery.cameras))) == (11_579, 200, 19)
    assert {crop.vehicle_type for crop in test.gallery} == {
        *("sedan", "suv", "van", "hatchback", "pickup", "bus", "truck", "estate"),
    }
    assert None not in {crop.vehicle_type for crop in test.query}


@pytest.mark.shared_data
def test_the_released_truth_is_what_the_rule_says(released: Path) -> None:
    """`gt_index.txt` and `jk_index.txt` hold, for each query, the places of true matches and of junk in the gallery."""
    test = open_dataset(released).test()
    vehicles, cameras = test.gallery.vehicles, test.gallery.cameras
    truth, junk = ((released / name).read_text().splitlines() for name in ("gt_index.txt", "jk_index.txt"))
    for query, true_line, junk_line in zip(test.query, truth, junk, strict=True):
        same, seen = vehicles == query.vehicle, cameras == query.camera
        assert [int(place) - 1 for place in true_line.split()] == np.flatnonzero(same & ~seen).tolist()
        assert [int(place) - 1 for place in junk_line.split()] == np.flatnonzero(same & seen).tolist()
