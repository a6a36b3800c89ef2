"""Work in the background goes on whatever goes wrong, and says what did."""

import logging
import time
from collections.abc import Callable, Iterator

import pytest

from index.background import Background
from index.segments.files import StorageError


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


@pytest.mark.parametrize("error", [StorageError("no space left"), KeyError("defect")], ids=["foreseen", "not"])
def test_what_goes_wrong_is_told_once_until_it_is_over(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    steps: Iterator[Exception | bool] = iter([error, error, error, True])

    def step() -> bool:
        outcome = next(steps, False)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    with caplog.at_level(logging.INFO):
        work = Background(step, 0.01)
        try:
            wait_until(lambda: len(caplog.records) == 2)
        finally:
            work.stop()
    told, over = caplog.records
    assert (told.levelno, over.levelno) == (logging.ERROR, logging.INFO)
    assert str(error) in told.getMessage()
    assert (told.exc_info is None) == isinstance(error, StorageError)
    assert work.problem is None


def test_it_looks_at_once_when_woken_but_not_after_an_error() -> None:
    steps = []

    def step() -> bool:
        steps.append(len(steps))
        if len(steps) > 1:
            raise StorageError("no space left")
        return False

    work = Background(step, 30)
    try:
        wait_until(lambda: len(steps) == 1)
        work.wake()
        wait_until(lambda: work.problem is not None)
        work.wake()
        time.sleep(0.05)
        assert len(steps) == 2
    finally:
        work.stop()
