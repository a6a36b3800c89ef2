from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model.datasets import DatasetError, read_two_camera


def make_set(folder: Path, names: list[str], split: str = "train") -> Path:
    (folder / "images").mkdir(parents=True)
    for name in names:
        Image.new("RGB", (8, 6), "red").save(folder / "images" / name)
    (folder / f"{split}.txt").write_text("\n".join(names) + "\n")
    return folder


def test_reads_vehicle_camera_and_type_in_the_lists_order(tmp_path: Path) -> None:
    crops = read_two_camera(make_set(tmp_path / "set", ["truck_0002_cam2.jpg", "car_0001_cam1.jpg"]), "train")
    assert [(crop.vehicle, crop.camera, crop.vehicle_type) for crop in crops] == [
        ("truck_0002", "cam2", "truck"),
        ("car_0001", "cam1", "car"),
    ]
    assert crops.name == "set train"
    assert crops.identities == ["car_0001", "truck_0002"]
    assert crops.labels().tolist() == [1, 0]
    assert crops.items[0].open().size == (8, 6)


def test_a_car_and_a_truck_of_one_number_are_two_vehicles(tmp_path: Path) -> None:
    crops = read_two_camera(make_set(tmp_path / "set", ["car_0001_cam1.jpg", "truck_0001_cam1.jpg"]), "train")
    assert len(crops.identities) == 2


def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="There is no folder"):
        read_two_camera(tmp_path / "nowhere", "val")


def test_wrong_layout_says_what_was_expected_and_found(tmp_path: Path) -> None:
    (tmp_path / "image_train").mkdir()
    with pytest.raises(
        DatasetError, match=r"val.txt is not there \(its folder holds image_train/\); expected .*car_0001_cam1.jpg"
    ):
        read_two_camera(tmp_path, "val")


def test_missing_list_of_the_split(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"val.txt is not there \(its folder holds images/, train.txt\)"):
        read_two_camera(make_set(tmp_path / "set", ["car_0001_cam1.jpg"]), "val")


def test_empty_list(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="lists no crop"):
        read_two_camera(make_set(tmp_path / "set", []), "train")


@pytest.mark.parametrize("name", ["0002_c002_00030600_0.jpg", "../car_0001_cam1.jpg", "car_0001_cam1.gif"])
def test_name_of_another_form(tmp_path: Path, name: str) -> None:
    folder = make_set(tmp_path / "set", [])
    (folder / "train.txt").write_text(name)
    with pytest.raises(DatasetError, match=r"expected <type>_<number>_cam<n>\.jpg"):
        read_two_camera(folder, "train")


def test_name_that_stands_twice(tmp_path: Path) -> None:
    folder = make_set(tmp_path / "set", ["car_0001_cam1.jpg"])
    (folder / "train.txt").write_text("car_0001_cam1.jpg\ncar_0001_cam1.jpg")
    with pytest.raises(DatasetError, match="more than once"):
        read_two_camera(folder, "train")


def test_listed_crop_that_is_not_there(tmp_path: Path) -> None:
    folder = make_set(tmp_path / "set", ["car_0001_cam1.jpg"])
    (folder / "images" / "car_0001_cam1.jpg").unlink()
    with pytest.raises(DatasetError, match="is not there"):
        read_two_camera(folder, "train")


def test_crop_that_cannot_be_decoded(tmp_path: Path) -> None:
    folder = make_set(tmp_path / "set", ["car_0001_cam1.jpg"])
    (folder / "images" / "car_0001_cam1.jpg").write_bytes(b"\xff\xd8 cut off")
    crop = read_two_camera(folder, "train").items[0]
    with pytest.raises(DatasetError, match="cannot be decoded"):
        crop.open()


def test_crop_that_vanished_after_reading(tmp_path: Path) -> None:
    crop = read_two_camera(make_set(tmp_path / "set", ["car_0001_cam1.jpg"]), "train").items[0]
    crop.path.unlink()
    with pytest.raises(DatasetError, match="not there"):
        crop.open()


def test_crop_is_turned_upright(tmp_path: Path) -> None:
    folder = make_set(tmp_path / "set", ["car_0001_cam1.jpg"])
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise to see it upright
    Image.new("RGB", (8, 6)).save(folder / "images" / "car_0001_cam1.jpg", exif=exif)
    assert read_two_camera(folder, "train").items[0].open().size == (6, 8)


def test_one_vehicle_is_too_few_to_tell_apart(tmp_path: Path) -> None:
    crops = read_two_camera(make_set(tmp_path / "set", ["car_0001_cam1.jpg", "car_0001_cam2.jpg"]), "train")
    with pytest.raises(DatasetError, match=r"1 vehicle\(s\) in 2 crop\(s\)"):
        crops.need_identities()


@pytest.mark.shared_data
@pytest.mark.parametrize(("split", "vehicles"), [("train", 405), ("val", 102)])
def test_the_real_lists(two_camera: Path, split: str, vehicles: int) -> None:
    crops = read_two_camera(two_camera, split)  # type: ignore[arg-type]
    assert (len(crops), len(crops.identities)) == (2 * vehicles, vehicles)
    assert np.unique(crops.cameras).tolist() == ["cam1", "cam2"]
