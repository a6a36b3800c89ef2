"""Names and values as words of 32 hexadecimal digits, which is all that an expression ever says of them.

Milvus' expressions are text. Rather than quote what users chose, and depend on how each version reads quotes, escapes
and long texts, an expression compares digests: no name of a camera can end a string, whatever it is made of, and
equality is what is defined here, not what the server makes of JSON. Two names with one digest would take about 2^64
names on purpose; `index.recheck` would still refuse the crop.
"""

import hashlib
import json
from collections.abc import Mapping

from index.contract import Scalar


def word(*parts: str | None) -> str:
    """The word of a name, or of several parts in their order."""
    return _digest(list(parts))


def term(key: str, value: Scalar) -> str | None:
    """The word of an attribute: the same for equal values as JSON has it; None for NaN, which equals nothing."""
    if value != value:  # noqa: PLR0124 - NaN
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # 1.0 is 1; exact, as Python compares them
    return _digest([key, value])


def terms(attributes: Mapping[str, Scalar]) -> list[str]:
    """The words of all attributes of a crop that can be searched for."""
    return [one for key, value in attributes.items() if (one := term(key, value)) is not None]


def _digest(parts: list[Scalar]) -> str:
    # JSON keeps 1, "1", true and null apart; what it escapes, lone surrogates included, is plain ASCII
    return hashlib.sha256(json.dumps(parts).encode("ascii")).hexdigest()[:32]
