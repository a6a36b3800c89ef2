from collections.abc import Callable
from pathlib import Path

import pytest

from model.datasets import Dataset, DatasetError, open_dataset
from model.datasets.files import Shelf
from model.datasets.veriwild import open_veriwild

MakeTree = Callable[..., Path]

SPLIT = "train_test_split"
INFO = """id/image;Camera ID;Time;Model;Type;Color
11542/119083;23;2018-03-11 08:05:14;Volkswagen; small-sized truck;white
11542/119082;41;2018-03-12 18:05:14;Volkswagen;;white
20342/209530;101;2018-03-11 08:05:14;Citroën;sedan;dark gray
20342/209528;23;2018-03-11 09:05:14;Volkswagen;sedan;dark gray
20342/209529;90;2018-03-11 10:05:14;Volkswagen;sedan;dark gray
"""
LISTS = {
    f"{SPLIT}/train_list.txt": "11542/119083\n11542/119082\n",
    f"{SPLIT}/test_3000.txt": "20342/209528\n20342/209529\n",
    f"{SPLIT}/test_3000_query.txt": "20342/209530\n",
    f"{SPLIT}/vehicle_info.txt": INFO,
}
NEWER_LISTS = {
    f"{SPLIT}/train_list_start0.txt": "11542/119083.jpg 0 23\n11542/119082.jpg 0 41\n",
    f"{SPLIT}/test_3000_id.txt": "20342/209528.jpg 20342 23\n20342/209529.jpg 20342 90\n",
    f"{SPLIT}/test_3000_id_query.txt": "20342/209530.jpg 20342 101\n",
}
CROPS = [
    f"images/{name}.jpg" for name in ("11542/119083", "11542/119082", "20342/209528", "20342/209529", "20342/209530")
]


def labels_of(data: Dataset) -> list[tuple[str, str, str | None]]:
    test = data.test()
    return [(crop.vehicle, crop.camera, crop.vehicle_type) for crop in (*data.train(), *test.query, *test.gallery)]


def test_cameras_and_types_come_from_the_vehicle_info(make_tree: MakeTree) -> None:
    folder = make_tree(LISTS, CROPS)
    data = open_veriwild(folder)
    assert labels_of(data) == [
        ("11542", "23", "small-sized truck"),
        ("11542", "41", None),
        ("20342", "101", "sedan"),
        ("20342", "23", "sedan"),
        ("20342", "90", "sedan"),
    ]
    assert data.train().items[0].path == folder / "images" / "11542" / "119083.jpg"


def test_a_test_has_a_query_for_each_vehicle(make_tree: MakeTree) -> None:
    data = open_veriwild(make_tree(LISTS, CROPS))
    test = data.test()
    assert data.test_names == ("small", "medium", "large")
    assert (test.name, test.rule, len(test.query), len(test.gallery)) == ("small", "same_vehicle_same_camera", 1, 2)
    assert (test.query.name, test.gallery.name) == ("set small query", "set small gallery")


def test_newer_lists_name_the_camera_themselves(make_tree: MakeTree) -> None:
    data = open_dataset(make_tree(NEWER_LISTS, CROPS))
    assert [(vehicle, camera) for vehicle, camera, _ in labels_of(data)] == [
        ("11542", "23"),
        ("11542", "41"),
        ("20342", "101"),
        ("20342", "23"),
        ("20342", "90"),
    ]


def test_newer_lists_with_the_vehicle_info_know_types(make_tree: MakeTree) -> None:
    folder = make_tree(NEWER_LISTS | {f"{SPLIT}/vehicle_info.txt": INFO}, CROPS)
    assert open_veriwild(folder).test().query.items[0].vehicle_type == "sedan"


def test_lists_without_cameras_need_the_vehicle_info(make_tree: MakeTree) -> None:
    folder = make_tree({name: text for name, text in LISTS.items() if name != f"{SPLIT}/vehicle_info.txt"}, CROPS)
    with pytest.raises(
        DatasetError, match=r"vehicle_info.txt is not there; expected a line <vehicle>/<image>;<camera>;"
    ):
        open_dataset(folder).train()


def test_crops_that_the_vehicle_info_leaves_out(make_tree: MakeTree) -> None:
    info = "\n".join(INFO.splitlines()[:2])
    folder = make_tree(LISTS | {f"{SPLIT}/vehicle_info.txt": info}, CROPS)
    with pytest.raises(
        DatasetError, match=r"says nothing of 1 of the 2 crops of .*train_list.txt, 11542/119082 among them"
    ):
        open_veriwild(folder).train()


@pytest.mark.parametrize("line", ["11542/119083;23;Volkswagen;sedan;white", "11542/119083;;t;Volkswagen;sedan;white"])
def test_malformed_line_of_the_vehicle_info(make_tree: MakeTree, line: str) -> None:
    folder = make_tree(LISTS | {f"{SPLIT}/vehicle_info.txt": f"header\n{line}\n"}, CROPS)
    with pytest.raises(
        DatasetError, match=r"vehicle_info.txt, line 2, is '11542/119083;.*'; expected <vehicle>/<image>;"
    ):
        open_veriwild(folder).train()


def test_a_malformed_line_of_a_crop_not_asked_for_does_no_harm(make_tree: MakeTree) -> None:
    folder = make_tree(LISTS | {f"{SPLIT}/vehicle_info.txt": INFO + "20342/1;oops"}, CROPS)
    assert len(open_veriwild(folder).train()) == 2


@pytest.mark.parametrize("line", ["119083", "11542/119083/1", "11542\\119083", "11542/119083.jpg 0", "../11542/119083"])
def test_malformed_line(make_tree: MakeTree, line: str) -> None:
    folder = make_tree(LISTS | {f"{SPLIT}/train_list.txt": line}, CROPS)
    with pytest.raises(DatasetError, match=r"train_list.txt, line 1, is .*; expected <vehicle>/<image>, such as"):
        open_veriwild(folder).train()


def test_missing_list_of_a_test(make_tree: MakeTree) -> None:
    with pytest.raises(DatasetError, match=r"test_10000_query.txt is not there \(its folder holds test_3000.txt, "):
        open_veriwild(make_tree(LISTS, CROPS)).test("large")


def test_missing_folder_of_crops(make_tree: MakeTree) -> None:
    with pytest.raises(DatasetError, match=r"no folder .*images: expected the crops that train_list.txt lists"):
        open_dataset(make_tree(LISTS)).train()


def test_missing_crops_in_a_missing_folder_of_a_vehicle(make_tree: MakeTree) -> None:
    with pytest.raises(DatasetError, match=r"lists 119083.jpg, but .*119083.jpg and 1 more is not there"):
        open_veriwild(make_tree(LISTS, CROPS[2:])).train()


def test_names_of_models_may_be_in_any_writing(make_tree: MakeTree) -> None:
    folder = make_tree(LISTS, CROPS)
    (folder / SPLIT / "vehicle_info.txt").write_bytes(INFO.encode("latin-1"))
    assert open_veriwild(folder).test().query.items[0].camera == "101"


def test_a_vehicle_info_that_cannot_be_read(make_tree: MakeTree) -> None:
    lists = {path: text for path, text in LISTS.items() if not path.endswith("info.txt")}
    folder = make_tree(lists, [*CROPS, f"{SPLIT}/vehicle_info.txt/unpacked"])
    with pytest.raises(DatasetError, match=r"vehicle_info.txt cannot be read: Is a directory"):
        open_veriwild(folder).test()


@pytest.fixture
def released(protocol: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The lists as released, without the crops; what is known of cameras stands in a vehicle info, the others are 0."""
    monkeypatch.setattr(Shelf, "need", lambda *_: None)
    (tmp_path / "images").mkdir()
    (tmp_path / SPLIT).mkdir()
    about: dict[str, str] = {}
    for source in (protocol / "veri-wild").glob("*_info.txt"):
        about |= dict(line.split(";", 1) for line in source.read_text().splitlines())
    info = []
    for source in set((protocol / "veri-wild").iterdir()) - set((protocol / "veri-wild").glob("*_info.txt")):
        (tmp_path / SPLIT / source.name).symlink_to(source)
        for crop in source.read_text().split():
            camera, rest = about.get(crop, "0;make;type;colour").split(";", 1)
            info.append(f"{crop};{camera};time;{rest}")
    (tmp_path / SPLIT / "vehicle_info.txt").write_text("\n".join(info))
    return tmp_path


@pytest.mark.shared_data
def test_counts_of_the_lists_as_released(released: Path) -> None:
    data = open_dataset(released)
    train = data.train()
    assert (len(train), len(train.identities)) == (277_797, 30_671)
    cameras: set[int] = set()
    for name, vehicles, gallery in (("small", 3_000, 38_861), ("medium", 5_000, 64_389), ("large", 10_000, 128_517)):
        test = data.test(name)
        assert (len(test.query), len(test.query.identities)) == (vehicles, vehicles)
        assert (len(test.gallery), len(test.gallery.identities)) == (gallery, vehicles)
        cameras |= {int(crop.camera) for part in (test.query, test.gallery) for crop in part}
    # The set has 174, numbered from 0. All lists of the tests show 157 of them; of the large gallery and of training
    # the cameras are not at hand.
    assert (len(cameras), min(cameras), max(cameras)) == (157, 0, 173)
