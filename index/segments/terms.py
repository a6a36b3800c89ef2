"""Attribute sets, frozen, and by what they are found: which sets hold a key with an equal value."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from index.contract import Scalar
from index.segments.words import FrozenWords, encoded


class FrozenAttributes(FrozenWords[Mapping[str, Scalar]]):
    """Distinct attribute sets, searchable by key and value like `index.attributes.AttributeSets`.

    Args:
        sets: The attribute sets.
        terms: Each (key, value) that some set holds; values that JSON takes for equal are one.
        starts: Where the list of each term begins, and where the last ends, shape (terms + 1,), int64.
        holders: The lists one behind the other: codes of the sets that hold the term, ascending, int32.
    """

    def __init__(
        self,
        sets: FrozenWords[Mapping[str, Scalar]],
        terms: FrozenWords[Any],
        starts: NDArray[np.int64],
        holders: NDArray[np.int32],
    ) -> None:
        super().__init__(sets.offsets, sets.text)
        self.terms = terms
        self.starts = starts
        self.holders = holders

    @classmethod
    def indexed(cls, sets: FrozenWords[Mapping[str, Scalar]]) -> "FrozenAttributes":
        """Attribute sets with the lists by which they are found."""
        lists: defaultdict[bytes, list[int]] = defaultdict(list)
        for code in range(len(sets)):
            for key, value in sets[code].items():
                if value == value:  # noqa: PLR0124 - NaN, which equals nothing, is found by nothing
                    lists[_term(key, value)].append(code)
        terms: FrozenWords[Any] = FrozenWords.of(lists)
        ordered = [lists[text] for text in terms.texts()]
        starts = np.zeros(len(ordered) + 1, dtype=np.int64)
        np.cumsum([len(codes) for codes in ordered], out=starts[1:])
        holders = np.fromiter((code for codes in ordered for code in codes), dtype=np.int32, count=int(starts[-1]))
        return cls(sets, terms, starts, holders)

    def holding(self, key: str, value: Scalar) -> NDArray[np.int32]:
        """Codes of the sets in which the key is present with an equal value."""
        if value != value:  # noqa: PLR0124 - NaN equals nothing
            return np.empty(0, dtype=np.int32)
        found = self.terms.codes_of([_term(key, value)])
        if not len(found):
            return np.empty(0, dtype=np.int32)
        return self.holders[self.starts[found[0]] : self.starts[found[0] + 1]]


def _term(key: str, value: Scalar) -> bytes:
    # JSON takes 1 and 1.0 for equal, whose texts differ; the int of a whole float is exact
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return encoded((key, value))
