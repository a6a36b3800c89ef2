"""Flat JSON attributes: equality as JSON has it, and a vocabulary of attribute sets searchable by key and value."""

from collections.abc import Hashable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from index.columns import Vocabulary
from index.contract import Scalar


def json_equal(left: Scalar, right: Scalar) -> bool:
    """Whether two JSON scalars are equal: 1 equals 1.0, True equals neither, None equals only None."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    return left == right


class AttributeSets(Vocabulary[Mapping[str, Scalar]]):
    """Numbers the distinct attribute sets of a collection and finds those that hold a given key and value.

    Memory and the cost of a lookup grow with the distinct sets, not with the crops, so a handful of colours and types
    costs next to nothing however many crops there are; sets that are all different cost as much as a column each.
    """

    def __init__(self) -> None:
        super().__init__()
        self._holders: dict[Hashable, list[int]] = {}

    def holding(self, key: str, value: Scalar) -> NDArray[np.int32]:
        """Codes of the sets in which the key is present with an equal value."""
        if value != value:  # noqa: PLR0124 - NaN, which is no JSON and equals nothing; a dict would find the same object
            return np.empty(0, dtype=np.int32)
        holders = self._holders.get(_term(key, value), [])
        return np.array(holders.copy(), dtype=np.int32)  # a copy is one step for the writer, who may be appending

    def encode(self, value: Mapping[str, Scalar]) -> int:
        """The code of an attribute set; one not seen before gets the next one, and a copy of it is kept."""
        # the type keeps 1, 1.0 and True apart, so that a crop is answered as it was enrolled
        key = (*value.items(), *map(type, value.values()))
        code = self._codes.get(key)
        if code is None:
            code = len(self._values)
            self._values.append(dict(value))
            for name, scalar in value.items():
                self._holders.setdefault(_term(name, scalar), []).append(code)
            self._codes[key] = code  # last, as in `Vocabulary`
        return code

    def encode_all(self, values: Sequence[Mapping[str, Scalar]]) -> NDArray[np.int32]:
        """Codes of all values, shape (len(values),); a mapping that comes again and again is looked at once."""
        distinct = {id(value): value for value in values}
        codes = {place: self.encode(value) for place, value in distinct.items()}
        return np.array([codes[id(value)] for value in values], dtype=np.int32)


def _term(key: str, value: Scalar) -> Hashable:
    # Python's hash and == already take 1 and 1.0 for one, and would take True for it as well
    return key, isinstance(value, bool), value
