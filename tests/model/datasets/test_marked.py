from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.datasets import DatasetError, LabelledCrop
from model.datasets.marked import MarkedCrop, MarkedDataset, Split, held_out

Make = Callable[..., MarkedDataset]

HELD_OUT = ("v3", "v9")
"""Those of the vehicles v0 to v9 that are held out: written down, so that no release moves a vehicle to training."""


@pytest.fixture
def make_dataset(tmp_path: Path) -> Make:
    """A data set of files that are there; rows are vehicle, camera and split."""

    def make(*rows: tuple[str, str, Split | None]) -> MarkedDataset:
        items = []
        for number, (vehicle, camera, split) in enumerate(rows):
            (tmp_path / f"{number}.jpg").touch()
            items.append(MarkedCrop(LabelledCrop(tmp_path / f"{number}.jpg", vehicle, camera), split))
        return MarkedDataset(tmp_path, "labels.csv", lambda: items)

    return make


def test_who_is_held_out_is_the_same_in_every_release() -> None:
    assert tuple(f"v{n}" for n in range(10) if held_out(f"v{n}")) == HELD_OUT


def test_one_vehicle_in_five_is_held_out() -> None:
    assert sum(held_out(f"{n:05}") for n in range(10_000)) == pytest.approx(2_000, rel=0.05)


def test_without_splits_a_fifth_of_the_vehicles_is_the_test(make_dataset: Make) -> None:
    data = make_dataset(*((f"v{n}", camera, None) for n in range(10) for camera in "12"))
    test = data.test()
    assert data.test_names == ("val",)
    assert test.rule == "same_vehicle_same_camera"
    assert test.query is test.gallery
    assert test.gallery.vehicles.tolist() == [vehicle for vehicle in HELD_OUT for _ in "12"]
    assert data.train().identities == sorted({f"v{n}" for n in range(10)} - set(HELD_OUT))


@given(vehicles=st.lists(st.text(), min_size=1, max_size=20), more=st.lists(st.text(), max_size=20))
def test_no_vehicle_is_learned_and_tested_however_many_are_added(vehicles: list[str], more: list[str]) -> None:
    before, after = ({name for name in names if held_out(name)} for names in (vehicles, [*vehicles, *more]))
    assert before == after & set(vehicles)


def test_marked_crops_go_where_they_are_marked_to(make_dataset: Make) -> None:
    data = make_dataset(
        *(("a", "1", "train"), ("b", "1", "val"), ("b", "2", "val"), ("c", "1", "query"), ("c", "2", "gallery"))
    )
    val, test = data.test(), data.test("test")
    assert data.test_names == ("val", "test")
    assert data.train().vehicles.tolist() == ["a"]
    assert (val.query.vehicles.tolist(), val.query) == (["b", "b"], val.gallery)
    assert (test.query.cameras.tolist(), test.gallery.cameras.tolist()) == (["1"], ["2"])
    assert test.rule == "same_vehicle_same_camera"


def test_queries_and_a_gallery_are_for_testing_only(make_dataset: Make) -> None:
    data = make_dataset(("a", "1", "query"), ("a", "2", "gallery"), ("b", "2", "gallery"))
    assert data.test_names == ("test",)
    assert len(data.test().gallery) == 2
    with pytest.raises(
        DatasetError, match=r"marks crops as gallery and query and none as train, so there is nothing to"
    ):
        data.train()


def test_a_gallery_alone_tells_nothing_apart_and_is_divided(make_dataset: Make) -> None:
    data = make_dataset(*((f"v{n}", "1", "gallery") for n in range(10)))
    assert (data.test_names, data.test().query.identities) == (("val",), list(HELD_OUT))


def test_all_to_be_learned_from_leaves_no_test(make_dataset: Make) -> None:
    data = make_dataset(("a", "1", "train"), ("b", "1", "train"))
    assert (data.test_names, len(data.train())) == ((), 2)
    with pytest.raises(DatasetError, match=r"was asked for a test; it has none: every crop is to be learned from"):
        data.test()


def test_without_cameras_a_crop_of_each_vehicle_is_drawn(make_dataset: Make) -> None:
    assert make_dataset(("a", "", "train"), ("b", "", "val"), ("b", "", "val")).test().rule == "one_per_vehicle"


def test_cameras_of_some_crops_only(make_dataset: Make) -> None:
    data = make_dataset(("a", "", "train"), ("b", "1", "val"), ("b", "", "val"))
    assert len(data.train()) == 1
    with pytest.raises(
        DatasetError, match=r"names the camera of 1 of the 2 crops to be tested; expected the camera of ev"
    ):
        data.test()


def test_queries_without_cameras(make_dataset: Make) -> None:
    with pytest.raises(DatasetError, match=r"marks queries and a gallery and names no camera: expected cameras"):
        make_dataset(("a", "", "query"), ("a", "", "gallery")).test()


@pytest.mark.parametrize("second", [("b", "1"), ("a", "2")])
def test_one_picture_with_two_labels(tmp_path: Path, second: tuple[str, str]) -> None:
    crops = [LabelledCrop(tmp_path / "0.jpg", *labels) for labels in (("a", "1"), second)]
    items = [MarkedCrop(crops[0], "query"), MarkedCrop(crops[1], "gallery")]
    with pytest.raises(
        DatasetError,
        match=rf"labels.csv says of 0.jpg that it shows 'a' on camera '1', and elsewhere '{second[0]}' on camera '",
    ):
        MarkedDataset(tmp_path, "labels.csv", lambda: items).test()


def test_a_query_may_be_in_the_gallery_too(tmp_path: Path) -> None:
    (tmp_path / "0.jpg").touch()
    crop = LabelledCrop(tmp_path / "0.jpg", "a", "1")
    test = MarkedDataset(
        tmp_path, "labels.csv", lambda: [MarkedCrop(crop, "query"), MarkedCrop(crop, "gallery")]
    ).test()
    assert test.query.items == test.gallery.items == (crop,)


@pytest.mark.parametrize(
    ("splits", "message"),
    [
        (("train", "query"), "marks queries and no gallery to find them in"),
        (("train", "gallery"), "marks a gallery and no query to search it with"),
        (("val", "gallery"), "marks a gallery and no query to search it with"),
    ],
)
def test_half_a_test(make_dataset: Make, splits: tuple[Split, Split], message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        make_dataset(("a", "1", splits[0]), ("b", "1", splits[1])).test_names  # noqa: B018 - reading is what is tested


@pytest.mark.parametrize("tested", [("val",), ("query", "gallery")])
def test_a_vehicle_that_is_learned_and_tested(make_dataset: Make, tested: tuple[Split, ...]) -> None:
    data = make_dataset(("a", "1", "train"), ("b", "1", "train"), *(("b", "2", split) for split in tested))
    with pytest.raises(
        DatasetError, match=r"marks crops of 1 vehicle\(s\), b among them, both as train and for a test"
    ):
        data.train()


@pytest.mark.parametrize(("vehicle", "part"), [("v0", "val"), ("v3", "train")])
def test_too_few_vehicles_to_hold_one_out(make_dataset: Make, vehicle: str, part: str) -> None:
    data = make_dataset((vehicle, "1", None), (vehicle, "2", None))
    with pytest.raises(
        DatasetError, match=rf"shows 1 vehicle\(s\), of which none falls to {part}: .* Add vehicles, or mark"
    ):
        data.test() if part == "val" else data.train()


def test_descriptions_are_read_once_and_only_when_asked_for(tmp_path: Path) -> None:
    times = []

    def read() -> list[MarkedCrop]:
        times.append(1)
        (tmp_path / "1.jpg").touch()
        return [MarkedCrop(LabelledCrop(tmp_path / "1.jpg", "a", "1"), "train")]

    data = MarkedDataset(tmp_path, "labels.csv", read)
    assert data.name == tmp_path.name
    assert times == []
    data.train()
    data.train()
    assert times == [1]
