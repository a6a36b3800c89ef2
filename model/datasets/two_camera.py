"""The two-camera set: one crop of each vehicle from each of two cameras over one road.

Layout: a folder with `images/<type>_<number>_cam<n>.jpg`, and lists `train.txt` and `val.txt`, one file name per line.
Public source: Khoa-Nguyen-Truong/Vehicle-Re-ID-Dataset, Apache License 2.0.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from model.datasets.crops import Crops, DatasetError, LabelledCrop
from model.datasets.dataset import RetrievalTest
from model.datasets.marked import pick_test

_NAME = re.compile(r"(?P<vehicle>(?P<type>[a-z]+)_\d+)_cam(?P<camera>\d+)\.(?:jpg|jpeg|png)")


@dataclass(frozen=True, slots=True)
class TwoCamera:
    """The two-camera set as a data set: learns from `train.txt`, tests on `val.txt` across the cameras."""

    folder: Path

    @property
    def name(self) -> str:
        """What to call it in messages and tables."""
        return self.folder.resolve().name

    @property
    def test_names(self) -> tuple[str, ...]:
        """Names that `test` takes."""
        return ("val",)

    def train(self) -> Crops:
        """The crops of `train.txt`; see `read_two_camera`."""
        return read_two_camera(self.folder, "train")

    def test(self, name: str | None = None) -> RetrievalTest:
        """The crops of `val.txt`, each ranked against those of the other camera; see `read_two_camera`."""
        name = pick_test(self.name, self.test_names, name)
        crops = read_two_camera(self.folder, "val")
        return RetrievalTest(name, crops, crops, "same_camera")


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
    if not folder.is_dir():
        raise DatasetError(
            f"There is no folder {folder}; expected the two-camera set (images/, train.txt, val.txt) there."
        )
    listing, images = folder / f"{split}.txt", folder / "images"
    if not listing.is_file() or not images.is_dir():
        found = ", ".join(sorted(entry.name for entry in folder.iterdir())[:8]) or "nothing"
        raise DatasetError(f"{folder} is not the two-camera set: expected {split}.txt and images/, found {found}.")
    names = [line.strip() for line in listing.read_text(encoding="utf-8").splitlines() if line.strip()]
    if not names:
        raise DatasetError(f"{listing} lists no crop.")
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise DatasetError(f"{listing} lists {twice} more than once.")
    return Crops(f"{folder.name} {split}", tuple(_crop(images, name, listing) for name in names))


def _crop(images: Path, name: str, listing: Path) -> LabelledCrop:
    match = _NAME.fullmatch(name)
    if match is None:
        raise DatasetError(f"{listing} lists {name!r}; expected <type>_<number>_cam<n>.jpg, such as car_0001_cam1.jpg.")
    path = images / name
    if not path.is_file():
        raise DatasetError(f"{listing} lists {name}, but {path} is not there: is the data set complete?")
    return LabelledCrop(path, match["vehicle"], f"cam{match['camera']}", match["type"])
