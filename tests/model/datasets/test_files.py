import os
from collections.abc import Callable
from pathlib import Path

import pytest

from model.datasets import DatasetError
from model.datasets.files import Shelf, entries, find_pictures

MakeTree = Callable[..., Path]


def test_every_folder_is_listed_once(make_tree: MakeTree, monkeypatch: pytest.MonkeyPatch) -> None:
    crops = [f"{vehicle}/{n}.jpg" for vehicle in "ab" for n in range(20)]
    folder = make_tree({}, crops)
    listed: list[str] = []
    list_folder = os.listdir

    def counted(path: str) -> list[str]:
        listed.append(path)
        return list_folder(path)

    monkeypatch.setattr(os, "listdir", counted)
    shelf = Shelf()
    shelf.need((folder / crop for crop in crops), folder)
    shelf.need((folder / crop for crop in crops), folder)
    assert listed == [str(folder / "a"), str(folder / "b")]


def test_a_missing_crop_and_a_crop_in_a_missing_folder(make_tree: MakeTree) -> None:
    folder = make_tree({}, ["a/1.jpg"])
    assert [Shelf().holds(folder / name) for name in ("a/1.jpg", "a/2.jpg", "b/1.jpg", "a/1.jpg/x")] == [
        True,
        False,
        False,
        False,
    ]


def test_a_folder_that_cannot_be_read(make_tree: MakeTree, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make_tree({}, ["a/1.jpg"])

    def refuse(path: str) -> list[str]:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "listdir", refuse)
    with pytest.raises(DatasetError, match=r"The folder .*/a cannot be read: Permission denied"):
        Shelf().holds(folder / "a" / "1.jpg")


def test_pictures_are_found_below_by_their_suffix_and_in_order(make_tree: MakeTree) -> None:
    folder = make_tree({"notes.txt": ""}, ["b/2.PNG", "b/1.jpeg", "a.webp", ".hidden.jpg", ".trash/3.jpg"])
    assert [path.relative_to(folder).as_posix() for path in find_pictures(folder)] == ["a.webp", "b/1.jpeg", "b/2.PNG"]


def test_pictures_behind_links_are_found_once(make_tree: MakeTree, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, other = make_tree({}, ["1.jpg"]), make_tree({}, ["2.jpg"], name="other")
    (folder / "linked").symlink_to(other)
    (other / "back").symlink_to(folder)
    scanned: list[str] = []
    scan = os.scandir

    def counted(path: str) -> object:
        scanned.append(str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", counted)
    assert [path.name for path in find_pictures(folder)] == ["1.jpg", "2.jpg"]
    assert len(scanned) == 3  # round and round it would go as deep as the system lets links lead


def test_a_folder_below_that_cannot_be_read(make_tree: MakeTree, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make_tree({}, ["1.jpg", "locked/2.jpg"])
    scan = os.scandir

    def guarded(path: str) -> object:
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", guarded)
    with pytest.raises(DatasetError, match=r"The folder .*/locked cannot be read: Permission denied"):
        find_pictures(folder)


def test_an_empty_folder(make_tree: MakeTree) -> None:
    with pytest.raises(DatasetError, match=r"set holds no picture: expected crops \(.bmp, .jpeg, .*\), found nothing"):
        find_pictures(make_tree())


def test_a_folder_without_pictures_says_what_it_holds(make_tree: MakeTree) -> None:
    with pytest.raises(DatasetError, match=r"found crops.zip, readme.txt\."):
        find_pictures(make_tree({"readme.txt": "", "crops.zip": ""}))


def test_a_file_instead_of_a_folder(make_tree: MakeTree) -> None:
    folder = make_tree({"crops.zip": ""})
    with pytest.raises(DatasetError, match=r"no folder .*crops.zip: expected crops in it, found that it is a file"):
        find_pictures(folder / "crops.zip")


def test_many_entries_are_cut_short(make_tree: MakeTree) -> None:
    folder = make_tree({}, [f"{n}.jpg" for n in range(1, 7)] + ["a/1.jpg"])
    assert entries(folder, most=3) == "1.jpg, 2.jpg, 3.jpg and 4 more"
