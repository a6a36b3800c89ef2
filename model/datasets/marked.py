"""Crops that a name pattern or a manifest describes, as a data set: who is learned from, who is held out."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Literal, get_args

from model.datasets.crops import Crops, DatasetError, LabelledCrop
from model.datasets.dataset import RetrievalTest, Rule
from model.datasets.files import Shelf
from model.datasets.listed import pick_test, set_name

Split = Literal["train", "val", "query", "gallery"]
SPLITS: tuple[Split, ...] = get_args(Split)
HELD_OUT_SHARE = 5
"""One vehicle in so many is held out where nothing says which."""


@dataclass(frozen=True, slots=True)
class MarkedCrop:
    """A crop and what it is for; None where nothing says so."""

    crop: LabelledCrop
    split: Split | None = None


def held_out(vehicle: str) -> bool:
    """Whether a vehicle is one of the fifth that is held out where no split is given.

    It depends on the name alone: a vehicle held out today stays held out when crops are added, on every machine.
    """
    return int.from_bytes(blake2b(vehicle.encode(), digest_size=8).digest()) % HELD_OUT_SHARE == 0


class MarkedDataset:
    """A folder of crops whose labels stand in their names or in a manifest.

    Without splits, or where every crop is marked "gallery", one vehicle in five is held out (`held_out`) as test "val".
    Crops marked "val" are test "val", each ranked against the others; "query" and "gallery" are test "test". What is
    marked so is never learned from: a set without crops marked "train" is for testing only.

    Args:
        folder: The folder of the crops.
        source: What describes them, for messages: the manifest or the pattern.
        read: Reads the descriptions; called once, when they are first asked for.
    """

    def __init__(self, folder: Path, source: str, read: Callable[[], list[MarkedCrop]]) -> None:
        self._folder, self._source, self._read = folder, source, read
        self._shelf = Shelf()

    @property
    def name(self) -> str:
        """What to call it in messages and tables."""
        return set_name(self._folder)

    @property
    def test_names(self) -> tuple[str, ...]:
        """Names that `test` takes: "val", "test", both or none, by the splits that are marked.

        Raises:
            DatasetError: The descriptions cannot be read or contradict each other.
        """
        if self._divides:
            return ("val",)
        return ("val",) * ("val" in self._splits) + ("test",) * ("query" in self._splits)

    def train(self) -> Crops:
        """The crops marked "train", or those of the vehicles that are not held out.

        Raises:
            DatasetError: There are none, one is missing on disk, or the descriptions cannot be used.
        """
        if self._divides:
            return self._crops("train", (crop for crop in self._all if not held_out(crop.vehicle)))
        if "train" not in self._splits:
            raise DatasetError(
                f"{self._source} marks crops as {' and '.join(sorted(self._splits))} and none as train, so there is "
                f"nothing to learn from; mark some as train, or leave the split out to have one vehicle in "
                f"{HELD_OUT_SHARE} held out."
            )
        return self._crops("train", self._marked("train"))

    def test(self, name: str | None = None) -> RetrievalTest:
        """One test.

        Raises:
            DatasetError: There is no such test, a crop of it is missing on disk, or the descriptions cannot be used.
        """
        name = pick_test(self.name, self.test_names, name)
        if name == "test":
            query, gallery = (self._crops(part, self._marked(part)) for part in ("query", "gallery"))
            return RetrievalTest(name, query, gallery, self._rule_of_queries((*query, *gallery)))
        chosen = (crop for crop in self._all if held_out(crop.vehicle)) if self._divides else self._marked("val")
        crops = self._crops(name, chosen)
        return RetrievalTest(name, crops, crops, self._rule(crops.items))

    @cached_property
    def _items(self) -> list[MarkedCrop]:
        items = self._read()
        _refuse_twice(items, self._source)
        _refuse_two_labels(items, self._source)
        _refuse_half_a_test(items, self._source)
        _refuse_learned_and_tested(items, self._source)
        return items

    @property
    def _all(self) -> Iterable[LabelledCrop]:
        return (item.crop for item in self._items)

    @cached_property
    def _splits(self) -> set[Split]:
        return {item.split for item in self._items if item.split is not None}

    @property
    def _divides(self) -> bool:
        # The generator marks every crop of a recording without queries as gallery: that tells nothing apart.
        return self._splits <= {"gallery"}

    def _rule(self, crops: tuple[LabelledCrop, ...]) -> Rule:
        named = sum(bool(crop.camera) for crop in crops)
        if 0 < named < len(crops):
            raise DatasetError(
                f"{self._source} names the camera of {named:,} of the {len(crops):,} crops to be tested; "
                "expected the camera of every one, or of none."
            )
        return "same_vehicle_same_camera" if named else "one_per_vehicle"

    def _rule_of_queries(self, crops: tuple[LabelledCrop, ...]) -> Rule:
        rule = self._rule(crops)
        if rule == "one_per_vehicle":
            raise DatasetError(
                f"{self._source} marks queries and a gallery and names no camera: expected cameras, since a query is "
                "ranked without its own vehicle on its own camera. Name them, or mark the crops as val, so that one "
                "of each vehicle is drawn as gallery."
            )
        return rule

    def _marked(self, split: Split) -> Iterable[LabelledCrop]:
        return (item.crop for item in self._items if item.split == split)

    def _crops(self, part: str, chosen: Iterable[LabelledCrop]) -> Crops:
        items = tuple(chosen)
        if not items:
            vehicles = len({crop.vehicle for crop in self._all})
            raise DatasetError(
                f"{self._source} shows {vehicles} vehicle(s), of which none falls to {part}: by the hash of its name, "
                f"one vehicle in {HELD_OUT_SHARE} is held out. Add vehicles, or mark each crop as train or val in a "
                "manifest."
            )
        self._shelf.need((crop.path for crop in items), self._source)
        return Crops(f"{self.name} {part}", items)


def _refuse_twice(items: list[MarkedCrop], source: str) -> None:
    seen: set[tuple[Path, Split | None]] = set()
    for item in items:
        key = item.crop.path, item.split
        if key in seen:
            raise DatasetError(f"{source} lists {item.crop.path.name} more than once.")
        seen.add(key)


def _refuse_two_labels(items: list[MarkedCrop], source: str) -> None:
    said: dict[Path, tuple[str, str]] = {}
    for crop in (item.crop for item in items):
        vehicle, camera = said.setdefault(crop.path, (crop.vehicle, crop.camera))
        if (vehicle, camera) != (crop.vehicle, crop.camera):
            raise DatasetError(
                f"{source} says of {crop.path.name} that it shows {vehicle!r} on camera {camera!r}, and elsewhere "
                f"{crop.vehicle!r} on camera {crop.camera!r}; one of them is wrong."
            )


def _refuse_half_a_test(items: list[MarkedCrop], source: str) -> None:
    splits = {item.split for item in items}
    if "query" in splits and "gallery" not in splits:
        raise DatasetError(f"{source} marks queries and no gallery to find them in; mark crops as gallery, or as val.")
    if "gallery" in splits and "query" not in splits and splits != {"gallery"}:
        raise DatasetError(f"{source} marks a gallery and no query to search it with; mark crops as query, or as val.")


def _refuse_learned_and_tested(items: list[MarkedCrop], source: str) -> None:
    learned = {item.crop.vehicle for item in items if item.split == "train"}
    tested = {item.crop.vehicle for item in items if item.split != "train"}
    if both := sorted(learned & tested):
        raise DatasetError(
            f"{source} marks crops of {len(both):,} vehicle(s), {both[0]} among them, both as train and for a test; "
            "a vehicle that was learned tells nothing in a test."
        )
