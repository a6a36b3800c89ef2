from pathlib import Path

import pytest

from model.datasets import open_dataset
from model.synthetic.__main__ import main
from model.synthetic.generation import MANIFEST, plan, write_manifest
from model.synthetic.veri_layout import arrange_as_veri776, refuse_arranged


def recording(folder: Path) -> Path:
    """Twenty vehicles, five of twenty cameras each; the pictures are their own names."""
    rows = plan(20, 20, 3, passes=5)
    for row in rows:
        (folder / row.file).write_bytes(row.file.encode())
    write_manifest(folder / MANIFEST, rows)
    arrange_as_veri776(folder, rows)
    return folder


def test_it_is_read_as_veri_776(tmp_path: Path) -> None:
    dataset = open_dataset(recording(tmp_path))
    train, test = dataset.train(), dataset.test()
    assert test.rule == "same_vehicle_same_camera"
    assert set(test.gallery.identities) == {"0004", "0008", "0012", "0016", "0020"}
    assert not set(train.identities) & set(test.gallery.identities)
    assert len(train.identities) == 15
    assert {*train.cameras, *test.gallery.cameras} == {f"c{number:03d}" for number in range(1, 21)}


def test_every_crop_is_there_once_and_each_query_also_in_the_gallery(tmp_path: Path) -> None:
    dataset = open_dataset(recording(tmp_path))
    train, test = dataset.train(), dataset.test()
    rows = plan(20, 20, 3, passes=5)
    pictures = [crop.path.read_bytes().decode() for crops in (train, test.gallery) for crop in crops]
    assert sorted(pictures) == sorted(row.file for row in rows)
    gallery = {crop.path.name for crop in test.gallery}
    assert {crop.path.name for crop in test.query} <= gallery
    asked = [(crop.vehicle, crop.camera) for crop in test.query]
    assert len(set(asked)) == len(asked) == len({(crop.vehicle, crop.camera) for crop in test.gallery})


def test_names_keep_vehicle_and_camera_of_the_picture(tmp_path: Path) -> None:
    for crop in open_dataset(recording(tmp_path)).train():
        assert crop.path.read_bytes().decode().startswith(f"v{crop.vehicle}_cam{int(crop.camera[1:])}_")


def test_nothing_else_is_left(tmp_path: Path) -> None:
    left = {path.name for path in recording(tmp_path).iterdir()}
    parts = ("train", "query", "test")
    assert left == {f"image_{part}" for part in parts} | {f"name_{part}.txt" for part in parts}


def test_a_folder_in_this_layout_is_refused_before_anything_is_rendered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    refuse_arranged(tmp_path)
    recording(tmp_path)
    monkeypatch.setattr("model.synthetic.__main__.generate", lambda *_, **__: pytest.fail("rendered"))
    status = main(["--out", str(tmp_path), "--identities", "8", "--cameras", "4", "--layout", "veri776"])
    assert status == 2
    assert "image_train already: choose an empty folder" in "".join(capsys.readouterr().err.split("\n"))
