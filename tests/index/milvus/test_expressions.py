"""Filters as expressions: nothing that a user chose is ever in the text, and equality is JSON's."""

import math
import re
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.attributes import json_equal
from index.contract import Filter, Scalar
from index.milvus.expressions import matching
from index.milvus.words import term, word

names = st.text(st.characters(exclude_categories=()), max_size=20)  # lone surrogates and NUL included
scalars: st.SearchStrategy[Scalar] = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), names, st.sampled_from([0, 0.0, -0.0, 1, 1.0, True, "1"])
)
tracks = st.tuples(names, st.none() | names, names)
filters = st.builds(
    Filter,
    collection=names,
    camera_ids=st.none() | st.frozensets(names, max_size=3),
    exclude_camera_ids=st.frozensets(names, max_size=3),
    captured_from=st.none() | st.datetimes(timezones=st.just(UTC)),
    captured_to=st.none() | st.datetimes(timezones=st.just(UTC)),
    tracks=st.none() | st.frozensets(tracks, max_size=3),
    exclude_tracks=st.frozensets(tracks, max_size=3),
    vehicle_ids=st.none() | st.frozensets(names, max_size=3),
    exclude_vehicle_ids=st.frozensets(names, max_size=3),
    attributes=st.dictionaries(names, scalars, max_size=3),
    exclude_ids=st.frozensets(st.uuids(), max_size=3),
)

WORDS = r'\["[0-9a-f]{32}"(?:, "[0-9a-f]{32}")*\]'
CONDITION = re.compile(
    rf"(?:camera|track|vehicle|crop) (?:not )?in {WORDS}|time (?:>=|<) -?\d+|array_contains_all\(terms, {WORDS}\)"
)


@given(filters)
def test_nothing_but_numbers_and_hexadecimal_words_is_said(where: Filter) -> None:
    for condition in matching(where) or []:
        assert CONDITION.fullmatch(condition), condition


@given(filters)
def test_every_condition_of_a_filter_is_said(where: Filter) -> None:
    conditions = matching(where)
    impossible = frozenset() in {where.camera_ids, where.tracks, where.vehicle_ids} or any(
        isinstance(value, float) and math.isnan(value) for value in where.attributes.values()
    )
    assert (conditions is None) == impossible
    if conditions is not None:
        said = " and ".join(conditions)
        for camera in (where.camera_ids or frozenset()) | where.exclude_camera_ids:
            assert word(camera) in said
        for vehicle in (where.vehicle_ids or frozenset()) | where.exclude_vehicle_ids:
            assert word(vehicle) in said
        for track in (where.tracks or frozenset()) | where.exclude_tracks:
            assert word(*track) in said
        for one in where.exclude_ids:
            assert one.hex in said
        for key, value in where.attributes.items():
            assert str(term(key, value)) in said
        assert said.count("time >=") == (where.captured_from is not None or where.captured_to is not None)
        assert said.count("time <") == (where.captured_to is not None)


@given(names, scalars, names, scalars)
def test_words_of_attributes_are_equal_where_json_is(key: str, value: Scalar, other: str, another: Scalar) -> None:
    same = key == other and json_equal(value, another)
    assert (term(key, value) is not None and term(key, value) == term(other, another)) == same


@given(st.lists(st.none() | names, max_size=3), st.lists(st.none() | names, max_size=3))
def test_words_of_names_are_equal_where_the_names_are(left: list[str | None], right: list[str | None]) -> None:
    assert (word(*left) == word(*right)) == (left == right)


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        (1, 1.0, True),
        (True, 1, False),
        ("1", 1, False),
        (None, "null", False),
        (2**60, 2.0**60, True),
        (2**60, 2**60 + 1, False),
        (0, -0.0, True),
        (False, 0, False),
        (10**23, 1e23, False),
        (None, None, True),
    ],
)
def test_equality_of_scalars_a_person_can_check(left: Scalar, right: Scalar, same: bool) -> None:  # noqa: FBT001
    assert (term("a", left) == term("a", right)) == same


def test_a_window_open_to_the_past_leaves_crops_of_unknown_time_out() -> None:
    conditions = matching(Filter("c", captured_to=datetime(2026, 1, 1, tzinfo=UTC)))
    assert conditions == ["time >= -62135596800000000", "time < 1767225600000000"]


def test_an_expression_is_the_same_whatever_the_order_of_a_set() -> None:
    ids = [UUID(int=number) for number in range(9)]
    assert matching(Filter("c", exclude_ids=frozenset(ids))) == matching(Filter("c", exclude_ids=frozenset(ids[::-1])))
