"""How a search is done: exactly, or with the faster search of a codec that has one and may miss some.

Exact until size forbids: a filter that leaves few candidates is always answered exactly, whatever the codec, so a
camera that is one of hundreds is searched with full recall.
"""

from collections.abc import Mapping, Sequence

from index.codecs import Codec
from index.selection import Selection


def exact(selections: Sequence[Selection], exact_below: int, codecs: Mapping[str, Codec]) -> bool:
    """Whether none of the best may be missed.

    Args:
        selections: What the filter leaves, by part.
        exact_below: Candidates in all parts together up to which a search is exact.
        codecs: Codecs by name.
    """
    if sum(one.candidates for one in selections) <= exact_below:
        return True
    return not any(one.part.segment is not None and codecs[one.part.codec].approximate for one in selections)
