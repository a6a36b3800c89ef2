"""VehicleID: 26,267 vehicles from the front or the rear, cameras unknown (Liu et al., CVPR 2016).

Layout as released (VehicleID_V1.0): crops in `image/<image>.jpg`, lists in `train_test_split/`, one `<image> <vehicle>`
per line: `train_list.txt`, and `test_list_800.txt`, `_1600` and `_2400` for the tests by number of vehicles.
"""

import re
from pathlib import Path

from model.datasets.crops import Crops, LabelledCrop
from model.datasets.dataset import RetrievalTest
from model.datasets.files import Shelf, need_images
from model.datasets.listed import ListedDataset, read_list, set_name

_LINE = re.compile(r"(\d+)\s+(?P<vehicle>\d+)")
_EXPECTED = "<image> <vehicle>, such as 0279029 23781"
_TESTS = {"small": "test_list_800.txt", "medium": "test_list_1600.txt", "large": "test_list_2400.txt"}


def open_vehicleid(folder: Path) -> ListedDataset:
    """The benchmark: tests "small", "medium" and "large", of 800, 1,600 and 2,400 vehicles in the copy as released."""
    shelf = Shelf()

    def read(listing: str, role: str) -> Crops:
        return _read(folder, folder / "train_test_split" / listing, f"{set_name(folder)} {role}", shelf)

    def test(name: str) -> RetrievalTest:
        crops = read(_TESTS[name], name)
        return RetrievalTest(name, crops, crops, "one_per_vehicle")

    return ListedDataset(folder, tuple(_TESTS), lambda: read("train_list.txt", "train"), test)


def _read(folder: Path, listing: Path, name: str, shelf: Shelf) -> Crops:
    lines = read_list(listing, _LINE, _EXPECTED)
    images = folder / "image"
    need_images(images, listing)
    crops = tuple(LabelledCrop(images / f"{line[1]}.jpg", line["vehicle"], "") for line in lines)
    shelf.need((crop.path for crop in crops), listing)
    return Crops(name, crops)
