"""Frozen attribute sets find what the living vocabulary finds: equality as JSON has it."""

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.attributes import json_equal
from index.contract import Scalar
from index.segments.terms import FrozenAttributes
from index.segments.words import FrozenWords, encoded

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 2),
    st.sampled_from([2**53, 2**53 + 1, 2**60 + 1, float(2**60), -(2**70)]),
    st.floats(),
    st.text(st.characters(exclude_categories=[]), max_size=3),
)
SETS = st.dictionaries(st.sampled_from(["", "colour", "doors", "ключ"]), SCALARS, max_size=3)


def indexed(sets: list[dict[str, Scalar]]) -> FrozenAttributes:
    return FrozenAttributes.indexed(FrozenWords.of(encoded(one) for one in sets))


@given(st.lists(SETS, max_size=12), st.sampled_from(["", "colour", "doors", "none has it"]), SCALARS)
@settings(max_examples=400, deadline=None)
def test_holding_finds_the_sets_whose_value_is_equal(sets: list[dict[str, Scalar]], key: str, value: Scalar) -> None:
    attributes = indexed(sets)
    expected = [
        code for code in range(len(attributes)) if key in attributes[code] and json_equal(attributes[code][key], value)
    ]
    assert attributes.holding(key, value).tolist() == expected


@pytest.mark.parametrize(
    ("held", "asked"),
    list(product([1, 1.0, True, 0, -0.0, False, None, "", "1", 2**60 + 1, float(2**60), 1e300], repeat=2)),
)
def test_each_pair_of_scalars_is_equal_as_json_has_it(held: Scalar, asked: Scalar) -> None:
    found = indexed([{"key": held}, {"other": asked}]).holding("key", asked)
    assert len(found) == json_equal(held, asked)


def test_scalars_that_are_equal_come_back_each_as_it_was() -> None:
    sets: list[dict[str, Scalar]] = [
        {"a": 1},
        {"a": 1.0},
        {"a": True},
        {"a": 2**60 + 1},
        {"b": 1, "a": 2},
        {"a": 2, "b": 1},
    ]
    attributes = indexed(sets)
    assert sorted(repr(attributes[code]) for code in range(len(attributes))) == sorted(map(repr, sets))
