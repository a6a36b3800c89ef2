"""The distinct values of a column, frozen: a sorted table of texts that is searched where it lies in a file.

A value is kept as its JSON text in UTF-8. JSON tells apart all that a column may hold (None from "", 1 from 1.0 from
true) and gives back exactly what went in. The texts stand in ascending order one behind the other, with a table of
where each begins; a value is found by bisection. So a table of a million values, mapped from its file, takes no Python
object of its own and next to no memory of the process.
"""

import json
from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, Final, Generic, Protocol, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

Value = TypeVar("Value")
Value_co = TypeVar("Value_co", covariant=True)

_ENCODE: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_ERRORS: Final = "surrogatepass"  # half of a surrogate pair is no UTF-8, but Python and JSON let it into a text


class Values(Protocol[Value_co]):
    """Distinct values by number, like those of `index.columns.Vocabulary`."""

    def __len__(self) -> int: ...

    def __getitem__(self, code: int, /) -> Value_co: ...


def encoded(value: object) -> bytes:
    """A value as the tables keep it: str, None, a tuple of these, or a flat mapping of JSON scalars."""
    # an encoder takes ten times as long for a list of two texts as for the texts
    text = f"[{','.join(map(_ENCODE, value))}]" if isinstance(value, tuple) else _ENCODE(value)
    return text.encode("utf-8", _ERRORS)


class FrozenWords(Generic[Value]):
    """Numbers the distinct values of a column: 0, 1, 2 ... in the order of their encoded texts.

    Args:
        offsets: Where each text begins, and where the last ends, shape (values + 1,), int64.
        text: The texts, ascending, one behind the other, uint8.
    """

    def __init__(self, offsets: NDArray[np.int64], text: NDArray[np.uint8]) -> None:
        self.offsets = offsets
        self.text = text
        self._offsets = offsets.data  # an item of a memoryview is an int at once, without a NumPy scalar
        self._text = text.data

    @classmethod
    def of(cls, texts: Iterable[bytes]) -> "FrozenWords[Value]":
        """A table of encoded values, in any order, the same more than once if need be."""
        # sorting what consists of sorted runs is next to no work
        return cls.of_ascending(list(dict.fromkeys(sorted(texts))))

    @classmethod
    def of_ascending(cls, distinct: Sequence[bytes]) -> "FrozenWords[Value]":
        """A table of encoded values in ascending order, none twice."""
        offsets = np.zeros(len(distinct) + 1, dtype=np.int64)
        np.cumsum([len(text) for text in distinct], out=offsets[1:])
        return FrozenWords(offsets, np.frombuffer(b"".join(distinct), dtype=np.uint8))

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def __getitem__(self, code: int) -> Value:
        value = json.loads(str(self._text_of(int(code)), "utf-8", _ERRORS))
        return cast("Value", tuple(value) if isinstance(value, list) else value)

    def codes(self, values: Iterable[Value]) -> NDArray[np.int32]:
        """Codes of those of the values that are in the table."""
        return self.codes_of({encoded(value) for value in values})

    def codes_of(self, texts: Collection[bytes]) -> NDArray[np.int32]:
        """Codes of those of the encoded values that are in the table."""
        if len(texts) * len(self).bit_length() > len(self):  # so many that reading the table once is less work
            wanted = frozenset(texts)
            found = [code for code, text in enumerate(self.texts()) if text in wanted]
        else:
            found = [code for text in texts if (code := self._code(text)) is not None]
        return np.array(found, dtype=np.int32)

    def among(self, codes: NDArray[np.int32]) -> NDArray[np.bool_]:
        """A table over all codes: True at the given ones."""
        table = np.zeros(len(self), dtype=np.bool_)
        table[codes] = True
        return table

    def texts(self) -> Iterator[bytes]:
        """All encoded values in their order."""
        start = 0
        for end in self._offsets[1:]:
            yield bytes(self._text[start:end])
            start = end

    def _text_of(self, code: int) -> bytes:
        if not 0 <= code < len(self):
            raise IndexError(f"code {code} is not in a table of {len(self)} values")
        return bytes(self._text[self._offsets[code] : self._offsets[code + 1]])

    def _code(self, text: bytes) -> int | None:
        place = bisect_left(range(len(self)), text, key=self._text_of)
        return place if place < len(self) and self._text_of(place) == text else None


def frozen(codes: NDArray[np.int32], values: Values[Value]) -> tuple[NDArray[np.int32], FrozenWords[Value]]:
    """A column of codes in the codes of a frozen table, which holds the values used and no others.

    Args:
        codes: The column, shape (rows,).
        values: What its codes mean; may learn more meanwhile.
    """
    used = _used(codes, len(values))
    texts = [encoded(values[code]) for code in used.tolist()]
    order = sorted(range(len(texts)), key=texts.__getitem__)
    fresh = np.empty(len(texts), dtype=np.int32)
    fresh[order] = np.arange(len(texts), dtype=np.int32)
    words: FrozenWords[Value] = FrozenWords.of_ascending([texts[place] for place in order])
    return _translated(codes, used, fresh, len(values)), words


def merged(
    columns: Sequence[NDArray[np.int32]], words: Sequence[FrozenWords[Value]]
) -> tuple[list[NDArray[np.int32]], FrozenWords[Value]]:
    """Columns of codes of different tables in the codes of one table, which holds the values used and no others.

    Args:
        columns: The columns, each of shape (rows,).
        words: What the codes of each mean.
    """
    used = [_used(codes, len(table)) for codes, table in zip(columns, words, strict=True)]
    texts = [_texts_at(table, at) for table, at in zip(words, used, strict=True)]
    whole: FrozenWords[Value] = FrozenWords.of(text for part in texts for text in part)
    return [
        _translated(codes, at, _codes_in(whole, part), len(table))
        for codes, at, part, table in zip(columns, used, texts, words, strict=True)
    ], whole


def _used(codes: NDArray[np.int32], size: int) -> NDArray[np.int64]:
    seen = np.zeros(size, dtype=np.bool_)
    seen[codes] = True
    return np.flatnonzero(seen)


def _texts_at(words: FrozenWords[Any], codes: NDArray[np.int64]) -> list[bytes]:
    texts = list(words.texts())
    return texts if len(codes) == len(texts) else [texts[code] for code in codes.tolist()]


def _codes_in(words: FrozenWords[Any], texts: Sequence[bytes]) -> NDArray[np.int32]:
    codes = {text: code for code, text in enumerate(words.texts())}
    return np.array([codes[text] for text in texts], dtype=np.int32)


def _translated(
    codes: NDArray[np.int32], used: NDArray[np.int64], fresh: NDArray[np.int32], size: int
) -> NDArray[np.int32]:
    table = np.zeros(size, dtype=np.int32)
    table[used] = fresh
    translated: NDArray[np.int32] = table[codes]
    return translated
