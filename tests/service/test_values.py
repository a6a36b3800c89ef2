"""The description of a kind of value takes what the service takes, and nothing else."""

import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from service.values import MAX_NAME_BYTES, CollectionName, Name, Notes

TEXTS = st.text(st.sampled_from(" \t\n\r\0\x1f\x7f\x9f./a0é中") | st.characters(), max_size=6)
"""Some 30 characters that matter, often; any other now and then, lone surrogates left out: no JSON can hold them."""


def taken(kind: Any, text: str) -> bool:
    try:
        return bool(TypeAdapter(kind).validate_python(text) == text)
    except ValidationError:
        return False


def described(kind: Any, text: str) -> bool:
    schema = TypeAdapter(kind).json_schema()
    fits = schema["minLength"] <= len(text) <= schema["maxLength"]
    return fits and re.search(schema["pattern"].removesuffix("$") + r"\Z", text) is not None


@pytest.mark.parametrize("kind", [Name, CollectionName, Notes], ids=["name", "collection", "notes"])
@given(text=TEXTS.filter(lambda text: not re.search("[\ud800-\udfff]", text)))
@example(text=".")
@example(text="..")
@example(text=" . .")
@example(text="a.b")
@example(text="a/b")
@example(text="a\n")
@example(text="\u2028")
@example(text="\x1c")
def test_descriptions_say_what_is_taken(kind: Any, text: str) -> None:
    assert taken(kind, text) == described(kind, text)


def test_a_name_is_bounded_in_bytes_too() -> None:
    """The one thing that no description can say: a pattern counts characters."""
    longest = "é" * (MAX_NAME_BYTES // 2)
    assert not taken(Name, longest)
    assert not described(Name, longest)
    wide = "\U0001f697" * 200
    assert described(Name, wide)
    assert not taken(Name, wide)
