"""A data set whose lists say what is learned from and what is tested."""

import re
from collections.abc import Callable
from pathlib import Path

from model.datasets.crops import Crops, DatasetError
from model.datasets.dataset import RetrievalTest
from model.datasets.files import entries, readable


class ListedDataset:
    """The lists of a published data set, each read when it is asked for.

    A vehicle that is learned from and tested makes the figures worthless: as soon as both lists have been read, one
    that stands in both is refused.

    Args:
        folder: Where it lies.
        test_names: Names of its tests.
        read_train: Reads the crops to learn from.
        read_test: Reads the test of a name.
    """

    def __init__(
        self,
        folder: Path,
        test_names: tuple[str, ...],
        read_train: Callable[[], Crops],
        read_test: Callable[[str], RetrievalTest],
    ) -> None:
        self._folder, self._test_names = folder, test_names
        self._read_train, self._read_test = read_train, read_test
        self._learned: frozenset[str] = frozenset()
        self._tested: dict[str, frozenset[str]] = {}

    @property
    def name(self) -> str:
        """What to call it in messages and tables."""
        return set_name(self._folder)

    @property
    def test_names(self) -> tuple[str, ...]:
        """Names that `test` takes; the first is what training chooses its epoch on."""
        return self._test_names

    def train(self) -> Crops:
        """The crops to learn from.

        Raises:
            DatasetError: The list or a crop is missing, a line has another form, or a vehicle is in a test, too.
        """
        crops = self._read_train()
        self._learned = frozenset(crop.vehicle for crop in crops)
        self._refuse_shared()
        return crops

    def test(self, name: str | None = None) -> RetrievalTest:
        """One test; the first of `test_names` where no name is given.

        Raises:
            DatasetError: There is no such test, its list or a crop is missing, a line has another form, or a vehicle is
                in the training list, too.
        """
        name = pick_test(self.name, self._test_names, name)
        test = self._read_test(name)
        self._tested[name] = frozenset(crop.vehicle for part in (test.query, test.gallery) for crop in part)
        self._refuse_shared()
        return test

    def _refuse_shared(self) -> None:
        for name, tested in self._tested.items():
            if both := sorted(self._learned & tested):
                raise DatasetError(
                    f"{self.name} lists {len(both):,} vehicle(s), {both[0]} among them, both to learn from and in the "
                    f"test {name!r}; a vehicle that was learned tells nothing in a test."
                )


def set_name(folder: Path) -> str:
    """What to call the set in a folder: the folder's name, also where the path is "."."""
    return readable(folder.resolve().name)


def pick_test(dataset: str, names: tuple[str, ...], name: str | None) -> str:
    """The name asked for, or the first where none is.

    Args:
        dataset: The data set's name, for the message.
        names: The tests that it has.
        name: The test asked for.

    Raises:
        DatasetError: The data set has no such test, or none at all.
    """
    if name is None and names:
        return names[0]
    if name is None or name not in names:
        asked = "a test" if name is None else f"the test {name!r}"
        has = f"its tests are {', '.join(names)}" if names else "it has none: every crop is to be learned from"
        raise DatasetError(f"{dataset} was asked for {asked}; {has}.")
    return name


def read_list(listing: Path, form: re.Pattern[str], expected: str) -> list[re.Match[str]]:
    """The lines of a list, each taken apart; empty lines are passed over.

    Args:
        listing: A text file.
        form: What a line, without white space around it, must match as a whole; its first group names the crop.
        expected: The form in words, with an example.

    Raises:
        DatasetError: The list is missing, not text or empty, a line has another form, or a crop stands in it twice.
    """
    try:
        text = listing.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        beside = f"its folder holds {entries(listing.parent)}" if listing.parent.is_dir() else "neither is its folder"
        raise DatasetError(
            f"The list {listing} is not there ({beside}); expected a text file with {expected} on each line."
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"The list {listing} cannot be read: {error}.") from error
    found: dict[str, re.Match[str]] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not (line := line.strip()):
            continue
        match = form.fullmatch(line)
        if match is None:
            raise DatasetError(f"{listing}, line {number}, is {line!r}; expected {expected}.")
        if match[1] in found:
            raise DatasetError(f"{listing} lists {match[1]} more than once, the second time in line {number}.")
        found[match[1]] = match
    if not found:
        raise DatasetError(f"{listing} lists no crop; expected {expected} on each line.")
    return list(found.values())
