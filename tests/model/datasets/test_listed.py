from collections.abc import Callable
from pathlib import Path

import pytest

from model.datasets import Crops, DatasetError, LabelledCrop, RetrievalTest
from model.datasets.listed import ListedDataset

Make = Callable[..., ListedDataset]


@pytest.fixture
def make_dataset(tmp_path: Path) -> Make:
    """A data set that learns from some vehicles and has tests "first" and "second" of others."""

    def make(learned: str, first: str, second: str) -> ListedDataset:
        def crops(vehicles: str) -> Crops:
            return Crops(vehicles, tuple(LabelledCrop(tmp_path / name, name, "1") for name in vehicles))

        tests = {"first": crops(first), "second": crops(second)}
        return ListedDataset(
            tmp_path,
            tuple(tests),
            lambda: crops(learned),
            lambda name: RetrievalTest(name, tests[name], tests[name], "same_camera"),
        )

    return make


def test_the_first_test_is_what_is_meant_without_a_name(make_dataset: Make) -> None:
    data = make_dataset("ab", "cd", "de")
    assert (data.test().name, data.test("second").name) == ("first", "second")


def test_a_vehicle_may_stand_in_two_tests(make_dataset: Make) -> None:
    data = make_dataset("ab", "cd", "de")
    data.test("first")
    data.test("second")
    assert len(data.train()) == 2


def test_only_what_was_read_is_compared(make_dataset: Make) -> None:
    data = make_dataset("ab", "cd", "be")
    data.train()
    assert len(data.test("first").query) == 2
    with pytest.raises(
        DatasetError, match=r"1 vehicle\(s\), b among them, both to learn from and in the test 'second'"
    ):
        data.test("second")


def test_every_test_that_was_read_is_compared(make_dataset: Make) -> None:
    data = make_dataset("ab", "be", "cd")
    data.test("first")
    data.test("second")
    with pytest.raises(DatasetError, match=r"b among them, both to learn from and in the test 'first'"):
        data.train()


def test_an_unknown_test_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    def unread(name: str = "") -> Crops:
        raise AssertionError(name)

    data = ListedDataset(tmp_path, ("val",), unread, unread)  # type: ignore[arg-type]
    with pytest.raises(DatasetError, match=r"was asked for the test 'large'; its tests are val\."):
        data.test("large")


def test_the_name_of_the_folder_one_stands_in(
    make_dataset: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert (
        ListedDataset(Path(), ("val",), lambda: Crops("", ()), lambda _: make_dataset("", "", "").test()).name
        == tmp_path.name
    )
