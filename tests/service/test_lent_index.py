"""An index is closed after the last use of it, and not before."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from index.segmented import SegmentedIndex
from service.lent_index import LentIndex, RetiredError


class Closing(SegmentedIndex):
    """Tells when it is closed."""

    closed = 0

    def close(self) -> None:
        self.closed += 1
        super().close()


@pytest.fixture
def index(tmp_path: Path) -> Closing:
    return Closing(4, tmp_path, background=False)


def test_it_is_closed_when_the_last_use_has_ended(index: Closing) -> None:
    lent, using, go_on = LentIndex(index), threading.Event(), threading.Event()

    def use(used: SegmentedIndex) -> int:
        using.set()
        assert go_on.wait(10)
        return used.stats().crops

    with ThreadPoolExecutor(2) as threads:
        answer = threads.submit(lent.ask, use)
        assert using.wait(10)
        retiring = threads.submit(lent.retire)
        with pytest.raises(TimeoutError):
            retiring.result(0.1)
        assert index.closed == 0
        go_on.set()
        assert answer.result(10) == 0
        retiring.result(10)
    assert index.closed == 1


def test_a_retired_one_is_lent_no_more(index: Closing) -> None:
    lent = LentIndex(index)
    lent.retire()
    with pytest.raises(RetiredError):
        lent.ask(lambda used: used.stats())
    lent.retire()
    assert index.closed == 1


def test_a_question_that_fails_is_no_use_that_lasts(index: Closing) -> None:
    lent = LentIndex(index)
    with pytest.raises(ZeroDivisionError):
        lent.ask(lambda _: 1 // 0)
    lent.retire()
    assert index.closed == 1
