"""The two-camera set: one crop of each vehicle from each of two cameras over one road.

Layout: a folder with `images/<type>_<number>_cam<n>.jpg`, and lists `train.txt` and `val.txt`, one file name per line.
Public source: Khoa-Nguyen-Truong/Vehicle-Re-ID-Dataset, Apache License 2.0.
"""

import re
from pathlib import Path
from typing import Literal

from model.datasets.crops import Crops, LabelledCrop
from model.datasets.dataset import RetrievalTest
from model.datasets.files import Shelf, need_folder, need_images
from model.datasets.listed import ListedDataset, read_list, set_name

_NAME = re.compile(r"((?P<vehicle>(?P<type>[a-z]+)_\d+)_cam(?P<camera>\d+)\.(?:jpg|jpeg|png))")
_EXPECTED = "<type>_<number>_cam<n>.jpg, such as car_0001_cam1.jpg"


def open_two_camera(folder: Path) -> ListedDataset:
    """The set: learns from `train.txt`; its test "val" ranks each crop of `val.txt` against the other camera's."""

    def test(name: str) -> RetrievalTest:
        crops = read_two_camera(folder, "val")
        return RetrievalTest(name, crops, crops, "same_camera")

    return ListedDataset(folder, ("val",), lambda: read_two_camera(folder, "train"), test)


def read_two_camera(folder: Path, split: Literal["train", "val"]) -> Crops:
    """Read one list of the two-camera set.

    Args:
        folder: The folder that holds the lists and `images/`.
        split: Which list.

    Returns:
        The crops in the list's order; every file has been seen to exist, none has been decoded.

    Raises:
        DatasetError: The folder, a list or a crop is missing, a name has another form, or a name stands twice.
    """
    need_folder(folder, "the two-camera set: images/, train.txt, val.txt")
    listing, images = folder / f"{split}.txt", folder / "images"
    lines = read_list(listing, _NAME, _EXPECTED)
    need_images(images, listing)
    crops = tuple(
        LabelledCrop(images / line[1], line["vehicle"], f"cam{line['camera']}", line["type"]) for line in lines
    )
    Shelf().need((crop.path for crop in crops), listing)
    return Crops(f"{set_name(folder)} {split}", crops)
