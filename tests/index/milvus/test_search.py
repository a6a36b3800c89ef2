"""Which way a search goes, and that each gives the k best or says that it may not."""

from collections.abc import Callable
from uuid import UUID

import numpy as np
import pytest
from numpy.typing import NDArray
from support.indexes import Backend
from support.oracle import Oracle, assert_answer
from support.vectors import unit

from index.contract import Filter, Sighting
from index.milvus.connection import Connection
from index.milvus.index import MilvusIndex

Make = Callable[..., MilvusIndex]

DIMENSION = 16
CROPS = 400


@pytest.fixture
def ways(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which calls of Milvus a search makes."""
    made: list[str] = []
    for name in ("nearest", "pages"):
        real = getattr(Connection, name)

        def noted(
            connection: Connection,
            collection: str,
            *rest: object,
            name: str = name,
            real: object = real,
            **named: object,
        ) -> object:
            if "_crops_" in collection:
                made.append(name)
            return real(connection, collection, *rest, **named)

        monkeypatch.setattr(Connection, name, noted)
    return made


def filled(index: MilvusIndex, vectors: NDArray[np.float32]) -> Oracle:
    oracle = Oracle(lambda held: held)
    for one in (index, oracle):
        one.apply([Sighting(UUID(int=n + 1), "c", row, f"cam-{n % 40}") for n, row in enumerate(vectors)], [], 1)
    return oracle


def spread(count: int = CROPS) -> NDArray[np.float32]:
    return unit(np.random.default_rng(3).standard_normal((count, DIMENSION)))


def assert_right(index: MilvusIndex, oracle: Oracle, k: int, where: Filter, *, complete: bool = True) -> str:
    queries = spread(3)
    answers = index.search(queries, k, where)
    for query, answer in zip(queries, answers, strict=True):
        assert_answer(Backend(lambda *_: index, complete=complete), answer, oracle.ranked(query, where), k, 1)
    assert len({answer.mode for answer in answers}) == 1
    return answers[0].mode


def test_few_candidates_are_all_looked_at_whatever_the_kind(make_index: Make, ways: list[str]) -> None:
    index = make_index(DIMENSION, kind="HNSW", exact_below=10)
    oracle = filled(index, spread())
    ways.clear()
    assert assert_right(index, oracle, 5, Filter("c", camera_ids=frozenset({"cam-1"}))) == "exact"
    assert set(ways) == {"pages"}


def test_an_approximate_search_says_so(make_index: Make, ways: list[str]) -> None:
    index = make_index(DIMENSION, kind="HNSW", exact_below=10)
    oracle = filled(index, spread())
    ways.clear()
    assert assert_right(index, oracle, 5, Filter("c"), complete=False) == "approximate"
    assert ways == ["nearest"]


def test_an_approximate_search_that_finds_too_few_is_done_again_over_all(
    make_index: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = make_index(DIMENSION, kind="HNSW", exact_below=10)
    oracle = filled(index, spread())
    real = Connection.nearest
    monkeypatch.setattr(Connection, "nearest", lambda *args, **named: [hits[:3] for hits in real(*args, **named)])
    assert assert_right(index, oracle, 5, Filter("c")) == "exact"


def test_a_flat_search_is_exact(make_index: Make, ways: list[str]) -> None:
    index = make_index(DIMENSION)
    oracle = filled(index, spread())
    ways.clear()
    assert assert_right(index, oracle, 5, Filter("c")) == "exact"
    assert ways == ["nearest"]


def test_more_ties_than_the_first_look_finds_go_to_the_smaller_ids(make_index: Make, ways: list[str]) -> None:
    index = make_index(DIMENSION)
    vectors = np.repeat(spread(4), 100, axis=0)
    # in descending order of id, so that the ones wanted were stored last
    oracle = Oracle(lambda held: held)
    for one in (index, oracle):
        one.apply([Sighting(UUID(int=CROPS - n), "c", row, "cam") for n, row in enumerate(vectors)], [], 1)
    ways.clear()
    assert assert_right(index, oracle, 5, Filter("c")) == "exact"
    assert ways.count("nearest") > 3


def test_more_asked_than_one_answer_can_hold_is_read_page_by_page(
    make_index: Make, ways: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("index.milvus.search.hits_at_once", lambda _: 50)
    monkeypatch.setattr("index.milvus.connection.rows_at_once", lambda _: 70)
    index = make_index(DIMENSION)
    oracle = filled(index, spread())
    ways.clear()
    assert assert_right(index, oracle, 300, Filter("c")) == "exact"
    assert set(ways) == {"pages"}
    ways.clear()
    assert assert_right(index, oracle, 20, Filter("c")) == "exact"
    assert ways == ["nearest"] * 3  # as many queries at once as one answer can hold


def test_a_wall_of_ties_too_wide_for_any_answer_is_read_page_by_page(
    make_index: Make, ways: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("index.milvus.search.hits_at_once", lambda _: 50)
    index = make_index(DIMENSION)
    oracle = filled(index, np.repeat(spread(1), CROPS, axis=0))
    ways.clear()
    assert assert_right(index, oracle, 5, Filter("c")) == "exact"
    assert set(ways) == {"nearest", "pages"}


def test_what_cannot_match_is_not_asked_for(make_index: Make, ways: list[str]) -> None:
    index = make_index(DIMENSION)
    oracle = filled(index, spread(20))
    ways.clear()
    assert_right(index, oracle, 5, Filter("c", camera_ids=frozenset()))
    assert_right(index, oracle, 5, Filter("c", camera_ids=frozenset({"unseen"})))
    assert_right(index, oracle, 5, Filter("nowhere"))
    assert ways == []


def test_a_dimension_that_a_row_of_sums_cannot_hold_is_refused(make_index: Make) -> None:
    with pytest.raises(ValueError, match="4096 at most"):
        make_index(5000)
