"""Codecs: how the vectors of a segment are kept in files, what they cost and how they are searched."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from index.codecs.contract import Codec, CodecError, SegmentVectors
from index.codecs.flat import Fp16, Fp32
from index.codecs.rabitq import Rabitq
from index.codecs.scalar import Sq8

__all__ = ["CODECS", "DEFAULT_CODEC", "Codec", "CodecError", "SegmentVectors", "codec"]

CODECS: Final[Mapping[str, Codec]] = MappingProxyType({one.name: one for one in (Fp32(), Fp16(), Sq8(), Rabitq())})
"""Every codec by its name."""

DEFAULT_CODEC: Final = "sq8"
"""The codec of a collection that asks for none."""


def codec(name: str) -> Codec:
    """The codec of a name.

    Raises:
        ValueError: There is none of that name; the message lists those there are.
    """
    if name not in CODECS:
        raise ValueError(f"There is no codec {name!r}; choose from {', '.join(CODECS)}.")
    return CODECS[name]
