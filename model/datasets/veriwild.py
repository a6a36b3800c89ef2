"""VERI-Wild: 40,671 vehicles before 174 cameras in a month (Lou et al., CVPR 2019).

Layout as released: crops in `images/<vehicle>/<image>.jpg`, lists in `train_test_split/`, of which there are two kinds:

* `train_list.txt`, `test_3000.txt`, `test_3000_query.txt`, with `<vehicle>/<image>` on each line;
* `train_list_start0.txt`, `test_3000_id.txt`, `test_3000_id_query.txt`, with `<vehicle>/<image>.jpg <label> <camera>`.

The tests of 5,000 and 10,000 vehicles are named alike. Cameras and types stand in `vehicle_info.txt`, with
`<vehicle>/<image>;<camera>;<time>;<model>;<type>;<colour>` on each line; lists that name the camera can do without it.
"""

import re
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from model.datasets.crops import Crops, DatasetError, LabelledCrop
from model.datasets.dataset import RetrievalTest
from model.datasets.files import Shelf, need_images
from model.datasets.listed import ListedDataset, read_list, set_name

_LINE = re.compile(r"((?P<vehicle>\d+)/\d+)(?:\.jpg)?(?:\s+\d+\s+(?P<camera>\d+))?")
_EXPECTED = "<vehicle>/<image>, such as 20342/209528, or <vehicle>/<image>.jpg <label> <camera>"
_TESTS = {"small": 3000, "medium": 5000, "large": 10000}
_EXPECTED_INFO = "<vehicle>/<image>;<camera>;<time>;<model>;<type>;<colour>"


class Seen(NamedTuple):
    """What `vehicle_info.txt` says of a crop."""

    camera: str
    vehicle_type: str | None


def open_veriwild(folder: Path) -> ListedDataset:
    """The benchmark: tests "small", "medium" and "large", of 3,000, 5,000 and 10,000 vehicles with one query each."""
    shelf = Shelf()

    def read(role: str, *listings: str) -> Crops:
        return _read(folder, _first_there(folder / "train_test_split", listings), f"{set_name(folder)} {role}", shelf)

    def test(name: str) -> RetrievalTest:
        size = _TESTS[name]
        query = read(f"{name} query", f"test_{size}_query.txt", f"test_{size}_id_query.txt")
        gallery = read(f"{name} gallery", f"test_{size}.txt", f"test_{size}_id.txt")
        return RetrievalTest(name, query, gallery, "same_vehicle_same_camera")

    return ListedDataset(folder, tuple(_TESTS), lambda: read("train", "train_list.txt", "train_list_start0.txt"), test)


def _first_there(folder: Path, names: tuple[str, ...]) -> Path:
    return next((folder / name for name in names if (folder / name).is_file()), folder / names[0])


def _read(folder: Path, listing: Path, name: str, shelf: Shelf) -> Crops:
    lines = read_list(listing, _LINE, _EXPECTED)
    images, info = folder / "images", listing.with_name("vehicle_info.txt")
    need_images(images, listing)
    if all(line["camera"] for line in lines) and not info.exists():
        seen = {line[1]: Seen(line["camera"], None) for line in lines}
    else:
        seen = _read_info(info, listing, {line[1] for line in lines})
    crops = tuple(LabelledCrop(images / f"{line[1]}.jpg", line["vehicle"], *seen[line[1]]) for line in lines)
    shelf.need((crop.path for crop in crops), listing)
    return Crops(name, crops)


def _read_info(info: Path, listing: Path, wanted: Collection[str]) -> dict[str, Seen]:
    try:
        # Names of models may be in any writing; what is read here is ASCII.
        lines = info.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError as error:
        raise DatasetError(
            f"{info} is not there; expected a line {_EXPECTED_INFO} for each crop of {listing}, which names no cameras."
        ) from error
    except OSError as error:
        raise DatasetError(f"{info} cannot be read: {error.strerror}.") from error
    seen = {}
    for number, line in enumerate(lines, start=1):
        crop, _, rest = line.partition(";")
        if crop in wanted:
            about = rest.split(";")
            if len(about) != len(_EXPECTED_INFO.split(";")) - 1 or not about[0].strip():
                raise DatasetError(f"{info}, line {number}, is {line!r}; expected {_EXPECTED_INFO}.")
            seen[crop] = Seen(about[0].strip(), about[3].strip() or None)
    if len(seen) < len(wanted):
        first = next(crop for crop in sorted(wanted) if crop not in seen)
        raise DatasetError(
            f"{info} says nothing of {len(wanted) - len(seen):,} of the {len(wanted):,} crops of {listing}, "
            f"{first} among them; expected a line {_EXPECTED_INFO} for each."
        )
    return seen
