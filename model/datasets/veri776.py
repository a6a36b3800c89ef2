"""VeRi-776: 776 vehicles before 20 cameras (Liu et al., ICME and ECCV 2016).

Layout as released: lists `name_train.txt`, `name_query.txt` and `name_test.txt` of the crops in `image_train/`,
`image_query/` and `image_test/`. A name such as `0002_c002_00030600_0.jpg` is vehicle, camera, frame and a number. The
queries are crops of the gallery, too. `train_label.xml` and `test_label.xml`, where they are there, give types.
"""

import re
from pathlib import Path
from xml.etree import ElementTree as ET

from model.datasets.crops import Crops, DatasetError, LabelledCrop
from model.datasets.dataset import RetrievalTest
from model.datasets.files import Shelf, need_images
from model.datasets.listed import ListedDataset, read_list, set_name

_NAME = re.compile(r"((?P<vehicle>\d{4,})_(?P<camera>c\d{3})_\d+_\d+\.jpg)")
_EXPECTED = "<vehicle>_c<camera>_<frame>_<n>.jpg, such as 0002_c002_00030600_0.jpg"
_TYPES = {
    # Early copies give three vehicles the type 0; by the authors' erratum all three are SUVs.
    "0": "suv",
    "1": "sedan",
    "2": "suv",
    "3": "van",
    "4": "hatchback",
    "5": "mpv",
    "6": "pickup",
    "7": "bus",
    "8": "truck",
    "9": "estate",
}
"""Numbers of the set's `list_type.txt`."""


def open_veri776(folder: Path) -> ListedDataset:
    """The benchmark: its test is "test", 1,678 queries against 11,579 crops in the copy as released."""

    def read(part: str, role: str, labels: str) -> Crops:
        return _read(folder, part, f"{set_name(folder)} {role}", folder / labels)

    def test(name: str) -> RetrievalTest:
        query, gallery = read("query", "query", "test_label.xml"), read("test", "gallery", "test_label.xml")
        return RetrievalTest(name, query, gallery, "same_vehicle_same_camera")

    return ListedDataset(folder, ("test",), lambda: read("train", "train", "train_label.xml"), test)


def _read(folder: Path, part: str, name: str, labels: Path) -> Crops:
    listing, images = folder / f"name_{part}.txt", folder / f"image_{part}"
    lines = read_list(listing, _NAME, _EXPECTED)
    need_images(images, listing)
    types = _types(labels) if labels.is_file() else {}
    crops = tuple(LabelledCrop(images / line[1], line["vehicle"], line["camera"], types.get(line[1])) for line in lines)
    Shelf().need((crop.path for crop in crops), listing)
    return Crops(name, crops)


def _types(labels: Path) -> dict[str, str]:
    # The file says that it is in GB2312, which expat cannot read; every attribute in it is ASCII.
    parser = ET.XMLParser(encoding="iso-8859-1")  # noqa: S314 - a file of the user's own; expat bounds entities
    try:
        items = ET.parse(labels, parser).iter("Item")  # noqa: S314
    except ET.ParseError as error:
        raise DatasetError(f"{labels} is not XML: {error}; fetch it again, or leave it out.") from error
    except OSError as error:
        raise DatasetError(f"{labels} cannot be read: {error.strerror}; make it readable, or leave it out.") from error
    named = ((item.get("imageName", ""), _TYPES.get(item.get("typeID", ""))) for item in items)
    return {name: kind for name, kind in named if kind is not None}
