import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.datasets import DatasetError, open_dataset
from model.datasets.pattern import open_pattern

MakeTree = Callable[..., Path]

PATTERN = r"(?P<vehicle>.+)_cam(?P<camera>\d+)\.jpg"
NAMES = [f"v{vehicle}_cam{camera}.jpg" for vehicle in range(12) for camera in (1, 2)]


def test_vehicle_and_camera_come_from_the_names(make_tree: MakeTree) -> None:
    folder = make_tree({}, NAMES)
    data = open_dataset(folder, pattern=PATTERN)
    test = data.test()
    crops = sorted((*data.train(), *test.query), key=lambda crop: NAMES.index(crop.path.name))
    assert [(crop.path, crop.vehicle, crop.camera) for crop in crops] == [
        (folder / name, name.split("_")[0], name[-5]) for name in NAMES
    ]
    assert test.rule == "same_vehicle_same_camera"
    assert all((crop.vehicle_type, crop.caption) == (None, None) for crop in crops)


def test_type_and_caption_come_from_the_names_where_the_pattern_has_them(make_tree: MakeTree) -> None:
    folder = make_tree({}, ["truck 5 1 a red truck.jpg", "truck 6 1 .jpg"])
    crops = open_pattern(folder, r"(?P<type>\w+) (?P<vehicle>\d+) (?P<camera>\d) (?P<caption>.*)\.jpg").train()
    assert [(crop.vehicle, crop.vehicle_type, crop.caption) for crop in crops] == [
        ("5", "truck", "a red truck"),
        ("6", "truck", None),
    ]


def test_a_pattern_with_a_slash_reads_the_path(make_tree: MakeTree) -> None:
    folder = make_tree({}, [f"north/v{vehicle}/{n}.jpg" for vehicle in range(12) for n in range(2)])
    crops = open_pattern(folder, r"(?P<camera>\w+)/(?P<vehicle>\w+)/\d+\.jpg").train()
    assert {crop.camera for crop in crops} == {"north"}
    assert {crop.vehicle for crop in crops} == {crop.path.parent.name for crop in crops}


def test_a_pattern_without_a_slash_reads_the_name_wherever_the_file_lies(make_tree: MakeTree) -> None:
    folder = make_tree({}, [f"{n % 3}/{name}" for n, name in enumerate(NAMES)])
    data = open_pattern(folder, PATTERN)
    assert len(data.train()) + len(data.test().query) == len(NAMES)


def test_without_a_camera_a_crop_of_each_vehicle_is_drawn(make_tree: MakeTree) -> None:
    test = open_pattern(make_tree({}, NAMES), r"(?P<vehicle>v\d+)_.+").test()
    assert (test.rule, test.query) == ("one_per_vehicle", test.gallery)
    assert set(test.gallery.cameras) == {""}


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a.jpg", "b.jpg"], r"2 of 2 pictures in .*/set do not fit the pattern .*, a.jpg among them"),
        ([*NAMES, "v1_cam1_copy.jpg"], r"1 of 25 pictures .*, v1_cam1_copy.jpg among them; give a pattern that fits"),
        (["xv1_cam1.jpgx.jpg"], r"1 of 1 pictures"),
    ],
)
def test_names_that_do_not_fit(make_tree: MakeTree, names: list[str], message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        open_pattern(make_tree({}, names), PATTERN).train()


def test_a_name_of_which_the_vehicle_is_empty_does_not_fit(make_tree: MakeTree) -> None:
    with pytest.raises(DatasetError, match=r"1 of 1 pictures .* do not fit"):
        open_pattern(make_tree({}, ["_cam1.jpg"]), r"(?P<vehicle>.*)_cam1\.jpg").train()


def test_a_name_that_is_no_text_is_told_in_escapes(make_tree: MakeTree) -> None:
    folder = make_tree({}, ["v1_cam1.jpg"])
    (folder / os.fsdecode(b"caf\xe9_cam1.jpg")).touch()
    with pytest.raises(DatasetError, match=r"The name of caf\\xe9_cam1.jpg in .*/set is not UTF-8, .*; rename it"):
        open_pattern(folder, PATTERN).train()


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("(?P<vehicle>.+", r"is not a regular expression: missing \), unterminated subpattern"),
        (
            r"(?P<camera>.+)\.jpg",
            r"has no group \(\?P<vehicle>\.\.\.\); its groups may be vehicle, camera, type, caption",
        ),
        (r"(?P<vehicle>.+)_(?P<cam>\d)\.jpg", r"names the unknown group cam; its groups may be vehicle, camera"),
    ],
)
def test_an_unusable_pattern_is_refused_at_once(make_tree: MakeTree, pattern: str, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        open_dataset(make_tree({}, NAMES), pattern=pattern)


def test_a_folder_without_pictures(make_tree: MakeTree) -> None:
    with pytest.raises(DatasetError, match=r"set holds no picture"):
        open_dataset(make_tree({"notes.txt": ""}), pattern=PATTERN).train()


word = st.text(st.characters(codec="utf-8", categories=("L", "N"), include_characters="-. "), min_size=1, max_size=8)


@given(vehicle=word, camera=st.integers(0, 999))
def test_any_name_that_was_put_together_by_the_pattern_is_taken_apart_again(
    tmp_path_factory: pytest.TempPathFactory, vehicle: str, camera: int
) -> None:
    folder = tmp_path_factory.mktemp("names")
    name = f"+{vehicle}_cam{camera}.jpg"  # a name that begins with a dot would be hidden
    (folder / name).touch()
    data = open_pattern(folder, re.escape("+") + PATTERN)
    crop = next(iter(data._all))
    assert (crop.vehicle, crop.camera, crop.path) == (vehicle, str(camera), folder / name)
