"""Writers beside the work on files: who waits for whom, and what is no longer appended to."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread
from uuid import UUID

import pytest
from support.vectors import unit_rows

from index.changes import checked_batch
from index.contract import Sighting
from index.holdings import Holdings
from index.maintenance import seal
from index.options import IndexOptions

DIMENSION = 8
OPTIONS = IndexOptions(codec="fp32", seal_rows=2, waiting_tables=1, threads=1)
EMBEDDINGS = unit_rows(3, 20, DIMENSION)


@pytest.fixture
def holdings() -> Holdings:
    """With one full table more than may wait."""
    holdings = Holdings(OPTIONS)
    for number in range(2):
        write(holdings, number, sealing=False)
    assert len(holdings.waiting()) > OPTIONS.waiting_tables
    return holdings


def write(holdings: Holdings, number: int, *, sealing: bool = True) -> None:
    """Apply a batch that fills a table."""
    crops = [Sighting(UUID(int=2 * number + one), "c", EMBEDDINGS[2 * number + one], "cam") for one in range(2)]
    batch = checked_batch(crops, [], None, DIMENSION)
    holdings.apply(batch, number + 1, lambda: sealing)


def beside(work: Callable[[], None]) -> Thread:
    """A writer whom nobody waits for longer than they want to, though it waited for ever."""
    thread = Thread(target=work, daemon=True)
    thread.start()
    return thread


def seal_one(holdings: Holdings, folder: Path) -> None:
    name, part, rows = holdings.waiting()[0]
    holdings.take_in(seal(folder, name, part, rows, OPTIONS.span_us))


def test_a_writer_waits_for_the_files_and_no_longer(
    holdings: Holdings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("index.holdings._LONGEST_WAIT_S", 60.0)  # whoever is not told waits in vain
    writer = beside(lambda: write(holdings, 2))
    writer.join(0.2)
    assert writer.is_alive()
    assert holdings.state.watermark == 2
    seal_one(holdings, tmp_path)
    writer.join(10)
    assert holdings.state.watermark == 3
    assert holdings.state.collections["c"].count == 6


def test_a_writer_does_not_wait_where_nobody_writes_files(holdings: Holdings) -> None:
    beside(lambda: write(holdings, 2, sealing=False)).join(10)
    assert holdings.state.watermark == 3


def test_a_writer_that_waits_goes_on_when_the_files_can_no_longer_be_written(
    holdings: Holdings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("index.holdings._LONGEST_WAIT_S", 0.01)
    answers = iter([True, True, True, False])
    batch = checked_batch([Sighting(UUID(int=9), "c", EMBEDDINGS[9], "cam")], [], None, DIMENSION)
    beside(lambda: holdings.apply(batch, 3, lambda: next(answers))).join(10)
    assert holdings.state.watermark == 3
    assert next(answers, None) is None


def test_a_batch_behind_the_last_is_refused_and_changes_nothing() -> None:
    holdings = Holdings(OPTIONS)
    write(holdings, 4)
    with pytest.raises(ValueError, match="watermark 4 is behind 5"):
        write(holdings, 3)
    assert (holdings.state.watermark, holdings.state.collections["c"].count, holdings.changes) == (5, 2, 1)


def test_nothing_is_appended_to_what_was_frozen() -> None:
    holdings = Holdings(IndexOptions(codec="fp32", threads=1))
    write(holdings, 0)
    assert not holdings.waiting()
    frozen = holdings.freeze()
    write(holdings, 1)
    ((_, part, rows),) = holdings.waiting()
    assert (part.count, len(rows)) == (2, 2)
    assert (frozen.state.watermark, frozen.changes, holdings.changes) == (1, 1, 2)
    assert frozen.state.collections["c"].count == 2


def test_tables_are_frozen_when_they_are_old_and_not_before() -> None:
    options = IndexOptions(codec="fp32", threads=1, seal_after=timedelta(minutes=10))
    holdings = Holdings(options)
    write(holdings, 0)
    holdings.freeze_overdue(datetime.now(UTC) + timedelta(minutes=9))
    assert not holdings.waiting()
    holdings.freeze_overdue(datetime.now(UTC) + timedelta(minutes=11))
    assert len(holdings.waiting()) == 1
