"""Frozen words: what went in comes out, and is found by what equals it."""

import sys
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.columns import Vocabulary
from index.segments.words import FrozenWords, encoded, frozen, merged

TEXTS = st.text(st.characters(exclude_categories=[]), max_size=6)  # halves of surrogate pairs and NUL included
VALUES = st.one_of(st.none(), TEXTS, st.tuples(st.none() | TEXTS, TEXTS))


def table_of(values: list[object]) -> FrozenWords[object]:
    return FrozenWords.of(encoded(value) for value in values)


@given(st.lists(VALUES, max_size=20))
@settings(max_examples=200, deadline=None)
def test_every_value_comes_back_as_it_was_and_is_found(values: list[object]) -> None:
    words = table_of(values)
    assert {words[code] for code in range(len(words))} == set(values)
    for value in set(values):
        assert [words[code] for code in words.codes([value])] == [value]


@given(st.lists(VALUES, max_size=20), st.lists(VALUES, max_size=20))
@settings(max_examples=200, deadline=None)
def test_a_set_of_values_is_found_as_far_as_it_is_there(values: list[object], wanted: list[object]) -> None:
    words = table_of(values)
    assert {words[code] for code in words.codes(wanted)} == set(values) & set(wanted)


@pytest.mark.parametrize("asked", [1, 60])
def test_one_value_and_most_values_of_a_table_are_found_alike(asked: int) -> None:
    words = table_of([f"camera {number}" for number in range(64)])
    wanted = [f"camera {number}" for number in range(asked)]
    assert sorted(words[code] for code in words.codes([*wanted, "no such camera"])) == sorted(wanted)


def test_none_and_empty_and_alike_looking_texts_are_different_values() -> None:
    values = [None, "", "null", '""', "a", "a\0", "ä", "a\u0308", ("a", "b"), (None, "b"), ("", "b"), '["a","b"]']
    words = table_of(values)
    assert len(words) == len(values)
    for value in values:
        assert [words[code] for code in words.codes([value])] == [value]


def test_a_code_outside_the_table_is_refused() -> None:
    words = table_of(["a", "b"])
    for code in (-1, 2):
        with pytest.raises(IndexError, match="table of 2 values"):
            words[code]


def test_among_marks_the_codes_given_and_no_others() -> None:
    words = table_of(["a", "b", "c"])
    assert words.among(words.codes(["c", "a", "x"])).tolist() == [True, False, True]
    assert words.among(words.codes([])).tolist() == [False, False, False]


def test_freezing_a_column_keeps_its_values_and_drops_those_not_used() -> None:
    vocabulary: Vocabulary[str] = Vocabulary()
    codes = np.array([vocabulary.encode(value) for value in ["b", "unused", "a", "b", "c"]], dtype=np.int32)[
        [0, 2, 3, 4]
    ]
    recoded, words = frozen(codes, vocabulary)
    assert [words[code] for code in recoded] == ["b", "a", "b", "c"]
    assert len(words) == 3


@given(st.lists(st.lists(TEXTS, min_size=1, max_size=8), min_size=1, max_size=4), st.randoms())
@settings(max_examples=100, deadline=None)
def test_merged_columns_keep_their_values_and_drop_those_not_used(parts: list[list[str]], random: object) -> None:
    tables = [table_of([*part, "unused"]) for part in parts]
    columns = [
        np.concatenate([table.codes([value]) for value in part]) for table, part in zip(tables, parts, strict=True)
    ]
    recoded, whole = merged(columns, tables)
    assert [[whole[code] for code in codes] for codes in recoded] == parts
    assert {whole[code] for code in range(len(whole))} == {value for part in parts for value in part}


def test_many_words_take_no_python_objects() -> None:
    count = 200_000
    text = b"".join(b'["s","%06d"]' % number for number in range(count))
    offsets = np.arange(count + 1) * (len(text) // count)
    tracemalloc.start()
    words: FrozenWords[tuple[str, str]] = FrozenWords(offsets, np.frombuffer(text, dtype=np.uint8))
    found = words.codes([("s", "123456"), ("s", "nobody")])
    taken = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.tolist() == [123_456]
    assert taken < 20_000, f"{taken} bytes beside the arrays, of which {sys.getsizeof(words)} are the table itself"
