"""Batches on a server without transactions: seen whole or not at all, whoever writes and wherever a writer dies."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import numpy as np
import pytest
from support.indexes import Backend
from support.oracle import Oracle, assert_answer

from index.contract import Filter, Sighting
from index.errors import IndexUnavailableError
from index.milvus.connection import Connection
from index.milvus.index import MilvusIndex
from index.milvus.rows import row_of
from index.milvus.schemas import Names

Make = Callable[..., MilvusIndex]

EAST = np.array([1, 0], dtype=np.float32)
NORTH = np.array([0, 1], dtype=np.float32)
NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
COLLECTIONS = ["a", "b", "new"]


def crop(number: int, collection: str = "a", camera: str = "cam", **columns: object) -> Sighting:
    embedding = EAST if number % 2 else NORTH
    return Sighting(UUID(int=number), collection, embedding, camera, fingerprint=number, **columns)


def found(index: MilvusIndex, collection: str = "a") -> list[int]:
    return sorted(hit.sighting.id.int for hit in index.search(EAST[None], 100, Filter(collection))[0].hits)


def gallery(index: MilvusIndex, collection: str = "a") -> str:
    return Names(index._prefix, index._state.read().epoch).gallery(collection)


def assert_holds(index: MilvusIndex, oracle: Oracle) -> None:
    for collection in COLLECTIONS:
        answer = index.search(EAST[None], 100, Filter(collection))[0]
        ranked = oracle.ranked(EAST, Filter(collection))
        assert_answer(Backend(lambda *_: index), answer, ranked, 100, oracle.watermark)
    stats = index.stats()
    assert {name: (one.crops, one.fingerprint) for name, one in stats.collections.items()} == oracle.sums()
    for collection, (crops, _) in oracle.sums().items():
        assert sum(one.count for one in index.camera_statistics(collection).values()) == crops


BEFORE = [crop(n, "ab"[n % 2], f"cam-{n % 3}", captured_at=NOON + timedelta(hours=n)) for n in range(1, 9)]
UPSERTS = [crop(1, "a"), crop(2, "b", "cam-9"), crop(10, "new"), crop(11, "a")]
DELETES = [UUID(int=3), UUID(int=4)]
EXPIRED = {"a": NOON + timedelta(hours=7), "b": NOON}


class WriterDiedError(Exception):
    """What a test raises where a process would be gone."""


def dies_at(monkeypatch: pytest.MonkeyPatch, index: MilvusIndex, write: int) -> None:
    """Has the index's writes stop, the n-th one before it is done."""
    left = iter(range(write))
    for name in ("upsert", "delete", "create"):
        real = getattr(index._connection, name)

        def counted(*arguments: object, real: Callable[..., None] = real) -> None:
            if next(left, None) is None:
                raise WriterDiedError
            real(*arguments)

        monkeypatch.setattr(index._connection, name, counted)


@pytest.mark.parametrize("successor", ["itself", "another"])
def test_a_batch_whose_writer_dies_at_any_write_is_not_seen_and_can_be_written_again(
    make_index: Make, successor: str
) -> None:
    index, oracle = make_index(), Oracle(lambda vectors: vectors)
    for one in (index, oracle):
        one.apply(BEFORE, [], 5)
    write = 0
    while True:
        with pytest.MonkeyPatch.context() as patch:
            dies_at(patch, index, write)
            try:
                index.apply(UPSERTS, DELETES, 6, EXPIRED)
                break
            except WriterDiedError:
                pass
        assert_holds(index, oracle)
        if successor == "another":
            index = make_index()
            assert_holds(index, oracle)
        write += 1
    oracle.apply(UPSERTS, DELETES, 6, EXPIRED)
    assert write > 8
    assert_holds(index, oracle)
    index.apply([], [], 7)
    oracle.apply([], [], 7)
    assert_holds(make_index(), oracle)


def test_what_a_dead_writer_left_is_gone_after_the_next_batch(
    make_index: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = make_index()
    index.apply([crop(1)], [], 1)
    with monkeypatch.context() as patch:
        patch.setattr(index._state, "publish", lambda *_: (_ for _ in ()).throw(WriterDiedError()))
        with pytest.raises(WriterDiedError):
            index.apply([crop(2), crop(3)], [UUID(int=1)], 2)
    assert (found(index), index.watermark) == ([1], 1)
    index.apply([crop(4)], [], 2)
    assert found(index) == [1, 4]
    assert index._connection.count(gallery(index), "") == 2


def test_rows_of_a_batch_given_up_that_arrive_late_are_never_seen(
    make_index: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = make_index(purge_after=timedelta(seconds=0.5))
    index.apply([crop(1)], [], 1)
    number = index._state.read().batch + 1
    with monkeypatch.context() as patch:
        patch.setattr(index._state, "publish", lambda *_: (_ for _ in ()).throw(WriterDiedError()))
        with pytest.raises(WriterDiedError):
            index.apply([crop(2)], [], 2)
    index.apply([crop(3)], [], 2)
    index._connection.upsert(gallery(index), [row_of(crop(2), NORTH, number)], 100)
    assert found(index) == [1, 3]
    assert index.search(EAST[None], 9, Filter("a"))[0].candidates == 2
    time.sleep(0.6)
    index.maintain()
    assert found(index) == [1, 3]
    assert index._connection.count(gallery(index), "") == 2


def test_processes_share_one_index(make_index: Make) -> None:
    one, other = make_index(), make_index()
    one.apply([crop(1), crop(2)], [], 4)
    assert (found(other), other.watermark) == ([1, 2], 4)
    other.apply([crop(3)], [UUID(int=1)], 5)
    assert (found(one), one.watermark) == ([2, 3], 5)
    with pytest.raises(ValueError, match="watermark 4"):
        one.apply([crop(1)], [], 4)
    # a follower that lost the answer applies the same once more
    one.apply([crop(3)], [UUID(int=1)], 5)
    assert found(other) == [2, 3]
    assert one.stats() == other.stats()


def test_a_writer_holds_the_shared_lock_and_a_search_does_not(make_index: Make) -> None:
    index, held = make_index(), []

    class Lock:
        def __enter__(self) -> None:
            held.append("taken")

        def __exit__(self, *_: object) -> None:
            held.append("let go")

    index._shared_lock = Lock
    found(index)
    assert held == []
    index.apply([crop(1)], [], 1)
    assert held == ["taken", "let go"]
    with pytest.raises(ValueError, match="watermark"):
        index.apply([crop(1)], [], 0)
    assert held == ["taken", "let go"] * 2


def test_a_search_that_began_before_a_batch_sees_the_index_as_it_was(
    make_index: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    index, other = make_index(), make_index()
    index.apply([crop(1), crop(2), crop(3)], [], 1)
    real = index._connection.count

    def meanwhile(name: str, expression: str) -> int:
        monkeypatch.setattr(index._connection, "count", real)
        other.apply([crop(4), crop(2, "b")], [UUID(int=1)], 2, {"a": NOON})
        return real(name, expression)

    monkeypatch.setattr(index._connection, "count", meanwhile)
    answer = index.search(EAST[None], 10, Filter("a"))[0]
    assert sorted(hit.sighting.id.int for hit in answer.hits) == [1, 2, 3]
    assert (answer.candidates, answer.watermark) == (3, 1)
    assert (found(index), found(index, "b")) == ([3, 4], [2])


def test_a_search_during_which_rows_may_have_been_deleted_begins_again(
    make_index: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = make_index(purge_after=timedelta(seconds=0.2))
    other = make_index(purge_after=timedelta(seconds=0.2))
    index.apply([crop(1), crop(2)], [], 1)
    real, looks = index._connection.count, []

    def slow_once(name: str, expression: str) -> int:
        looks.append(expression)
        if len(looks) == 1:
            other.apply([], [UUID(int=1)], 2)
            time.sleep(0.3)
            other.maintain()
            assert real(name, "") == 1
        return real(name, expression)

    monkeypatch.setattr(index._connection, "count", slow_once)
    answer = index.search(EAST[None], 10, Filter("a"))[0]
    assert ([hit.sighting.id.int for hit in answer.hits], answer.watermark, len(looks)) == ([2], 2, 2)


def test_searches_that_never_finish_in_time_are_an_error(make_index: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    index = make_index(purge_after=timedelta(milliseconds=1))
    index.apply([crop(1)], [], 1)
    with pytest.raises(IndexUnavailableError, match="overloaded"):
        found(index)


def test_dead_rows_are_deleted_when_their_time_has_come(make_index: Make) -> None:
    index = make_index(purge_after=timedelta(seconds=0.5))
    index.apply([crop(n, captured_at=NOON) for n in range(1, 6)], [], 1)
    index.apply([crop(1, captured_at=NOON + timedelta(days=1))], [UUID(int=2)], 2)
    index.apply([], [], 3, {"a": NOON + timedelta(hours=1)})
    index.maintain()
    assert (found(index), index._connection.count(gallery(index), "")) == ([1], 6)
    assert index.stats().collections["a"].dead == 5
    time.sleep(0.6)
    index.maintain()
    assert (found(index), index._connection.count(gallery(index), "")) == ([1], 1)
    assert index._connection.count(Names(index._prefix, 0).deaths, "") == 0
    assert index._connection.count(Names(index._prefix, 0).sums, "") == 1
    assert index.stats().collections["a"].dead == 0


def test_a_gallery_without_crops_is_dropped_and_can_come_back(make_index: Make) -> None:
    index, other = make_index(purge_after=timedelta(seconds=0.3)), make_index(purge_after=timedelta(seconds=0.3))
    index.apply([crop(1)], [], 1)
    index.apply([], [UUID(int=1)], 2)
    time.sleep(0.4)
    other.maintain()  # saw nothing published in time
    time.sleep(0.4)
    other.maintain()
    assert gallery(index) not in index._connection.collections()
    assert (found(index), dict(index.stats().collections)) == ([], {})
    index.apply([crop(1)], [], 3)
    assert (found(index), found(other)) == ([1], [1])


def test_a_writer_waits_where_too_many_dead_rows_wait(make_index: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("index.milvus.index._MOST_WAITING", 2)
    index = make_index(purge_after=timedelta(seconds=0.5))
    index.apply([crop(n) for n in range(1, 6)], [], 1)
    index.apply([], [UUID(int=n) for n in range(1, 4)], 2)
    began = time.monotonic()
    index.apply([crop(7)], [], 3)
    assert time.monotonic() - began > 0.3
    assert found(index) == [4, 5, 7]


def test_reset_begins_anew_for_every_process(make_index: Make) -> None:
    index, other = make_index(), make_index()
    index.apply([crop(1), crop(2, "b")], [], 9)
    assert found(other) == [1]
    index.reset()
    for one in (index, other):
        assert (found(one), one.watermark, dict(one.stats().collections)) == ([], 0, {})
    other.apply([crop(3)], [], 1)
    assert (found(index), index.watermark) == ([3], 1)
    held = [name for name in index._connection.collections() if name.startswith(index._prefix)]
    assert len(held) == 4  # state, notes, sums and one gallery


def test_a_search_beside_a_reset_looks_again(make_index: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    index, other = make_index(), make_index()
    index.apply([crop(1)], [], 9)
    real = Connection.count

    def meanwhile(connection: Connection, name: str, expression: str) -> int:
        monkeypatch.setattr(Connection, "count", real)
        other.reset()
        return real(connection, name, expression)

    monkeypatch.setattr(Connection, "count", meanwhile)
    assert found(index) == []
    assert index.watermark == 0


def test_a_state_that_is_lost_is_an_error_and_no_empty_index(make_index: Make) -> None:
    index = make_index()
    index.apply([crop(1)], [], 1)
    index._connection.delete(Names.state_of(index._prefix), "serial >= 0")
    with pytest.raises(IndexUnavailableError, match="lost the state"):
        found(index)
